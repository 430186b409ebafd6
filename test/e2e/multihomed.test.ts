// RFC 8014 section 4.4: an NVE with two underlay addresses, one on each of two links, is one group of two next hops to the others, in
// rows and in the flood list. Numbered frames run while a way goes and comes back. Prints how long there was no traffic.
//
//   tenant ─ tap ═ near engine ╤═ link 1 ═╤ far engine ═ tap ─ tenant
//                              ╘═ link 2 ═╛
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { Command, PortId } from '#dataplane';
import type { IpAddr, MacAddr, Mtu, VnId, Vni } from '#model';
import { xdpPort } from '../lib/chain.js';
import { obstacle } from '../lib/command.js';
import { type EngineProcess, eventually } from '../lib/engine.js';
import { Lab } from '../lib/lab.js';
import type { Namespace } from '../lib/namespace.js';
import { expectWhole, Numbered } from '../lib/numbered.js';
import { ping } from '../lib/ping.js';
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

/** 50 ms until the engine looks at the link, and what a busy machine adds. */
const OUTAGE_MAX_MS = 1_000;

const lab = new Lab();
const engines = {} as Record<Side, EngineProcess>;
const spaces = {} as Record<Side, Namespace>;
const tenants = {} as Record<Side, Namespace>;
let numbered: Numbered;

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
  const sender = await lab.raw().socket(tenants.near, 'eth0');
  const receiver = await lab.raw().socket(tenants.far, 'eth0');
  const addresses = { from: SIDES.near.tenant.mac, to: SIDES.far.tenant.mac };
  numbered = new Numbered({ sender, receiver, ...addresses, txOf });
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

it('traffic spreads over both links, and each frame arrives once', async () => {
  expectWhole(await numbered.traffic(), [true, true]);
  await ping(tenants.near, SIDES.far.tenant.ip);
});

it('one link goes down: traffic goes on by the other, and comes back with it', async () => {
  const down = await numbered.traffic(() => spaces.far.ip('link set l1 down'));
  expect(await stateOf('near', 1)).toBe('link_down');
  expect(down.twice).toEqual([]);
  expect(down.outageMs).toBeLessThan(OUTAGE_MAX_MS);
  console.log(`link down: ${down.lost.length} frames lost within ${down.outageMs} ms of ${numbered.perRound} flows`);
  expectWhole(await numbered.traffic(), [false, true]);
  await ping(tenants.near, SIDES.far.tenant.ip);

  const up = await numbered.traffic(() => spaces.far.ip('link set l1 up'));
  expect(up.twice).toEqual([]);
  console.log(`link up: ${up.lost.length} frames lost within ${up.outageMs} ms`);
  await bothLive();
  expectWhole(await numbered.traffic(), [true, true]);
  await ping(tenants.near, SIDES.far.tenant.ip);
});

it('what the controller says of a next hop does the same, without a loss', async () => {
  const say = (alive: boolean) => engines.near.must({ op: 'NextHopAlive', nh: 2, alive });
  expectWhole(await numbered.traffic(() => say(false)), [true, true]);
  expect(await stateOf('near', 2)).toBe('dead');
  expectWhole(await numbered.traffic(), [true, false]);
  await ping(tenants.near, SIDES.far.tenant.ip);
  expectWhole(await numbered.traffic(() => say(true)), [true, true]);
  expectWhole(await numbered.traffic(), [true, true]);
});

it('no way is left: nothing passes until one is', async () => {
  await engines.near.must(...LINKS.map((nh): Command => ({ op: 'NextHopAlive', nh, alive: false })));
  const { lost, sent } = await numbered.traffic();
  expect(lost.length).toBeGreaterThan(20 * numbered.perRound);
  for (const packets of sent) expect(packets).toBeLessThan(10);
  await engines.near.must(...LINKS.map((nh): Command => ({ op: 'NextHopAlive', nh, alive: true })));
  expectWhole(await numbered.traffic(), [true, true]);
});
