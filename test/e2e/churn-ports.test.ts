// Ports that come and go, and batches that are refused, while a tenant's traffic runs through the same engines: it loses nothing.
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { Command, DumpKind } from '#dataplane';
import type { IpAddr, MacAddr, Mtu, Vid, VnId, Vni } from '#model';
import { Chain, type ChainVn, PORT, TENANT, vapsOf, xdpPort } from '../lib/chain.js';
import { obstacle } from '../lib/command.js';
import { type EngineProcess, grown } from '../lib/engine.js';
import { content, ETHERTYPE, ethernet, hex, tagged } from '../lib/frames.js';
import { Lab } from '../lib/lab.js';
import type { Namespace } from '../lib/namespace.js';
import { Random } from '../lib/random.js';
import type { RawSocket } from '../lib/raw.js';

const NAME = 'blue  ';
const BLUE: ChainVn = {
  id: 1,
  tag: { 0: 100, 1: 200 },
  vni: { 0: 5001, 1: 5002 },
  tap: { 0: PORT.tap, 1: PORT.tap },
};
const VN = BLUE.id as VnId;
/** Another tenant of blue, behind whichever port is added. */
const NEW = { mac: '02:00:00:00:00:77' as MacAddr, port: 10, vap: 50 };

const why = obstacle('python3', 'ip', 'nsenter');
const lab = new Lab();
let chain: Chain;
let outside: Namespace;
let sender: RawSocket;
let receiver: RawSocket;

beforeAll(async () => {
  if (why !== undefined) return;
  chain = await Chain.create(lab);
  sender = await chain.tap(0, BLUE.tap[0]);
  receiver = await chain.tap(1, BLUE.tap[1]);
  await receiver.tally(14, NAME.length);
  await chain.make(BLUE);
  outside = await lab.namespace('outside');
});
afterAll(() => lab.close());
beforeEach((context) => {
  if (why !== undefined) context.skip(why);
});

/** Runs something beside a steady flow from blue's tenant 0 to its tenant 1, none of whose frames may be lost, doubled or overtaken. */
async function underTraffic(act: () => Promise<void>): Promise<void> {
  await receiver.counts(true);
  const frame = ethernet({ to: TENANT[1], from: TENANT[0] }, ETHERTYPE.local, content(NAME, 60));
  await sender.flow([frame, frame], 2);
  await act();
  const sent = await sender.halt();
  expect(sent).toBeGreaterThan(100);
  const counted = async () => (await receiver.counts()).get(NAME);
  await expect.poll(counted, { timeout: 3_000 }).toEqual({ frames: sent, highest: sent, late: 0 });
  expect([...(await receiver.counts()).keys()]).toEqual([NAME]);
}

function newTenant(selector: { kind: 'untagged' } | { kind: 'c-tag'; vid: Vid }): Command[] {
  return [
    { op: 'VapSet', vap: NEW.vap, vn: VN, port: NEW.port, selector, guard: true, uplink: false },
    { op: 'FdbSet', vn: VN, mac: NEW.mac, dest: { kind: 'vap', vap: NEW.vap } },
  ];
}

const NO_TENANT: Command[] = [
  { op: 'FdbDel', vn: VN, mac: NEW.mac },
  { op: 'VapDel', vap: NEW.vap },
  { op: 'PortDel', port: NEW.port },
];

/** Frames of the new tenant go both ways: to and from blue's tenant 0. `tag` is what its port carries. */
async function newTenantTalks(port: RawSocket, tag: (frame: Buffer) => Buffer): Promise<void> {
  const there = ethernet({ to: NEW.mac, from: TENANT[0] }, ETHERTYPE.local, content('to the new port', 60));
  const back = ethernet({ to: TENANT[0], from: NEW.mac }, ETHERTYPE.local, content('from the new port', 60));
  await sender.send([there]);
  expect(hex(await port.take({ count: 1, quiet: 0 }))).toEqual(hex([tag(there)]));
  await port.send([tag(back)]);
  expect(hex(await sender.take({ count: 1, quiet: 0 }))).toEqual(hex([back]));
}

