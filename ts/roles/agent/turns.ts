// Shares out the event loop. Frames of ECP must be acknowledged within milliseconds, whatever else there is to do; so what may wait longer
// is run through here: at once as long as little was run in this turn of the loop, else in later turns, in the order in which it came.

/** What one turn may spend on such work, in milliseconds. */
const BUDGET_MS = 5;

export class Turns {
  readonly #waiting: (() => void)[] = [];
  /** How many of them have been run; they are cut off from time to time. */
  #done = 0;
  /** When this turn began; null: nothing was run in it. */
  #began: number | null = null;

  /** `work` must not throw. */
  run(work: () => void): void {
    if (this.#waiting.length === 0 && this.#hasTime()) {
      work();
      return;
    }
    this.#waiting.push(work);
    if (this.#waiting.length === 1) setImmediate(() => this.#go());
  }

  #go(): void {
    this.#began = performance.now();
    while (this.#done < this.#waiting.length && performance.now() - this.#began < BUDGET_MS)
      this.#waiting[this.#done++]?.();
    this.#began = null;
    if (this.#done === this.#waiting.length) {
      this.#waiting.length = 0;
      this.#done = 0;
      return;
    }
    if (this.#done > 1_024) {
      this.#waiting.splice(0, this.#done);
      this.#done = 0;
    }
    setImmediate(() => this.#go());
  }

  #hasTime(): boolean {
    if (this.#began !== null) return performance.now() - this.#began < BUDGET_MS;
    this.#began = performance.now();
    setImmediate(() => {
      this.#began = null;
    });
    return true;
  }
}
