// The engine as everybody above it sees it. Two shells implement it: embedded.ts (inside Node, through the addon) and, later, an
// attachment to the core daemon. It decides nothing and knows no policy; docs/engine.md is the contract.

import type { Captured, CaptureFilter, DumpKind, DumpRows, EngineEvent, EngineStats, Punt } from './rows.js';
import type { Trace } from './trace.js';
import type { ApplyResult, Command, EngineInfo, PortId } from './types.js';

export interface Page<Row> {
  readonly rows: readonly Row[];
  /** Opaque; null when there is nothing left. */
  readonly cursor: unknown;
}

/** Takes a listener away again. */
export type Unsubscribe = () => void;

export interface Engine {
  info(): EngineInfo;

  /**
   * Applies commands in any number, in batches of at most `BATCH_COMMANDS`, objects before what names them and deletions after. Refused
   * commands are values of the result; it rejects (an `NveError`) only if the engine itself failed or is closed.
   */
  apply(commands: readonly Command[]): Promise<ApplyResult>;

  /** All rows of one kind, ordered by id. */
  dump<K extends DumpKind>(kind: K): Promise<DumpRows[K][]>;

  /** At most `limit` (1 to 10,000) rows behind `cursor`, which is null at first and afterwards what the last page gave. */
  page<K extends DumpKind>(kind: K, cursor: unknown, limit: number): Promise<Page<DumpRows[K]>>;

  stats(): Promise<EngineStats>;

  /** Begins to record frames, at most `snap` bytes of each, instead of what was recorded before; null ends it. */
  capture(filter: CaptureFilter | null, snap: number): Promise<void>;

  /** What was recorded since the last call, at most about 64 KiB. */
  captured(): Captured;

  /** Sends a raw frame out of a port, as it is. */
  inject(port: PortId, frame: Uint8Array): Promise<void>;

  /** What would become of a frame that came in by a port now, from the code that forwards. Nothing leaves, nothing is counted. */
  trace(port: PortId, frame: Uint8Array): Promise<Trace>;

  onEvent(listener: (event: EngineEvent) => void): Unsubscribe;
  onPunt(listener: (punt: Punt) => void): Unsubscribe;

  /** Stops pollers, ports and the EAL. Idempotent; afterwards every call but `info` rejects. */
  close(): Promise<void>;

  /** The same, synchronously and without an answer: for `process.once('exit')`. */
  shutdownNow(): void;
}
