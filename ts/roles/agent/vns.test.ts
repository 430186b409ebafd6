import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Dest } from '#dataplane';
import { err, type HostInfo, type MacAddr, type NveId, nveError, settingsOf, type VnInfo } from '#model';
import type { MemberView, VnView } from '#nva';
import type { EngineObject } from '../engine/objects.js';
import { Reconciler } from '../engine/reconciler.js';
import { FakeEngine } from '../testing/fake-engine.js';
import { silentLog } from '../testing/silent.js';
import type { Sending } from './underlay.js';
import { Vns } from './vns.js';

const blue = { vn: 1, name: 'blue', vni: 5001, mtu: 1500, gateway: null } as unknown as VnInfo;
const mac = (n: number): MacAddr =>
  `02:00:00:00:${(n >> 8).toString(16).padStart(2, '0')}:${(n & 255).toString(16).padStart(2, '0')}` as MacAddr;
const member = (nveId: string, ...ips: string[]) =>
  ({ nveId, contextId: 5001, tunnels: ips.map((ip) => ({ encap: 1, ip })) }) as unknown as MemberView;
const host = (n: number, nveId: string) =>
  ({ vn: 1, mac: mac(n), tsi: `t${n}`, nveId, ips: [], mobilitySeq: 0 }) as unknown as HostInfo;

const TUNNEL = { ttl: 64, df: 'set', dscp: 0, ecn: 'standard', pcp: 0, ports: [49_152, 65_535] };
const SENDING = {
  families: new Set([4]),
  encaps: [1],
  tunnel: TUNNEL,
  groupPorts: new Map([[4, 7]]),
} as unknown as Sending;

it('a large VN comes in slices, may change meanwhile, and never names what is not there', async () => {
  const COUNT = 4_000;
  const engine = new FakeEngine();
  const apply = engine.apply.bind(engine);
  engine.apply = async (commands) => {
    await nextTurn();
    return apply(commands);
  };
  const hosts = new Map<MacAddr, HostInfo>();
  const members = new Map<NveId, MemberView>([['nve2' as NveId, member('nve2', '192.0.2.2')]]);
  const view: VnView = { info: blue, members, nves: new Map(), hosts, homes: new Map(), live: true, revision: 1n };
  for (let n = 0; n < COUNT; n++) hosts.set(mac(n), host(n, 'nve2'));
  const reconciler = new Reconciler(engine, silentLog().log, () => undefined);
  const vns = new Vns({
    reconciler,
    self: 'nve1' as NveId,
    sending: SENDING,
    linkOf: () => err(nveError('NVE-SYS-003', { reason: 'no link here' })),
    viewOf: () => view,
    learned: { claimed: () => undefined, left: () => undefined, placed: () => undefined },
  });
  vns.connect(blue);

  let turns = 0;
  const loading = vns.refresh(blue.vn);
  const counter = (async () => {
    for (let done = false; !done; turns++) done = await Promise.race([loading.then(() => true), nextTurn(false)]);
  })();
  for (let n = 0; n < 4; n++) await nextTurn();
  // In the middle of it everything moves to another NVE.
  members.clear();
  members.set('nve3' as NveId, member('nve3', '192.0.2.3'));
  for (let n = 0; n < COUNT; n++) hosts.set(mac(n), host(n, 'nve3'));
  await Promise.all([loading, vns.refresh(blue.vn, []), counter]);
  expect(turns).toBeGreaterThan(4);
  expect(engine.violations).toEqual([]);
  const nextHops = [...engine.objects.values()].filter(({ op }) => op === 'NextHopSet');
  expect(nextHops).toMatchObject([{ remote: '192.0.2.3' }]);
  const nh = nextHops[0]?.op === 'NextHopSet' ? nextHops[0].nh : 0;
  const rows = [...engine.objects.values()].filter((object) => object.op === 'FdbSet');
  expect(rows).toHaveLength(COUNT);
  expect(rows.every(({ dest }) => dest.kind === 'nh' && dest.nh === nh)).toBe(true);

  // The addresses of stations are pairs, and go with them.
  const withIps = (n: number, ...ips: string[]) =>
    hosts.set(mac(n), { ...host(n, 'nve3'), ips } as unknown as HostInfo);
  const pairs = () =>
    [...engine.objects.values()].flatMap((object) => (object.op === 'PairSet' ? [[object.ip, object.mac]] : []));
  withIps(1, '10.0.0.1', '2001:db8::1');
  withIps(2, '10.0.0.2');
  await vns.refresh(blue.vn, [mac(1), mac(2)]);
  await vns.refresh(blue.vn, []);
  expect(pairs()).toEqual([
    ['10.0.0.1', mac(1)],
    ['2001:db8::1', mac(1)],
    ['10.0.0.2', mac(2)],
  ]);
  withIps(1, '10.0.0.1');
  withIps(2, '10.0.0.1');
  await vns.refresh(blue.vn, [mac(1), mac(2)]);
  withIps(1);
  await vns.refresh(blue.vn, [mac(1)]);
  await vns.refresh(blue.vn, []);
  expect(pairs(), 'who was named last has it').toEqual([['10.0.0.1', mac(2)]]);

  // One host changes: one command.
  engine.batches.length = 0;
  hosts.delete(mac(7));
  await vns.refresh(blue.vn, [mac(7)]);
  expect(engine.batches).toEqual([[{ op: 'FdbDel', vn: 1, mac: mac(7) }]]);

  await vns.disconnect(blue.vn);
  expect([...engine.objects.keys()]).toEqual([]);
  expect(engine.violations).toEqual([]);
});

