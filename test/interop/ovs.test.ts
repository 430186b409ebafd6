// A foreign peer: the remote NVE is Open vSwitch with its userspace datapath, which speaks VXLAN and Geneve on machines whose kernel has no
// Geneve. One VN of each encapsulation, with equal tenant addresses.
//
//   tenant ─ tap ═ engine ═ veth ─ br-phy: ovs-vswitchd :br-int ─ tenant
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { IpAddr, MacAddr, Mtu, VnId, Vni } from '#model';
import { Capture, TENANT_PORTS } from '../lib/capture.js';
import { PORT, xdpPort } from '../lib/chain.js';
import { obstacle } from '../lib/command.js';
import { type EngineProcess, grown, withoutChatter } from '../lib/engine.js';
import { Lab } from '../lib/lab.js';
import type { Namespace } from '../lib/namespace.js';
import { Ovs } from '../lib/ovs.js';
import { ping } from '../lib/ping.js';
import { tapTenant } from '../lib/tap-tenant.js';
import { serveTransfers, transfer } from '../lib/transfer.js';

const [, TCP_PORT] = TENANT_PORTS;
const why = obstacle(
  'ip',
  'ping',
  'tshark',
  'ovs-vswitchd',
  'ovsdb-server',
  'ovs-vsctl',
  'ovs-ofctl',
  'nsenter',
  'setpriv',
);

const VXLAN = 1;
const GENEVE = 2;
const VNS = {
  vxlan: { id: 1, encap: VXLAN, vni: 5001, udp: 4789 },
  geneve: { id: 2, encap: GENEVE, vni: 0xabcdef, udp: 6081 },
} as const;
type Name = keyof typeof VNS;
const NAMES = ['vxlan', 'geneve'] as const;
const NEAR = { ip: '10.0.0.1', mac: '02:00:00:00:00:01' };
const FAR = { ip: '10.0.0.2', mac: '02:00:00:00:00:02' };
const THEIR_MAC = '02:ee:00:00:00:02';

