// The network of the demo, as shell lines. It is the one that the files of firmware-config/generic-vm are written for.
//
//   hv1 ──access── nve1 ──┐                ┌── nve2 ──access── hv2        access links: veth; VDP, and tagged tenants' frames
//                         ├── fabric (br0) ┤                              fabric: a bridge, 192.0.2.0/24, MTU 1600
//   mgmt (br0: the NVA)   └── rogue ───────┘                              mgmt: a bridge, 198.51.100.0/24
//
// The engines hold both ends of the access links and the fabric ends in nve1 and nve2, through AF_XDP; the kernel has no address there.

export const TENANT_NAMESPACES = ['blue1', 'red1', 'blue2', 'red2'] as const;
const NAMESPACES = ['hv1', 'nve1', 'hv2', 'nve2', 'fabric', 'mgmt', 'rogue', ...TENANT_NAMESPACES];

export const DIAGRAM = `\
 blue1 10.0.0.1 ─┐ hv1           nve1                   nve2           hv2 ┌─ 10.0.0.2 blue2
                 ├ tnve ═C-TAG═ agent ─── fabric ────── agent ═C-TAG═ tnve ┤
 red1  10.0.0.1 ─┘                │     192.0.2.0/24      │                └─ 10.0.0.2 red2
                                  └── mgmt: splitnve nva ─┘     rogue: on the fabric, and no NVE`;

export interface Step {
  readonly line: string;
  /** A machine without the thing needs no setting of it. */
  readonly mayFail?: true;
}

/** From nothing to links that are up. */
export const STEPS: readonly Step[] = [
  { line: `for ns in ${NAMESPACES.join(' ')}; do ip netns add $ns; done` },
  // The only frames shall be the tenants': no kernel speaks IPv6 by itself on the links.
  {
    line: 'for ns in $(ls /run/netns); do ip netns exec $ns bash -c "echo 1 | tee /proc/sys/net/ipv6/conf/{all,default}/disable_ipv6" >/dev/null; done',
    mayFail: true,
  },
  ...accessLink(1),
  ...accessLink(2),
  ...bridge('fabric', 'fabric0', ['nve1', 'nve2', 'rogue'], ' mtu 1600'),
  ...bridge('mgmt', 'mgmt0', ['nve1', 'nve2'], ''),
  // The kernel at the other end of an engine's veth must finish its checksums.
  { line: 'ip netns exec rogue ethtool -K fabric0 tx off >/dev/null' },
  { line: 'ip -n rogue addr add 192.0.2.66/24 dev fabric0' },
  { line: 'ip -n mgmt addr add 198.51.100.1/24 dev br0' },
  { line: 'for n in 1 2; do ip -n nve$n addr add 198.51.100.1$n/24 dev mgmt0; done' },
];

function accessLink(host: number): Step[] {
  const [hv, nve] = [`hv${host}`, `nve${host}`];
  return [
    {
      line: `ip -n ${hv} link add uplink0 up type veth peer name access0 netns ${nve} && ip -n ${nve} link set access0 up`,
    },
  ];
}

/** A bridge in a namespace of its own, with a link named `link` into each of the others. */
function bridge(home: string, link: string, others: readonly string[], mtu: string): Step[] {
  const names = others.join(' ');
  return [
    { line: `ip -n ${home} link add br0${mtu} up type bridge mcast_snooping 0` },
    {
      line: `for ns in ${names}; do ip -n ${home} link add $ns${mtu} up master br0 type veth peer name ${link}${mtu} netns $ns && ip -n $ns link set ${link} up; done`,
    },
  ];
}
