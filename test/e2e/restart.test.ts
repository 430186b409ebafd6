// `kill -9` of an agent under traffic, and what comes back by itself: the same VIDs, forwarding, TSIs that were attached by RPC, those of
// a VDP station (the real lldpad) that goes on; and not those of one that is gone.
//
//   tenants ─ relay of tags ┐
//                   lldpad  ┴ v0 ═ access0, near agent ═ VXLAN ═ far agent ═ … ─ far tenants
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { obstacle } from '../lib/command.js';
import { Lab } from '../lib/lab.js';
import { Lldpad } from '../lib/lldpad.js';
import type { Namespace } from '../lib/namespace.js';
import { ping } from '../lib/ping.js';
import { vidOf } from '../lib/role.js';
import { cTag } from '../lib/tag-relay.js';
import { FAR, TwoNves, VNS } from '../lib/two-nves.js';

const why = obstacle(
  ...['lldpad', 'lldptool', 'vdptool', 'ip', 'ethtool', 'ping', 'python3', 'tcpdump'],
  ...['nsenter', 'unshare', 'setpriv'],
);

// Keep-alives each 2.6 s. VIDs go out from 100 on: only who remembers gives them again in another order.
const NEAR = `
access = [{ port = "access0", vlan_pool = "100-199" }]
evb = { rka = 18, rwd = 18, rte = 14 }
`;
const EXPONENTS = { vdprka: 18, vdprwd: 18 };
const UUID = '11111111-2222-3333-4444-555555555555';
const VDP = { ip: '10.0.0.1', mac: '52:54:00:11:22:33' };
const RPC = { ip: '10.0.0.2', mac: '52:54:00:11:22:44' };

const lab = new Lab();
let nves: TwoNves;
let station: Namespace;
let lldpad: Lldpad;
let blue: Namespace;
let red: Namespace;

const soon = (check: () => Promise<void>, timeout = 20_000): Promise<void> =>
  vi.waitFor(check, { timeout, interval: 200 });
/** `VN VID state` of each TSI of the near agent. */
const near = async (): Promise<string[]> =>
  (await nves.near.tsis()).map((row) => `${row.vn} ${vidOf(row)} ${row.state}`).sort();
/** What the NVA knows of the near NVE's tenants. */
const atNva = async (): Promise<string[]> => {
  const vns = JSON.parse(await nves.nva.cli('vn list --json')) as { hosts: { mac: string; nve: string }[] }[];
  return vns.flatMap(({ hosts }) => hosts.flatMap(({ mac, nve }) => (nve === 'near' ? [mac] : []))).sort();
};

beforeAll(async () => {
  if (why !== undefined) return;
  nves = await TwoNves.create(lab, { near: NEAR });
  station = await lab.namespace('station');
  await lab.veth({ namespace: nves.near.namespace, iface: 'access0' }, { namespace: station, iface: 'v0' });
  await nves.start();
  await nves.farTenant('blue');
  await nves.farTenant('red');
  // The first VN on the link is given up again: what follows has other VIDs than a fresh agent would give.
  await nves.near.cli(`tsi attach first --vn blue --mac 52:54:00:11:22:55 --link access0`);
  await nves.near.cli(`tsi attach rpc-1 --vn red --mac ${RPC.mac} --ip ${RPC.ip} --link access0`);
  await nves.near.cli('tsi detach first --link access0');
  lldpad = lab.add(new Lldpad(station, 'v0', nves.folder));
  await lldpad.start(EXPONENTS);
  await lldpad.negotiated();
  await lldpad.associate({ mode: 'assoc', uuid: UUID, filters: [`0-${VDP.mac}-${VNS.blue}`] });
  const end = { namespace: station, iface: 'v0' };
  blue = await nves.tenant('blue', end, VDP, cTag(100));
  red = await nves.tenant('red', end, RPC, cTag(101));
});
afterAll(() => lab.close());
beforeEach((context) => {
  if (why !== undefined) context.skip(why);
});

/**
 * lldpad silently forgets a VSI whose keep-alive nobody acknowledged, as while the agent was away, and may crash when its link goes down:
 * then somebody has to ask it again. Whether it held on.
 */
async function heldOn(): Promise<boolean> {
  if (!lldpad.program.isRunning) {
    await lldpad.start(EXPONENTS);
    await lldpad.negotiated();
  } else if ((await lldpad.vids(UUID).catch(() => [])).length > 0) {
    return true;
  }
  const vids = await lldpad.associate({ mode: 'assoc', uuid: UUID, filters: [`0-${VDP.mac}-${VNS.blue}`] });
  expect(vids).toEqual([100]);
  return false;
}

const BOTH = ['blue 100 activated', 'red 101 activated'];

it('both forward, each under its VID', async () => {
  expect(await near()).toEqual(BOTH);
  expect(await atNva()).toEqual([VDP.mac, RPC.mac].sort());
  await ping(blue, FAR.ip);
  await ping(red, FAR.ip);
});

it('after kill -9 under traffic all comes back with the same VIDs, and the NVA never loses a row', async () => {
  let isOver = false;
  const lost: string[][] = [];
  const watch = (async () => {
    while (!isOver) {
      const known = await atNva();
      if (known.length < 2) lost.push(known);
    }
  })();
  const traffic = [blue, red].map((tenant) => tenant.run(`ping -q -i 0.05 -w 12 ${FAR.ip}`, 30_000));
  await nves.near.restart('SIGKILL');
  await soon(async () => expect(await near()).toEqual(BOTH));
  // The far NVE has given the near one up meanwhile, and finds it again.
  for (const tenant of [blue, red]) await soon(() => ping(tenant, FAR.ip));
  await Promise.all(traffic);
  // Longer than a silent station would be waited for.
  await new Promise((resolve) => setTimeout(resolve, 6_000));
  const isWhole = await heldOn();
  expect(await near()).toEqual(BOTH);
  isOver = true;
  await watch;
  expect(lost.filter((known) => isWhole || !known.includes(RPC.mac))).toEqual([]);
});

it('with the NVA away it goes on as before, and the NVA learns of it when it is back', async () => {
  await nves.nva.program.stop('SIGKILL');
  await nves.near.program.stop('SIGKILL');
  void nves.near.program.start('"ready"');
  await soon(async () => expect(await near()).toEqual(BOTH));
  await nves.nva.start();
  await heldOn();
  await soon(async () => expect(await atNva()).toEqual([VDP.mac, RPC.mac].sort()), 60_000);
  await soon(() => ping(red, FAR.ip), 60_000);
  expect(await near()).toEqual(BOTH);
}, 150_000);

it('a TSI of VDP whose station is gone ends; one of RPC stays, and can be taken back', async () => {
  await lldpad.program.stop('SIGKILL');
  await nves.near.restart('SIGKILL');
  await soon(async () => expect(await near()).toEqual(['red 101 activated']));
  await soon(async () => expect(await atNva()).toEqual([RPC.mac]));
  await nves.near.cli('tsi detach rpc-1 --link access0');
  await nves.near.restart('SIGKILL');
  expect(await near()).toEqual([]);
});
