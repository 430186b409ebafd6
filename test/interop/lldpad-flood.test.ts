// Bad input on a live link: hundreds of other MACs on lldpad's link send random, mutated, truncated and oversized LLDP and ECP, more than is
// let through. lldpad still gets its answers in time, nothing that is associated changes, what is dropped is counted, memory does not grow.
//
//   lldpad      ═ bridge ═ access0, near agent
//   400 others  ═    │
//
// The bridge keeps the two apart: lldpad takes every frame of ECP that it hears as meant for itself, whatever its destination MAC, and would
// take the answers that the others get.
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { obstacle } from '../lib/command.js';
import { mac, u16 } from '../lib/frames.js';
import { Lab } from '../lib/lab.js';
import { Lldpad } from '../lib/lldpad.js';
import type { Namespace } from '../lib/namespace.js';
import { Random } from '../lib/random.js';
import type { RawSocket } from '../lib/raw.js';
import { TwoNves, VNS } from '../lib/two-nves.js';

const why = obstacle('lldpad', 'lldptool', 'vdptool', 'ip', 'ethtool', 'python3', 'nsenter', 'unshare', 'setpriv');

const NEAR = `
access = [{ port = "access0", vlan_pool = "100-199" }]
evb = { rka = 18, rwd = 18, rte = 14 }
`;
const EXPONENTS = { vdprka: 18, vdprwd: 18 };
const uuid = (n: number): string => `${n}1111111-2222-3333-4444-555555555555`;

const SEED = Date.now() % 2 ** 31;
const GROUP = '01:80:c2:00:00:00';
/** More stations than are served at a time. */
const SOURCES = 400;
const FRAMES = 2_000;
/** All frames, in seconds: so 25,000 a second, where 20,000 of ECP are let through. */
const PERIOD_MS = 80;
const FLOOD_MS = 6_000;

/** ECP with a VDP request of lldpad's own form: De-Assoc of its VSI, or Assoc in a VN that there is not. */
const MANAGER = `0a10${Buffer.from('nvemgr').toString('hex').padEnd(32, '0')}`;
const vdp = (type: number, vni: number): Buffer => {
  const filter = `040001${vni.toString(16).padStart(8, '0')}5254001122330064`;
  const vsi = `00000005010 5${uuid(1).replaceAll('-', '')}${filter}`.replace(' ', '');
  return Buffer.from(`10010001${MANAGER}${type.toString(16).padStart(2, '0')}25${vsi}0000`, 'hex');
};
const LLDP = Buffer.from('0207040200000000010405076574683006020078fe090080c20d000 86eb3330000'.replace(' ', ''), 'hex');

function frames(random: Random): Buffer[] {
  const bytes = (length: number): Buffer => Buffer.from(Array.from({ length }, () => random.below(256)));
  const flipped = (from: Buffer): Buffer => {
    const to = Buffer.from(from);
    for (let i = random.below(6) + 1; i > 0; i--) to[random.below(to.length)] = random.below(256);
    return to;
  };
  const bodies = [
    () => [0x8940, bytes(random.below(200) + 10)],
    () => [0x88cc, bytes(random.below(200) + 10)],
    () => [0x8940, flipped(vdp(6, 5999))],
    () => [0x88cc, flipped(LLDP)],
    () => [0x8940, vdp(8, VNS.blue).subarray(0, random.below(70) + 6)],
    () => [0x8940, vdp(8, VNS.blue)],
    () => [0x8940, Buffer.concat([vdp(6, 5999), bytes(1_430)])],
    () => [0x8940, Buffer.concat([flipped(vdp(6, 5999)).subarray(0, 40), bytes(1_400)])],
  ] as const satisfies readonly (() => readonly [number, Buffer])[];
  return Array.from({ length: FRAMES }, () => {
    const [ethertype, body] = random.one(bodies)();
    const source = random.below(SOURCES);
    return Buffer.concat([mac(GROUP), mac('02:bb:00:00:00:00').subarray(0, 4), u16(source), u16(ethertype), body]);
  });
}

const lab = new Lab();
let nves: TwoNves;
let lldpad: Lldpad;
let socket: RawSocket;
let vid = 0;

const associate = async (n: number): Promise<number | undefined> => {
  const filters = [`0-52:54:00:11:22:${n}${n}-${VNS.blue}`];
  return (await lldpad.associate({ mode: 'assoc', uuid: uuid(n), filters }))[0];
};
const drops = async (): Promise<Map<string, number>> =>
  new Map(
    (await nves.near.drops()).filter(({ port }) => port === 'access0').map(({ reason, packets }) => [reason, packets]),
  );
const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, FLOOD_MS));

beforeAll(async () => {
  if (why !== undefined) return;
  console.log(`seed ${SEED}`);
  nves = await TwoNves.create(lab, { near: NEAR, log: 'info' });
  const lan = await lab.namespace('bridge');
  await lan.ip('link add lan type bridge stp_state 0', 'link set lan up');
  const uplink = { namespace: lan, iface: 'uplink', stack: true };
  await lab.veth({ namespace: nves.near.namespace, iface: 'access0' }, uplink);
  await lan.ip('link set uplink master lan');
  const host = async (name: string): Promise<Namespace> => {
    const space = await lab.namespace(name);
    await lab.veth({ namespace: space, iface: 'v0' }, { namespace: lan, iface: name });
    await lan.ip(`link set ${name} master lan`, `link set ${name} type bridge_slave isolated on`);
    return space;
  };
  const [station, others] = [await host('station'), await host('others')];
  await nves.start();
  lldpad = lab.add(new Lldpad(station, 'v0', nves.folder));
  await lldpad.start(EXPONENTS);
  await lldpad.negotiated();
  vid = (await associate(1)) ?? 0;
  socket = await lab.raw().socket(others, 'v0');
});
afterAll(() => lab.close());
beforeEach((context) => {
  if (why !== undefined) context.skip(why);
});

it('lldpad is served as if nothing were', async () => {
  const before = await nves.near.tsis();
  const bad = frames(new Random(SEED));
  await socket.flow(bad, PERIOD_MS);
  await pause();
  const memory = nves.near.memoryMb;
  // A new VSI, within lldpad's own time-out.
  expect(await associate(2)).toBe(vid);
  await pause();
  expect(await socket.halt()).toBeGreaterThan(50_000);
  // Its first VSI has lived through several keep-alives, and is what it was.
  expect(await lldpad.vids(uuid(1))).toEqual([vid]);
  const after = await nves.near.tsis();
  expect(after.filter(({ tsi }) => tsi.startsWith(uuid(1)))).toEqual(before);
  expect(after).toHaveLength(2);
  expect(nves.near.memoryMb - memory).toBeLessThan(40);
});

it('what was wrong is counted, each under its reason', async () => {
  const counted = await drops();
  for (const reason of ['punt_policed', 'bad_ecp', 'bad_vdp', 'bad_lldp'])
    expect(counted.get(reason) ?? 0, reason).toBeGreaterThan(0);
});

it('and lldpad associates and leaves as before', async () => {
  expect(await associate(3)).toBe(vid);
  const filters = [`${vid}-52:54:00:11:22:33-${VNS.blue}`];
  await lldpad.command({ mode: 'deassoc', uuid: uuid(3), filters });
  expect((await nves.near.tsis()).filter(({ tsi }) => tsi.startsWith(uuid(3)))).toEqual([]);
});
