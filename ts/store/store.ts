/**
 * What an agent remembers over its restarts, in an LMDB database: tags, associations, and facts of other parts. A write is
 * asked for at once and is on disk when `written` resolves, which comes before whoever waits for it is answered; LMDB's
 * transactions make that safe against an end at any moment. The process that has it open is its only one.
 */
import { mkdirSync } from 'node:fs';
import { type Database, open, type RootDatabase } from 'lmdb';
import type { z } from 'zod';
import {
  type Association,
  AssociationSchema,
  err,
  type NveError,
  nveError,
  ok,
  type Result,
  type TagAllocation,
  TagAllocationSchema,
  type TsiKey,
  tsiKeyText,
} from '#model';
import { checkFiles } from './check.js';
import { claim } from './owner.js';

/** The format that this release writes; `MIGRATIONS` bring older ones to it. */
export const STORE_FORMAT = 1;

/** From the format of the index (and 1) to the next. */
const MIGRATIONS: readonly ((root: RootDatabase) => void)[] = [];

export const STORE_TABLES = ['meta', 'tags', 'associations', 'facts'] as const;
type Table = (typeof STORE_TABLES)[number];

/** Keys of LMDB are short; what has longer names is not stored under them. */
const MAX_KEY = 1_900;

interface Unwritten {
  readonly table: Table;
  readonly key: string;
  readonly value: unknown;
}

export class Store {
  readonly path: string;
  readonly #root: RootDatabase;
  readonly #tables: Readonly<Record<Table, Database<unknown, string>>>;
  /** What is not on disk yet, or could not be written: of each key the last value. */
  readonly #unwritten = new Map<string, Unwritten>();
  #writing: Promise<Result<null>> = Promise.resolve(ok(null));
  #failed = false;

  /**
   * Makes the directory if it is not there. Rejects with NVE-STO-001 if it cannot be used, -002 if it is damaged, -003 if a
   * newer release wrote it, -004 if another process has it.
   */
  static async open(path: string): Promise<Store> {
    try {
      mkdirSync(path, { recursive: true, mode: 0o700 });
    } catch (caught) {
      throw unusable(path, caught);
    }
    await checkFiles(path, STORE_TABLES);
    let root: RootDatabase;
    try {
      // Without overlapping syncs a promise of a write resolves when it is on disk.
      root = open({ path, noSubdir: false, encoding: 'json', maxDbs: 8, overlappingSync: false });
    } catch (caught) {
      throw unusable(path, caught);
    }
    try {
      const store = new Store(path, root);
      await store.#begin();
      return store;
    } catch (caught) {
      await root.close();
      throw caught;
    }
  }

  private constructor(path: string, root: RootDatabase) {
    this.path = path;
    this.#root = root;
    const table = (name: Table) => root.openDB<unknown, string>({ name, encoding: 'json' });
    this.#tables = {
      meta: table('meta'),
      tags: table('tags'),
      associations: table('associations'),
      facts: table('facts'),
    };
  }

  async #begin(): Promise<void> {
    const { meta } = this.#tables;
    const format = meta.get('format') ?? STORE_FORMAT;
    if (typeof format !== 'number' || !Number.isInteger(format) || format < 1)
      throw damaged(this.path, `its format is ${JSON.stringify(format)}`);
    if (format > STORE_FORMAT) throw nveError('NVE-STO-003', { path: this.path, format, supported: STORE_FORMAT });
    try {
      const other = await this.#root.transaction(() => {
        for (const migrate of MIGRATIONS.slice(format - 1)) migrate(this.#root);
        void meta.put('format', STORE_FORMAT);
        return claim(meta);
      });
      if (other !== null) throw nveError('NVE-STO-004', { path: this.path, pid: other });
    } catch (caught) {
      throw unusable(this.path, caught);
    }
  }

  async close(): Promise<void> {
    await this.#writing;
    await this.#tables.meta.remove('owner');
    await this.#root.close();
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
    return [...this.#tables.facts.getRange({ start: prefix, end: `${kind}!` })].map(({ key, value }) => ({
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
        return err(nveError('NVE-STO-005', { path: this.path, reason: reasonOf(caught) }, { cause: caught }));
      });
  }

  async #writeOne({ table, key, value }: Unwritten): Promise<unknown> {
    return value === null ? this.#tables[table].remove(key) : this.#tables[table].put(key, value);
  }

  #read<T>(table: Table, schema: z.ZodType<T>): T[] {
    return [...this.#tables[table].getRange()].map(({ key, value }) => {
      const parsed = schema.safeParse(value);
      if (parsed.success) return parsed.data;
      const [issue] = parsed.error.issues;
      throw damaged(this.path, `${table} ${key}: ${issue?.path.join('.')}: ${issue?.message}`);
    });
  }
}

function damaged(path: string, problem: string): NveError {
  return nveError('NVE-STO-002', { path, problem });
}

function unusable(path: string, caught: unknown): unknown {
  const isOurs = caught instanceof Error && caught.name === 'NveError';
  return isOurs ? caught : nveError('NVE-STO-001', { path, reason: reasonOf(caught) }, { cause: caught });
}

function reasonOf(caught: unknown): string {
  return caught instanceof Error ? caught.message : String(caught);
}
