// RFC 8014 section 4.4 with the real programs: a tenant system (a bare-metal server, say) with a link to each of two NVEs, attached at both
// under one TSI id. Unicast to it takes both, broadcast comes once, and nothing that it sends itself comes back. One of its links dies.
//
//                     ╔═ tap a ═ agent a ═╗
//   tenant (one MAC) ─╢                   ╟─ fabric ─ agent c ═ tap ─ tenant
//                     ╚═ tap b ═ agent b ═╝
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { obstacle } from '../lib/command.js';
import { BROADCAST, content, ETHERTYPE, ethernet, ipv4, tagged, udp } from '../lib/frames.js';
import { Lab } from '../lib/lab.js';
import type { Namespace } from '../lib/namespace.js';
import type { RawSocket } from '../lib/raw.js';
import { Role, vidOf } from '../lib/role.js';

const why = obstacle('ip', 'ethtool', 'python3', 'nsenter', 'unshare', 'setpriv');

const NVES = { a: 1, b: 2, c: 3 } as const;
type Nve = keyof typeof NVES;
const HOMES = ['a', 'b'] as const;
const SERVER = '02:00:00:00:00:01';
const REMOTE = '02:00:00:00:00:03';
const FLOWS = 32;
const MARK = 'flow';

const lab = new Lab();
const agents = {} as Record<Nve, Role>;
const sockets = {} as Record<Nve, RawSocket>;
const vids = {} as Record<(typeof HOMES)[number], number>;
let fabric: Namespace;
let server: Namespace;

/** One frame of each flow. */
const flows = (to: string, from: string): Buffer[] =>
  Array.from({ length: FLOWS }, (_, n) => {
    const ips = { from: '10.9.0.1', to: '10.9.0.2' };
    const datagram = udp({ ...ips, source: 2_000 + n, target: 7_777, plain: true }, content(`${MARK}${n}.`, 40));
    return ethernet({ to, from }, ETHERTYPE.ipv4, ipv4({ ...ips, protocol: 17 }, datagram));
  });
/** Which flows came, each as often as it did; the tenants' own kernels are silent. */
async function came(at: Nve): Promise<number[]> {
  const frames = await sockets[at].take({ quiet: 200 });
  const numbers = frames.flatMap((frame) => /flow(\d+)\./.exec(frame.toString('latin1'))?.[1] ?? []);
  return numbers.map(Number).sort((one, other) => one - other);
}
const ALL = Array.from({ length: FLOWS }, (_, n) => n);
const sorted = (...parts: number[][]): number[] => parts.flat().sort((one, other) => one - other);
/** What came at the server's links. */
async function atServer(): Promise<Record<(typeof HOMES)[number], number[]>> {
  await sleep(300);
  return { a: await came('a'), b: await came('b') };
}
async function clear(): Promise<void> {
  for (const at of ['a', 'b', 'c'] as const) await came(at);
}

function toml(nve: Nve, folder: string): string {
  const home = nve !== 'c';
  const access = home ? `driver = "net_tap"\niface = "ts-${nve}"` : 'driver = "net_ring"';
  return `
log.level = "debug"
nva.endpoints = ["unix:${folder}/nnp.sock"]
underlay = [{ port = "fabric0", address = "192.0.2.${NVES[nve]}/24" }]
engine = { hugepages = "off", memory_mb = 128, mbuf_size = 2432 }
access = [{ port = "access0", vdp = false, multihomed = ${home}, vlan_pool = "${NVES[nve]}00-${NVES[nve]}99" }]
[[port]]
name = "fabric0"
driver = "net_af_xdp"
iface = "fabric0"
mtu = 1600
[[port]]
name = "access0"
${access}
`;
}

