// A foreign peer: the remote NVE is Linux's own vxlan device, with a static FDB. Tenants of two VNs with equal addresses talk to tenants
// behind it; ours sit behind a tap of the agent, or behind a tNVE of their own and a tagged link.
//
//   tenant ─ tap ═ agent ═ veth ─ kernel: vxlan devices ─ tenant           the kernel's stack is in every tenant and in the remote NVE
//   tenant ─ tap ═ tNVE ═ C-TAG 100 ═ agent ═ …
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Command, PortId } from '#dataplane';
import type { IpAddr, MacAddr, Mtu, Vid, VnId, Vni } from '#model';
import { Capture, TENANT_PORTS } from '../lib/capture.js';
import { PORT, tnveCommands, xdpPort } from '../lib/chain.js';
import { obstacle, said } from '../lib/command.js';
import { type EngineProcess, grown } from '../lib/engine.js';
import { content, ETHERTYPE, ethernet, ipv4, udp } from '../lib/frames.js';
import { Lab } from '../lib/lab.js';
import type { Namespace } from '../lib/namespace.js';
import { ping } from '../lib/ping.js';
import { tapTenant } from '../lib/tap-tenant.js';
import { serveTransfers, transfer } from '../lib/transfer.js';

const [IPERF_PORT, TCP_PORT] = TENANT_PORTS;
const why = obstacle('ip', 'bridge', 'ethtool', 'ping', 'iperf3', 'tcpdump', 'tshark', 'python3', 'nsenter', 'setpriv');

const VNS = {
  blue: { id: 1, vni: 5001, vid: 100, tap: PORT.tap as PortId },
  red: { id: 2, vni: 0xfedcba, vid: 200, tap: PORT.tap + 1 },
};
type Name = keyof typeof VNS;
const NAMES = ['blue', 'red'] as const;
const NEAR = { ip: '10.0.0.1', mac: '02:00:00:00:00:01' };
const FAR = { ip: '10.0.0.2', mac: '02:00:00:00:00:02' };
const OURS = '192.0.2.1';
const THEIRS = '192.0.2.2';

/** The tenants' namespaces of both sides, and the remote NVE's. */
interface World {
  readonly near: Record<Name, Namespace>;
  readonly far: Record<Name, Namespace>;
  readonly nve: Namespace;
  readonly agent: EngineProcess;
  readonly engines: EngineProcess[];
}

/** What the agent is told of a VN; its tenant is behind `port`. */
function commands({ id, vni }: (typeof VNS)[Name], port: PortId, vid: number | null): Command[] {
  const vn = id as VnId;
  const selector = vid === null ? ({ kind: 'untagged' } as const) : ({ kind: 'c-tag', vid: vid as Vid } as const);
  return [
    { op: 'VnSet', vn, vni: vni as Vni, mtu: 1500 as Mtu },
    { op: 'VapSet', vap: id, vn, port, selector, guard: true, uplink: false },
    { op: 'NextHopSet', nh: id, remote: THEIRS as IpAddr, encap: 1, contextId: vni },
    { op: 'FdbSet', vn, mac: NEAR.mac as MacAddr, dest: { kind: 'vap', vap: id } },
    { op: 'FdbSet', vn, mac: FAR.mac as MacAddr, dest: { kind: 'nh', nh: id } },
    { op: 'FloodSet', vn, dests: [{ kind: 'nh', nh: id }] },
    { op: 'SourcesSet', vn, ips: [THEIRS as IpAddr] },
  ];
}

function tenant(lab: Lab, engine: EngineProcess, name: Name): Promise<Namespace> {
  return tapTenant(lab, engine, { name, port: VNS[name].tap, ...NEAR });
}

async function world(lab: Lab, tagged: boolean): Promise<World> {
  const [nve, remote] = [await lab.namespace('agent'), await lab.namespace('kernel NVE')];
  await lab.veth(
    { namespace: nve, iface: 'under', mtu: 1600 },
    { namespace: remote, iface: 'under', mtu: 1600, stack: true },
  );
  await remote.ip(`addr add ${THEIRS}/24 dev under`);
  const agent = await lab.engine('agent', nve);
  await agent.must(xdpPort(PORT.underlay, 'under', 1600), {
    op: 'UnderlaySet',
    port: PORT.underlay,
    ip: OURS as IpAddr,
    prefixLen: 24,
  });
  const engines = [agent];
  const near: Partial<Record<Name, Namespace>> = {};
  if (tagged) {
    const host = await lab.namespace('tNVE');
    await lab.veth({ namespace: host, iface: 'uplink' }, { namespace: nve, iface: 'access' });
    const tnve = await lab.engine('tNVE', host);
    engines.push(tnve);
    await tnve.must(xdpPort(PORT.link, 'uplink', 1500));
    await agent.must(xdpPort(PORT.link, 'access', 1500));
    for (const name of NAMES) {
      near[name] = await tenant(lab, tnve, name);
      const { id, vni, vid, tap } = VNS[name];
      await tnve.must(
        ...tnveCommands({ id, vni: { 0: vni, 1: vni }, tag: { 0: vid, 1: vid }, tap: { 0: tap, 1: tap } }, 0),
      );
      await agent.must(...commands(VNS[name], PORT.link, vid));
    }
  } else {
    for (const name of NAMES) {
      near[name] = await tenant(lab, agent, name);
      await agent.must(...commands(VNS[name], VNS[name].tap, null));
    }
  }
  const far = { blue: await lab.namespace('far blue'), red: await lab.namespace('far red') };
  return { near: near as Record<Name, Namespace>, far, nve: remote, agent, engines };
}

