/** Many VSIs at once: nothing in VDP or the TSI life cycle may look at all of them for each. */
import { expect, it } from 'vitest';
import { type MacAddr, ok, type VnInfo, vidOfTag } from '#model';
import { cTagLinks } from './testing/tags.js';
import { pdu, peer, tlv } from './testing/vdp-rig.js';
import { TsiTable } from './tsi.js';
import type { TsiEvent } from './tsi-events.js';
import { VdpBridge } from './vdp-bridge.js';
import type { VdpBridgeEvent } from './vdp-events.js';
import { vdpRules } from './vdp-mapping.js';

const VSIS = 10_000;
const PORTS = Array.from({ length: 10 }, (_, i) => peer(1, `acc${i}`));

it(`${VSIS} VSIs on ten links associate and stay, each with its VN's tag`, () => {
  const bridge = new VdpBridge({ rules: vdpRules() });
  const table = new TsiTable({
    tags: cTagLinks(
      PORTS.map(({ port }) => port),
      2,
      4000,
    ),
  });
  let now = 0;
  let answered = 0;
  const nve = (event: VdpBridgeEvent): void => {
    for (const effect of bridge.handle(event, now)) {
      if (effect.type === 'tsi') tsi(effect.command);
      if (effect.type !== 'send') continue;
      answered += effect.pdu.tlvs.length;
      nve({ type: 'delivered', token: effect.token });
    }
  };
  const tsi = (event: TsiEvent): void => {
    for (const effect of table.handle(event, now)) {
      if (effect.type === 'askAuth') {
        const { key, ask, vn } = effect;
        const info = { vn, name: `vn${vn}`, vni: vn, mtu: 1450, gateway: null } as unknown as VnInfo;
        tsi({ type: 'auth', key, ask, result: ok(info) });
      } else if ('op' in effect) {
        tsi({ type: 'engine', key: effect.key, op: effect.op, result: ok(null) });
      } else if (effect.type === 'answer') {
        const { request, result } = effect;
        nve({ type: 'tsiAnswer', request, result });
      }
    }
  };
  const tell = (i: number): void => {
    const mac = `02:00:00:00:${(i >> 8).toString(16).padStart(2, '0')}:${(i & 255).toString(16).padStart(2, '0')}`;
    const entry = { vid: 0, ps: false, pcp: 0, groupId: 5001 + (i % 200), mac: mac as MacAddr, ip: null };
    const association = {
      ...tlv('associate', { vsi: i }),
      filter: { kind: 'entries', format: 4, entries: [entry] },
    } as const;
    nve({ type: 'pdu', peer: PORTS[i % PORTS.length] ?? peer(), pdu: pdu(association) });
  };
  for (let round = 1; round <= 6; round++) {
    for (let i = 0; i < VSIS; i++) {
      tell(i);
      now += 1;
    }
    nve({ type: 'tick' });
    expect(answered).toBe(round * VSIS);
  }
  expect(bridge.rows().filter(({ state }) => state === 'associated')).toHaveLength(VSIS);
  const rows = table.rows();
  expect(rows.filter(({ state }) => state === 'activated')).toHaveLength(VSIS);
  expect(new Set(rows.map(({ link, vn, tag }) => `${link} ${vn} ${tag && vidOfTag(tag)}`)).size).toBe(
    new Set(rows.map(({ link, vn }) => `${link} ${vn}`)).size,
  );
}, 60_000);