beforeAll(async () => {
  if (why !== undefined) return;
  const folder = mkdtempSync(join(tmpdir(), 'splitnve-homes-'));
  lab.add({ close: async () => rmSync(folder, { recursive: true }) });
  fabric = await lab.namespace('fabric');
  await fabric.ip('link add fabric type bridge', 'link set fabric mtu 1600 up');
  server = await lab.namespace('server');
  const nve = (id: Nve) => `{ id = "${id}", addresses = ["192.0.2.${NVES[id]}"] }`;
  const nva = `
listen.endpoints = ["unix:${folder}/nnp.sock"]
vn = [{ name = "blue", vni = 5001 }]
nve = [${nve('a')}, ${nve('b')}, ${nve('c')}]
tsi = [{ vn = "blue", tsi = "*" }]
`;
  await lab.add(new Role(fabric, 'nva', 'nva', folder, nva)).start();
  for (const id of ['a', 'b', 'c'] as const) {
    const space = await lab.namespace(`NVE ${id}`);
    await lab.veth(
      { namespace: space, iface: 'fabric0', mtu: 1600 },
      { namespace: fabric, iface: `nve-${id}`, mtu: 1600 },
    );
    await fabric.ip(`link set nve-${id} master fabric`);
    agents[id] = lab.add(new Role(space, 'agent', id, folder, toml(id, folder)));
    await agents[id].start();
  }
  for (const id of HOMES) {
    await agents[id].namespace.ip(`link set ts-${id} netns ${server.pid}`);
    await server.ip(`link set ts-${id} up`);
    await agents[id].cli(`tsi attach server --vn blue --mac ${SERVER} --link access0`);
    vids[id] = vidOf((await agents[id].tsis())[0]) ?? 0;
    sockets[id] = await lab.raw().socket(server, `ts-${id}`);
  }
  const remote = await lab.namespace('remote');
  await agents.c.cli(`tsi attach remote --vn blue --mac ${REMOTE} --tap c0`);
  await agents.c.namespace.ip(`link set c0 netns ${remote.pid}`);
  await remote.ip('link set c0 up');
  sockets.c = await lab.raw().socket(remote, 'c0');
  // Neighbours are found, and the NVA has told everybody.
  await vi.waitFor(
    async () => {
      await clear();
      await sockets.c.send(flows(SERVER, REMOTE));
      const { a, b } = await atServer();
      expect([sorted(a, b), a.length > 0, b.length > 0]).toEqual([ALL, true, true]);
    },
    { timeout: 30_000, interval: 200 },
  );
});
afterAll(() => lab.close());
beforeEach(async (context) => {
  if (why !== undefined) context.skip(why);
  await clear();
});

it('unicast takes both NVEs, each flow one of them', async () => {
  await sockets.c.send(flows(SERVER, REMOTE), 1);
  const first = await atServer();
  expect(sorted(first.a, first.b)).toEqual(ALL);
  await sockets.c.send(flows(SERVER, REMOTE), 1);
  expect(await atServer(), 'and stays there').toEqual(first);
});

it('broadcast comes once, by the same NVE', async () => {
  await sockets.c.send(flows(BROADCAST, REMOTE), 1);
  expect(await atServer()).toEqual({ a: ALL, b: [] });
});

it.each(HOMES)('what it sends by NVE %s arrives once, and does not come back to it', async (home) => {
  for (const to of [REMOTE, BROADCAST]) {
    await sockets[home].send(
      flows(to, SERVER).map((frame) => tagged(frame, vids[home])),
      1,
    );
    await sleep(300);
    expect(await came('c')).toEqual(ALL);
    // The socket of the link itself hears nothing of what it sends.
    expect(await atServer()).toEqual({ a: [], b: [] });
  }
});

it('one of its links dies: everything comes by the other, until it is back', async () => {
  const all = async (to: string) => {
    await clear();
    await sockets.c.send(flows(to, REMOTE), 1);
    return atServer();
  };
  await agents.a.cli('tsi detach server --link access0');
  await vi.waitFor(async () => expect(await all(BROADCAST)).toEqual({ a: [], b: ALL }), { timeout: 10_000 });
  expect(await all(SERVER)).toEqual({ a: [], b: ALL });
  await agents.a.cli(`tsi attach server --vn blue --mac ${SERVER} --link access0`);
  await vi.waitFor(async () => expect(await all(BROADCAST)).toEqual({ a: ALL, b: [] }), { timeout: 10_000 });
  const { a, b } = await all(SERVER);
  expect([sorted(a, b), a.length > 0, b.length > 0]).toEqual([ALL, true, true]);
});