describe.each([
  ['IPv4', '192.0.2.1', '192.0.2.2', 24],
  ['IPv6', '2001:db8::1', '2001:db8::2', 64],
])('over an underlay of %s', (family, ours, theirs, prefixLen) => {
  const lab = new Lab();
  const near = {} as Record<Name, Namespace>;
  const far = {} as Record<Name, Namespace>;
  let engine: EngineProcess;
  let remote: Namespace;
  let ovs: Ovs;
  let capture: Capture;

  beforeAll(async () => {
    if (why !== undefined) return;
    const nve = await lab.namespace('engine');
    remote = await lab.namespace('OVS');
    await lab.veth(
      { namespace: nve, iface: 'under', mtu: 1600 },
      { namespace: remote, iface: 'under', mtu: 1600, stack: true },
    );
    engine = await lab.engine('engine', nve);
    await engine.must(xdpPort(PORT.underlay, 'under', 1600), {
      op: 'UnderlaySet',
      port: PORT.underlay,
      ip: ours as IpAddr,
      prefixLen,
    });
    ovs = await Ovs.create(lab, remote, 'under', { mac: THEIR_MAC, addresses: [`${theirs}/${prefixLen}`] });
    for (const [at, name] of NAMES.entries()) {
      const { id, encap, vni } = VNS[name];
      const port = PORT.tap + at;
      near[name] = await tapTenant(lab, engine, { name, port, ...NEAR });
      far[name] = await lab.namespace(`far ${name}`);
      await ovs.tenant(`t-${name}`, far[name], FAR);
      await ovs.ctl(
        `add-port br-int ${name} -- set interface ${name} type=${name} options:remote_ip=${ours} options:key=${vni}`,
      );
      const vn = id as VnId;
      await engine.must(
        { op: 'VnSet', vn, vni: vni as number as Vni, mtu: 1500 as Mtu },
        { op: 'VapSet', vap: id, vn, port, selector: { kind: 'untagged' }, guard: true, uplink: false },
        { op: 'NextHopSet', nh: id, remote: theirs as IpAddr, encap, contextId: vni },
        { op: 'FdbSet', vn, mac: NEAR.mac as MacAddr, dest: { kind: 'vap', vap: id } },
        { op: 'FdbSet', vn, mac: FAR.mac as MacAddr, dest: { kind: 'nh', nh: id } },
        { op: 'FloodSet', vn, dests: [{ kind: 'nh', nh: id }] },
        { op: 'SourcesSet', vn, ips: [theirs as IpAddr] },
      );
    }
    // Each VN is a wire of its own: no learning, nothing between them.
    await ovs.flows('del-flows', 'br-int');
    for (const name of NAMES)
      for (const [from, to] of [
        [`t-${name}`, name],
        [name, `t-${name}`],
      ] as const)
        await ovs.flows('add-flow', 'br-int', `in_port=${from},actions=output:${to}`);
    await engine.resolved();
    for (const name of NAMES)
      await Promise.all([near[name], far[name]].map((space) => serveTransfers(lab, space, TCP_PORT)));
    capture = lab.add(await Capture.start(remote, 'under'));
  });
  afterAll(() => lab.close());
  beforeEach((context) => {
    if (why !== undefined) context.skip(why);
  });

  it('ARP, and ping of any size, both ways, in both VNs', async () => {
    for (const options of ['-s 56', '-s 1472 -M do', '-s 8000'])
      await Promise.all(
        NAMES.flatMap((name) => [ping(near[name], FAR.ip, options), ping(far[name], NEAR.ip, options)]),
      );
  });

  it('TCP both ways at once, in both VNs at once, content verified', async () => {
    await Promise.all(
      NAMES.flatMap((name) => [
        transfer(near[name], far[name], FAR.ip, TCP_PORT),
        transfer(far[name], near[name], NEAR.ip, TCP_PORT),
      ]),
    );
  });

  it('the engine dropped nothing', async () => {
    expect(withoutChatter(await engine.drops(), PORT.underlay)).toEqual({});
  });

  it('tshark dissects all of it as it was meant, and finds nothing malformed and no checksum wrong', async () => {
    await capture.stop();
    expect(await capture.wrong()).toEqual([]);
    for (const name of NAMES) {
      const { vni, udp } = VNS[name];
      const source = family === 'IPv4' ? 'ip.src' : 'ipv6.src';
      const rows = await capture.fields(`udp.dstport == ${udp}`, source, `${name}.vni`);
      const first = (text = ''): string => text.split(',')[0] ?? '';
      expect(new Set(rows.map(([from, id]) => `${first(from)} ${Number(first(id))}`))).toEqual(
        new Set([`${ours} ${vni}`, `${theirs} ${vni}`]),
      );
    }
  });

  it('an option that may be ignored is, a critical one is not', async () => {
    const before = await engine.drops();
    const options = ['{class=0x102,type=5,len=4}->tun_metadata0', '{class=0x102,type=0x85,len=4}->tun_metadata1'];
    await ovs.flows('add-tlv-map', 'br-int', options.join(','));
    const towards = (action: string): Promise<string> =>
      ovs.flows('mod-flows', 'br-int', `in_port=t-geneve,actions=${action}output:geneve`);
    await towards('set_field:0x1234->tun_metadata0,');
    await ping(far.geneve, NEAR.ip);
    expect(withoutChatter(grown(before, await engine.drops()), PORT.underlay)).toEqual({});
    await towards('set_field:0x1234->tun_metadata1,');
    const { stdout } = await far.geneve.run(`ping -n -c 1 -W 1 ${NEAR.ip}`);
    expect(stdout).toContain('100% packet loss');
    expect(Object.keys(withoutChatter(grown(before, await engine.drops()), PORT.underlay))).toEqual([
      `${PORT.underlay} geneve_critical`,
    ]);
    await towards('');
    await ping(far.geneve, NEAR.ip);
  });
});
