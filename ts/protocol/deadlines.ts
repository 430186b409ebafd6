/** Many deadlines, each under a key: which is the next, and which have passed. Setting one is logarithmic in their number. */

interface Entry {
  readonly at: number;
  readonly key: string;
}

export class Deadlines {
  readonly #at = new Map<string, number>();
  /** A binary heap by time. An entry whose time is not its key's any more is stale, and skipped when it comes up. */
  readonly #heap: Entry[] = [];

  /** Null: none any more. */
  set(key: string, at: number | null): void {
    if (at === null) {
      this.#at.delete(key);
    } else if (this.#at.get(key) !== at) {
      this.#at.set(key, at);
      this.#push({ at, key });
    }
  }

  next(): number | null {
    while (this.#heap[0] !== undefined && this.#isStale(this.#heap[0])) this.#pop();
    return this.#heap[0]?.at ?? null;
  }

  /** Takes those that have passed, the earliest first. */
  take(now: number): string[] {
    const keys: string[] = [];
    for (let next = this.next(); next !== null && next <= now; next = this.next()) {
      const { key } = this.#heap[0] as Entry;
      this.#pop();
      this.#at.delete(key);
      keys.push(key);
    }
    return keys;
  }

  #isStale({ key, at }: Entry): boolean {
    return this.#at.get(key) !== at;
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let i = heap.push(entry) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if ((heap[parent] as Entry).at <= entry.at) break;
      heap[i] = heap[parent] as Entry;
      i = parent;
    }
    heap[i] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && (heap[child + 1] as Entry).at < (heap[child] as Entry).at) child += 1;
      if ((heap[child] as Entry).at >= last.at) break;
      heap[i] = heap[child] as Entry;
      i = child;
    }
    heap[i] = last;
  }
}

/** The earliest of several machines' deadlines; null: no time matters. */
export function earliest(...deadlines: readonly (number | null)[]): number | null {
  const times = deadlines.filter((at) => at !== null);
  return times.length === 0 ? null : Math.min(...times);
}
