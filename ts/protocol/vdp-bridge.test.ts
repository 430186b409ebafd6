/** What the bridge side of VDP does beyond single steps (vdp-bridge-table.test.ts). */
import { describe, expect, it } from 'vitest';
import { type IpAddr, type LinkName, nveError, parseVnName, type TsiId, unwrap } from '#model';
import { encodeCisco, encodeVdp, VDP_ERRORS, type VdpOuiTlv } from '#wire';
import { BridgeRig, bridgeLine, pdu, peer, type TlvOf, tlv, vsi, vsiid } from './testing/vdp-rig.js';
import { vdpRules } from './vdp-mapping.js';
import { refusalOf } from './vdp-status-of.js';
import { reinitKeepAlive, resourceWaitDelay, respWaitDelay, toutKeepAlive } from './vdp-timers.js';

const settle = (rig: BridgeRig, of: TlvOf = {}, command: 'preAssociate' | 'associate' = 'associate') => [
  ...rig.tell(tlv(command, of)),
  ...rig.grant(),
];

describe('what a filter means', () => {
  it('null VIDs come back with one VID each, in order, everything else as it was', () => {
    const rig = new BridgeRig();
    const request = tlv('associate', {
      entries: [
        { vni: 5002, mac: 1 },
        { vni: 5001, mac: 2 },
        { vni: 5002, mac: 3 },
      ],
    });
    rig.tell(request);
    rig.grant();
    const row = rig.bridge.rows()[0];
    expect(row?.association).toEqual({
      ...request,
      filter: {
        kind: 'entries',
        format: 4,
        entries:
          request.filter.kind === 'entries' &&
          request.filter.entries.map((one, i) => ({ ...one, vid: [101, 100, 101][i] })),
      },
    });
    expect(row?.tsis).toEqual([
      { tsi: `${vsiid()}/5002`, link: 'acc0' },
      { tsi: `${vsiid()}/5001`, link: 'acc0' },
    ]);
  });

  it('several VNs are several TSIs, granted or refused together', () => {
    const rig = new BridgeRig();
    const of = {
      entries: [
        { vni: 5001, mac: 1 },
        { vni: 5002, mac: 2 },
      ],
    };
    expect(rig.tell(tlv('associate', of))).toEqual(['activated 1/5001 on acc0 [1]', 'activated 1/5002 on acc0 [2]']);
    const [first, second] = rig.asked.splice(0);
    const row = { tag: { kind: 'c-tag', vid: 100 } } as never;
    expect(rig.do({ type: 'tsiAnswer', request: first?.request ?? 0, result: { ok: true, value: row } })).toEqual([]);
    const error = nveError('NVE-NVA-001', { vn: 'vni:5002' });
    expect(rig.do({ type: 'tsiAnswer', request: second?.request ?? 0, result: { ok: false, error } })).toEqual([
      'deassociate 1/5001 on acc0',
      'deassociate 1/5002 on acc0',
      'send associate 5 HARD [0 0]',
    ]);
    expect(rig.states()).toBe('init');
  });

  it('GroupIDs are VNIs: 0 and what has more than 24 bits are refused', () => {
    for (const vni of [0, 2 ** 24, 2 ** 32 - 1]) {
      expect(settle(new BridgeRig(), { entries: [{ vni }] })).toEqual(['send associate 5 HARD [0]']);
    }
  });

  it('without GroupID a rule names the VN, or it is refused', () => {
    const blue = unwrap(parseVnName('blue'));
    const rig = new BridgeRig({ rules: vdpRules({ types: [{ typeId: 7, vn: blue }] }) });
    const without = { format: 2, entries: [{ vni: null }] };
    expect(settle(rig, without)).toEqual(['activated 1 on acc0 [1]', 'send associate ok [200]']);
    expect(settle(rig, { ...without, vsi: 2, typeId: 8 })).toEqual(['send associate 5 HARD [0]']);
    const byPort = new BridgeRig({ rules: vdpRules({ ports: { [peer().port]: blue } }) });
    expect(settle(byPort, { ...without, typeId: 8 })).toContain('send associate ok [200]');
    const byVersion = new BridgeRig({ rules: vdpRules({ types: [{ typeId: 7, typeVersion: 2, vn: blue }] }) });
    expect(settle(byVersion, without)).toEqual(['send associate 5 HARD [0]']);
  });

  it('without MACs they are to be learned', () => {
    const rig = new BridgeRig();
    rig.tell(tlv('associate', { format: 3, entries: [{ mac: null }] }));
    expect(rig.asked).toMatchObject([{ macs: [], learn: true }]);
  });

  it('multicast MACs, reserved VIDs and two VIDs for one VN are refused', () => {
    const bad = [
      [{ vid: 4095 }],
      [
        { mac: 1, vid: 100 },
        { mac: 2, vid: 101 },
      ],
    ];
    for (const entries of bad) expect(settle(new BridgeRig(), { entries })[0]).toMatch(/^send associate 5 HARD/);
    const association = tlv('associate');
    const { filter } = association;
    const entries =
      filter.kind === 'entries' ? filter.entries.map((one) => ({ ...one, mac: '01:00:5e:00:00:01' as never })) : [];
    expect(new BridgeRig().tell({ ...association, filter: { kind: 'entries', format: 4, entries } })).toEqual([
      'send associate 5 HARD [0]',
    ]);
  });

  it('a filter that is not understood is error 1, and comes back as it was', () => {
    const rig = new BridgeRig();
    const filter = { kind: 'opaque', format: 9, count: 1, octets: '0102', problem: 'not known' } as const;
    const effects = rig.raw({ type: 'pdu', peer: peer(), pdu: pdu({ ...tlv('associate'), filter }) });
    expect(effects.flatMap(bridgeLine)).toEqual(['send associate 1 HARD ?']);
    expect(effects.find(({ type }) => type === 'send')).toMatchObject({ pdu: { tlvs: [{ filter }] } });
    // But a De-Assoc goes by the VSIID alone.
    settle(rig);
    rig.tell({ ...tlv('deAssociate'), filter });
    expect(rig.grant()).toEqual(['send deAssociate ok ?']);
  });

  it("Cisco's TLVs: an IPv4 address is the TSI's, a name is shown", () => {
    const rig = new BridgeRig();
    const about = { vsiidFormat: 4, vsiid: vsiid() };
    const ip = unwrap(encodeCisco({ kind: 'ipv4', ...about, ip: '10.0.0.7' as IpAddr }));
    const name = unwrap(encodeCisco({ kind: 'vm', ...about, uuid: '11'.repeat(16), name: 'vm7' }));
    const unknown: VdpOuiTlv = { kind: 'oui', oui: '0080c2', subtype: 1, octets: 'ff' };
    expect(rig.tell(tlv('associate'), unknown, ip, name)).toEqual(['activated 1/5001 on acc0 [1 10.0.0.7]']);
    rig.grant();
    expect(rig.bridge.rows()).toMatchObject([{ name: 'vm7' }]);
    // A keep-alive without it changes nothing, another address is a change.
    expect(rig.tell(tlv('associate'))).toEqual(['send associate ok [100]']);
    const other = unwrap(encodeCisco({ kind: 'ipv4', ...about, ip: '10.0.0.8' as IpAddr }));
    expect(rig.tell(tlv('associate'), other)).toEqual(['activated 1/5001 on acc0 [1 10.0.0.8]']);
  });
});

