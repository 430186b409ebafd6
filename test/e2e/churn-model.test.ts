// Random batches against an engine and against a model of docs/engine.md: they are taken by both or by none, and afterwards both hold the
// same. Few ids, so that batches meet.
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { Command, DumpKind, RemoteDest } from '#dataplane';
import type { IpAddr, MacAddr, Mtu, Vid, VnId, Vni } from '#model';
import { after, dumps, emptyState } from '../../ts/dataplane/sim/index.js';
import { obstacle } from '../lib/command.js';
import type { EngineProcess } from '../lib/engine.js';
import { Lab } from '../lib/lab.js';
import { Random } from '../lib/random.js';

const BATCHES = 1500;
const FDB = 16;
const why = obstacle('ip', 'nsenter');
const lab = new Lab();
let engine: EngineProcess;

beforeAll(async () => {
  if (why === undefined) engine = await lab.engine('model', await lab.namespace('model'), { fdbCapacity: FDB });
});
afterAll(() => lab.close());
beforeEach((context) => {
  if (why !== undefined) context.skip(why);
});

/** One command. Ports 0 and 1 are for VAPs, mostly; 2 and 3 for underlays. */
function anyCommand(random: Random): Command {
  const vn = (1 + random.below(4)) as VnId;
  const vap = random.below(5);
  const nh = random.below(4);
  const [port, link] = [random.one([0, 0, 0, 1, 1, 2]), random.one([2, 2, 3, 3, 0])];
  const mac = `02:00:00:00:00:0${random.below(6)}` as MacAddr;
  const there = (): IpAddr =>
    `${random.one(['192.0.2.', '192.0.2.', '192.0.3.', '2001:db8:2::', '2001:db8:3::'])}${1 + random.below(4)}` as IpAddr;
  const remote = (): RemoteDest =>
    random.below(3) === 0 ? { kind: 'group', group: random.below(2) } : { kind: 'nh', nh: random.below(4) };
  const here = { ip: `192.0.${link === 2 ? 2 : 3}.1` as IpAddr, prefixLen: 24 };
  const here6 = { ip: `2001:db8:${link === 2 ? 2 : 3}::1` as IpAddr, prefixLen: 64 };
  const tenant = (): IpAddr => random.one(['10.0.0.1', '10.0.0.2', '2001:db8::1', '2001:db8::2']) as IpAddr;
  const mtu = random.one([1000, 1500, 1500, 1500, 1500, 1500]);
  const makers: readonly (() => Command)[] = [
    () => ({
      op: 'PortAdd',
      port: random.below(4),
      name: `port ${random.below(3)}`,
      mtu,
      kind: { driver: 'net_ring' },
    }),
    () => ({ op: 'PortDel', port: random.below(4) }),
    () => ({
      op: 'VnSet',
      vn,
      vni: random.one([null, null, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]) as Vni | null,
      mtu: random.one([67, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1500]) as Mtu,
    }),
    () => ({ op: 'VnDel', vn }),
    () => {
      const vid = random.one([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 4095]) as Vid;
      const selector = random.below(4) === 0 ? ({ kind: 'untagged' } as const) : ({ kind: 'c-tag', vid } as const);
      return { op: 'VapSet', vap, vn, port, selector, guard: random.below(2) === 0, uplink: random.below(3) === 0 };
    },
    () => ({ op: 'VapDel', vap }),
    () => ({ op: 'UnderlaySet', port: link, ...random.one([here, here, here, here6]) }),
    () => ({ op: 'UnderlayDel', port: link, ip: random.one([here, here6]).ip }),
    () => ({ op: 'NextHopSet', nh, remote: there(), encap: 1, contextId: 1 + random.below(2) }),
    () => ({ op: 'NextHopDel', nh }),
    () => {
      const ageS = random.one([{}, {}, { ageS: 0 }, { ageS: 1 }, { ageS: 65_535 }]);
      return {
        op: 'FdbSet',
        vn,
        mac,
        dest: random.below(2) === 0 ? { kind: 'vap', vap } : remote(),
        ...ageS,
      };
    },
    () => ({ op: 'FdbDel', vn, mac }),
    () => ({ op: 'FloodSet', vn, dests: Array.from({ length: random.below(3) }, remote) }),
    () => {
      const member = () => ({ nh: random.below(4), weight: random.below(4) });
      return { op: 'GroupSet', group: random.below(2), members: Array.from({ length: random.below(4) }, member) };
    },
    () => ({ op: 'GroupDel', group: random.below(2) }),
    () => ({ op: 'NextHopAlive', nh, alive: random.below(2) === 0 }),
    () => ({ op: 'SourcesSet', vn, ips: Array.from({ length: random.below(3) }, there) }),
    () => ({ op: 'NeighbourSet', port: link, ip: there(), mac }),
    () => ({ op: 'NeighbourDel', port: link, ip: there() }),
    () => ({ op: 'PairSet', vn, ip: tenant(), mac }),
    () => ({ op: 'PairDel', vn, ip: tenant() }),
  ];
  // A VN needs ports and a next hop its underlay, so these come more often than their deletions.
  const weights = [5, 1, 6, 1, 8, 3, 4, 1, 6, 2, 12, 4, 4, 4, 1, 3, 3, 2, 1, 4, 1];
  return random.one(makers.flatMap((maker, at) => Array<() => Command>(weights[at]!).fill(maker)))();
}

it('takes and holds what the model of docs/engine.md takes and holds', async () => {
  const random = new Random(8014);
  let state = emptyState();
  let taken = 0;
  for (let at = 0; at < BATCHES; at++) {
    const batch = Array.from({ length: 1 + random.below(3) }, () => anyCommand(random));
    const next = after(state, batch, FDB);
    const { refused } = await engine.apply(batch);
    const told = () =>
      `batch ${at}: ${JSON.stringify(batch)}\nrefused: ${JSON.stringify(refused)}\nstate: ${JSON.stringify(dumps(state))}`;
    expect(refused.length === 0, told()).toBe(next !== undefined);
    if (next === undefined) continue;
    taken += 1;
    state = next;
    for (const [kind, rows] of Object.entries(dumps(state))) {
      // A link-local address that the engine itself has made of a port's MAC (RFC 4291, 2.1) is none of the model's.
      const all = await engine.dump(kind as DumpKind);
      const dumped = all.filter((row) => kind !== 'underlays' || !('ip' in row && row.ip.startsWith('fe80:')));
      expect(dumped, told()).toEqual(rows.map((row) => expect.objectContaining(row)));
    }
    const fixed = (await engine.dump('neighbours')).filter((row) => row.state === 'static');
    expect(new Set(fixed.map(({ port, ip, mac }) => `${port} ${ip} ${mac}`)), told()).toEqual(
      new Set([...state.neighbours.values()].map(({ port, ip, mac }) => `${port} ${ip} ${mac}`)),
    );
  }
  expect(taken).toBeGreaterThan(BATCHES / 5);
  expect(taken).toBeLessThan((BATCHES * 4) / 5);
});
