import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { err, type HostInfo, type MacAddr, type NveId, nveError, type VnInfo } from '#model';
import type { MemberView, VnView } from '#nva';
import { Reconciler } from '../engine/reconciler.js';
import { FakeEngine } from '../testing/fake-engine.js';
import { silentLog } from '../testing/silent.js';
import type { Sending } from './underlay.js';
import { Vns } from './vns.js';

const blue = { vn: 1, name: 'blue', vni: 5001, mtu: 1500, gateway: null } as unknown as VnInfo;
const mac = (n: number): MacAddr =>
  `02:00:00:00:${(n >> 8).toString(16).padStart(2, '0')}:${(n & 255).toString(16).padStart(2, '0')}` as MacAddr;
const member = (nveId: string, ip: string) =>
  ({ nveId, contextId: 5001, tunnels: [{ encap: 1, ip }] }) as unknown as MemberView;
const host = (n: number, nveId: string) =>
  ({ vn: 1, mac: mac(n), tsi: `t${n}`, nveId, ips: [], mobilitySeq: 0 }) as unknown as HostInfo;

const TUNNEL = { ttl: 64, df: 'set', dscp: 0, ecn: 'standard', pcp: 0, ports: [49_152, 65_535] };
const SENDING = { families: new Set([4]), encaps: [1], tunnel: TUNNEL } as unknown as Sending;

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
  const view: VnView = { info: blue, members, nves: new Map(), hosts, live: true, revision: 1n };
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
