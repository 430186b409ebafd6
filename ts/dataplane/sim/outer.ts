// From the underlay, in the reference model: is it for this NVE, is it a tunnelled packet, and what do its outer headers say. Everything is
// checked before anything is believed.

import { Drop, type Machine, type Sent } from './fate.js';
import { answerArp, answerEcho, answerIcmpv6, type Host } from './host.js';
import {
  ARP,
  bytes,
  C_TAG,
  checksum,
  ETHERNET,
  equal,
  IPV4,
  IPV6,
  isGroup,
  isTag,
  type Octets,
  octetsOf,
  u16,
  withPseudoHeader,
} from './packet.js';
import type { Link } from './path.js';

/** A tunnelled packet. */
export interface Tunnelled {
  readonly sender: Octets;
  /** DSCP and ECN of the outer header. */
  readonly trafficClass: number;
  readonly vni: number;
  /** Whether a reserved bit of the tunnel's header is set. */
  readonly reserved: boolean;
  readonly frame: Octets;
}

/** `links`: the underlay addresses of the port. */
export function fromUnderlay(
  machine: Machine,
  port: number,
  links: readonly Link[],
  arrived: Octets,
): Tunnelled | Sent {
  const vlan = links[0]?.options?.vlan ?? 0;
  const host: Host = { port, mac: machine.portMac(port), ours: links.map(({ ip }) => octetsOf(ip)), vlan };
  const frame = inVlan(arrived, vlan);
  const destination = frame.subarray(0, 6);
  const toUs = equal(destination, host.mac);
  const etherType = u16(frame, 12);
  const broadcast = destination.every((octet) => octet === 0xff);
  if (etherType === ARP && (toUs || broadcast)) return answerArp(host, frame);
  if (etherType === IPV6 && (toUs || isGroup(destination))) return ipv6(host, links, frame, toUs);
  if (!toUs) throw new Drop('not_for_us');
  if (etherType !== IPV4) throw new Drop('not_overlay');
  return ipv4(host, frame);
}

/** The frame without the tag that every frame of the link has; where none has one a priority tag counts as none (802.1Q, 6.9.1). */
function inVlan(frame: Octets, vlan: number): Octets {
  const tagged = u16(frame, 12) === C_TAG;
  if (!isTag(u16(frame, 12)) && vlan === 0) return frame;
  if (tagged && frame.length < 18) throw new Drop('truncated');
  const vid = tagged ? u16(frame, 14) & 0x0fff : 0;
  if (vid !== vlan || isTag(u16(frame, tagged ? 16 : 12))) throw new Drop('outer_tag');
  return bytes(frame.subarray(0, 12), frame.subarray(16));
}

function ipv4(host: Host, frame: Octets): Tunnelled | Sent {
  const packet = frame.subarray(ETHERNET);
  if (packet.length < 20) throw new Drop('truncated');
  const [version, words] = [(packet[0] ?? 0) >> 4, (packet[0] ?? 0) & 0x0f];
  if (version !== 4 || words < 5) throw new Drop('outer_invalid');
  if (words > 5) throw new Drop('outer_options');
  const total = u16(packet, 2);
  if (total > packet.length) throw new Drop('truncated');
  if (total < 20 || checksum(packet.subarray(0, 20)) !== 0) throw new Drop('outer_invalid');
  if (!host.ours.some((ip) => equal(ip, packet.subarray(16, 20)))) throw new Drop('not_for_us');
  if ((u16(packet, 6) & 0x3fff) !== 0) throw new Drop('outer_fragment');
  if (packet[9] === 1) return answerEcho(host, frame, packet.subarray(0, total));
  if (packet[9] !== 17) throw new Drop('not_overlay');
  const tunnel = tunnelled(packet.subarray(12, 20), packet.subarray(20, total), true);
  return { ...tunnel, sender: packet.subarray(12, 16), trafficClass: packet[1] ?? 0 };
}

