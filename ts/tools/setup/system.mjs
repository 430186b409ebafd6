// Everything that setup learns from and does to the machine goes through here, so that tests can put another machine in its place.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** The root folder of the project. */
export const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');

/** A failure that the user can mend: what is wrong, and what to do. Printed without a stack. */
export class SetupError extends Error {
  /** @param {string} message @param {string} remedy */
  constructor(message, remedy) {
    super(message);
    this.name = 'SetupError';
    this.remedy = remedy;
  }
}

/**
 * @typedef {{ status: number, stdout: string, stderr: string }} Captured
 * @typedef {object} System
 * @property {boolean} isRoot
 * @property {(text: string) => void} say a line for the user
 * @property {(command: string, args: string[], input?: string) => Captured | undefined} capture runs and collects; undefined: no such command
 * @property {(command: string, args: string[]) => Promise<number>} run runs in the root folder, its output the user's; gives the exit code
 * @property {(file: string) => string | undefined} read a file of the machine, or of the project when relative
 * @property {(file: string, text: string) => void} write
 * @property {(folder: string) => string[]} list the names in a folder; none when it is not there
 */

/** @type {System} */
export const system = {
  isRoot: process.getuid?.() === 0,
  say: (text) => console.log(text),
  capture(command, args, input) {
    const result = spawnSync(command, args, { cwd: ROOT, encoding: 'utf8', input, maxBuffer: 1 << 26 });
    if (result.error && /** @type {NodeJS.ErrnoException} */ (result.error).code === 'ENOENT') return undefined;
    return { status: result.status ?? 1, stdout: result.stdout, stderr: result.stderr };
  },
  run: (command, args) => run(command, args),
  read(file) {
    const full = path.resolve(ROOT, file);
    return existsSync(full) ? readFileSync(full, 'utf8') : undefined;
  },
  write: (file, text) => writeFileSync(path.resolve(ROOT, file), text),
  list(folder) {
    const full = path.resolve(ROOT, folder);
    return existsSync(full) ? readdirSync(full) : [];
  },
};

/**
 * Runs a command in the root folder. Ctrl-C is for the command: this process waits for it to end, and takes its exit code.
 * @param {string} command
 * @param {string[]} args
 * @param {{ env?: NodeJS.ProcessEnv | undefined, onLine?: ((line: string) => void) | undefined, isQuiet?: boolean | undefined }} [options]
 * `onLine` gets the command's standard output line by line instead of the user, and what goes to standard error, too, if it `isQuiet`
 * @returns {Promise<number>}
 */
export function run(command, args, { env, onLine, isQuiet = false } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: ROOT,
      env: { ...process.env, ...colours(), ...env },
      stdio: ['inherit', onLine ? 'pipe' : 'inherit', isQuiet ? 'pipe' : 'inherit'],
    });
    const wait = () => {};
    const forward = () => child.kill('SIGTERM');
    process.on('SIGINT', wait);
    process.on('SIGTERM', forward);
    const readers = [child.stdout, child.stderr].map((stream) => linesOf(stream, onLine));
    child.on('error', reject);
    child.on('close', (code, signal) => {
      process.off('SIGINT', wait);
      process.off('SIGTERM', forward);
      for (const end of readers) end();
      resolve(code ?? (signal === 'SIGINT' ? 130 : 128 + 15));
    });
  });
}

/**
 * Reads a stream line by line; the function that it gives takes what may remain at its end.
 * @param {import('node:stream').Readable | null} stream
 * @param {((line: string) => void) | undefined} onLine
 */
function linesOf(stream, onLine) {
  let rest = '';
  stream?.setEncoding('utf8').on('data', (chunk) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) onLine?.(line);
  });
  return () => {
    if (rest !== '') onLine?.(rest);
  };
}

/** Some tools colour their output in CI, whatever reads it. */
function colours() {
  return process.stdout.isTTY || process.env['FORCE_COLOR'] ? {} : { NO_COLOR: '1' };
}

/** Milliseconds as people read them. @param {number} ms */
export function duration(ms) {
  const seconds = ms / 1000;
  return seconds < 60 ? `${seconds.toFixed(1)} s` : `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}
