// Two stations behind an ordinary bridge on one access port (RFC 8394 section 1.2 and requirements 1 and 2): both negotiate with the NVE,
// which tells them apart by their MAC, share the VN's tag, and reach the remote tenant; nobody hears his own frames again.
//
//   tenant a ┬ lldpad a ═ bridge ═ access0, near agent ═ VXLAN ═ far agent ═ … ─ far tenant
//   tenant b ┴ lldpad b ═    │
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { TsiListRow } from '#hypervisor';
import { Capture } from '../lib/capture.js';
import { obstacle } from '../lib/command.js';
import { Lab } from '../lib/lab.js';
import { Lldpad } from '../lib/lldpad.js';
import type { Namespace } from '../lib/namespace.js';
import { ping } from '../lib/ping.js';
import { vidOf } from '../lib/role.js';
import { cTag } from '../lib/tag-relay.js';
import { FAR, TwoNves, VNS } from '../lib/two-nves.js';

const why = obstacle(
  ...['lldpad', 'lldptool', 'vdptool', 'ip', 'ethtool', 'ping', 'python3', 'tcpdump', 'tshark'],
  ...['nsenter', 'unshare', 'setpriv'],
);

const NEAR = `
access = [{ port = "access0", vlan_pool = "100-199" }]
evb = { rka = 18, rwd = 18, rte = 14 }
`;
/** lldpad takes RTE from whichever neighbour it heard last: after the other station only its own counts, 2.6 ms by default. */
const EXPONENTS = { vdprka: 18, vdprwd: 18, ecprte: 14 };

const SIDES = ['a', 'b'] as const;
type Side = (typeof SIDES)[number];
const TENANT = {
  a: { ip: '10.0.0.1', mac: '52:54:00:11:22:01', uuid: 'a1111111-2222-3333-4444-555555555555' },
  b: { ip: '10.0.0.2', mac: '52:54:00:11:22:02', uuid: 'b1111111-2222-3333-4444-555555555555' },
};
type Both<T> = Record<Side, T>;

const lab = new Lab();
let nves: TwoNves;
let host: Both<Namespace>;
let lldpad: Both<Lldpad>;
let tenant: Both<Namespace>;
let far: Namespace;

const both = async <T>(make: (side: Side) => Promise<T>): Promise<Both<T>> => ({
  a: await make('a'),
  b: await make('b'),
});
const tsi = async (side: Side): Promise<TsiListRow | undefined> =>
  (await nves.near.tsis()).find((row) => row.tsi.startsWith(TENANT[side].uuid));

beforeAll(async () => {
  if (why !== undefined) return;
  nves = await TwoNves.create(lab, { near: NEAR });
  const lan = await lab.namespace('bridge');
  // STP off, as by default: then it floods the bridge group address, under which the stations negotiate.
  await lan.ip('link add lan type bridge stp_state 0', 'link set lan up');
  await lab.veth(
    { namespace: nves.near.namespace, iface: 'access0' },
    { namespace: lan, iface: 'uplink', stack: true },
  );
  await lan.ip('link set uplink master lan');
  host = await both(async (side) => {
    const space = await lab.namespace(`host ${side}`);
    await lab.veth({ namespace: space, iface: 'v0' }, { namespace: lan, iface: `to-${side}` });
    await lan.ip(`link set to-${side} master lan`);
    return space;
  });
  await nves.start();
  far = await nves.farTenant('blue');
  lldpad = await both(async (side) => lab.add(new Lldpad(host[side], 'v0', `${nves.folder}`, side)));
  for (const side of SIDES) await lldpad[side].start(EXPONENTS);
  for (const side of SIDES) await lldpad[side].negotiated();
});
afterAll(() => lab.close());
beforeEach((context) => {
  if (why !== undefined) context.skip(why);
});

describe('two stations behind a bridge', () => {
  it('both negotiate, at the same time, and share the tag of the VN', async () => {
    const [a, b] = await Promise.all(
      SIDES.map((side) => {
        const { uuid, mac } = TENANT[side];
        return lldpad[side].associate({ mode: 'assoc', uuid, filters: [`0-${mac}-${VNS.blue}`] });
      }),
    );
    expect(a).toEqual(b);
    for (const side of SIDES) {
      const [vid] = a ?? [];
      expect(await tsi(side)).toMatchObject({ state: 'activated', macs: [TENANT[side].mac], tag: { vid } });
    }
    tenant = await both((side) =>
      nves.tenant(`tenant ${side}`, { namespace: host[side], iface: 'v0' }, TENANT[side], cTag(a?.[0] ?? 0)),
    );
  });

  it('both reach the remote tenant, and each other; nobody hears what he sent', async () => {
    const captures = await both((side) => Capture.start(host[side], 'v0', 'in').then((capture) => lab.add(capture)));
    for (const side of SIDES) {
      await ping(tenant[side], FAR.ip);
      await ping(far, TENANT[side].ip);
    }
    await ping(tenant.a, TENANT.b.ip);
    for (const side of SIDES) {
      await captures[side].stop();
      const heard = await captures[side].fields('icmp || arp', 'eth.src', 'vlan.id');
      // Each hears the remote tenant and the other, and its own voice never.
      const voices = new Set(heard.map(([from]) => from));
      expect(voices).toEqual(new Set([FAR.mac, TENANT[side === 'a' ? 'b' : 'a'].mac]));
    }
  });

  it('outlives the keep-alives of both', async () => {
    await new Promise((resolve) => setTimeout(resolve, 8_000));
    for (const side of SIDES) {
      expect(lldpad[side].program.isRunning).toBe(true);
      expect(await tsi(side)).toMatchObject({ state: 'activated' });
      expect(await lldpad[side].vids(TENANT[side].uuid)).toEqual([vidOf(await tsi(side))]);
    }
  });

  it('one leaves, and the other stays', async () => {
    const { uuid, mac } = TENANT.a;
    const vid = vidOf(await tsi('a'));
    await lldpad.a.command({ mode: 'deassoc', uuid, filters: [`${vid}-${mac}-${VNS.blue}`] });
    await vi.waitFor(async () => expect(await tsi('a')).toBeUndefined(), { timeout: 10_000, interval: 200 });
    expect(await tsi('b')).toMatchObject({ state: 'activated', tag: { vid } });
    await ping(tenant.b, FAR.ip);
  });
});
