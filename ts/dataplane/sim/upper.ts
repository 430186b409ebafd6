// What is inside a tenant's frame, as access lists and the guard of addresses read it in the reference model: docs/engine.md, "Access
// control lists".

import { bytes, ETHERNET, hexOf, IPV4, IPV6, isTag, type Octets, tagsAt, u16 } from './packet.js';

export interface TenantFrame {
  /** What is behind all tags, or in the SNAP header behind a length. */
  readonly etherType: number;
  /** Of the outermost tag. */
  readonly vid: number | null;
  readonly payload: Octets;
}

/** What an IP packet carries; `source` and `destination` of 4 or 16 octets. */
export interface Upper {
  readonly source: Octets;
  readonly destination: Octets;
  readonly protocol: number;
  /** In 8 octets. */
  readonly offset: number;
  readonly payload: Octets;
}

/** Null if it ends within its tags, or has more than two of them. */
export function read(frame: Octets): TenantFrame | null {
  const tags = tagsAt(frame, 12);
  if (tags === null) return null;
  const vid = tags.length > 0 ? tags.vid : null;
  const payload = frame.subarray(ETHERNET + tags.length);
  // IEEE 802, 9, and 802.1H: LLC and SNAP behind an 802.3 length.
  const isSnap = tags.etherType < 0x600 && payload.length >= 8 && /^aaaa030000(00|f8)/.test(hexOf(payload));
  const etherType = isSnap ? u16(payload, 6) : tags.etherType;
  return isTag(etherType) ? null : { etherType, vid, payload: isSnap ? payload.subarray(8) : payload };
}

export const isIp = ({ etherType }: TenantFrame): boolean => etherType === IPV4 || etherType === IPV6;

/** Null if the packet's headers are wrong, or not all there. */
export function upperOf({ etherType, payload: packet }: TenantFrame): Upper | null {
  return etherType === IPV4 ? upper4(packet) : upper6(packet);
}

function upper4(packet: Octets): Upper | null {
  const [header, total] = [((packet[0] ?? 0) & 0x0f) * 4, u16(packet, 2)];
  if (packet.length < 20 || (packet[0] ?? 0) >> 4 !== 4) return null;
  if (header < 20 || header > total || total > packet.length) return null;
  return {
    source: packet.subarray(12, 16),
    destination: packet.subarray(16, 20),
    protocol: packet[9] ?? 0,
    offset: u16(packet, 6) & 0x1fff,
    payload: packet.subarray(header, total),
  };
}

function upper6(packet: Octets): Upper | null {
  const end = 40 + u16(packet, 4);
  if (packet.length < 40 || (packet[0] ?? 0) >> 4 !== 6 || end > packet.length) return null;
  const [source, destination] = [packet.subarray(8, 24), packet.subarray(24, 40)];
  const behind = behindExtensions(packet[6] ?? 0, packet.subarray(40, end));
  return behind && { source, destination, ...behind };
}

/** RFC 8200, 4, and RFC 4302, 2.2: eight headers at most; behind that of a later fragment there are none. */
function behindExtensions(
  protocol: number,
  rest: Octets,
  left = 8,
): { protocol: number; offset: number; payload: Octets } | null {
  if (![0, 43, 44, 51, 60, 135, 139, 140, 253, 254].includes(protocol)) return { protocol, offset: 0, payload: rest };
  const words = rest[1] ?? 0;
  const length = protocol === 44 ? 8 : protocol === 51 ? (words + 2) * 4 : (words + 1) * 8;
  const offset = protocol === 44 ? u16(rest, 2) >> 3 : 0;
  if (rest.length < 2 || length > rest.length) return null;
  const [next, payload] = [rest[0] ?? 0, rest.subarray(length)];
  if (offset !== 0) return { protocol: next, offset, payload };
  return left === 0 ? null : behindExtensions(next, payload, left - 1);
}

/** Ports (of ICMP type and code as the source's octets) and flags of TCP; null if they should be there and are not, undefined if there are none. */
export function layer4(upper: Upper): { source: number; destination: number; flags: number } | null | undefined {
  const { protocol, offset, payload } = upper;
  // RFC 3128: behind eight octets of TCP's header are its flags.
  if (offset !== 0) return protocol === 6 && offset === 1 ? null : undefined;
  const least = { 1: 2, 58: 2, 6: 14, 17: 4, 33: 4, 132: 4, 136: 4 }[protocol];
  if (least === undefined) return undefined;
  if (payload.length < least) return null;
  const padded = bytes(payload.subarray(0, 14), new Uint8Array(14));
  const isIcmp = protocol === 1 || protocol === 58;
  const destination = isIcmp ? 0 : u16(padded, 2);
  return { source: u16(padded, 0), destination, flags: protocol === 6 ? (padded[13] ?? 0) : 0 };
}
