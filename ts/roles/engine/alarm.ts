// The one timer of machines that have many deadlines: it rings when the next one has passed.

/** Node's timers take no more than 2^31 ms. */
const LONGEST_MS = 2 ** 31 - 1;

export class Alarm {
  readonly #ring: () => void;
  #timer: NodeJS.Timeout | undefined;
  #at: number | null = null;

  constructor(ring: () => void) {
    this.#ring = ring;
  }

  /** By `performance.now()`; null: no time matters. It may ring too early, and is to be set again then. */
  set(at: number | null): void {
    if (at === this.#at) return;
    clearTimeout(this.#timer);
    this.#at = at;
    if (at === null) return;
    // Rounded up: a machine that is woken too early would be woken again at once.
    const delay = Math.min(Math.max(0, Math.ceil(at - performance.now())), LONGEST_MS);
    this.#timer = setTimeout(() => this.#due(at), delay);
    this.#timer.unref();
  }

  /** What has arrived meanwhile comes first: after a long turn of the event loop nothing is given up whose answer is already there. */
  #due(at: number): void {
    setImmediate(() => {
      if (this.#at !== at) return;
      this.#at = null;
      this.#ring();
    });
  }
}