describe('VIDs', () => {
  it('the one that was given is the same filter; another one is asked for, and the old association kept if refused', () => {
    const rig = new BridgeRig();
    settle(rig);
    expect(rig.tell(tlv('associate', { entries: [{ vid: 100 }] }))).toEqual(['send associate ok [100]']);
    expect(rig.tell(tlv('associate', { entries: [{ vid: 105 }] }))).toEqual(['activated 1/5001 on acc0 [1] vid 105']);
    const error = nveError('NVE-TAG-003', { vid: 105, vn: 'blue', link: 'acc0', reason: 'its tag there is 100' });
    expect(rig.refuse(error)).toContain('send associate KEEP 5 HARD [105]');
  });

  it('after our restart the one that the station remembers is asked for, and where it cannot be the station starts anew', () => {
    const rig = new BridgeRig();
    expect(rig.tell(tlv('associate', { entries: [{ vid: 321 }] }))).toEqual(['activated 1/5001 on acc0 [1] vid 321']);
    const error = nveError('NVE-TAG-003', { vid: 321, vn: 'blue', link: 'acc0', reason: 'it names VN red' });
    expect(rig.refuse(error)).toEqual(['deassociate 1/5001 on acc0', 'send deAssociate 5 [321]']);
  });

  it('a PCP is given where one is configured and none was asked for', () => {
    const rig = new BridgeRig({ pcp: 3 });
    settle(rig);
    expect(rig.bridge.rows()[0]?.association?.filter).toMatchObject({ entries: [{ vid: 100, ps: true, pcp: 3 }] });
    const { filter } = tlv('associate');
    const entries = filter.kind === 'entries' ? filter.entries.map((one) => ({ ...one, ps: true, pcp: 6 })) : [];
    rig.tell({ ...tlv('associate', { vsi: 2 }), filter: { kind: 'entries', format: 4, entries } });
    rig.grant();
    expect(rig.bridge.rows()[1]?.association?.filter).toMatchObject({ entries: [{ ps: true, pcp: 6 }] });
  });
});

