// A table again and again, until a signal: drawn anew on a terminal, appended elsewhere, a JSON document a line with --json. Counters get
// a column with their rate since the last look.

import { setTimeout as sleep } from 'node:timers/promises';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { HypervisorClient } from '#hypervisor';
import { toNveError } from '#model';
import type { Io } from './io.js';
import { endpointOf, type RpcOptions } from './rpc.js';
import { type Column, formatTable } from './table.js';

export interface WatchOptions extends RpcOptions {
  /** Seconds. */
  readonly watch?: number;
}

export interface Watched<Row> {
  /** The same for the same thing at another time. */
  readonly key: (row: Row) => string;
  readonly columns: readonly Column<Row>[];
  /** For the heading. */
  readonly name: string;
}

const SECONDS = 2;

export function withWatchOption(command: Command): Command {
  return command.addOption(
    new Option('--watch [seconds]', 'show it again and again, with rates of the counters, until a signal')
      .preset(`${SECONDS}`)
      .argParser(seconds),
  );
}

function seconds(text: string): number {
  const value = Number(text);
  if (!/^\d{1,4}(\.\d{1,3})?$/.test(text) || value < 0.1 || value > 3600)
    throw new InvalidArgumentError('Expected seconds from 0.1 to 3600.');
  return value;
}

/** Ends when `io.stopped` says so; on a process of its own nothing does but a signal. */
export async function watchRows<Row>(
  io: Io,
  options: WatchOptions,
  watched: Watched<Row>,
  ask: (client: HypervisorClient) => Promise<Row[]>,
): Promise<void> {
  const { watch: every = SECONDS, json } = options;
  const client = new HypervisorClient({ ...endpointOf(options), client: 'splitnve cli', deadlineMs: options.timeout });
  const rates = new Rates(watched);
  let isAway = false;
  try {
    // If that fails the first time, waiting would hide a mistake.
    await client.hello();
    while (io.stopped?.aborted !== true) {
      const start = performance.now();
      try {
        const rows = await ask(client);
        if (json === true) io.out(`${JSON.stringify(rows)}\n`);
        else draw(io, `${watched.name}, every ${every} s`, formatTable(rates.columns(rows, start), rows));
        isAway = false;
      } catch (caught) {
        if (!isAway) io.err(`warning: ${toNveError(caught).message}; trying again\n`);
        isAway = true;
      }
      const left = every * 1000 - (performance.now() - start);
      await sleep(Math.max(left, 10), undefined, io.stopped && { signal: io.stopped }).catch(() => undefined);
    }
  } finally {
    client.close();
  }
}

function draw(io: Io, heading: string, table: string): void {
  const lines = [`${new Date().toISOString()}  ${heading}`, ...table.trimEnd().split('\n'), ''];
  const height = io.height?.();
  if (height === undefined) {
    io.out(`${lines.join('\n')}\n`);
    return;
  }
  // From the top left corner; what is longer than the screen would scroll, and the heading with it.
  const shown = lines.length >= height ? [...lines.slice(0, height - 2), `… ${lines.length - height + 1} more`] : lines;
  io.out(`\x1b[H\x1b[2J${shown.join('\n')}`);
}

/** What counters were at the last look. */
class Rates<Row> {
  readonly #watched: Watched<Row>;
  #before = new Map<string, Row>();
  #at = 0;

  constructor(watched: Watched<Row>) {
    this.#watched = watched;
  }

  /** The columns for `rows`, which were asked for at `now`, by `performance.now()`. */
  columns(rows: readonly Row[], now: number): Column<Row>[] {
    const { columns, key } = this.#watched;
    const before = this.#before;
    const elapsed = (now - this.#at) / 1000;
    this.#at = now;
    this.#before = new Map(rows.map((row) => [key(row), row]));
    const rate =
      (value: (row: Row) => number) =>
      (row: Row): string | null => {
        const old = before.get(key(row));
        // What counts anew has no rate yet.
        if (old === undefined || value(row) < value(old)) return null;
        return ((value(row) - value(old)) / elapsed).toFixed(1);
      };
    return columns.flatMap((column) => {
      const { counter, title } = column;
      if (counter === undefined) return [column];
      return [column, { title: `${title}/S`, value: rate(counter), right: true }];
    });
  }
}
