// Octets of packets for the reference model: read and written by hand and by the RFC's figures, not by anything that the engine uses.

export type Octets = Uint8Array;

/** Octets of an Ethernet header without tags. */
export const ETHERNET = 14;

export const u16 = (octets: Octets, at: number): number => (octets[at] ?? 0) * 256 + (octets[at + 1] ?? 0);
export const be16 = (value: number): number[] => [(value >> 8) & 0xff, value & 0xff];
export const bytes = (...parts: readonly (Octets | readonly number[])[]): Octets =>
  Uint8Array.from(parts.flatMap((part) => [...part]));
export const hexOf = (octets: Octets): string => Buffer.from(octets).toString('hex');

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

export const isGroup = (mac: Octets): boolean => ((mac[0] ?? 0) & 1) === 1;
export const isStation = (mac: Octets): boolean => !isGroup(mac) && mac.some((octet) => octet !== 0);
/** 802.1Q, 8.6.3: 01-80-C2-00-00-00 to -0F. */
export const isLinkLocal = (mac: Octets): boolean => /^0180c200000[0-9a-f]$/.test(hexOf(mac));
export const isTag = (etherType: number): boolean => etherType === 0x8100 || etherType === 0x88a8;

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
  if (etherType === 0x0800) return packet.length < 20 ? 20 : u16(packet, 2);
  if (etherType === 0x86dd) return packet.length < 40 ? 40 : 40 + u16(packet, 4);
  return 0;
}
