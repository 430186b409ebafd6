// Access to underlay, in the reference model: what goes before a tenant's frame. docs/engine.md, "Options of a next hop".

import { macToBytes } from '#model';
import type { NextHopOptions } from '../types.js';
import { Drop, type Machine, type Sent } from './fate.js';
import {
  be16,
  bytes,
  C_TAG,
  classOf,
  ETHERNET,
  IPV4,
  IPV6,
  innerIp,
  isTag,
  type Octets,
  octetsOf,
  tagOf,
  u16,
  withChecksum,
} from './packet.js';
import { pathTo } from './path.js';
import type { State } from './state.js';

const PORTS = [49_152, 65_535] as const;

/** PCP of the outermost tag that a frame came in with. */
export const priorityOf = (frame: Octets): number => (isTag(u16(frame, 12)) ? (frame[14] ?? 0) >> 5 : 0);

/** `pcp`: of the tag that the frame came with. */
export function toNextHop(state: State, machine: Machine, nh: number, inner: Octets, pcp: number): Sent {
  const hop = state.nextHops.get(nh);
  if (state.dead.has(nh)) throw new Drop('next_hop_down');
  const path = hop && pathTo(state, hop.remote);
  if (hop === undefined || !path || path.mac === null) throw new Drop('neighbour_unresolved');
  const { link, mac } = path;
  const options: NextHopOptions = hop.options ?? {};
  const [source, remote] = [octetsOf(link.ip), octetsOf(hop.remote)];
  const overIpv6 = remote.length === 16;
  const tunnel = hop.encap === 2 ? geneve(hop.contextId, options.options) : vxlan(hop.contextId);
  const mtu = Math.min(state.ports.get(link.port)?.mtu ?? 0, options.mtu ?? 65_535);
  // The MTU counts from the outer IP header on.
  const longest = Math.max(0, mtu - (overIpv6 ? 40 : 20) - 8 - tunnel.length);
  if (inner.length > longest) throw new Drop('underlay_mtu', longest);

  const udp = bytes([0, 0], be16(hop.encap === 2 ? 6081 : 4789), be16(8 + tunnel.length + inner.length));
  const hasChecksum = options.checksum ?? overIpv6;
  const datagram = bytes(udp, hasChecksum ? [0xff, 0xff] : [0, 0], tunnel, inner);
  const ip = innerIp(inner);
  const kept = ip && {
    ttl: inner[ip.at + (ip.version === 4 ? 8 : 7)] ?? 0,
    df: ip.version === 6 || hasDf(inner, ip.at),
  };
  const ttl = options.ttl === 'inherit' ? kept?.ttl || 64 : (options.ttl ?? 64);
  const inherits = options.df === 'inherit';
  const df = inherits ? (kept?.df ?? false) : options.df !== 'unset';
  const trafficClass = (dscp(options.dscp, classOf(inner) >> 2) << 2) | ecn(options.ecn, classOf(inner) & 3);
  const outer = overIpv6
    ? bytes(
        [0x60 | (trafficClass >> 4), (trafficClass & 15) << 4, 0, 0],
        be16(datagram.length),
        [17, ttl],
        source,
        remote,
      )
    : withChecksum(
        bytes(
          [0x45, trafficClass],
          be16(20 + datagram.length),
          [0, 0, df ? 0x40 : 0, 0, ttl, 17, 0, 0],
          source,
          remote,
        ),
        10,
      );
  const vlan = link.options?.vlan;
  const tci = ((options.pcp === 'inherit' ? pcp : (options.pcp ?? 0)) << 13) | (vlan ?? 0);
  return {
    port: link.port,
    ports: options.ports ?? PORTS,
    frame: bytes(
      macToBytes(mac as NonNullable<typeof mac>),
      machine.portMac(link.port),
      vlan === undefined ? [] : tagOf(C_TAG, tci),
      be16(overIpv6 ? IPV6 : IPV4),
      outer,
      datagram,
    ),
  };
}

const hasDf = (frame: Octets, at: number): boolean => ((frame[at + 6] ?? 0) & 0x40) !== 0;
const vni = (id: number): number[] => [id >> 16, (id >> 8) & 0xff, id & 0xff, 0];

/** RFC 7348, 5. */
const vxlan = (id: number): Octets => bytes([0x08, 0, 0, 0], vni(id));

/** RFC 8926, 3.4: the C bit if an option is critical. */
function geneve(id: number, options: Octets = new Uint8Array(0)): Octets {
  let critical = 0;
  for (let at = 0; at < options.length; at += 4 + ((options[at + 3] ?? 0) & 0x1f) * 4)
    if (((options[at + 2] ?? 0) & 0x80) !== 0) critical = 0x40;
  return bytes([options.length / 4, critical, 0x65, 0x58], vni(id), options);
}

/** RFC 2983: fixed, the frame's, or one for each of the frame's. */
function dscp(option: NextHopOptions['dscp'], inner: number): number {
  if (option === 'inherit') return inner;
  return option instanceof Uint8Array ? (option[inner] ?? 0) : (option ?? 0);
}

/** RFC 6040, 4.1; the kernel's hides congestion that was met before. */
function ecn(mode: NextHopOptions['ecn'], inner: number): number {
  if (mode === 'off') return 0;
  return mode === 'kernel' && inner === 3 ? 2 : inner;
}

/** Of an encapsulated packet, by its outer headers: where they begin. */
export function outerOf(packet: Octets): { readonly ip: number; readonly udp: number; readonly inner: number } {
  const ip = ETHERNET + (u16(packet, 12) === C_TAG ? 4 : 0);
  const udp = ip + (u16(packet, ip - 2) === IPV6 ? 40 : 20);
  const options = u16(packet, udp + 2) === 6081 ? ((packet[udp + 8] ?? 0) & 0x3f) * 4 : 0;
  return { ip, udp, inner: udp + 16 + options };
}