describe('life of a VM', () => {
  it('Pre-Assoc, RR, Assoc, Pre-Assoc (Deactivate), Assoc, De-Assoc', () => {
    const rig = new BridgeRig();
    const step = (command: 'preAssociate' | 'preAssociateRr' | 'associate' | 'deAssociate') =>
      [...rig.tell(tlv(command, { entries: [{ vid: 100 }] })), ...rig.grant()].join(', ');
    expect(step('preAssociate')).toBe('associated 1/5001 on acc0 [1] vid 100, send preAssociate ok [100]');
    expect(step('preAssociateRr')).toBe('associated 1/5001 on acc0 [1] vid 100, send preAssociateRr ok [100]');
    expect(step('associate')).toBe('activated 1/5001 on acc0 [1] vid 100, send associate ok [100]');
    expect(step('preAssociate')).toBe(
      'associated 1/5001 on acc0 [1] vid 100, deactivate 1/5001 on acc0, send preAssociate ok [100]',
    );
    expect(step('associate')).toBe('activated 1/5001 on acc0 [1] vid 100, send associate ok [100]');
    expect(step('deAssociate')).toBe('deassociate 1/5001 on acc0, send deAssociate ok [100]');
  });

  it('suspend and resume keep the association, and are told on', () => {
    const rig = new BridgeRig();
    settle(rig);
    expect(rig.tell(tlv('associate', { suspended: true }))).toEqual([
      'activated 1/5001 on acc0 [1] vid 100 S',
      'send associate ok [100]',
    ]);
    // The bit stays in the keep-alives.
    expect(rig.tell(tlv('associate', { suspended: true }))).toEqual(['send associate ok [100]']);
    expect(rig.tell(tlv('associate'))).toEqual(['activated 1/5001 on acc0 [1] vid 100', 'send associate ok [100]']);
  });

  it('migration: the same VSI on two ports is the same TSI on two links', () => {
    const rig = new BridgeRig();
    settle(rig);
    const tell = (command: 'preAssociate' | 'associate', of: TlvOf) =>
      rig.do({ type: 'pdu', peer: peer(2, 'acc1'), pdu: pdu(tlv(command, of)) });
    expect(tell('preAssociate', { migrating: true })).toEqual(['associated 1/5001 on acc1 [1] M']);
    rig.grant();
    expect(tell('associate', { migrating: true })).toEqual(['activated 1/5001 on acc1 [1] M']);
    rig.grant();
    expect(rig.states()).toBe('associated associated');
    rig.tell(tlv('associate', { suspended: true }));
    rig.tell(tlv('deAssociate'));
    expect(rig.grant()).toEqual(['send deAssociate ok [0]']);
    expect(rig.bridge.rows()).toMatchObject([{ port: 'acc1', state: 'associated' }]);
  });

  it('migration between two stations behind one port: the TSI is shared until the source leaves', () => {
    const rig = new BridgeRig();
    settle(rig);
    const target = (command: 'preAssociate' | 'associate' | 'deAssociate') =>
      rig.do({ type: 'pdu', peer: peer(2), pdu: pdu(tlv(command, { migrating: true })) });
    target('preAssociate');
    rig.grant();
    // The source leaves before the target is activated: the TSI stays, no higher than the target wants it.
    expect(rig.tell(tlv('deAssociate'))).toEqual(['deactivate 1/5001 on acc0']);
    expect(rig.grant()).toEqual(['send deAssociate ok [0]']);
    expect(target('associate')).toEqual(['activated 1/5001 on acc0 [1] M']);
    rig.grant();
    target('deAssociate');
    expect(rig.asked).toMatchObject([{ type: 'deassociate' }]);
  });

  it('a change of the filter adds first and takes away then', () => {
    const rig = new BridgeRig();
    settle(rig, {
      entries: [
        { vni: 5001, mac: 1 },
        { vni: 5002, mac: 2 },
      ],
    });
    const lines = settle(rig, {
      entries: [
        { vni: 5002, mac: 2 },
        { vni: 5003, mac: 3 },
      ],
    });
    expect(lines).toEqual([
      'activated 1/5002 on acc0 [2]',
      'activated 1/5003 on acc0 [3]',
      'deassociate 1/5001 on acc0',
      'send associate ok [101 102]',
    ]);
    // A refused change brings back what was.
    rig.tell(tlv('associate', { entries: [{ vni: 5004, mac: 4 }] }));
    expect(rig.refuse()).toEqual([
      'deassociate 1/5004 on acc0',
      'activated 1/5002 on acc0 [2] vid 101',
      'activated 1/5003 on acc0 [3] vid 102',
      'send associate KEEP 5 HARD [0]',
    ]);
  });

  it('what was to be kept and cannot be is ended', () => {
    const rig = new BridgeRig();
    settle(rig);
    rig.tell(tlv('associate', { entries: [{ vni: 5002, mac: 1 }] }));
    rig.refuse();
    rig.tell(tlv('associate', { entries: [{ vni: 5002, mac: 1 }] }));
    const [ask] = rig.asked.splice(0);
    const error = nveError('NVE-NVA-001', { vn: 'x' });
    rig.do({ type: 'tsiAnswer', request: ask?.request ?? 0, result: { ok: false, error } });
    const restore = rig.asked.find(({ type }) => type === 'associate');
    rig.asked.splice(0);
    expect(rig.do({ type: 'tsiAnswer', request: restore?.request ?? 0, result: { ok: false, error } })).toEqual([
      'deassociate 1/5001 on acc0',
      'send deAssociate [100]',
    ]);
    expect(rig.states()).toBe('init');
  });

  it('a TSI that the engine does not let go is asked for again until it does', () => {
    const rig = new BridgeRig();
    settle(rig);
    rig.tell(tlv('deAssociate'));
    expect(rig.refuse()).toEqual(['send deAssociate ok [0]']);
    expect(rig.expire()).toEqual(['deassociate 1/5001 on acc0']);
    rig.grant();
    expect(rig.bridge.nextDeadline()).toBeNull();
  });
});

