// RFC 8014 section 4.4 with the real programs: two agents, each with an address on each of two links, and their NVA. Numbered frames run
// while a link goes and comes back: at this end, where the engine sees it, and at the other end, of which the NVA tells (docs/nnp.md,
// ENDS). Prints how long there was no traffic.
//
//   tenant ─ tap ═ near agent ╤═ link 0 ═╤ far agent ═ tap ─ tenant
//                             ╘═ link 1 ═╛
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import type { ShowPortsRow } from '#hypervisor';
import { obstacle } from '../lib/command.js';
import { Lab } from '../lib/lab.js';
import type { Namespace } from '../lib/namespace.js';
import { expectWhole, Numbered } from '../lib/numbered.js';
import { ping } from '../lib/ping.js';
import { TwoNves } from '../lib/two-nves.js';

const why = obstacle('ip', 'ethtool', 'ping', 'python3', 'nsenter', 'unshare', 'setpriv');

const LINKS = [0, 1] as const;
const TENANTS = {
  near: { ip: '10.0.0.1', mac: '02:00:00:00:00:01' },
  far: { ip: '10.0.0.2', mac: '02:00:00:00:00:02' },
} as const;
type Side = keyof typeof TENANTS;
/** A look at links each 50 ms, a word over the NVA, and what a busy machine adds. */
const OUTAGE_MAX_MS = 1_000;

const lab = new Lab();
const tenants = {} as Record<Side, Namespace>;
let nves: TwoNves;
let numbered: Numbered;

const txOf = async (): Promise<number[]> => {
  const rows = JSON.parse(await nves.near.cli('show ports --json')) as ShowPortsRow[];
  return LINKS.map((n) => rows.find(({ port }) => port === `fabric${n}`)?.tx_packets ?? 0);
};

async function attach(side: Side): Promise<Namespace> {
  const { ip, mac } = TENANTS[side];
  const space = await lab.namespace(`${side} tenant`);
  await nves[side].cli(`tsi attach ${side} --vn blue --mac ${mac} --ip ${ip} --tap ${side}0`);
  await nves[side].namespace.ip(`link set ${side}0 netns ${space.pid}`);
  await space.ip(`link set ${side}0 address ${mac} up`, `addr add ${ip}/24 dev ${side}0`);
  return space;
}

beforeAll(async () => {
  if (why !== undefined) return;
  nves = await TwoNves.create(lab, { links: LINKS.length, near: 'access = [{ port = "access0" }]' });
  const host = await lab.namespace('near host');
  await lab.veth({ namespace: nves.near.namespace, iface: 'access0' }, { namespace: host, iface: 'v0' });
  await nves.start();
  for (const side of ['near', 'far'] as const) tenants[side] = await attach(side);
  const sender = await lab.raw().socket(tenants.near, 'near0');
  const receiver = await lab.raw().socket(tenants.far, 'far0');
  numbered = new Numbered({ sender, receiver, from: TENANTS.near.mac, to: TENANTS.far.mac, txOf });
  await vi.waitFor(() => ping(tenants.near, TENANTS.far.ip), { timeout: 30_000, interval: 200 });
  await settled([true, true]);
});
afterAll(() => lab.close());
beforeEach((context) => {
  if (why !== undefined) context.skip(why);
});

/** Until all traffic takes these links. */
const settled = (used: readonly boolean[]): Promise<void> =>
  vi.waitFor(async () => expectWhole(await numbered.traffic(), used), { timeout: 30_000, interval: 100 });

it('flows take both links, and each frame arrives once, broadcast too', async () => {
  expectWhole(await numbered.traffic(), [true, true]);
  await ping(tenants.far, TENANTS.near.ip);
});

it.each(['near', 'far'] as const)(
  'a link dies at the %s end: traffic goes on by the other, and comes back',
  async (end) => {
    const set = (state: 'up' | 'down') => nves.fabrics[1]!.ip(`link set ${end} ${state}`);
    const down = await numbered.traffic(() => set('down'), 2_000);
    expect(down.twice).toEqual([]);
    expect(down.outageMs).toBeLessThan(OUTAGE_MAX_MS);
    expect(down.lost.length).toBeGreaterThan(0);
    console.log(
      `${end} end down: ${down.lost.length} frames lost within ${down.outageMs} ms of ${numbered.perRound} flows`,
    );
    expectWhole(await numbered.traffic(), [true, false]);
    await ping(tenants.near, TENANTS.far.ip);

    const up = await numbered.traffic(() => set('up'), 3_000);
    expect(up.twice).toEqual([]);
    console.log(`${end} end up: ${up.lost.length} frames lost within ${up.outageMs} ms`);
    await settled([true, true]);
    await ping(tenants.far, TENANTS.near.ip);
  },
);
