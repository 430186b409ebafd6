/**
 * Reads a store once in a process of its own before it is opened here: LMDB works on mapped memory and trusts its file, so that
 * a damaged one ends the process that reads it.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { nveError } from '#model';

const SCRIPT = `
const [lmdb, path, ...tables] = process.argv.slice(1);
const root = require(lmdb).open({ path, noSubdir: false, encoding: 'json', maxDbs: 8, readOnly: true });
for (const name of tables) {
  const table = root.openDB({ name, encoding: 'json' });
  if (table) for (const { value } of table.getRange()) if (value === undefined) throw new Error('a value is missing');
}
process.stdout.write('sound');
`;

/** Far more than a store of the largest size takes on a slow machine. */
const PATIENCE_MS = 60_000;

/** NVE-STO-001 if there is a store that may not be read, NVE-STO-002 if it is damaged. */
export async function checkFiles(path: string, tables: readonly string[]): Promise<void> {
  if (!existsSync(join(path, 'data.mdb'))) return;
  const lmdb = createRequire(import.meta.url).resolve('lmdb');
  const args = ['-e', SCRIPT, lmdb, path, ...tables];
  const problem = await new Promise<string | null>((resolve) => {
    execFile(process.execPath, args, { timeout: PATIENCE_MS }, (error, stdout, stderr) => {
      if (error === null && stdout === 'sound') resolve(null);
      else if (error?.signal) resolve(`reading it ended with ${error.signal}`);
      else resolve(/^\w*Error: (.*)$/m.exec(stderr)?.[1] ?? 'it could not be read');
    });
  });
  if (problem === null) return;
  if (/permission denied|EACCES/i.test(problem)) throw nveError('NVE-STO-001', { path, reason: problem });
  throw nveError('NVE-STO-002', { path, problem });
}
