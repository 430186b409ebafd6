// Frames on their way into the engine, in their order, for each port. The engine takes them one by one; a port that is slow or gone
// does not hold the others, and what waits is bounded.

import type { Engine, PortId } from '#dataplane';
import { type NveError, toNveError } from '#model';

/** Frames of one port that may wait: far more than its machines have under way. */
const MAX_WAITING = 16_384;

export class Outbox {
  readonly #engine: Engine;
  readonly #lost: (port: PortId, error: NveError | null) => void;
  readonly #waiting = new Map<PortId, Uint8Array[]>();

  /** `lost`: a frame was not sent; null: too many waited. */
  constructor(engine: Engine, lost: (port: PortId, error: NveError | null) => void) {
    this.#engine = engine;
    this.#lost = lost;
  }

  send(port: PortId, frame: Uint8Array): void {
    const waiting = this.#waiting.get(port);
    if (waiting === undefined) {
      const first = [frame];
      this.#waiting.set(port, first);
      void this.#empty(port, first);
    } else if (waiting.length < MAX_WAITING) {
      waiting.push(frame);
    } else {
      this.#lost(port, null);
    }
  }

  async #empty(port: PortId, waiting: Uint8Array[]): Promise<void> {
    for (let next = 0; next < waiting.length; next++) {
      const frame = waiting[next] as Uint8Array;
      await this.#engine.inject(port, frame).catch((caught: unknown) => this.#lost(port, toNveError(caught)));
      // Taken off in pieces: `shift` on a long array is slow.
      if (next < 1024) continue;
      waiting.splice(0, next + 1);
      next = -1;
    }
    this.#waiting.delete(port);
  }
}
