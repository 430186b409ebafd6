/**
 * Writes what the authority remembers, in batches: all that was noted in one turn of the event loop is one transaction, and the
 * next begins when the one before is on disk. Nothing that depends on a record may leave this process before its batch is
 * written: `needed` says which batch that is now, `durable` how far it is.
 */
import { type NveError, ok, type Result } from '#model';
import type { RecordStore } from './records.js';

/** After a write that failed: the disk may have room again. */
const RETRY_MS = 1000;

export interface JournalHandlers {
  /** A batch more is written. */
  durable(): void;
  /** It could not be written and is tried again. Once until it can. */
  failed(error: NveError): void;
}

export class Journal {
  readonly #store: RecordStore | null;
  readonly #handlers: JournalHandlers;
  #pending = new Map<string, unknown>();
  /** The last batch that was begun, and the last that is written. */
  #begun = 0;
  #durable = 0;
  #busy = false;
  #closed = false;
  #failure: NveError | null = null;
  #waiting: { readonly batch: number; readonly settle: (result: Result<null>) => void }[] = [];

  /** Without a store nothing is remembered, and everything counts as written. */
  constructor(store: RecordStore | null, handlers: JournalHandlers) {
    this.#store = store;
    this.#handlers = handlers;
  }

  /** Null: the record is no more. */
  put(key: string, value: unknown): void {
    if (this.#store === null) return;
    this.#pending.set(key, value);
    if (this.#busy) return;
    this.#busy = true;
    setImmediate(() => void this.#write(this.#store));
  }

  /** What depends on all that was noted so far waits until `durable` is this. */
  get needed(): number {
    return this.#begun + (this.#pending.size > 0 ? 1 : 0);
  }

  get durable(): number {
    return this.#durable;
  }

  /** Resolves when all that was noted before is written, or with NVE-STO-005: then it is not yet, and is tried again. */
  written(): Promise<Result<null>> {
    const batch = this.needed;
    if (this.#durable >= batch) return Promise.resolve(ok(null));
    return new Promise((settle) => this.#waiting.push({ batch, settle }));
  }

  /** Writes what is still to write, once. */
  async close(): Promise<void> {
    const last = this.written();
    this.#closed = true;
    await last;
  }

  async #write(store: RecordStore | null): Promise<void> {
    if (store === null) return;
    while (this.#pending.size > 0) {
      const batch = this.#pending;
      this.#pending = new Map();
      this.#begun += 1;
      if (!(await this.#commit(store, batch))) return;
      this.#durable = this.#begun;
      this.#settle(ok(null));
      this.#handlers.durable();
    }
    this.#busy = false;
  }

  /** Until it is written; false if the journal was closed before. */
  async #commit(store: RecordStore, batch: ReadonlyMap<string, unknown>): Promise<boolean> {
    for (;;) {
      const result = await store.commit(batch);
      if (result.ok) {
        this.#failure = null;
        return true;
      }
      if (this.#failure === null) this.#handlers.failed(result.error);
      this.#failure = result.error;
      for (const { settle } of this.#waiting.splice(0)) settle(result);
      if (this.#closed) return false;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  #settle(result: Result<null>): void {
    const done = this.#waiting.filter(({ batch }) => batch <= this.#durable);
    if (done.length === 0) return;
    this.#waiting = this.#waiting.filter(({ batch }) => batch > this.#durable);
    for (const { settle } of done) settle(result);
  }
}
