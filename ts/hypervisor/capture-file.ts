// Recorded frames as a pcapng file: an interface for each port, from its first frame on.

import { pcapngInterface, pcapngPacket, pcapngSection } from '#wire';
import type { CapturedFrameRow } from './rows.js';

const NANO = 1_000_000_000n;

export class CaptureFile {
  readonly #snap: number;
  readonly #interfaces = new Map<string, number>();

  constructor(snap: number) {
    this.#snap = snap;
  }

  /** What the file begins with. */
  head(): Uint8Array {
    return pcapngSection('splitnve capture');
  }

  /** A frame, after its interface if that is new. */
  frame({ time_s, time_ns, port, place, reason, length, frame }: CapturedFrameRow): Uint8Array {
    const pieces: Uint8Array[] = [];
    let number = this.#interfaces.get(port);
    if (number === undefined) {
      number = this.#interfaces.size;
      this.#interfaces.set(port, number);
      pieces.push(pcapngInterface(port, this.#snap));
    }
    const timeNs = BigInt(time_s) * NANO + BigInt(time_ns);
    const direction = place === 'dropped' ? 'in' : place;
    const comment = place === 'dropped' ? `dropped: ${reason}` : null;
    pieces.push(pcapngPacket({ interface: number, timeNs, length, frame, direction, comment }));
    return Buffer.concat(pieces);
  }
}
