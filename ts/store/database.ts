/**
 * Opening an LMDB database that is one process's alone: the checks before it, the format, the owner. What is in it is for its
 * store to say.
 */
import { mkdirSync } from 'node:fs';
import { type Database, open, type RootDatabase } from 'lmdb';
import { type NveError, nveError } from '#model';
import { checkFiles } from './check.js';
import { claim } from './owner.js';

/** The format that this release writes; `MIGRATIONS` bring older ones to it. */
export const STORE_FORMAT = 1;

/** From the format of the index (and 1) to the next. */
const MIGRATIONS: readonly ((root: RootDatabase) => void)[] = [];

export type Table = Database<unknown, string>;

export class StoreDatabase<T extends string> {
  readonly path: string;
  readonly root: RootDatabase;
  readonly tables: Readonly<Record<T | 'meta', Table>>;

  /**
   * Makes the directory if it is not there. Rejects with NVE-STO-001 if it cannot be used, -002 if it is damaged, -003 if a
   * newer release wrote it, -004 if another process has it.
   */
  static async open<T extends string>(path: string, tables: readonly T[]): Promise<StoreDatabase<T>> {
    const names = ['meta', ...tables] as const;
    try {
      mkdirSync(path, { recursive: true, mode: 0o700 });
    } catch (caught) {
      throw unusable(path, caught);
    }
    await checkFiles(path, names);
    let root: RootDatabase;
    try {
      // Without overlapping syncs a promise of a write resolves when it is on disk.
      root = open({ path, noSubdir: false, encoding: 'json', maxDbs: 8, overlappingSync: false });
    } catch (caught) {
      throw unusable(path, caught);
    }
    try {
      const database = new StoreDatabase<T>(path, root, names);
      await database.#begin();
      return database;
    } catch (caught) {
      await root.close();
      throw caught;
    }
  }

  private constructor(path: string, root: RootDatabase, names: readonly (T | 'meta')[]) {
    this.path = path;
    this.root = root;
    const made = names.map((name) => [name, root.openDB<unknown, string>({ name, encoding: 'json' })] as const);
    this.tables = Object.fromEntries(made) as Record<T | 'meta', Table>;
  }

  async #begin(): Promise<void> {
    const { meta } = this.tables;
    const format = meta.get('format') ?? STORE_FORMAT;
    if (typeof format !== 'number' || !Number.isInteger(format) || format < 1)
      throw damaged(this.path, `its format is ${JSON.stringify(format)}`);
    if (format > STORE_FORMAT) throw nveError('NVE-STO-003', { path: this.path, format, supported: STORE_FORMAT });
    try {
      const other = await this.root.transaction(() => {
        for (const migrate of MIGRATIONS.slice(format - 1)) migrate(this.root);
        void meta.put('format', STORE_FORMAT);
        return claim(meta);
      });
      if (other !== null) throw nveError('NVE-STO-004', { path: this.path, pid: other });
    } catch (caught) {
      throw unusable(this.path, caught);
    }
  }

  async close(): Promise<void> {
    await this.tables.meta.remove('owner');
    await this.root.close();
  }
}

export function damaged(path: string, problem: string): NveError {
  return nveError('NVE-STO-002', { path, problem });
}

/** NVE-STO-005 for what could not be written. */
export function unwritable(path: string, caught: unknown): NveError {
  return nveError('NVE-STO-005', { path, reason: reasonOf(caught) }, caught);
}

function unusable(path: string, caught: unknown): unknown {
  const isOurs = caught instanceof Error && caught.name === 'NveError';
  return isOurs ? caught : nveError('NVE-STO-001', { path, reason: reasonOf(caught) }, caught);
}

function reasonOf(caught: unknown): string {
  return caught instanceof Error ? caught.message : String(caught);
}