describe('PDUs', () => {
  it('several associations in one PDU are answered in one, as far as they fit 1514 octets', () => {
    const rig = new BridgeRig();
    const tlvs = Array.from({ length: 36 }, (_, i) => tlv('deAssociate', { vsi: i + 1 }));
    const effects = rig.raw({ type: 'pdu', peer: peer(), pdu: pdu(...tlvs) });
    const sent = effects.flatMap((effect) => (effect.type === 'send' ? [effect.pdu] : []));
    expect(sent.length).toBe(1);
    expect(sent.flatMap(({ tlvs: all }) => all)).toHaveLength(36);
    // With larger filters two are needed; each fits ECP.
    const large = Array.from({ length: 4 }, (_, i) =>
      tlv('associate', { vsi: i + 1, entries: Array.from({ length: 40 }, (__, n) => ({ vni: 0, mac: n + 1 })) }),
    );
    const answers = rig
      .raw({ type: 'pdu', peer: peer(), pdu: pdu(...large) })
      .flatMap((effect) => (effect.type === 'send' ? [effect.pdu] : []));
    expect(answers.map(({ tlvs: all }) => all.length)).toEqual([2, 2]);
    for (const one of answers) expect(encodeVdp(one).ok).toBe(true);
  });

  it('a station that sends one association a PDU gets one a PDU', () => {
    const rig = new BridgeRig();
    for (const n of [1, 2]) settle(rig, { vsi: n, entries: [{ mac: n }] });
    expect(rig.do({ type: 'revoke', scope: { port: peer().port }, reason: 'test' }).slice(-2)).toEqual([
      'send deAssociate [100]',
      'send deAssociate [100]',
    ]);
  });

  it('one PDU at a time is under way; what comes up meanwhile shares the next, and of one VSI the last counts', () => {
    const rig = new BridgeRig();
    rig.isSlow = true;
    rig.tell(...[1, 2, 3].map((n) => tlv('preAssociate', { vsi: n, entries: [{ mac: n }] })));
    expect(rig.grant()).toEqual(['send preAssociate ok [100]']);
    rig.tell(tlv('associate', { vsi: 2, entries: [{ mac: 2 }] }));
    expect(rig.grant()).toEqual([]);
    expect(rig.do({ type: 'delivered', token: 99 })).toEqual([]);
    expect(rig.do({ type: 'undelivered', token: 1 })).toEqual(['send preAssociate ok [100] + associate ok [100]']);
    expect(rig.do({ type: 'delivered', token: 2 })).toEqual([]);
  });

  it('a flood of what is not read is bounded', () => {
    const rig = new BridgeRig();
    rig.isSlow = true;
    for (let n = 1; n <= 9000; n += 30)
      rig.tell(...Array.from({ length: 30 }, (_, i) => tlv('deAssociate', { vsi: n + i })));
    expect(rig.bridge.counters().get('unsent')).toBeGreaterThan(700);
  });

  it('responses of another bridge are ignored', () => {
    const rig = new BridgeRig();
    expect(rig.tell({ ...tlv('associate'), status: 0x40 })).toEqual([]);
    expect(rig.bridge.counters().get('ignored')).toBe(1);
  });
});

