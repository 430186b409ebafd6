/**
 * The latest changes of one VN, so that an NVE that knows an earlier revision gets the difference. Bounded: what falls out
 * at the old end costs those who are that far behind a snapshot. The log stays when its VN is deleted, for the deletes are
 * changes too.
 */
import type { NnpChanges } from '#protocol';
import type { NnpOp } from '#wire';

interface Entry {
  readonly revision: bigint;
  readonly ops: readonly NnpOp[];
}

export class ChangeLog {
  readonly #maxOps: number;
  #entries: Entry[] = [];
  #ops = 0;
  /** Who knows less than this needs a snapshot. */
  #since: bigint;

  /** `since`: the revision at which the log begins. */
  constructor(maxOps: number, since: bigint) {
    this.#maxOps = maxOps;
    this.#since = since;
  }

  /** Ops of one revision; revisions grow. */
  add(revision: bigint, ops: readonly NnpOp[]): void {
    if (ops.length === 0) return;
    this.#entries.push({ revision, ops });
    this.#ops += ops.length;
    let drop = 0;
    while (this.#ops > this.#maxOps && drop < this.#entries.length - 1) {
      const entry = this.#entries[drop++];
      if (entry === undefined) break;
      this.#ops -= entry.ops.length;
      this.#since = entry.revision;
    }
    if (drop > 0) this.#entries = this.#entries.slice(drop);
  }

  /**
   * The changes after `from`, whole revisions, until there are `maxOps` of them. The revision is that of the last one, or
   * `now` if they reach to the present.
   */
  after(from: bigint, maxOps: number, now: bigint): NnpChanges | null {
    if (from < this.#since) return null;
    const ops: NnpOp[] = [];
    let next = this.#firstAfter(from);
    let revision = now;
    for (; next < this.#entries.length; next++) {
      const entry = this.#entries[next];
      if (entry === undefined) break;
      if (ops.length >= maxOps) break;
      ops.push(...entry.ops);
      revision = entry.revision;
    }
    return { revision: next === this.#entries.length && ops.length === 0 ? now : revision, ops };
  }

  #firstAfter(from: bigint): number {
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#entries[middle]?.revision ?? 0n) <= from) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