function ipv6(host: Host, links: readonly Link[], frame: Octets, toUs: boolean): Tunnelled | Sent {
  const packet = frame.subarray(ETHERNET);
  if (packet.length < 40) throw new Drop('truncated');
  if ((packet[0] ?? 0) >> 4 !== 6) throw new Drop('outer_invalid');
  const end = 40 + u16(packet, 4);
  if (end > packet.length) throw new Drop('truncated');
  const next = packet[6] ?? 0;
  if (next === 58) return answerIcmpv6(host, frame, packet.subarray(0, end), toUs);
  const link = links.find(({ ip }) => equal(octetsOf(ip), packet.subarray(24, 40)));
  if (!toUs || link === undefined) throw new Drop('not_for_us');
  if (next === 44) throw new Drop('outer_fragment');
  if ([0, 43, 50, 51, 60, 135, 139, 140, 253, 254].includes(next)) throw new Drop('outer_extension');
  if (next !== 17) throw new Drop('not_overlay');
  const tunnel = tunnelled(packet.subarray(8, 40), packet.subarray(40, end), link.options?.zeroChecksum === true);
  return { ...tunnel, sender: packet.subarray(8, 24), trafficClass: (u16(packet, 0) >> 4) & 0xff };
}

type Tunnel = Pick<Tunnelled, 'vni' | 'reserved' | 'frame'>;

/** A UDP datagram: VXLAN (RFC 7348, 5), Geneve (RFC 8926, 3), or neither. */
function tunnelled(addresses: Octets, datagram: Octets, mayLackChecksum: boolean): Tunnel {
  if (datagram.length < 8) throw new Drop('truncated');
  const port = u16(datagram, 2);
  if (port !== 4789 && port !== 6081) throw new Drop('not_overlay');
  const length = u16(datagram, 4);
  if (length > datagram.length || length < 8 + 8 + ETHERNET) throw new Drop('truncated');
  const udp = datagram.subarray(0, length);
  if (u16(udp, 6) === 0) {
    if (!mayLackChecksum) throw new Drop('outer_zero_checksum');
  } else if (checksum(withPseudoHeader(addresses, 17, udp)) !== 0) throw new Drop('outer_checksum');
  return port === 6081 ? geneve(udp.subarray(8)) : vxlan(udp.subarray(8));
}

function vxlan(packet: Octets): Tunnel {
  const flags = packet[0] ?? 0;
  if ((flags & 0x08) === 0) throw new Drop('vxlan_flags');
  const reserved = [flags & 0xf7, ...packet.subarray(1, 4), packet[7] ?? 0].some((octet) => octet !== 0);
  return { vni: vniOf(packet), reserved, frame: packet.subarray(8) };
}

function geneve(packet: Octets): Tunnel {
  const [first, flags] = [packet[0] ?? 0, packet[1] ?? 0];
  if (first >> 6 !== 0) throw new Drop('geneve_invalid');
  const end = 8 + (first & 0x3f) * 4;
  if (end > packet.length) throw new Drop('truncated');
  let critical = false;
  let at = 8;
  while (at < end) {
    critical ||= ((packet[at + 2] ?? 0) & 0x80) !== 0;
    at += 4 + ((packet[at + 3] ?? 0) & 0x1f) * 4;
  }
  // 3.5: the lengths of all options sum up to that of the header.
  if (at !== end) throw new Drop('geneve_invalid');
  if ((flags & 0x80) !== 0) throw new Drop('geneve_control');
  if (critical) throw new Drop('geneve_critical');
  if (u16(packet, 2) !== 0x6558) throw new Drop('geneve_protocol');
  if (packet.length < end + ETHERNET) throw new Drop('truncated');
  // No option is critical: the bit that says so has no meaning.
  const reserved = (flags & 0x7f) !== 0 || packet[7] !== 0;
  return { vni: vniOf(packet), reserved, frame: packet.subarray(end) };
}

const vniOf = (header: Octets): number => (header[4] ?? 0) * 65_536 + u16(header, 5);
