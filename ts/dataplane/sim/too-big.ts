// What the reference model's engine tells a tenant whose packet does not fit: docs/engine.md, "What does not fit".

import { be16, bytes, ETHERNET, hexOf, icmpv6, isGroup, type Octets, tagsAt, u16, withChecksum } from './packet.js';

/** "Fragmentation needed" (RFC 792; RFC 1191, 4) or "packet too big" (RFC 4443, 3.2), from whom the packet was for; null if nobody is told. */
export function messageFor(frame: Octets, reason: string, longest: number): Octets | null {
  const tags = tagsAt(frame, 12);
  if (tags === null || isGroup(frame.subarray(0, 6)) || isGroup(frame.subarray(6, 12))) return null;
  const link = ETHERNET + tags.length;
  // What the VN allows is the IP packet's length; what the underlay allows is the whole frame's.
  const mtu = reason === 'vn_mtu' ? longest : longest - link;
  const packet = frame.subarray(link);
  const of = { [0x0800]: fragmentationNeeded, [0x86dd]: packetTooBig }[tags.etherType];
  const message = of?.(packet, mtu) ?? null;
  return message && bytes(frame.subarray(6, 12), frame.subarray(0, 6), frame.subarray(12, link), message);
}

function fragmentationNeeded(packet: Octets, mtu: number): Octets | null {
  const [header, total, fragment] = [((packet[0] ?? 0) & 0x0f) * 4, u16(packet, 2), u16(packet, 6)];
  if ((packet[0] ?? 0) >> 4 !== 4 || header < 20 || header > total || total > packet.length) return null;
  // Nobody does with less than 68 octets (RFC 791, 3.2; RFC 1191, 3).
  if (mtu < 68 || (fragment & 0x1fff) !== 0 || (fragment & 0x4000) === 0) return null;
  const [from, to] = [packet.subarray(12, 16), packet.subarray(16, 20)];
  const isHost = (ip: Octets) => !/^(00000000|7f......|e.......|ffffffff)$/.test(hexOf(ip));
  if (!isHost(from) || !isHost(to)) return null;
  const isError = header >= packet.length || [3, 4, 5, 11, 12].includes(packet[header] ?? 3);
  if (packet[9] === 1 && isError) return null;
  // As much as fits into 576 octets (RFC 1812, 4.3.2.3); precedence 6 of internetwork control (4.3.2.5).
  const quote = packet.subarray(0, Math.min(total, 576 - 28));
  const icmp = withChecksum(bytes([3, 4, 0, 0, 0, 0], be16(mtu), quote), 2);
  const ip = withChecksum(bytes([0x45, 0xc0], be16(20 + icmp.length), [0, 0, 0x40, 0, 64, 1, 0, 0], to, from), 10);
  return bytes(ip, icmp);
}

function packetTooBig(packet: Octets, mtu: number): Octets | null {
  const length = 40 + u16(packet, 4);
  // A link of IPv6 carries 1280 octets, and no less is told (RFC 8200, 5; RFC 8201, 4).
  if ((packet[0] ?? 0) >> 4 !== 6 || length > packet.length || mtu < 1280) return null;
  const [from, to] = [packet.subarray(8, 24), packet.subarray(24, 40)];
  const isHost = (ip: Octets) => !/^(0{31}[01]|ff.*)$/.test(hexOf(ip));
  if (!isHost(from) || !isHost(to) || isIcmpv6Error(packet[6] ?? 0, packet.subarray(40, length))) return null;
  // As much as fits into 1280 octets (RFC 4443, 3.2).
  const quote = packet.subarray(0, Math.min(length, 1280 - 48));
  return icmpv6(64, to, from, bytes([2, 0, 0, 0, 0, 0], be16(mtu), quote));
}

/** Behind extension headers, too (RFC 8200, 4); what cannot be seen counts as an error, for which there is no message (RFC 4443, 2.4(e)). */
function isIcmpv6Error(next: number, rest: Octets, left = 8): boolean {
  if (next === 58) return (rest[0] ?? 0) < 128;
  if (![0, 43, 44, 60].includes(next)) return false;
  const isLater = next === 44 && (rest.length < 4 || (u16(rest, 2) & 0xfff8) !== 0);
  const length = next === 44 ? 8 : ((rest[1] ?? 0) + 1) * 8;
  if (left === 1 || isLater || rest.length < 2 || length > rest.length) return true;
  return isIcmpv6Error(rest[0] ?? 0, rest.subarray(length), left - 1);
}
