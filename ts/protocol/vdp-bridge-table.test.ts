/**
 * Every state of the bridge machine with every event: what comes out, and the state then. VSI 1 asks for VNI 5001 with MAC 1
 * and gets VID 100. `ok` and the like answer what the VSI waits for.
 */
import { describe, expect, it } from 'vitest';
import { type LinkName, nveError, type TsiId } from '#model';
import { BridgeRig, peer, tlv, vsiid } from './testing/vdp-rig.js';
import { VDP_BRIDGE_STATES } from './vdp-events.js';

const STATES: Record<(typeof VDP_BRIDGE_STATES)[number], (rig: BridgeRig) => void> = {
  init: () => {},
  processing: (rig) => rig.tell(tlv('associate')),
  reprocessing: (rig) => {
    rig.tell(tlv('associate'));
    rig.grant();
    rig.tell(tlv('associate', { entries: [{ mac: 2, vid: 100 }] }));
  },
  associated: (rig) => {
    rig.tell(tlv('associate'));
    rig.grant();
  },
  releasing: (rig) => {
    rig.tell(tlv('associate'));
    rig.grant();
    rig.tell(tlv('deAssociate', { entries: [{ vid: 100 }] }));
  },
};

const key = { tsi: `${vsiid()}/5001` as TsiId, link: 'acc0' as LinkName };

const EVENTS: Record<string, (rig: BridgeRig) => string[]> = {
  preAssociate: (rig) => rig.tell(tlv('preAssociate')),
  preAssociateRr: (rig) => rig.tell(tlv('preAssociateRr')),
  associate: (rig) => rig.tell(tlv('associate')),
  'associate suspended': (rig) => rig.tell(tlv('associate', { suspended: true })),
  'associate other MAC': (rig) => rig.tell(tlv('associate', { entries: [{ mac: 3 }] })),
  'associate bad GroupID': (rig) => rig.tell(tlv('associate', { entries: [{ vni: 0 }] })),
  deAssociate: (rig) => rig.tell(tlv('deAssociate')),
  granted: (rig) => rig.grant(),
  refused: (rig) => rig.refuse(),
  late: (rig) => rig.expire(),
  ended: (rig) => rig.do({ type: 'tsiEnded', key, error: nveError('NVE-NVA-001', { vn: 'blue' }) }),
  revoked: (rig) => rig.do({ type: 'revoke', scope: { peer: peer() }, reason: 'test' }),
  'port down': (rig) => rig.do({ type: 'portDown', port: peer().port }),
  'port up': (rig) => rig.do({ type: 'portUp', port: peer().port }),
  parameters: (rig) =>
    rig.do({ type: 'parameters', channel: peer(), mac: null, parameters: { retries: 3, rte: 8, rwd: 18, rka: 18 } }),
};