describe('an NVE with several ends', () => {
  let engine: FakeEngine;
  let members: Map<NveId, MemberView>;
  let nves: VnView['nves'];
  let hosts: Map<MacAddr, HostInfo>;
  let homes: Map<string, readonly NveId[]>;
  let vns: Vns;
  const end = (n: number) => `192.0.2.${n}`;
  const place = (nveId: string, ...ends: number[]): void => {
    members.set(nveId as NveId, member(nveId, ...ends.map(end)));
  };
  const all = <Op extends EngineObject['op']>(op: Op) =>
    [...engine.objects.values()].filter((object) => object.op === op) as Extract<EngineObject, { op: Op }>[];
  /** The ends behind a destination. */
  const endsOf = (dest: Dest | undefined): string[] => {
    const group = all('GroupSet').find(({ group }) => dest?.kind === 'group' && dest.group === group);
    const nhs = dest?.kind === 'nh' ? [dest.nh] : (group?.members.map(({ nh }) => nh) ?? []);
    return nhs.map((nh) => `${all('NextHopSet').find((row) => row.nh === nh)?.remote}`);
  };
  const destOf = (n: number) => all('FdbSet').find((row) => row.mac === mac(n))?.dest;
  const flooded = () => all('FloodSet')[0]?.dests.map(endsOf) ?? [];
  const sources = () => all('SourcesSet')[0]?.ips;

  beforeEach(() => {
    engine = new FakeEngine();
    members = new Map();
    nves = new Map();
    hosts = new Map([2, 3].map((n) => [mac(n), host(n, `nve${n}`)]));
    homes = new Map();
    const view: VnView = { info: blue, members, nves, hosts, homes, live: true, revision: 1n };
    vns = new Vns({
      reconciler: new Reconciler(engine, silentLog().log, () => undefined),
      self: 'nve1' as NveId,
      sending: SENDING,
      linkOf: () => err(nveError('NVE-SYS-003', { reason: 'no link here' })),
      viewOf: () => view,
      learned: { claimed: () => undefined, left: () => undefined, placed: () => undefined },
    });
  });
  afterEach(() => expect(engine.violations).toEqual([]));
  const refresh = (info: VnInfo = blue) => {
    vns.connect(info);
    return vns.refresh(info.vn, []);
  };

  it('is a group of those that this one can send to, and one entry of the flood list', async () => {
    place('nve1', 1, 9);
    members.set('nve2' as NveId, member('nve2', end(2), '2001:db8::2', end(22)));
    place('nve3', 3);
    await refresh();
    expect(destOf(2)?.kind).toBe('group');
    expect(endsOf(destOf(2))).toEqual([end(2), end(22)]);
    expect(all('GroupSet')[0]?.members.map(({ weight }) => weight)).toEqual([1, 1]);
    expect(destOf(3)?.kind).toBe('nh');
    expect(flooded().sort()).toEqual([[end(2), end(22)], [end(3)]]);
    expect(sources()).toEqual([end(2), end(22), end(3)]);
  });

  it('gets and loses ends, until one is left, and its rows follow', async () => {
    place('nve2', 2, 22);
    await refresh();
    engine.batches.length = 0;
    place('nve2', 22, 2);
    await refresh();
    expect(engine.batches, 'in another order they are the same').toEqual([]);
    place('nve2', 22, 23);
    await refresh();
    expect(endsOf(destOf(2))).toEqual([end(22), end(23)]);
    expect(flooded()).toEqual([[end(22), end(23)]]);
    expect(all('GroupSet')).toHaveLength(1);
    expect(sources()).toEqual([end(22), end(23)]);
    place('nve2', 23);
    await refresh();
    expect(destOf(2)?.kind).toBe('nh');
    expect(endsOf(destOf(2))).toEqual([end(23)]);
    expect(flooded()).toEqual([[end(23)]]);
    expect(all('GroupSet')).toEqual([]);
    place('nve2');
    await refresh();
    expect([destOf(2), flooded(), all('NextHopSet'), sources()]).toEqual([undefined, [], [], undefined]);
  });

  it('is reached by the others while one of them cannot be sent to', async () => {
    engine.refuse = (command) => (command.op === 'NextHopSet' && command.remote === end(2) ? 'NVE-ENG-010' : undefined);
    place('nve2', 2, 22);
    expect((await refresh())?.code).toBe('NVE-ENG-010');
    expect(endsOf(destOf(2))).toEqual([end(22)]);
    expect(flooded()).toEqual([[end(22)]]);
  });

  it('is not sent to where it says that nothing arrives, and its weights count', async () => {
    const ends = [
      { encap: 1, ip: end(2), weight: 5 },
      { encap: 1, ip: end(22), down: true },
    ];
    members.set('nve2' as NveId, { ...member('nve2'), tunnels: ends } as unknown as MemberView);
    await refresh();
    const nhOf = (ip: string) => all('NextHopSet').find(({ remote }) => remote === ip)?.nh;
    expect(all('NextHopAlive')).toEqual([{ op: 'NextHopAlive', nh: nhOf(end(22)), alive: false }]);
    expect(all('GroupSet')[0]?.members).toEqual([
      { nh: nhOf(end(2)), weight: 5 },
      { nh: nhOf(end(22)), weight: 1 },
    ]);
    engine.batches.length = 0;
    members.set('nve2' as NveId, { ...member('nve2'), tunnels: [ends[0], { encap: 1, ip: end(22) }] } as never);
    await refresh();
    expect(engine.batches).toEqual([[{ op: 'NextHopAlive', nh: nhOf(end(22)), alive: true }]]);
    members.set('nve2' as NveId, { ...member('nve2'), tunnels: ends } as unknown as MemberView);
    await refresh();
    place('nve2');
    await refresh();
    expect([all('NextHopAlive'), all('NextHopSet')]).toEqual([[], []]);
  });

  it('has at most as many as a group', async () => {
    place('nve2', ...Array.from({ length: 20 }, (_, n) => 100 + n));
    await refresh();
    expect(endsOf(destOf(2))).toHaveLength(16);
  });

  it('shares the copy of a group frame with another NVE at the same ends', async () => {
    place('nve2', 2, 22);
    place('nve3', 2, 22);
    await refresh();
    expect(flooded()).toEqual([[end(2), end(22)]]);
  });

  it('makes the copies for all others by a group, if it is the one that does', async () => {
    place('nve3', 3, 33);
    const node = 'nve2' as NveId;
    (nves as Map<NveId, unknown>).set(node, member('nve2', end(2), end(22)));
    await refresh({ ...blue, settings: { ...settingsOf(blue), delivery: { kind: 'node', nveId: node } } });
    expect(endsOf(destOf(3))).toEqual([end(3), end(33)]);
    expect(flooded()).toEqual([[end(2), end(22)]]);
  });

  it('with others: a host behind several NVEs is sent to at all ends of all of them, each under its own Context ID', async () => {
    place('nve2', 2, 22);
    members.set('nve3' as NveId, { ...member('nve3', end(3)), contextId: 7003 } as unknown as MemberView);
    const others = ['nve3' as NveId];
    hosts.set(mac(2), { ...host(2, 'nve2'), others });
    homes.set('nve2 nve3', ['nve2', 'nve3'] as NveId[]);
    await refresh();
    expect(endsOf(destOf(2))).toEqual([end(2), end(22), end(3)]);
    const contexts = all('NextHopSet').map(({ remote, contextId }) => [remote, contextId]);
    expect(contexts).toEqual([
      [end(2), 5001],
      [end(22), 5001],
      [end(3), 7003],
    ]);
    expect(flooded().sort(), 'each NVE gets its copy').toEqual([[end(2), end(22)], [end(3)]]);
    expect(endsOf(destOf(3)), 'whoever is behind one is sent there').toEqual([end(3)]);

    // One of them goes: the rest serves.
    members.delete('nve2' as NveId);
    await refresh();
    expect(endsOf(destOf(2))).toEqual([end(3)]);
    hosts.set(mac(2), host(2, 'nve3'));
    homes.clear();
    await vns.refresh(blue.vn, [mac(2)]);
    expect(endsOf(destOf(2))).toEqual([end(3)]);
  });

  it('makes no row anew but those of a host that gets another NVE', async () => {
    place('nve2', 2);
    place('nve3', 3);
    await refresh();
    engine.batches.length = 0;
    hosts.set(mac(2), { ...host(2, 'nve2'), others: ['nve3' as NveId] });
    homes.set('nve2 nve3', ['nve2', 'nve3'] as NveId[]);
    await vns.refresh(blue.vn, [mac(2)]);
    expect(engine.batches.flat().map(({ op }) => op)).toEqual(['GroupSet', 'FdbSet']);
  });
});
