/**
 * What an embedded NVA remembers: records, each a key and a JSON value, in an LMDB database. What they mean is for the
 * authority to say; here a batch of them is on disk whole, or not at all.
 */
import { err, ok, type Result } from '#model';
import { StoreDatabase, unwritable } from './database.js';

const TABLES = ['records'] as const;

export class NvaStore {
  readonly path: string;
  readonly #database: StoreDatabase<'records'>;
  #writing: Promise<unknown> = Promise.resolve();

  /** Rejects as `StoreDatabase.open`. */
  static async open(path: string): Promise<NvaStore> {
    return new NvaStore(await StoreDatabase.open(path, TABLES));
  }

  private constructor(database: StoreDatabase<'records'>) {
    this.path = database.path;
    this.#database = database;
  }

  /** In the order of their keys. */
  *records(): Generator<readonly [string, unknown]> {
    for (const { key, value } of this.#database.tables.records.getRange()) yield [key, value];
  }

  /** One transaction; a value of null deletes. It is on disk when this resolves; NVE-STO-005 if it is not. */
  commit(batch: ReadonlyMap<string, unknown>): Promise<Result<null>> {
    const { records } = this.#database.tables;
    const written = this.#database.root
      .transaction(() => {
        for (const [key, value] of batch) void (value === null ? records.remove(key) : records.put(key, value));
      })
      .then(
        () => ok(null),
        (caught: unknown) => err(unwritable(this.path, caught)),
      );
    this.#writing = written;
    return written;
  }

  async close(): Promise<void> {
    await this.#writing;
    await this.#database.close();
  }
}
