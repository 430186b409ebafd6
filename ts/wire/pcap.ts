/**
 * Captures of Ethernet frames in the classic pcap format, of either byte order, with microseconds or nanoseconds, as tcpdump writes
 * them. Everything in the file is checked before it is used; what precedes a mistake is still given.
 */
import { err, type NveError, nveError, ok, type Result } from '#model';

export interface PcapFrame {
  /** As tcpdump and Wireshark count: the first is 1. */
  readonly number: number;
  /** Not copied. */
  readonly octets: Uint8Array;
  /** How long it was on the wire: more than `octets`, if the capture cut it. */
  readonly length: number;
}

export interface Pcap {
  readonly frames: readonly PcapFrame[];
  /** Where the file ends or is wrong before its end; null: it is whole. */
  readonly problem: NveError | null;
}

const MICROSECONDS = 0xa1b2c3d4;
const NANOSECONDS = 0xa1b23c4d;
/** The first block of pcapng, the same in either byte order. */
const PCAPNG = 0x0a0d0d0a;
const HEADER = 24;
const RECORD = 16;
const ETHERNET = 1;
/** libpcap's own limit for a frame of Ethernet. */
const FRAME_MAX = 262_144;

/** Whether it begins as a capture, of this format or of pcapng. */
export function isCapture(octets: Uint8Array): boolean {
  const magic = magicOf(octets);
  return magic === PCAPNG || littleEndianOf(magic) !== null;
}

/** An error, if it is no capture of Ethernet in this format. */
export function decodePcap(octets: Uint8Array): Result<Pcap> {
  const magic = magicOf(octets);
  if (magic === PCAPNG) return err(wrong('format', 'classic pcap', 'pcapng'));
  const little = littleEndianOf(magic);
  if (little === null)
    return err(wrong('magic', '0xa1b2c3d4 or 0xa1b23c4d', magic === null ? 'missing' : `0x${hex(magic)}`));
  if (octets.length < HEADER) return err(wrong('header', `${HEADER} octets`, `${octets.length} octets`));
  const view = new DataView(octets.buffer, octets.byteOffset, octets.length);
  // The high bits say whether frames end with their FCS, which nobody here would miss.
  const linkType = view.getUint32(20, little) & 0xffff;
  if (linkType !== ETHERNET)
    return err(wrong('link type', '1 (Ethernet; not that of `tcpdump -i any`)', `${linkType}`));

  const frames: PcapFrame[] = [];
  for (let at = HEADER; at < octets.length; ) {
    const number = frames.length + 1;
    const left = octets.length - at - RECORD;
    if (left < 0) return ok({ frames, problem: wrong(`frame ${number}`, 'a record header', 'the end of the file') });
    const kept = view.getUint32(at + 8, little);
    const length = view.getUint32(at + 12, little);
    if (kept > FRAME_MAX)
      return ok({ frames, problem: wrong(`frame ${number}.length`, `at most ${FRAME_MAX} octets`, `${kept}`) });
    if (kept > left) return ok({ frames, problem: wrong(`frame ${number}`, `${kept} octets`, `${left} octets`) });
    at += RECORD;
    frames.push({ number, octets: octets.subarray(at, at + kept), length });
    at += kept;
  }
  return ok({ frames, problem: null });
}

function magicOf(octets: Uint8Array): number | null {
  return octets.length < 4 ? null : new DataView(octets.buffer, octets.byteOffset, 4).getUint32(0);
}

function littleEndianOf(magic: number | null): boolean | null {
  switch (magic) {
    case MICROSECONDS:
    case NANOSECONDS:
      return false;
    case 0xd4c3b2a1:
    case 0x4d3cb2a1:
      return true;
    default:
      return null;
  }
}

function hex(value: number): string {
  return value.toString(16).padStart(8, '0');
}

function wrong(at: string, expected: string, got: string): NveError {
  return nveError('NVE-WIRE-007', { at: `pcap.${at}`, expected, got });
}
