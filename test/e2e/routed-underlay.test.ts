// NVEs on different links, with routers between them: static routes over gateways of which the first that lives is used, and the exception
// path: an agent that reaches its NVA in-band, and TCP between a router and the kernel of the NVE's host. The real programs.
//
//   tenant ─ near agent ═╤═ link A ═╤═ router 1 ═╤═ link B ═╤═ far agent ─ tenant
//             mgmt0 ─ kernel        ├═ router 2 ═╛
//                                   ╘═ NVA (and an agent that has its session over mgmt0)
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { must, obstacle } from '../lib/command.js';
import { Lab } from '../lib/lab.js';
import type { Namespace } from '../lib/namespace.js';
import { ping } from '../lib/ping.js';
import { Program } from '../lib/program.js';
import { Role } from '../lib/role.js';
import { serveTransfers, transfer } from '../lib/transfer.js';

const why = obstacle('ip', 'ethtool', 'ping', 'nsenter', 'unshare', 'setpriv');

const LINKS = { a: '192.0.2', b: '198.51.100' } as const;
type Link = keyof typeof LINKS;
const ROUTERS = [253, 254] as const;
const NVA = `${LINKS.a}.100`;
const NNP_PORT = 7_891;
const TCP_PORT = 7_100;
const SIDES = {
  near: { link: 'a', other: 'b', host: 1, tenant: { ip: '10.0.0.1', mac: '02:00:00:00:00:01' } },
  far: { link: 'b', other: 'a', host: 2, tenant: { ip: '10.0.0.2', mac: '02:00:00:00:00:02' } },
} as const;
type Side = keyof typeof SIDES;
const addressOf = (side: Side): string => `${LINKS[SIDES[side].link]}.${SIDES[side].host}`;

const lab = new Lab();
const agents = {} as Record<Side, Role>;
const tenants = {} as Record<Side, Namespace>;
const routers: Namespace[] = [];
const switches = {} as Record<Link, Namespace>;

function agentToml(side: Side, nnp: string, more: string): string {
  const { link, other } = SIDES[side];
  const gateways = ROUTERS.map((host) => `"${LINKS[link]}.${host}"`);
  return `
log.level = "debug"
nva.endpoints = ["${nnp}"]
underlay = [{ port = "fabric0", address = "${addressOf(side)}/24" }]
route = [{ prefix = "${LINKS[other]}.0/24", gateways = [${gateways}] }]
engine = { hugepages = "off", memory_mb = 128, mbuf_size = 2432 }
access = [{ port = "access0" }]
[[port]]
name = "fabric0"
driver = "net_af_xdp"
iface = "fabric0"
mtu = 1600
[[port]]
name = "access0"
driver = "net_ring"
${more}`;
}

const EXCEPTION = `
[[port]]
name = "mgmt0"
driver = "net_tap"
iface = "mgmt0"
[exception]
underlay = "fabric0"
port = "mgmt0"
`;

/** A namespace with a kernel's IP stack on a link. */
async function plugIn(link: Link, namespace: Namespace, iface: string, ip?: string): Promise<void> {
  const plug = `p${namespace.pid}`;
  await lab.veth(
    { namespace, iface, mtu: 1600, stack: ip !== undefined },
    { namespace: switches[link], iface: plug, mtu: 1600 },
  );
  await switches[link].ip(`link set ${plug} master sw`);
  if (ip !== undefined) await namespace.ip(`addr add ${ip}/24 dev ${iface}`);
}

/** What listens on a link is a relay: without TLS the NVA itself listens only where it can tell that no stranger comes by. */
async function relay(namespace: Namespace, socket: string): Promise<void> {
  const script = `const { connect, createServer } = require('node:net');
    const serve = (client) => client.pipe(connect('${socket}')).pipe(client);
    createServer(serve).listen(${NNP_PORT}, '${NVA}', () => console.log('listening'));`;
  const program = lab.add(new Program(namespace, process.execPath, '-e', script));
  await program.start('listening');
}

async function attach(side: Side): Promise<Namespace> {
  const { tenant } = SIDES[side];
  const space = await lab.namespace(`${side} tenant`);
  await agents[side].cli(`tsi attach ${side} --vn blue --mac ${tenant.mac} --ip ${tenant.ip} --tap ${side}0`);
  await agents[side].namespace.ip(`link set ${side}0 netns ${space.pid}`);
  await space.ip(`link set ${side}0 up`, `addr add ${tenant.ip}/24 dev ${side}0`);
  return space;
}

