// What the engine would do with a frame, and why: `trace` of docs/engine.md, decoded.

import type { MacAddr, VnId } from '#model';
import { Reader, vnIdOf } from './reader.js';
import type { VapCounters } from './rows.js';
import type { PortId, VapId } from './types.js';

/** Null, a number, a flag, a word, bytes (an address or a header), or an array (a selector, a destination). */
export type TraceFact = null | number | boolean | string | Uint8Array | readonly (number | string)[];

/** A step of the pipeline with what it decided, and decided by; both are the engine's words. */
export interface TraceStep {
  readonly step: string;
  readonly facts: Readonly<Record<string, TraceFact>>;
}

export interface Trace {
  readonly outcome: 'sent' | 'replicated' | 'punted' | 'dropped';
  /** The drop reason, or the class of the punt. */
  readonly detail: string | null;
  /** What the drop reason means. */
  readonly meaning: string | null;
  /** What would leave, and by which port. */
  readonly frames: readonly { readonly port: PortId; readonly frame: Uint8Array }[];
  /** What would be counted as dropped, at the port where the frame came in. */
  readonly drops: readonly { readonly reason: string; readonly packets: number }[];
  /** By how much the counters of VAPs would move. */
  readonly vaps: readonly Omit<VapCounters, 'suppressed'>[];
  /** `learned` events that the frame could cause. */
  readonly learned: readonly { readonly vap: VapId; readonly vn: VnId; readonly mac: MacAddr }[];
  readonly steps: readonly TraceStep[];
}

/** The longest frame that the engine traces. */
export const TRACE_FRAME_MAX = 16_384;

const U16 = 0xffff;
const U32 = 0xffff_ffff;

export function decodeTrace(value: unknown): Trace {
  const reader = new Reader(value, 'trace');
  const rows = <T>(name: string, read: (row: Reader) => T): T[] =>
    reader.list(name, (item, at) => read(new Reader(item, at)));
  return {
    outcome: reader.oneOf('outcome', ['sent', 'replicated', 'punted', 'dropped']),
    detail: reader.textOrNil('detail'),
    meaning: reader.textOrNil('meaning'),
    frames: rows('frames', (r) => ({ port: r.uint('port', U16), frame: r.bytes('frame') })),
    drops: rows('drops', (r) => ({ reason: r.text('reason'), packets: r.counter('packets') })),
    vaps: rows('vaps', (r) => ({
      vap: r.uint('vap', U32),
      inPackets: r.counter('in_packets'),
      inBytes: r.counter('in_bytes'),
      outPackets: r.counter('out_packets'),
      outBytes: r.counter('out_bytes'),
    })),
    learned: rows('learned', (r) => ({ vap: r.uint('vap', U32), vn: vnIdOf(r), mac: r.mac('mac') })),
    steps: rows('steps', (r) => ({ step: r.text('step'), facts: r.map('facts') as TraceStep['facts'] })),
  };
}
