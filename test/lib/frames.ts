// Frames as bytes, written out from the standards and sharing no code with the product.

export const ETHERTYPE = { ipv4: 0x0800, arp: 0x0806, cTag: 0x8100, sTag: 0x88a8, local: 0x88b5 } as const;

export const BROADCAST = 'ff:ff:ff:ff:ff:ff';

export function mac(text: string): Buffer {
  return Buffer.from(text.replaceAll(':', ''), 'hex');
}

export function ip(text: string): Buffer {
  return Buffer.from(text.split('.').map(Number));
}

export function u16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 0xff]);
}

/** For comparisons that a person can read. */
export function hex(frames: readonly Buffer[]): string[] {
  return frames.map((frame) => frame.toString('hex'));
}

export interface Addresses {
  readonly to: string;
  readonly from: string;
}

/** An Ethernet frame, neither padded nor with an FCS. */
export function ethernet({ to, from }: Addresses, ethertype: number, payload: Buffer): Buffer {
  return Buffer.concat([mac(to), mac(from), u16(ethertype), payload]);
}

/** The frame with one more tag, outermost; `ethertype` is 0x8100 (C-TAG) unless said otherwise. */
export function tagged(frame: Buffer, vid: number, { pcp = 0, ethertype = ETHERTYPE.cTag as number } = {}): Buffer {
  return Buffer.concat([frame.subarray(0, 12), u16(ethertype), u16((pcp << 13) | vid), frame.subarray(12)]);
}

/** A frame as it is on a link: not shorter than Ethernet allows, without FCS (802.3, 3.2.8). */
export function onLink(frame: Buffer): Buffer {
  return frame.length < 60 ? Buffer.concat([frame, Buffer.alloc(60 - frame.length)]) : frame;
}

/** `length` bytes that say who sent them: `label`, and after it a pattern of `seed`. */
export function content(label: string, length: number, seed = 0): Buffer {
  const bytes = Buffer.alloc(length);
  for (let i = 0; i < length; i++) bytes[i] = (i * 7 + seed) & 0xff;
  bytes.write(label, 'latin1');
  return bytes;
}

/** RFC 1071. */
export function checksum(...parts: Buffer[]): number {
  const bytes = Buffer.concat(parts);
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i]! << 8) | (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum & 0xffff;
}

export interface Ipv4 {
  readonly from: string;
  readonly to: string;
  readonly protocol: number;
  readonly id?: number;
  /** In bytes; a multiple of 8. */
  readonly offset?: number;
  readonly more?: boolean;
  readonly dont?: boolean;
  readonly ttl?: number;
  /** DSCP and ECN. */
  readonly tos?: number;
}

/** RFC 791, 3.1. */
export function ipv4(
  { from, to, protocol, id = 0, offset = 0, more = false, dont = false, ttl = 64, tos = 0 }: Ipv4,
  payload: Buffer,
): Buffer {
  const flags = (dont ? 0x4000 : 0) | (more ? 0x2000 : 0) | (offset / 8);
  const head = Buffer.concat([
    Buffer.from([0x45, tos]),
    u16(20 + payload.length),
    u16(id),
    u16(flags),
    Buffer.from([ttl, protocol, 0, 0]),
    ip(from),
    ip(to),
  ]);
  head.writeUInt16BE(checksum(head), 10);
  return Buffer.concat([head, payload]);
}

/** A UDP datagram cut into fragments of at most `size` payload bytes (a multiple of 8), with its checksum in the first. */
export function fragments(
  header: Omit<Ipv4, 'protocol' | 'offset' | 'more'>,
  datagram: Buffer,
  size: number,
): Buffer[] {
  const pieces = [];
  for (let offset = 0; offset < datagram.length; offset += size) {
    const more = offset + size < datagram.length;
    pieces.push(ipv4({ ...header, protocol: 17, offset, more }, datagram.subarray(offset, offset + size)));
  }
  return pieces;
}

/** RFC 768; with its checksum unless `plain`. */
export function udp(
  {
    from,
    to,
    source,
    target,
    plain = false,
  }: { from: string; to: string; source: number; target: number; plain?: boolean },
  payload: Buffer,
): Buffer {
  const length = u16(8 + payload.length);
  const head = Buffer.concat([u16(source), u16(target), length, u16(0)]);
  if (!plain) head.writeUInt16BE(checksum(ip(from), ip(to), Buffer.from([0, 17]), length, head, payload) || 0xffff, 6);
  return Buffer.concat([head, payload]);
}

export interface Tunnel extends Addresses {
  readonly source: string;
  readonly target: string;
  readonly vni: number;
  readonly port?: number;
  readonly tos?: number;
}

/** The frame in VXLAN (RFC 7348, 5) as a sender without UDP checksums makes it. */
export function vxlan({ to, from, source, target, vni, port = 50_000, tos = 0 }: Tunnel, frame: Buffer): Buffer {
  const header = Buffer.from([8, 0, 0, 0, vni >> 16, (vni >> 8) & 0xff, vni & 0xff, 0]);
  const datagram = udp(
    { from: source, to: target, source: port, target: 4789, plain: true },
    Buffer.concat([header, frame]),
  );
  return ethernet(
    { to, from },
    ETHERTYPE.ipv4,
    ipv4({ from: source, to: target, protocol: 17, dont: true, tos }, datagram),
  );
}

/** What a tunnelled packet carries, if it is one. */
export function inner(packet: Buffer): { vni: number; source: string; frame: Buffer } | undefined {
  const isVxlan =
    packet.length >= 64 &&
    packet.readUInt16BE(12) === ETHERTYPE.ipv4 &&
    packet[23] === 17 &&
    packet.readUInt16BE(36) === 4789;
  if (!isVxlan) return undefined;
  return { vni: packet.readUIntBE(46, 3), source: [...packet.subarray(26, 30)].join('.'), frame: packet.subarray(50) };
}

/** RFC 826. */
export function arp(
  operation: 'request' | 'reply',
  sender: { mac: string; ip: string },
  target: { mac: string; ip: string },
): Buffer {
  const to = operation === 'request' ? BROADCAST : target.mac;
  const head = Buffer.from([0, 1, 8, 0, 6, 4, 0, operation === 'request' ? 1 : 2]);
  const body = Buffer.concat([head, mac(sender.mac), ip(sender.ip), mac(target.mac), ip(target.ip)]);
  return ethernet({ to, from: sender.mac }, ETHERTYPE.arp, body);
}
