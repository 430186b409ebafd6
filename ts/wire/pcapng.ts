/**
 * Writes captures of Ethernet frames in the pcapng format (draft-ietf-opsawg-pcapng): a section, interfaces with their names, and a
 * packet block for each frame with its time in nanoseconds, its direction and a comment. Little-endian; nothing is read here.
 */

const SECTION = 0x0a0d0d0a;
const INTERFACE = 1;
const ENHANCED_PACKET = 6;
const BYTE_ORDER = 0x1a2b3c4d;
const ETHERNET = 1;

const END = 0;
const COMMENT = 1;
/** Of a section: the program. */
const USER_APPLICATION = 4;
/** Of an interface: its name, and the resolution of times. */
const NAME = 2;
const RESOLUTION = 9;
/** Of a packet: which way it went. */
const FLAGS = 2;
const DIRECTION = { in: 1, out: 2 } as const;

export interface PcapngPacket {
  /** Which interface block of the section, from 0. */
  readonly interface: number;
  /** Since 1970. */
  readonly timeNs: bigint;
  /** How long it was; more than `frame` if that was cut. */
  readonly length: number;
  readonly frame: Uint8Array;
  /** Null: neither. */
  readonly direction: 'in' | 'out' | null;
  readonly comment: string | null;
}

/** The block that a file begins with. */
export function pcapngSection(program: string): Uint8Array {
  // Version 1.0, and a section of unknown length.
  const body = Buffer.alloc(16);
  body.writeUInt32LE(BYTE_ORDER, 0);
  body.writeUInt16LE(1, 4);
  body.fill(0xff, 8);
  return block(SECTION, body, [text(USER_APPLICATION, program)]);
}

/** An interface; the first of a section is 0, the next 1. `snap`: the most octets of a frame that are kept. */
export function pcapngInterface(name: string, snap: number): Uint8Array {
  const body = Buffer.alloc(8);
  body.writeUInt16LE(ETHERNET, 0);
  body.writeUInt32LE(snap, 4);
  return block(INTERFACE, body, [text(NAME, name), option(RESOLUTION, Buffer.from([9]))]);
}

export function pcapngPacket(packet: PcapngPacket): Uint8Array {
  const { timeNs, length, frame, direction, comment } = packet;
  const body = Buffer.alloc(20 + padded(frame.length));
  body.writeUInt32LE(packet.interface, 0);
  body.writeUInt32LE(Number(timeNs >> 32n), 4);
  body.writeUInt32LE(Number(timeNs & 0xffff_ffffn), 8);
  body.writeUInt32LE(frame.length, 12);
  body.writeUInt32LE(length, 16);
  body.set(frame, 20);
  const options: Buffer[] = [];
  if (comment !== null) options.push(text(COMMENT, comment));
  if (direction !== null) {
    const flags = Buffer.alloc(4);
    flags.writeUInt32LE(DIRECTION[direction], 0);
    options.push(option(FLAGS, flags));
  }
  return block(ENHANCED_PACKET, body, options);
}

/** Type, length, body, options, and the length again. */
function block(type: number, body: Buffer, options: readonly Buffer[]): Uint8Array {
  const list = options.length === 0 ? [] : [...options, option(END, Buffer.alloc(0))];
  const inner = Buffer.concat([body, ...list]);
  const octets = Buffer.alloc(inner.length + 12);
  octets.writeUInt32LE(type, 0);
  octets.writeUInt32LE(octets.length, 4);
  octets.set(inner, 8);
  octets.writeUInt32LE(octets.length, octets.length - 4);
  return octets;
}

function text(code: number, value: string): Buffer {
  // Longer than an option may be is longer than anybody reads.
  return option(code, Buffer.from(value).subarray(0, 0xffff));
}

function option(code: number, value: Buffer): Buffer {
  const octets = Buffer.alloc(4 + padded(value.length));
  octets.writeUInt16LE(code, 0);
  octets.writeUInt16LE(value.length, 2);
  octets.set(value, 4);
  return octets;
}

function padded(length: number): number {
  return Math.ceil(length / 4) * 4;
}