const TABLE: Record<(typeof VDP_BRIDGE_STATES)[number], Record<string, string>> = {
  init: {
    preAssociate: 'associated 1/5001 on acc0 [1], => processing',
    preAssociateRr: 'associated 1/5001 on acc0 [1], => processing',
    associate: 'activated 1/5001 on acc0 [1], => processing',
    'associate suspended': 'activated 1/5001 on acc0 [1] S, => processing',
    'associate other MAC': 'activated 1/5001 on acc0 [3], => processing',
    'associate bad GroupID': 'send associate 5 HARD [0], => init',
    deAssociate: 'send deAssociate ok [0], => init',
    granted: '=> init',
    refused: '=> init',
    late: '=> init',
    ended: '=> init',
    revoked: '=> init',
    'port down': '=> init',
    'port up': '=> init',
    parameters: '=> init',
  },
  processing: {
    preAssociate: 'expire, associated 1/5001 on acc0 [1], => processing',
    preAssociateRr: 'expire, associated 1/5001 on acc0 [1], => processing',
    associate: '=> processing',
    'associate suspended': 'expire, activated 1/5001 on acc0 [1] S, => processing',
    'associate other MAC': 'expire, activated 1/5001 on acc0 [3], => processing',
    'associate bad GroupID': 'expire, deassociate 1/5001 on acc0, send associate 5 HARD [0], => init',
    deAssociate: 'expire, deassociate 1/5001 on acc0, => releasing',
    granted: 'send associate ok [100], => associated',
    refused: 'deassociate 1/5001 on acc0, send associate 5 HARD [0], => init',
    late: 'expire, deassociate 1/5001 on acc0, send associate 3 [0], => init',
    ended: 'deassociate 1/5001 on acc0, expire, send associate 5 HARD [0], => init',
    revoked: 'expire, deassociate 1/5001 on acc0, send associate 4 [0], => init',
    'port down': '=> processing',
    'port up': '=> processing',
    parameters: '=> processing',
  },
  reprocessing: {
    preAssociate: 'expire, associated 1/5001 on acc0 [1], => reprocessing',
    preAssociateRr: 'expire, associated 1/5001 on acc0 [1], => reprocessing',
    associate: 'expire, activated 1/5001 on acc0 [1], => reprocessing',
    'associate suspended': 'expire, activated 1/5001 on acc0 [1] S, => reprocessing',
    'associate other MAC': 'expire, activated 1/5001 on acc0 [3], => reprocessing',
    'associate bad GroupID':
      'expire, activated 1/5001 on acc0 [1] vid 100, send associate KEEP 5 HARD [0], => associated',
    deAssociate: 'expire, deassociate 1/5001 on acc0, => releasing',
    granted: 'send associate ok [100], => associated',
    refused: 'activated 1/5001 on acc0 [1] vid 100, send associate KEEP 5 HARD [100], => associated',
    late: 'expire, activated 1/5001 on acc0 [1] vid 100, send associate KEEP 3 [100], => associated',
    ended: 'deassociate 1/5001 on acc0, expire, send associate 5 HARD [100], => init',
    revoked: 'expire, deassociate 1/5001 on acc0, send associate 4 [100], => init',
    'port down': '=> reprocessing',
    'port up': '=> reprocessing',
    parameters: '=> reprocessing',
  },
  associated: {
    preAssociate: 'associated 1/5001 on acc0 [1], => reprocessing',
    preAssociateRr: 'associated 1/5001 on acc0 [1], => reprocessing',
    associate: 'send associate ok [100], => associated',
    'associate suspended': 'activated 1/5001 on acc0 [1] vid 100 S, send associate ok [100], => associated',
    'associate other MAC': 'activated 1/5001 on acc0 [3], => reprocessing',
    'associate bad GroupID': 'activated 1/5001 on acc0 [1] vid 100, send associate KEEP 5 HARD [0], => associated',
    deAssociate: 'deassociate 1/5001 on acc0, => releasing',
    granted: '=> associated',
    refused: '=> associated',
    late: 'deassociate 1/5001 on acc0, send deAssociate [100], => init',
    ended: 'deassociate 1/5001 on acc0, send deAssociate [100], => init',
    revoked: 'deassociate 1/5001 on acc0, send deAssociate [100], => init',
    'port down': '=> associated',
    'port up': '=> associated',
    parameters: '=> associated',
  },
  releasing: {
    preAssociate: 'associated 1/5001 on acc0 [1], => processing',
    preAssociateRr: 'associated 1/5001 on acc0 [1], => processing',
    associate: 'activated 1/5001 on acc0 [1], => processing',
    'associate suspended': 'activated 1/5001 on acc0 [1] S, => processing',
    'associate other MAC': 'activated 1/5001 on acc0 [3], => processing',
    'associate bad GroupID': 'send associate 5 HARD [0], => init',
    deAssociate: '=> releasing',
    granted: 'send deAssociate ok [100], => init',
    refused: 'send deAssociate ok [100], => init',
    late: 'send deAssociate ok [100], => init',
    ended: '=> releasing',
    revoked: '=> releasing',
    'port down': '=> releasing',
    'port up': '=> releasing',
    parameters: '=> releasing',
  },
};

describe('every state with every event', () => {
  for (const state of VDP_BRIDGE_STATES) {
    for (const [name, event] of Object.entries(EVENTS)) {
      it(`${state}: ${name}`, () => {
        const rig = new BridgeRig();
        STATES[state](rig);
        expect(rig.states()).toBe(state);
        expect([...event(rig), `=> ${rig.states()}`].join(', ')).toBe(TABLE[state][name]);
      });
    }
  }

  it('names nothing that is not there', () => {
    for (const row of Object.values(TABLE)) expect(Object.keys(row)).toEqual(Object.keys(EVENTS));
  });
});
