// Frames on their way into the engine. It sends what it is given in the order in which it is given, so nothing waits here for the
// frame before it; only how many it has not answered for yet is bounded, for each port.

import type { Engine, PortId } from '#dataplane';
import { type NveError, toNveError } from '#model';

/** Frames of one port: far more than its machines have under way. */
const MAX_UNANSWERED = 16_384;

export class Outbox {
  readonly #engine: Engine;
  readonly #lost: (port: PortId, error: NveError | null) => void;
  readonly #unanswered = new Map<PortId, number>();

  /** `lost`: a frame was not sent; null: too many were unanswered. */
  constructor(engine: Engine, lost: (port: PortId, error: NveError | null) => void) {
    this.#engine = engine;
    this.#lost = lost;
  }

  send(port: PortId, frame: Uint8Array): void {
    if ((this.#unanswered.get(port) ?? 0) >= MAX_UNANSWERED) {
      this.#lost(port, null);
      return;
    }
    this.#count(port, 1);
    void this.#engine
      .inject(port, frame)
      .catch((caught: unknown) => this.#lost(port, toNveError(caught)))
      .finally(() => this.#count(port, -1));
  }

  #count(port: PortId, by: 1 | -1): void {
    this.#unanswered.set(port, (this.#unanswered.get(port) ?? 0) + by);
  }
}