describe('limits and timers', () => {
  it('limits the VSIs of a peer and of a port', () => {
    const rig = new BridgeRig({ maxPerPeer: 1, maxPerPort: 2 });
    settle(rig);
    expect(settle(rig, { vsi: 2 })).toEqual(['send associate 2 [0]']);
    const other = (n: number) => rig.do({ type: 'pdu', peer: peer(n), pdu: pdu(tlv('associate', { vsi: n })) });
    other(2);
    rig.grant();
    expect(other(3)).toEqual(['send associate 2 [0]']);
    // One that is there may change.
    expect(settle(rig, { entries: [{ mac: 9 }] })).toContain('send associate ok [100]');
    settle(rig);
    rig.tell(tlv('deAssociate'));
    rig.grant();
    expect(settle(rig, { vsi: 2 })).toContain('send associate ok [100]');
  });

  it('answers within half of resourceWaitDelay, and ends what is silent for toutKeepAlive', () => {
    const parameters = { retries: 3, rte: 14, rwd: 20, rka: 20 };
    expect(
      [resourceWaitDelay, respWaitDelay, reinitKeepAlive, toutKeepAlive].map((f) => Math.round(f(parameters))),
    ).toEqual([10486, 17449, 10486, 17449]);
    const rig = new BridgeRig({ parameters });
    rig.tell(tlv('associate'));
    expect(rig.bridge.nextDeadline()).toBeCloseTo(5242.88);
    rig.grant();
    expect(rig.bridge.nextDeadline()).toBeCloseTo(17449, -1);
    rig.now = 10_000;
    rig.tell(tlv('associate'));
    expect(rig.bridge.nextDeadline()).toBeCloseTo(27449, -1);
    // EVB negotiates: for this peer, and for all others of the channel.
    const shorter = { ...parameters, rte: 8, rka: 18 };
    rig.do({ type: 'parameters', channel: peer(), mac: null, parameters: shorter });
    expect(rig.bridge.nextDeadline()).toBeCloseTo(10_000 + toutKeepAlive(shorter));
    rig.do({ type: 'parameters', channel: peer(), mac: peer().mac, parameters });
    expect(rig.bridge.nextDeadline()).toBeCloseTo(10_000 + toutKeepAlive(parameters));
    rig.do({ type: 'parameters', channel: peer(), mac: peer().mac, parameters: null });
    expect(rig.expire()).toEqual(['deassociate 1/5001 on acc0', 'send deAssociate [100]']);
  });

  it('associations outlive a carrier loss for a keep-alive interval, and nothing is sent meanwhile', () => {
    const rig = new BridgeRig();
    settle(rig);
    rig.now = 9_000;
    rig.do({ type: 'portDown', port: peer().port });
    rig.now = 9_500;
    rig.do({ type: 'portUp', port: peer().port });
    expect(rig.states()).toBe('associated');
    rig.do({ type: 'portDown', port: peer().port });
    expect(rig.expire()).toEqual(['deassociate 1/5001 on acc0']);
    const strict = new BridgeRig({ portDownHoldMs: 0 });
    settle(strict);
    strict.do({ type: 'portDown', port: peer().port });
    expect(strict.bridge.nextDeadline()).toBe(0);
  });

  it('thousands of VSIs keep their deadlines apart', () => {
    const rig = new BridgeRig();
    for (let n = 1; n <= 3000; n++) {
      rig.now = n;
      rig.tell(tlv('associate', { vsi: n, entries: [{ mac: 1, vni: 5001 }] }));
      rig.grant();
    }
    rig.now = rig.bridge.nextDeadline() ?? 0;
    rig.now += 1000;
    rig.do({ type: 'tick' });
    expect(rig.bridge.rows()).toHaveLength(3000 - 1001);
  });
});

