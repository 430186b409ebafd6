// RFC 8014 section 4.4: an NVE with two underlay addresses, one on each of two links, is one group of two next hops to the others, in
// rows and in the flood list. Numbered frames run while a way goes and comes back. Prints how long there was no traffic.
//
//   tenant ─ tap ═ near engine ╤═ link 1 ═╤ far engine ═ tap ─ tenant
//                              ╘═ link 2 ═╛
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { Command, PortId } from '#dataplane';
import type { IpAddr, MacAddr, Mtu, VnId, Vni } from '#model';
import { xdpPort } from '../lib/chain.js';
import { obstacle } from '../lib/command.js';
import { type EngineProcess, eventually } from '../lib/engine.js';
import { BROADCAST, content, ETHERTYPE, ethernet, ipv4, udp } from '../lib/frames.js';
import { Lab } from '../lib/lab.js';
import type { Namespace } from '../lib/namespace.js';
import { ping } from '../lib/ping.js';
import type { RawSocket } from '../lib/raw.js';
import { tapTenant } from '../lib/tap-tenant.js';

const why = obstacle('ip', 'ethtool', 'ping', 'python3', 'nsenter', 'unshare', 'setpriv');

const VN = 1 as VnId;
const VNI = 5001 as Vni;
const TAP = 3;
/** Ports, and next hops by the same numbers. */
const LINKS = [1, 2] as const;
const GROUP = 9;
const SIDES = {
  near: { host: 1, tenant: { ip: '10.0.0.1', mac: '02:00:00:00:00:01' } },
  far: { host: 2, tenant: { ip: '10.0.0.2', mac: '02:00:00:00:00:02' } },
} as const;
type Side = keyof typeof SIDES;
const SIDE_NAMES = ['near', 'far'] as const;
const addressOf = (side: Side, link: number): IpAddr => `192.0.${link}.${SIDES[side].host}` as IpAddr;

/** Every `PERIOD_MS` one frame of each flow, to the far tenant and to everybody. */
const PERIOD_MS = 10;
const FLOWS = 8;
const PORT = 7_777;
const MARK = 'numbered';
/** Of the tenants' networks, but nobody's: no kernel answers. */
const FLOW_IPS = { from: '10.9.0.1', to: '10.9.0.2' };
/** 50 ms until the engine looks at the link, and what a busy machine adds. */
const OUTAGE_MAX_MS = 1_000;

const lab = new Lab();
const engines = {} as Record<Side, EngineProcess>;
const spaces = {} as Record<Side, Namespace>;
const tenants = {} as Record<Side, Namespace>;
let sender: RawSocket;
let receiver: RawSocket;

const frameTo = (to: string, flow: number): Buffer => {
  const datagram = udp({ ...FLOW_IPS, source: 2_000 + flow, target: PORT, plain: true }, content(MARK, 40));
  return ethernet({ to, from: SIDES.near.tenant.mac }, ETHERTYPE.ipv4, ipv4({ ...FLOW_IPS, protocol: 17 }, datagram));
};
const flows = (to: string): Buffer[] => Array.from({ length: FLOWS }, (_, flow) => frameTo(to, flow));
const FRAMES = [...flows(SIDES.far.tenant.mac), ...flows(BROADCAST)];
const CONTENT_AT = 14 + 20 + 8;

async function program(side: Side, other: Side): Promise<void> {
  const remotes = LINKS.map((link) => addressOf(other, link));
  const dest = { kind: 'group', group: GROUP } as const;
  const mac = (of: Side): MacAddr => SIDES[of].tenant.mac as MacAddr;
  await engines[side].must(
    ...LINKS.flatMap((link): Command[] => [
      xdpPort(link, `l${link}`, 1600),
      { op: 'UnderlaySet', port: link, ip: addressOf(side, link), prefixLen: 24 },
      { op: 'NextHopSet', nh: link, remote: addressOf(other, link), encap: 1, contextId: VNI },
    ]),
    { op: 'GroupSet', group: GROUP, members: LINKS.map((nh) => ({ nh, weight: 1 })) },
    { op: 'VnSet', vn: VN, vni: VNI, mtu: 1500 as Mtu },
    { op: 'VapSet', vap: 1, vn: VN, port: TAP, selector: { kind: 'untagged' }, guard: true, uplink: false },
    { op: 'FdbSet', vn: VN, mac: mac(side), dest: { kind: 'vap', vap: 1 } },
    { op: 'FdbSet', vn: VN, mac: mac(other), dest },
    { op: 'FloodSet', vn: VN, dests: [dest] },
    { op: 'SourcesSet', vn: VN, ips: remotes },
  );
}

beforeAll(async () => {
  if (why !== undefined) return;
  for (const side of SIDE_NAMES) spaces[side] = await lab.namespace(`${side} NVE`);
  for (const link of LINKS) {
    const end = (side: Side) => ({ namespace: spaces[side], iface: `l${link}`, mtu: 1600 });
    await lab.veth(end('near'), end('far'));
  }
  for (const side of SIDE_NAMES) {
    engines[side] = await lab.engine(side, spaces[side]);
    tenants[side] = await tapTenant(lab, engines[side], { name: side, port: TAP, ...SIDES[side].tenant });
  }
  await program('near', 'far');
  await program('far', 'near');
  await bothLive();
  sender = await lab.raw().socket(tenants.near, 'eth0');
  receiver = await lab.raw().socket(tenants.far, 'eth0');
});
afterAll(() => lab.close());
beforeEach((context) => {
  if (why !== undefined) context.skip(why);
});

