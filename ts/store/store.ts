/**
 * What an agent remembers over its restarts, in an LMDB database: tags, associations, and facts of other parts. A write is
 * asked for at once and is on disk when `written` resolves, which comes before whoever waits for it is answered; LMDB's
 * transactions make that safe against an end at any moment. The process that has it open is its only one.
 */
import type { z } from 'zod';
import {
  type Association,
  AssociationSchema,
  err,
  ok,
  type Result,
  type TagAllocation,
  TagAllocationSchema,
  type TsiKey,
  tsiKeyText,
} from '#model';
import { damaged, StoreDatabase, unwritable } from './database.js';

const TABLES = ['tags', 'associations', 'facts'] as const;
type Table = (typeof TABLES)[number];

/** Keys of LMDB are short; what has longer names is not stored under them. */
const MAX_KEY = 1_900;

interface Unwritten {
  readonly table: Table;
  readonly key: string;
  readonly value: unknown;
}

export class Store {
  readonly path: string;
  readonly #database: StoreDatabase<Table>;
  /** What is not on disk yet, or could not be written: of each key the last value. */
  readonly #unwritten = new Map<string, Unwritten>();
  #writing: Promise<Result<null>> = Promise.resolve(ok(null));
  #failed = false;

  /** Rejects as `StoreDatabase.open`. */
  static async open(path: string): Promise<Store> {
    return new Store(await StoreDatabase.open(path, TABLES));
  }

  private constructor(database: StoreDatabase<Table>) {
    this.path = database.path;
    this.#database = database;
  }

  async close(): Promise<void> {
    await this.#writing;
    await this.#database.close();
  }

  // Tags

  /** NVE-STO-002 if one is not what it should be. */
  tags(): TagAllocation[] {
    return this.#read('tags', TagAllocationSchema);
  }

  putTags(allocations: readonly TagAllocation[]): void {
    for (const allocation of allocations) this.#put('tags', `${allocation.domain} ${allocation.vid}`, allocation);
  }

  // Associations

  /** NVE-STO-002 if one is not what it should be. */
  associations(): Association[] {
    return this.#read('associations', AssociationSchema);
  }

  /** Null: it is no more. */
  putAssociation(key: TsiKey, association: Association | null): void {
    this.#put('associations', tsiKeyText(key), association);
  }

  // Facts: what other parts have to know again, each under a kind and a name; JSON that they check themselves

  facts(kind: string): { readonly name: string; readonly value: unknown }[] {
    const prefix = `${kind} `;
    return [...this.#database.tables.facts.getRange({ start: prefix, end: `${kind}!` })].map(({ key, value }) => ({
      name: key.slice(prefix.length),
      value,
    }));
  }

  /** Null: it is so no more. */
  putFact(kind: string, name: string, value: unknown): void {
    this.#put('facts', `${kind} ${name}`, value);
  }

  // Writing

  /** Resolves when all that was put before is on disk; NVE-STO-005 if it is not: the next write tries it again. */
  written(): Promise<Result<null>> {
    if (this.#failed) this.#write([...this.#unwritten.keys()]);
    return this.#writing;
  }

  #put(table: Table, key: string, value: unknown): void {
    if (key.length > MAX_KEY) return;
    const id = `${table} ${key}`;
    this.#unwritten.set(id, { table, key, value });
    this.#write(this.#failed ? [...this.#unwritten.keys()] : [id]);
  }

  /** LMDB writes what is asked for in one turn of the event loop in one transaction, and transactions in their order. */
  #write(ids: readonly string[]): void {
    // What failed before is among these.
    const before = this.#failed ? Promise.resolve<Result<null>>(ok(null)) : this.#writing;
    this.#failed = false;
    const writes = ids.flatMap((id) => {
      const entry = this.#unwritten.get(id);
      if (entry === undefined) return [];
      const done = this.#writeOne(entry).then(() => {
        if (this.#unwritten.get(id) === entry) this.#unwritten.delete(id);
      });
      return [done];
    });
    this.#writing = Promise.all(writes)
      .then(() => before)
      .catch((caught: unknown) => {
        this.#failed = true;
        return err(unwritable(this.path, caught));
      });
  }

  async #writeOne({ table, key, value }: Unwritten): Promise<unknown> {
    return value === null ? this.#database.tables[table].remove(key) : this.#database.tables[table].put(key, value);
  }

  #read<T>(table: Table, schema: z.ZodType<T>): T[] {
    return [...this.#database.tables[table].getRange()].map(({ key, value }) => {
      const parsed = schema.safeParse(value);
      if (parsed.success) return parsed.data;
      const [issue] = parsed.error.issues;
      throw damaged(this.path, `${table} ${key}: ${issue?.path.join('.')}: ${issue?.message}`);
    });
  }
}
