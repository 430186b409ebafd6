// What stations without an association may send on one link. Those that have one are served in any case: a flood from other MACs must
// not keep the agent so busy that it answers them too late.

/** Frames a second, and at once: far more than stations need that begin at the same time, with dozens of VSIs in a frame. */
const RATE = 500;
const BURST = 500;

export class Strangers {
  #credit = BURST;
  #since: number;

  /** Times are milliseconds. */
  constructor(now: number) {
    this.#since = now;
  }

  /** Whether one more frame may be handled. */
  admit(now: number): boolean {
    this.#credit = Math.min(BURST, this.#credit + ((now - this.#since) * RATE) / 1000);
    this.#since = now;
    if (this.#credit < 1) return false;
    this.#credit -= 1;
    return true;
  }
}