beforeAll(async () => {
  if (why !== undefined) return;
  const folder = mkdtempSync(join(tmpdir(), 'splitnve-routed-'));
  lab.add({ close: async () => rmSync(folder, { recursive: true }) });
  for (const link of ['a', 'b'] as const) {
    switches[link] = await lab.namespace(`link ${link}`);
    await switches[link].ip('link add sw type bridge', 'link set sw mtu 1600 up');
  }
  for (const host of ROUTERS) {
    const router = await lab.namespace(`router ${host}`);
    for (const link of ['a', 'b'] as const) await plugIn(link, router, `eth-${link}`, `${LINKS[link]}.${host}`);
    await must(...router.inside('sh', '-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward'));
    routers.push(router);
  }
  const authority = await lab.namespace('NVA');
  await plugIn('a', authority, 'eth0', NVA);
  const local = `unix:${folder}/nnp.sock`;
  const inBand = `tcp:${NVA}:${NNP_PORT}`;
  const nve = (side: Side) => `{ id = "${side}", addresses = ["${addressOf(side)}"] }`;
  const nva = new Role(
    authority,
    'nva',
    'nva',
    folder,
    `
listen.endpoints = ["${local}"]
vn = [{ name = "blue", vni = 5001 }]
nve = [${nve('near')}, ${nve('far')}]
tsi = [{ vn = "blue", tsi = "*" }]
`,
  );
  await lab.add(nva).start();
  await relay(authority, local.slice('unix:'.length));
  for (const side of ['near', 'far'] as const) {
    const space = await lab.namespace(`${side} NVE`);
    await plugIn(SIDES[side].link, space, 'fabric0');
    const toml = side === 'near' ? agentToml(side, inBand, EXCEPTION) : agentToml(side, local, '');
    agents[side] = lab.add(new Role(space, 'agent', side, folder, toml));
    await agents[side].start();
  }
  for (const side of ['near', 'far'] as const) tenants[side] = await attach(side);
});
afterAll(() => lab.close());
beforeEach((context) => {
  if (why !== undefined) context.skip(why);
});

const within = <T>(check: () => Promise<T>): Promise<T> => vi.waitFor(check, { timeout: 60_000, interval: 50 });
/** Packets that the routers have passed on. */
const forwarded = (): Promise<number[]> =>
  Promise.all(
    routers.map(async (router) => {
      const { stdout } = await router.run('cat /proc/net/snmp');
      const [names = '', values = ''] = stdout.split('\n').filter((line) => line.startsWith('Ip:'));
      return Number(values.split(' ')[names.split(' ').indexOf('ForwDatagrams')]);
    }),
  );
/** Pings, and tells which routers its packets took. */
async function used(): Promise<boolean[]> {
  const before = await forwarded();
  await ping(tenants.near, SIDES.far.tenant.ip);
  const after = await forwarded();
  return after.map((packets, n) => packets - before[n]! >= 6);
}

it('the agent has made its session with the NVA in-band', async () => {
  expect(agents.near.program.output).toContain(`"endpoint":"tcp:${NVA}:${NNP_PORT}"`);
  const said = await agents.near.namespace.must('ip addr show mgmt0');
  const fabric = await agents.near.namespace.must('ip link show fabric0');
  expect(said).toContain(`inet ${addressOf('near')}/24`);
  expect(/link\/ether (\S+)/.exec(said)?.[1]).toBe(/link\/ether (\S+)/.exec(fabric)?.[1]);
});

it('NVEs reach each other by the first gateway', async () => {
  await within(() => ping(tenants.near, SIDES.far.tenant.ip));
  expect(await used()).toEqual([true, false]);
});

it('TCP between the kernel of the NVE and others on the link, and behind a router', async () => {
  await serveTransfers(lab, agents.near.namespace, TCP_PORT);
  await transfer(routers[0]!, agents.near.namespace, addressOf('near'), TCP_PORT);
  await agents.near.namespace.ip(`route add ${LINKS.b}.0/24 via ${LINKS.a}.${ROUTERS[1]}`);
  const host = await lab.namespace('host on link b');
  await plugIn('b', host, 'eth0', `${LINKS.b}.9`);
  await host.ip(`route add ${LINKS.a}.0/24 via ${LINKS.b}.${ROUTERS[0]}`);
  await transfer(host, agents.near.namespace, addressOf('near'), TCP_PORT);
  await ping(tenants.near, SIDES.far.tenant.ip);
});

it('the first gateway dies: the second is used until it is back', async () => {
  const setRouter = (state: 'up' | 'down') =>
    Promise.all((['a', 'b'] as const).map((link) => routers[0]!.ip(`link set eth-${link} ${state}`)));
  const start = performance.now();
  await setRouter('down');
  await within(() => ping(tenants.near, SIDES.far.tenant.ip));
  console.log(
    `first gateway down: pings pass again after ${Math.round(performance.now() - start)} ms (3 pings included)`,
  );
  expect(await used()).toEqual([false, true]);
  await setRouter('up');
  await within(async () => expect(await used()).toEqual([true, false]));
});