const stateOf = async (side: Side, nh: number) =>
  (await engines[side].dump('nexthops')).find((row) => row.nh === nh)?.state;
const bothLive = (): Promise<void> =>
  eventually('every way to live', async () => {
    const states = await Promise.all(SIDE_NAMES.flatMap((side) => LINKS.map((nh) => stateOf(side, nh))));
    return states.every((state) => state === 'living');
  });
const txOf = async (): Promise<number[]> =>
  Promise.all(LINKS.map(async (port: PortId) => (await engines.near.portStats(port)).txPackets));

interface Seen {
  /** Frames that did not come, and those that came more than once. */
  readonly lost: readonly number[];
  readonly twice: readonly number[];
  /** From the first round in which a frame was lost to the last. */
  readonly outageMs: number;
  /** What the near engine sent by each link. */
  readonly sent: readonly number[];
}

/** Traffic before, while and after something changes. */
async function traffic(change: () => Promise<unknown> = async () => undefined): Promise<Seen> {
  await receiver.take();
  const before = await txOf();
  await sender.flow(FRAMES, PERIOD_MS);
  await sleep(500);
  await change();
  await sleep(1_000);
  const count = await sender.halt();
  expect(count % FRAMES.length).toBe(0);
  expect(count).toBeGreaterThan(20 * FRAMES.length);
  const came = new Map<number, number>();
  for (const frame of await receiver.take({ quiet: 300 })) {
    if (frame.toString('latin1', CONTENT_AT, CONTENT_AT + MARK.length) !== MARK) continue;
    const number = frame.readUInt32BE(frame.length - 4);
    // It is the frame that was sent under this number, and no other.
    expect(frame.subarray(0, -4).equals(FRAMES[(number - 1) % FRAMES.length]!.subarray(0, -4))).toBe(true);
    came.set(number, (came.get(number) ?? 0) + 1);
  }
  const numbers = Array.from({ length: count }, (_, n) => n + 1);
  const lost = numbers.filter((number) => !came.has(number));
  const rounds = lost.map((number) => Math.floor((number - 1) / FRAMES.length));
  const outageMs = lost.length === 0 ? 0 : (rounds.at(-1)! - rounds[0]! + 1) * PERIOD_MS;
  const after = await txOf();
  return {
    lost,
    twice: numbers.filter((number) => (came.get(number) ?? 0) > 1),
    outageMs,
    sent: after.map((packets, n) => packets - before[n]!),
  };
}

/** Every frame came once, and each link carried a part of it, or nothing. */
function expectWhole({ lost, twice, sent }: Seen, used: readonly boolean[]): void {
  expect({ lost, twice }).toEqual({ lost: [], twice: [] });
  // Besides tunnelled packets there are a few questions for neighbours.
  used.forEach((is, n) => {
    if (is) expect(sent[n]).toBeGreaterThan(100);
    else expect(sent[n]).toBeLessThan(10);
  });
}

it('traffic spreads over both links, and each frame arrives once', async () => {
  expectWhole(await traffic(), [true, true]);
  await ping(tenants.near, SIDES.far.tenant.ip);
});

it('one link goes down: traffic goes on by the other, and comes back with it', async () => {
  const down = await traffic(() => spaces.far.ip('link set l1 down'));
  expect(await stateOf('near', 1)).toBe('link_down');
  expect(down.twice).toEqual([]);
  expect(down.outageMs).toBeLessThan(OUTAGE_MAX_MS);
  console.log(`link down: ${down.lost.length} frames lost within ${down.outageMs} ms of ${FRAMES.length} flows`);
  expectWhole(await traffic(), [false, true]);
  await ping(tenants.near, SIDES.far.tenant.ip);

  const up = await traffic(() => spaces.far.ip('link set l1 up'));
  expect(up.twice).toEqual([]);
  console.log(`link up: ${up.lost.length} frames lost within ${up.outageMs} ms`);
  await bothLive();
  expectWhole(await traffic(), [true, true]);
  await ping(tenants.near, SIDES.far.tenant.ip);
});

it('what the controller says of a next hop does the same, without a loss', async () => {
  const say = (alive: boolean) => engines.near.must({ op: 'NextHopAlive', nh: 2, alive });
  expectWhole(await traffic(() => say(false)), [true, true]);
  expect(await stateOf('near', 2)).toBe('dead');
  expectWhole(await traffic(), [true, false]);
  await ping(tenants.near, SIDES.far.tenant.ip);
  expectWhole(await traffic(() => say(true)), [true, true]);
  expectWhole(await traffic(), [true, true]);
});

it('no way is left: nothing passes until one is', async () => {
  await engines.near.must(...LINKS.map((nh): Command => ({ op: 'NextHopAlive', nh, alive: false })));
  const { lost, sent } = await traffic();
  expect(lost.length).toBeGreaterThan(20 * FRAMES.length);
  for (const packets of sent) expect(packets).toBeLessThan(10);
  await engines.near.must(...LINKS.map((nh): Command => ({ op: 'NextHopAlive', nh, alive: true })));
  expectWhole(await traffic(), [true, true]);
});
