// Octets of packets for the reference model: read and written by hand and by the RFC's figures, not by anything that the engine uses.

import { type IpAddr, ipToBytes } from '#model';

export type Octets = Uint8Array;

/** Octets of an Ethernet header without tags. */
export const ETHERNET = 14;
export const IPV4 = 0x0800;
export const ARP = 0x0806;
export const IPV6 = 0x86dd;
export const C_TAG = 0x8100;
export const S_TAG = 0x88a8;

export const u16 = (octets: Octets, at: number): number => (octets[at] ?? 0) * 256 + (octets[at + 1] ?? 0);
export const be16 = (value: number): number[] => [(value >> 8) & 0xff, value & 0xff];
export const hexOf = (octets: Octets): string => Buffer.from(octets).toString('hex');

const known = new Map<IpAddr, Octets>();
/** The octets of an address, read once: a comparison asks for the same few all the time. */
export function octetsOf(ip: IpAddr): Octets {
  const octets = known.get(ip) ?? ipToBytes(ip);
  known.set(ip, octets);
  return octets;
}

export function bytes(...parts: readonly (Octets | readonly number[])[]): Octets {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** The Internet checksum (RFC 1071) over whole octets, an odd one padded with zero. */
export function checksum(octets: Octets): number {
  let sum = 0;
  for (let at = 0; at < octets.length; at += 2) sum += u16(octets, at);
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return ~sum & 0xffff;
}

/** With its checksum, which is at `at` and zero until then. */
export function withChecksum(octets: Octets, at: number): Octets {
  const whole = Uint8Array.from(octets);
  whole.set(be16(checksum(octets)), at);
  return whole;
}

/** What a checksum above IP covers (RFC 768; RFC 8200, 8.1): `addresses` are source and destination. */
export const withPseudoHeader = (addresses: Octets, protocol: number, message: Octets): Octets =>
  bytes(addresses, [0, protocol], be16(message.length), message);

/** An IPv6 header and its payload. */
export const ipv6 = (next: number, hopLimit: number, from: Octets, to: Octets, payload: Octets): Octets =>
  bytes([0x60, 0, 0, 0], be16(payload.length), [next, hopLimit], from, to, payload);

/** ICMPv6 between two addresses; its checksum, at 2, is zero until then. */
export function icmpv6(hopLimit: number, from: Octets, to: Octets, message: Octets): Octets {
  const whole = Uint8Array.from(message);
  whole.set(be16(checksum(withPseudoHeader(bytes(from, to), 58, message))), 2);
  return ipv6(58, hopLimit, from, to, whole);
}

export const tagOf = (tpid: number, tci: number): number[] => [...be16(tpid), ...be16(tci)];

export const isGroup = (mac: Octets): boolean => ((mac[0] ?? 0) & 1) === 1;
export const isStation = (mac: Octets): boolean => !isGroup(mac) && mac.some((octet) => octet !== 0);
/** 802.1Q, 8.6.3: 01-80-C2-00-00-00 to -0F. */
export const isLinkLocal = (mac: Octets): boolean => /^0180c200000[0-9a-f]$/.test(hexOf(mac));
/** Whether a packet can be from an address (RFC 1122, 3.2.1.3; RFC 4291, 2.5 and 2.7): not nobody's, not our own, not a group's. */
export function isHost(ip: Octets): boolean {
  if (ip.length === 4) return !/^(00|7f|e|ffffffff)/.test(hexOf(ip));
  return !/^(0{31}[01]$|ff)/.test(hexOf(ip));
}
export const isTag = (etherType: number): boolean => etherType === C_TAG || etherType === S_TAG;
export const macText = (mac: Octets): string => hexOf(mac).replace(/..(?=.)/g, '$&:');
export const equal = (a: Octets, b: Octets): boolean => Buffer.compare(a, b) === 0;

/** A frame's own tags, at most two, that begin at `at`; null if the frame ends within one. */
export function tagsAt(
  frame: Octets,
  at: number,
): { length: number; tpid: number; vid: number; etherType: number } | null {
  const tpid = u16(frame, at);
  let [length, etherType, vid] = [0, tpid, 0];
  while (length < 8 && isTag(etherType)) {
    if (frame.length < at + length + 6) return null;
    if (length === 0) vid = u16(frame, at + 2) & 0x0fff;
    length += 4;
    etherType = u16(frame, at + length);
  }
  return { length, tpid, vid, etherType };
}

/** How long an IP packet says that it is, if it is one: at least a header. */
export function claimedLength(etherType: number, packet: Octets): number {
  if (etherType === IPV4) return packet.length < 20 ? 20 : u16(packet, 2);
  if (etherType === IPV6) return packet.length < 40 ? 40 : 40 + u16(packet, 4);
  return 0;
}

/** Where a frame's IP header begins, behind at most two tags; null if there is none, or not all of its fixed part. */
export function innerIp(frame: Octets): { readonly at: number; readonly version: 4 | 6 } | null {
  const tags = tagsAt(frame, 12);
  if (tags === null) return null;
  const at = ETHERNET + tags.length;
  const version = (frame[at] ?? 0) >> 4;
  const has = (etherType: number, octets: number) => tags.etherType === etherType && frame.length >= at + octets;
  if (version === 4 && has(IPV4, 20)) return { at, version };
  return version === 6 && has(IPV6, 40) ? { at, version } : null;
}

/** DSCP and ECN of a frame's IP header; 0 without one. */
export function classOf(frame: Octets): number {
  const ip = innerIp(frame);
  if (ip === null) return 0;
  const word = u16(frame, ip.at);
  return ip.version === 4 ? word & 0xff : (word >> 4) & 0xff;
}
