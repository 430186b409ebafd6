// The network of the comparison of the engine with its reference model: ports, links, NVEs, tenants. Few ids and addresses, so that packets
// meet tables; and a base that mostly works, to which random commands are added.
import fc from 'fast-check';
import type { Command } from '#dataplane';
import { type IpAddr, type MacAddr, type Mtu, macToBytes, type Vid, type VnId, type Vni } from '#model';
import type { Octets } from '../../../ts/dataplane/sim/packet.js';

export const pick = <const T>(...items: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...items);

/** Access links 0 and 1, an underlay port, one that nobody uses, and an underlay port in a VLAN. Their MTUs are of different size on purpose. */
export const PORTS: readonly Command[] = [1500, 2000, 1500, 1500, 1600].map((mtu, port) => ({
  op: 'PortAdd',
  port,
  name: `port ${port}`,
  mtu,
  kind: { driver: 'net_ring' },
}));
export const UNDERLAYS = [2, 4] as const;
export type UnderlayPort = (typeof UNDERLAYS)[number];
export const VLAN: Readonly<Record<UnderlayPort, number>> = { 2: 0, 4: 300 };

const ip = (text: string): IpAddr => text as IpAddr;
export const mac = (text: string): MacAddr => text as MacAddr;

/** This NVE, by port and family. */
export const OURS: Readonly<Record<UnderlayPort, { readonly 4: IpAddr; readonly 6: IpAddr }>> = {
  2: { 4: ip('192.0.2.1'), 6: ip('2001:db8:2::1') },
  4: { 4: ip('192.0.4.1'), 6: ip('2001:db8:4::1') },
};
/** Other NVEs: those of each link, and one behind routers. */
const ON_LINK: readonly (readonly [UnderlayPort, IpAddr])[] = [
  [2, ip('192.0.2.2')],
  [2, ip('192.0.2.3')],
  [2, ip('192.0.2.4')],
  [4, ip('192.0.4.2')],
  [2, ip('2001:db8:2::2')],
  [2, ip('2001:db8:2::3')],
  [4, ip('2001:db8:4::2')],
];
const BEHIND = [ip('10.9.0.9'), ip('2001:db8:9::9')];
export const NVES = { 4: [] as IpAddr[], 6: [] as IpAddr[] };
for (const one of [...ON_LINK.map(([, nve]) => nve), ...BEHIND]) NVES[one.includes(':') ? 6 : 4].push(one);
export const anyNeighbour = pick(...ON_LINK);
export const anyNve = pick(...NVES[4], ...NVES[6]);
const PREFIXES: readonly (readonly [IpAddr, number])[] = [
  [ip('10.9.0.0'), 16],
  [ip('10.9.0.0'), 24],
  [ip('0.0.0.0'), 0],
  [ip('2001:db8:9::'), 48],
];
export const anyPrefix = pick(...PREFIXES);
/** Of the family of the prefix, mostly. */
export const anyGateway = pick(ip('192.0.2.3'), ip('192.0.4.2'), ip('2001:db8:2::3'), ip('2001:db8:4::2'));

export const STATIONS = [1, 2, 3, 4].map((n) => mac(`02:00:00:00:00:0${n}`));
export const station = pick(...STATIONS);
/** The address that a station is meant to have. */
export const addressOf = (of: Octets, family: 4 | 6): IpAddr =>
  ip(family === 4 ? `10.0.0.${of[5] ?? 0}` : `2001:db8:a::${(of[5] ?? 0).toString(16)}`);
export const tenantIp = fc
  .tuple(station, pick(4, 4, 6) as fc.Arbitrary<4 | 6>)
  .map(([of, family]) => addressOf(macToBytes(of), family));

export const VIDS = [100, 200] as Vid[];
export const [ONE, TWO] = [1, 2] as [VnId, VnId];

const underlay = (port: UnderlayPort, family: 4 | 6): Command => ({
  op: 'UnderlaySet',
  port,
  ip: OURS[port][family],
  prefixLen: family === 4 ? 24 : 64,
  ...(VLAN[port] === 0 ? {} : { options: { vlan: VLAN[port] } }),
});
const neighbour = (port: UnderlayPort, of: IpAddr): Command => ({
  op: 'NeighbourSet',
  port,
  ip: of,
  mac: mac(`02:ee:00:00:0${port}:02`),
});

