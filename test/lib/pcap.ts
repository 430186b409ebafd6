/** Capture files of Ethernet frames in the classic pcap format, in all its forms. */
import { writeFileSync } from 'node:fs';

export interface PcapOf {
  readonly little?: boolean;
  readonly nanoseconds?: boolean;
  readonly linkType?: number;
  /** How many octets of each frame the capture keeps. */
  readonly snap?: number;
}

export function pcapOf(frames: readonly Uint8Array[], of: PcapOf = {}): Uint8Array {
  const { little = true, nanoseconds = false, linkType = 1, snap = 65_535 } = of;
  const words = (...values: readonly number[]): Buffer => {
    const octets = Buffer.alloc(4 * values.length);
    for (const [i, value] of values.entries())
      if (little) octets.writeUInt32LE(value, 4 * i);
      else octets.writeUInt32BE(value, 4 * i);
    return octets;
  };
  // Version 2.4 are two numbers of 16 bits.
  const version = little ? 0x0004_0002 : 0x0002_0004;
  const head = words(nanoseconds ? 0xa1b23c4d : 0xa1b2c3d4, version, 0, 0, snap, linkType);
  const records = frames.flatMap((frame) => {
    const kept = frame.subarray(0, snap);
    return [words(0, 0, kept.length, frame.length), kept];
  });
  return new Uint8Array(Buffer.concat([head, ...records]));
}

export function writePcap(path: string, frames: readonly Uint8Array[]): void {
  writeFileSync(path, pcapOf(frames));
}