/** The kernel's vxlan devices, each moved to its tenant; the tunnel's socket stays with the NVE. */
async function vxlanDevices({ nve, far }: World, checksum: string): Promise<void> {
  for (const name of NAMES) {
    const tunnel = `id ${VNS[name].vni} local ${THEIRS} dev under dstport 4789 nolearning ${checksum}`;
    await far[name].run('ip link del vx');
    await nve.ip(`link add vx address ${FAR.mac} mtu 1500 type vxlan ${tunnel}`);
    for (const mac of ['00:00:00:00:00:00', NEAR.mac]) await nve.must(`bridge fdb append ${mac} dev vx dst ${OURS}`);
    await nve.ip(`link set vx netns ${far[name].pid}`);
    await far[name].ip(`addr add ${FAR.ip}/24 dev vx`, 'link set vx up');
  }
}

describe.each([
  ['a tap', false],
  ['a tNVE and a tagged link', true],
])('tenants behind %s', (_name, tagged) => {
  const lab = new Lab();
  let all: World;

  beforeAll(async () => {
    if (why !== undefined) return;
    all = await world(lab, tagged);
    await vxlanDevices(all, 'noudpcsum');
    for (const name of NAMES)
      await Promise.all([all.near[name], all.far[name]].map((space) => serveTransfers(lab, space, TCP_PORT)));
  });
  afterAll(() => lab.close());
  beforeEach((context) => {
    if (why !== undefined) context.skip(why);
  });

  describe.each(['noudpcsum', 'udpcsum'])('the kernel sends with %s', (checksum) => {
    let capture: Capture;
    let before: Record<string, number>[];

    beforeAll(async () => {
      if (why !== undefined) return;
      await vxlanDevices(all, checksum);
      await all.agent.resolved();
      before = await Promise.all(all.engines.map((engine) => engine.drops()));
      capture = lab.add(await Capture.start(all.nve, 'under'));
    });

    it('ARP finds the right tenant, both ways, through head-end replication', async () => {
      const one = async (from: Namespace, to: typeof NEAR, dev: string) => {
        await from.ip('neigh flush all');
        await ping(from, to.ip);
        expect(await from.must(`ip neigh show ${to.ip} dev ${dev}`)).toContain(`lladdr ${to.mac}`);
      };
      await Promise.all(NAMES.map((name) => one(all.near[name], FAR, 'eth0')));
      await Promise.all(NAMES.map((name) => one(all.far[name], NEAR, 'vx')));
    });

    it.each([
      ['small', '-s 1'],
      ['56 bytes', '-s 56'],
      ['as long as the MTU, unfragmented', '-s 1472 -M do'],
      ['in fragments', '-s 8000'],
      ['in fragments, with another pattern', '-s 20000 -p 5aa5'],
    ])('ping, %s, both ways, in both VNs', async (_size, options) => {
      const pairs = NAMES.flatMap((name) => [
        ping(all.near[name], FAR.ip, options),
        ping(all.far[name], NEAR.ip, options),
      ]);
      await Promise.all(pairs);
    });

    it('TCP both ways at once, in both VNs at once, content verified', async () => {
      const pairs = NAMES.flatMap((name) => [
        transfer(all.near[name], all.far[name], FAR.ip, TCP_PORT),
        transfer(all.far[name], all.near[name], NEAR.ip, TCP_PORT),
      ]);
      await Promise.all(pairs);
    });

    it('iperf3, both directions', async () => {
      for (const direction of ['', '-R']) {
        const command = all.far.blue.insideUntilDeath('iperf3', '-s', '-1', '--forceflush', '-p', `${IPERF_PORT}`);
        const server = spawn(...command, { stdio: ['ignore', 'pipe', 'inherit'], timeout: 20_000 });
        const ended = once(server, 'close');
        await said(server, server.stdout, 'listening');
        const report = JSON.parse(
          await all.near.blue.must(`iperf3 -c ${FAR.ip} -p ${IPERF_PORT} -n 1M -J ${direction}`),
        );
        // iperf3 ends when all is sent, whether or not all has been read.
        expect(report.end.sum_sent.bytes).toBeGreaterThanOrEqual(1_000_000);
        expect(report.end.sum_received.bytes).toBeGreaterThan(0);
        await ended;
      }
    });

    it('our underlay address answers ARP and ICMP echo, and takes no fragments', async () => {
      await all.nve.ip('neigh flush all');
      await ping(all.nve, OURS);
      await ping(all.nve, OURS, '-s 1572 -M do');
      const [mine] = await all.agent.dump('underlays');
      expect(await all.nve.must(`ip neigh show ${OURS}`)).toContain(`lladdr ${mine?.mac}`);
      const [drops] = before;
      expect(grown(drops!, await all.agent.drops())).toEqual({});
      const { stdout } = await all.nve.run(`ping -n -c 1 -W 1 -s 4000 ${OURS}`);
      expect(stdout).toContain('100% packet loss');
      const fragments = { [`${PORT.underlay} outer_fragment`]: 3 };
      expect(grown(drops!, await all.agent.drops())).toEqual(fragments);
      before = await Promise.all(all.engines.map((engine) => engine.drops()));
    });

    it('no engine dropped a frame', async () => {
      const after = await Promise.all(all.engines.map((engine) => engine.drops()));
      expect(after.map((drops, at) => grown(before[at]!, drops))).toEqual(all.engines.map(() => ({})));
    });

    it('tshark dissects all of it as VXLAN, finds nothing malformed and no checksum wrong', async () => {
      await capture.stop();
      expect(await capture.wrong()).toEqual([]);
      const rows = await capture.fields('vxlan', 'ip.src', 'vxlan.vni', 'udp.checksum', 'udp.dstport', 'vxlan.flags');
      const first = (text: string | undefined) => text?.split(',')[0];
      const seen = (source: string) => rows.filter(([from]) => first(from) === source);
      for (const source of [OURS, THEIRS]) {
        expect(new Set(seen(source).map(([, vni]) => vni))).toEqual(new Set(NAMES.map((name) => `${VNS[name].vni}`)));
        expect(seen(source).every(([, , , port, flags]) => first(port) === '4789' && flags === '0x0800')).toBe(true);
      }
      // Ours are 0, which says "none" (RFC 7348, 5); the kernel's are as it was told.
      const zero = (source: string) => seen(source).filter(([, , sum]) => first(sum) === '0x0000').length;
      expect(zero(OURS)).toBe(seen(OURS).length);
      expect(zero(THEIRS)).toBe(checksum === 'noudpcsum' ? seen(THEIRS).length : 0);
      // Whatever else was on the link is no overlay: ARP, and what was sent to the NVE's own address.
      const others = await capture.fields('!vxlan', 'frame.protocols');
      expect(others.filter(([protocols]) => !/:(arp|icmp)|^eth:ethertype:ip:data$/.test(`${protocols}`))).toEqual([]);
    });
  });

  it('the outer source port tells flows apart, and is the same for all of one flow', async () => {
    const capture = lab.add(await Capture.start(all.nve, 'under'));
    const socket = await lab.raw().socket(all.near.blue, 'eth0');
    const flows = Array.from({ length: 64 }, (_, flow) => {
      const datagram = udp({ from: NEAR.ip, to: FAR.ip, source: 20_000 + flow, target: 9 }, content('flow', 40));
      return ethernet(
        { to: FAR.mac, from: NEAR.mac },
        ETHERTYPE.ipv4,
        ipv4({ from: NEAR.ip, to: FAR.ip, protocol: 17 }, datagram),
      );
    });
    for (let round = 0; round < 4; round++) await socket.send(flows, 0.2);
    // One that tshark must find, so that its silence about the others means something.
    const broken = Buffer.from(flows[0]!);
    broken[broken.length - 1]! ^= 1;
    await socket.send([broken]);
    await capture.stop();
    const rows = await capture.fields(`vxlan && ip.src == ${OURS} && udp.dstport == 9`, 'udp.srcport');
    const ports = new Map<string, Set<number>>();
    for (const [row = ''] of rows) {
      const [outer, flow] = row.split(',');
      ports.set(`${flow}`, (ports.get(`${flow}`) ?? new Set()).add(Number(outer)));
    }
    expect(rows).toHaveLength(4 * flows.length + 1);
    expect(ports.size).toBe(flows.length);
    const outer = [...ports.values()].map((set) => [...set]);
    expect(outer.every((set) => set.length === 1 && set[0]! >= 49_152)).toBe(true);
    // 64 flows over 16,384 ports: two meet with a probability of one in eight, ten do not.
    expect(new Set(outer.flat()).size).toBeGreaterThan(flows.length - 10);
    expect(await capture.wrong()).toHaveLength(1);
  });
});
