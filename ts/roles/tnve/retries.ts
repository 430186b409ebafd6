// Asking again, later and later: one timer for each key.

const FIRST_MS = 1_000;
const MAX_MS = 30_000;

export class Retries<K> {
  readonly #run: (key: K) => void;
  readonly #timers = new Map<K, NodeJS.Timeout>();
  readonly #delays = new Map<K, number>();

  constructor(run: (key: K) => void) {
    this.#run = run;
  }

  /** The first time after a second, then each time after twice as long, half a minute at most; from the start again after `cancel`. */
  schedule(key: K): void {
    clearTimeout(this.#timers.get(key));
    const delay = this.#delays.get(key) ?? FIRST_MS;
    this.#delays.set(key, Math.min(delay * 2, MAX_MS));
    this.#timers.set(
      key,
      setTimeout(() => this.#run(key), delay),
    );
  }

  cancel(key: K): void {
    clearTimeout(this.#timers.get(key));
    this.#timers.delete(key);
    this.#delays.delete(key);
  }

  close(): void {
    for (const key of [...this.#timers.keys()]) this.cancel(key);
  }
}