/** What is always there when a sequence begins: with it, commands and packets find something. */
export const BASE: readonly Command[] = [
  ...UNDERLAYS.flatMap((port) => [underlay(port, 4), underlay(port, 6)]),
  neighbour(2, ip('192.0.2.2')),
  neighbour(4, ip('192.0.4.2')),
  neighbour(2, ip('2001:db8:2::2')),
  { op: 'RouteSet', prefix: ip('10.9.0.0'), prefixLen: 16, gateways: [ip('192.0.4.2'), ip('192.0.2.3')] },
  { op: 'RouteSet', prefix: ip('2001:db8:9::'), prefixLen: 48, gateways: [ip('2001:db8:4::2')] },
  { op: 'NextHopSet', nh: 0, remote: ip('192.0.2.2'), encap: 1, contextId: 5001 },
  { op: 'NextHopSet', nh: 1, remote: ip('192.0.2.3'), encap: 1, contextId: 5001 },
  { op: 'VnSet', vn: ONE, vni: 5001 as Vni, mtu: 1500 as Mtu },
  { op: 'VnSet', vn: TWO, vni: 5002 as Vni, mtu: 1400 as Mtu },
  { op: 'SourcesSet', vn: ONE, ips: [ip('192.0.2.2'), ip('2001:db8:2::2')] },
];

/** Of these some are there, so that packets find a way more often than by chance. */
export const USUAL: readonly Command[] = [
  {
    op: 'VapSet',
    vap: 0,
    vn: ONE,
    port: 0,
    selector: { kind: 'c-tag', vid: VIDS[0]! },
    tags: { kind: 'refuse' },
    guard: true,
    uplink: false,
  },
  {
    op: 'VapSet',
    vap: 1,
    vn: ONE,
    port: 1,
    selector: { kind: 'untagged' },
    tags: { kind: 'pass' },
    guard: false,
    uplink: false,
  },
  { op: 'NextHopSet', nh: 2, remote: ip('192.0.4.2'), encap: 2, contextId: 5001 },
  { op: 'NextHopSet', nh: 3, remote: ip('2001:db8:2::2'), encap: 1, contextId: 5001 },
  { op: 'NextHopSet', nh: 4, remote: ip('2001:db8:9::9'), encap: 2, contextId: 5001 },
  { op: 'NeighbourSet', port: 4, ip: ip('2001:db8:4::2'), mac: mac('02:ee:00:00:04:06') },
  {
    op: 'GroupSet',
    group: 0,
    members: [
      { nh: 0, weight: 1 },
      { nh: 2, weight: 2 },
      { nh: 3, weight: 1 },
    ],
  },
  { op: 'AclSet', acl: 0, default: 'permit', rules: [] },
  { op: 'AclSet', acl: 1, default: 'permit', rules: [{ action: 'deny', protocol: 6, dstPort: { first: 0, last: 7 } }] },
  { op: 'FdbSet', vn: ONE, mac: STATIONS[3]!, dest: { kind: 'group', group: 0 } },
  { op: 'FdbSet', vn: ONE, mac: STATIONS[0]!, dest: { kind: 'vap', vap: 0 } },
  { op: 'FdbSet', vn: ONE, mac: STATIONS[1]!, dest: { kind: 'nh', nh: 0 } },
  { op: 'FdbSet', vn: ONE, mac: STATIONS[2]!, dest: { kind: 'vap', vap: 1 } },
  {
    op: 'FloodSet',
    vn: ONE,
    dests: [
      { kind: 'nh', nh: 0 },
      { kind: 'nh', nh: 1 },
    ],
  },
  ...STATIONS.slice(0, 3).flatMap((of): Command[] => [
    { op: 'PairSet', vn: ONE, ip: addressOf(macToBytes(of), 4), mac: of },
    { op: 'PairSet', vn: ONE, ip: addressOf(macToBytes(of), 6), mac: of },
  ]),
];
