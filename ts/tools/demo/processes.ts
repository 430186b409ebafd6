// The processes that run all along: roles, tenants' servers, captures. Each writes to a file of its own; one that ends unasked is
// noticed and named at once.

import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './paths.js';
import * as screen from './screen.js';
import { environment, killGroup } from './shell.js';

export interface Death {
  readonly name: string;
  /** "killed by SIGKILL", "exit code 1". */
  readonly how: string;
  /** What it wrote last. */
  readonly log: readonly string[];
}

const TAIL_LINES = 6;
const LINE_MAX = 180;

export class Processes {
  readonly deaths: Death[] = [];
  readonly #folder: string;
  readonly #running = new Map<string, ChildProcess>();
  readonly #expected = new Set<string>();
  readonly #listeners = new Set<(death: Death) => void>();

  /** @param folder where their output goes */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Starts a line of shell that is one program. Printed, unless `quiet`. */
  start(name: string, line: string, { quiet = false } = {}): void {
    if (!quiet) screen.command(`${line} &`);
    const log = openSync(this.logOf(name), 'a');
    const child = spawn('bash', ['-c', `exec ${line}`], {
      cwd: ROOT,
      env: environment(),
      detached: true,
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    this.#running.set(name, child);
    child.once('error', (error) => this.#ended(name, error.message));
    child.once('exit', (code, signal) =>
      this.#ended(name, signal === null ? `exit code ${code}` : `killed by ${signal}`),
    );
  }

  logOf(name: string): string {
    return join(this.#folder, `${name}.log`);
  }

  /** What it has written so far. */
  output(name: string): string {
    return readFileSync(this.logOf(name), 'utf8');
  }

  /** As a reader inside sees it; undefined if it does not run. */
  pid(name: string): number | undefined {
    return this.#running.get(name)?.pid;
  }

  isRunning(name: string): boolean {
    return this.#running.has(name);
  }

  death(name: string): Death | undefined {
    return this.deaths.find((death) => death.name === name);
  }

  /** Ends one that is no longer wanted. */
  stop(name: string): void {
    this.#expected.add(name);
    killGroup(this.#running.get(name)?.pid);
  }

  onDeath(listener: (death: Death) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #ended(name: string, how: string): void {
    if (!this.#running.delete(name)) return;
    if (this.#expected.delete(name)) return;
    const death = { name, how, log: tail(this.output(name)) };
    this.deaths.push(death);
    screen.alarm(`${name} has died: ${how}`);
    for (const listener of this.#listeners) listener(death);
  }
}

/** The last lines of a log, those in JSON as a person reads them. */
export function tail(text: string): string[] {
  const lines = text.trimEnd().split('\n').slice(-TAIL_LINES);
  return lines.filter((line) => line !== '').map((line) => readable(line).slice(0, LINE_MAX));
}

function readable(line: string): string {
  try {
    const { level, component, cause, msg } = JSON.parse(line) as Record<string, unknown>;
    if (typeof msg !== 'string') return line;
    const words = [LEVELS[Number(level)] ?? level, component, cause].filter(
      (word) => word !== undefined && word !== null,
    );
    return `${words.join(' ')}: ${msg}`;
  } catch {
    return line;
  }
}

/** pino's numbers. */
const LEVELS: Readonly<Record<number, string>> = {
  10: 'trace',
  20: 'debug',
  30: 'info',
  40: 'warn',
  50: 'error',
  60: 'fatal',
};