describe('errors', () => {
  it('are told as VDP names them', () => {
    const { insufficientResources, managerUnreachable, otherFailure, invalidValue } = VDP_ERRORS;
    expect(refusalOf(nveError('NVE-NNP-001', { endpoints: '-', reason: '-' }))).toEqual({
      code: managerUnreachable,
      hard: false,
    });
    expect(refusalOf(nveError('NVE-NVA-001', { vn: 'x' }))).toEqual({ code: invalidValue, hard: true });
    expect(refusalOf(nveError('NVE-NVA-004', { vn: 'x', nve: 'n' }))).toEqual({ code: otherFailure, hard: true });
    expect(refusalOf(nveError('NVE-TAG-001', { link: 'l', size: 1, pool: 'p', holders: 'h' }))).toEqual({
      code: insufficientResources,
      hard: false,
    });
    expect(refusalOf(nveError('NVE-SYS-003', { reason: 'x' }))).toEqual({ code: otherFailure, hard: false });
  });

  it('a TSI of several that the NVE ends takes the VSI with it', () => {
    const rig = new BridgeRig();
    settle(rig, {
      entries: [
        { vni: 5001, mac: 1 },
        { vni: 5002, mac: 2 },
      ],
    });
    const key = { tsi: `${vsiid()}/5002` as TsiId, link: 'acc0' as LinkName };
    expect(rig.do({ type: 'tsiEnded', key, error: nveError('NVE-NVA-001', { vn: 'x' }) })).toEqual([
      'deassociate 1/5002 on acc0',
      'deassociate 1/5001 on acc0',
      'send deAssociate [100 101]',
    ]);
  });

  it('an operator ends one VSI, or all of a station, a channel or a port', () => {
    for (const scope of [{ peer: peer(), vsi: vsi() }, { peer: peer() }, { channel: peer() }, { port: peer().port }]) {
      const rig = new BridgeRig();
      settle(rig);
      expect(rig.do({ type: 'revoke', scope, reason: 'test' })).toContain('send deAssociate [100]');
    }
    const rig = new BridgeRig();
    settle(rig);
    expect(rig.do({ type: 'revoke', scope: { peer: peer(2) }, reason: 'test' })).toEqual([]);
  });

  it('remembers why a few VSIs were refused, for ten minutes', () => {
    const rig = new BridgeRig();
    const bad = (n: number) => tlv('associate', { vsi: n, entries: [{ vni: 0, mac: 1 }] });
    for (let n = 1; n <= 257; n++) rig.tell(bad(n));
    const names = (now: number) => rig.bridge.refused(now).map(({ vsi }) => vsi);
    expect(names(600_000)).toHaveLength(256);
    expect(names(600_000)).not.toContain(vsiid(1));
    expect(rig.bridge.refused(0)[0]).toMatchObject({ state: 'refused', error: { code: 'NVE-VDP-002' } });
    expect(names(600_001)).toEqual([]);
    expect(rig.bridge.rows()).toEqual([]);
    // What is asked for again is at work, not refused.
    rig.tell(tlv('associate', { vsi: 2 }));
    expect(names(0)).not.toContain(vsiid(2));
  });
});
