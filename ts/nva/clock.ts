/** Time as an argument: what the shells of the session machines need of it. Tests may pass their own. */
import { performance } from 'node:perf_hooks';

export interface Clock {
  /** Milliseconds that only grow. */
  now(): number;
  /** Calls back once, not before `ms` have passed. Gives the way to call it off. */
  after(ms: number, run: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  after(ms, run) {
    // A longer wait would overflow to 1 ms.
    const timer = setTimeout(run, Math.min(ms, 2 ** 31 - 1));
    return () => clearTimeout(timer);
  },
};

/** One deadline that moves: fires `tick` when it is reached. */
export class Alarm {
  readonly #clock: Clock;
  readonly #tick: () => void;
  #at: number | null = null;
  #cancel: (() => void) | null = null;

  constructor(clock: Clock, tick: () => void) {
    this.#clock = clock;
    this.#tick = tick;
  }

  /** The next deadline on the clock; null: none. */
  set(at: number | null): void {
    if (at === this.#at) return;
    this.#cancel?.();
    this.#cancel = null;
    this.#at = at;
    if (at === null || at === Number.POSITIVE_INFINITY) return;
    // Timers are in whole milliseconds and may come a little early.
    this.#cancel = this.#clock.after(Math.max(0, Math.ceil(at - this.#clock.now())), () => {
      this.#cancel = null;
      this.#at = null;
      this.#tick();
    });
  }
}