it('taps of a tNVE and links of an agent come and go at run time', async () => {
  const [tnve, agent] = [chain.tnve[0], chain.agent[0]];
  await lab.veth({ namespace: agent.namespace, iface: 'more' }, { namespace: outside, iface: 'more' });
  const link = await lab.raw().socket(outside, 'more');
  const before = await Promise.all(chain.engines.map((engine) => engine.drops()));
  await underTraffic(async () => {
    for (let round = 0; round < 8; round++) {
      const kind = { driver: 'net_tap', iface: 'new', mac: null } as const;
      await tnve.must(
        { op: 'PortAdd', port: NEW.port, name: 'new', mtu: 1500, kind },
        ...newTenant({ kind: 'untagged' }),
      );
      await tnve.namespace.ip('link set new up');
      const tap = await lab.raw().socket(tnve.namespace, 'new');
      await newTenantTalks(tap, (frame) => frame);
      await tnve.must(...NO_TENANT);
      expect((await tnve.namespace.run('ip link show new')).stderr).toContain('does not exist');

      const vid = 300 as Vid;
      await agent.must(xdpPort(NEW.port, 'more', 1500), ...newTenant({ kind: 'c-tag', vid }));
      await newTenantTalks(link, (frame) => tagged(frame, vid));
      await agent.must(...NO_TENANT);
    }
  });
  const after = await Promise.all(chain.engines.map((engine) => engine.drops()));
  expect(after.map((drops, at) => grown(before[at]!, drops))).toEqual([{}, {}, {}, {}]);
});

const KINDS: DumpKind[] = ['ports', 'vns', 'vaps', 'underlays', 'nexthops', 'fdb', 'neighbours'];
const picture = async (engine: EngineProcess) =>
  Object.fromEntries(await Promise.all(KINDS.map(async (kind) => [kind, await engine.dump(kind)])));

it('a batch with one bad command changes nothing, whatever else is in it', async () => {
  const random = new Random(826);
  const engine = chain.agent[0];
  const [vap, absent] = [vapsOf(BLUE.id).tenant, 999];
  const remote = '192.0.2.2' as IpAddr;
  /** Each of these alone would be taken, and most would stop the traffic. */
  const good: Command[] = [
    { op: 'VnSet', vn: VN, vni: 4711 as Vni, mtu: 1000 as Mtu },
    { op: 'VnSet', vn: 7 as VnId, vni: 7 as Vni, mtu: 1500 as Mtu },
    { op: 'FdbSet', vn: VN, mac: TENANT[1] as MacAddr, dest: { kind: 'vap', vap } },
    { op: 'FdbDel', vn: VN, mac: TENANT[0] as MacAddr },
    { op: 'FloodSet', vn: VN, nhs: [] },
    { op: 'SourcesSet', vn: VN, ips: [] },
    { op: 'NextHopSet', nh: 70, remote, encap: 1, contextId: 7 },
    { op: 'PortAdd', port: 20, name: 'brief', mtu: 1500, kind: { driver: 'net_tap', iface: 'brief', mac: null } },
  ];
  const bad: [code: string, command: Command][] = [
    [
      'NVE-ENG-005',
      {
        op: 'VapSet',
        vap: 60,
        vn: absent as VnId,
        port: PORT.link,
        selector: { kind: 'untagged' },
        guard: true,
        uplink: false,
      },
    ],
    ['NVE-ENG-005', { op: 'FdbSet', vn: VN, mac: NEW.mac, dest: { kind: 'nh', nh: absent } }],
    ['NVE-ENG-006', { op: 'PortDel', port: PORT.underlay }],
    ['NVE-ENG-006', { op: 'UnderlayDel', port: PORT.underlay, ip: '192.0.2.1' as IpAddr }],
    ['NVE-ENG-006', { op: 'PortDel', port: PORT.link }],
    ['NVE-ENG-012', { op: 'NextHopSet', nh: BLUE.id, remote, encap: 1, contextId: 1 }],
    ['NVE-DPDK-002', xdpPort(21, 'not-there', 1500)],
  ];
  const before = await picture(engine);
  const drops = await engine.drops();
  const links = await engine.namespace.must('ip -o link');
  await underTraffic(async () => {
    for (let round = 0; round < 63; round++) {
      const [code, command] = bad[round % bad.length]!;
      const batch = random.shuffled([command, ...random.shuffled(good).slice(0, 1 + random.below(good.length))]);
      const { applied, refused } = await engine.apply(batch);
      expect(refused, JSON.stringify(batch)).toContainEqual({ command, code, context: expect.anything() });
      expect(applied).toEqual([]);
    }
  });
  expect(await picture(engine)).toEqual(before);
  expect(grown(drops, await engine.drops())).toEqual({});
  expect(await engine.namespace.must('ip -o link')).toBe(links);
  // It was the bad command alone that the others shared their fate with.
  await engine.must(...good);
});
