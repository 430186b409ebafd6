// One VN between a tenant of an engine and one of Linux's vxlan device, over a link of the underlay.
//
//   tenant ─ tap ═ engine ═ link ─ kernel: vxlan device ─ tenant
import type { Command, NextHopOptions, UnderlayOptions } from '#dataplane';
import type { IpAddr, MacAddr, Mtu, VnId, Vni } from '#model';
import { PORT, xdpPort } from './chain.js';
import type { EngineProcess } from './engine.js';
import type { Lab } from './lab.js';
import type { Namespace } from './namespace.js';
import { tapTenant } from './tap-tenant.js';

export const VN = 1 as VnId;
export const VNI = 5001;
export const NEAR = { ip: '10.0.0.1', mac: '02:00:00:00:00:01' };
export const FAR = { ip: '10.0.0.2', mac: '02:00:00:00:00:02' };
export const V4 = { ours: '192.0.2.1', theirs: '192.0.2.2', prefixLen: 24 };
export const V6 = { ours: '2001:db8::1', theirs: '2001:db8::2', prefixLen: 64 };
export type Family = typeof V4;
export const UNICAST = 1;

export interface World {
  readonly near: Namespace;
  readonly far: Namespace;
  readonly remote: Namespace;
  readonly engine: EngineProcess;
}

export interface WorldOptions {
  readonly nextHop?: NextHopOptions;
  readonly underlay?: UnderlayOptions;
  /** Connects the two interfaces `under`, of the engine and of the kernel. */
  readonly link?: (lab: Lab, nve: Namespace, remote: Namespace) => Promise<unknown>;
}

const direct = (lab: Lab, nve: Namespace, remote: Namespace): Promise<void> =>
  lab.veth(
    { namespace: nve, iface: 'under', mtu: 1600 },
    { namespace: remote, iface: 'under', mtu: 1600, stack: true },
  );

/** One VN between our tenant and the kernel's; `vxlan` is how its device is made, besides what is the same for all. */
export async function world(
  lab: Lab,
  family: Family,
  device: string,
  { nextHop = {}, underlay = {}, link = direct }: WorldOptions = {},
): Promise<World> {
  const [nve, remote, far] = [await lab.namespace('engine'), await lab.namespace('kernel'), await lab.namespace('far')];
  await link(lab, nve, remote);
  if (family === V6) await remote.must('sysctl -q -w net.ipv6.conf.under.disable_ipv6=0');
  await remote.ip(`addr add ${family.theirs}/${family.prefixLen} dev under${family === V6 ? ' nodad' : ''}`);
  const engine = await lab.engine('engine', nve);
  const { port, vn } = { port: PORT.underlay, vn: VN };
  await engine.must(xdpPort(port, 'under', 1600), {
    op: 'UnderlaySet',
    port,
    ip: family.ours as IpAddr,
    prefixLen: family.prefixLen,
    options: underlay,
  });
  const near = await tapTenant(lab, engine, { name: 'blue', port: PORT.tap, ...NEAR });
  await engine.must(
    { op: 'VnSet', vn, vni: VNI as Vni, mtu: 1500 as Mtu },
    { op: 'VapSet', vap: 1, vn, port: PORT.tap, selector: { kind: 'untagged' }, guard: true, uplink: false },
    { op: 'FdbSet', vn, mac: NEAR.mac as MacAddr, dest: { kind: 'vap', vap: 1 } },
    ...unicast(family, nextHop),
    { op: 'SourcesSet', vn, ips: [family.theirs as IpAddr] },
  );
  const tunnel = `id ${VNI} local ${family.theirs} dev under dstport 4789 nolearning`;
  await remote.ip(`link add vx address ${FAR.mac} mtu 1500 type vxlan ${tunnel} ${device}`);
  return { near, far, remote, engine };
}

export function unicast(family: Family, options: NextHopOptions = {}): Command[] {
  return [
    { op: 'NextHopSet', nh: UNICAST, remote: family.theirs as IpAddr, encap: 1, contextId: VNI, options },
    { op: 'FdbSet', vn: VN, mac: FAR.mac as MacAddr, dest: { kind: 'nh', nh: UNICAST } },
    { op: 'FloodSet', vn: VN, dests: [{ kind: 'nh', nh: UNICAST }] },
  ];
}

/** The far tenant gets the device; the tunnel's socket stays with the kernel's NVE. */
export async function attach({ remote, far }: World): Promise<void> {
  await remote.ip(`link set vx netns ${far.pid}`);
  await far.ip(`addr add ${FAR.ip}/24 dev vx`, 'link set vx up');
}
