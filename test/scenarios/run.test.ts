/**
 * Replays the recorded dialogues of `test/scenarios/<machine>/*.jsonl` against the protocol machines (see README.md there).
 * `UPDATE_SCENARIOS=1` writes down what the machines do now: read the difference before it is committed.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import { NveError } from '#model';
import { fromHex, toHex } from '#wire';
import { KINDS, type Kind, type Machine } from './machines.js';

interface Start {
  readonly scenario: string;
  readonly options: unknown;
}
interface Step {
  readonly at: number;
  readonly in: { readonly type: string };
  readonly out?: unknown;
  readonly state?: unknown;
  readonly next?: number | null;
}
type Line = Start | Step;

const HERE = new URL('./', import.meta.url);

const revive = (key: string, value: unknown): unknown =>
  key === 'payload' && typeof value === 'string' ? fromHex(value) : value;
const plain = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (_, inner: unknown) => {
      if (inner instanceof NveError) return inner.code;
      return inner instanceof Uint8Array ? toHex(inner) : inner;
    }),
  );

/** The file as it should be; each pair of phase and event that it holds goes to `seen`. */
function replay(kind: Kind, lines: readonly string[], seen: Set<string>): string[] {
  let machine: Machine | null = null;
  return lines.map((text) => {
    const line = JSON.parse(text) as Line;
    if ('scenario' in line) {
      machine = kind.create(line.options as never);
      return text;
    }
    if (machine === null) throw new Error('a file begins with a scenario');
    const event = JSON.parse(JSON.stringify(line.in), revive);
    const name = kind.event?.(event as never) ?? line.in.type;
    seen.add(`${kind.phase(machine as never)} × ${name}`);
    const out = plain(machine.handle(event as never, line.at));
    const state = plain(kind.state(machine as never));
    return JSON.stringify({ at: line.at, in: line.in, out, state, next: machine.nextDeadline() });
  });
}

/** What says the same stays as it is, however it is written: an update shows what has changed, and nothing else. */
function kept(before: string | undefined, now: string): string {
  return before !== undefined && isDeepStrictEqual(JSON.parse(before), JSON.parse(now)) ? before : now;
}

describe.each(Object.entries(KINDS))('%s', (name, kind) => {
  const folder = new URL(`${name}/`, HERE);
  const files = readdirSync(folder).filter((file) => file.endsWith('.jsonl'));
  const linesOf = (file: string) => readFileSync(new URL(file, folder), 'utf8').trimEnd().split('\n');

  it.each(files)('%s', (file) => {
    const url = new URL(file, folder);
    const lines = linesOf(file);
    const now = replay(kind, lines, new Set());
    if (process.env['UPDATE_SCENARIOS'])
      writeFileSync(url, `${now.map((line, i) => kept(lines[i], line)).join('\n')}\n`);
    else
      for (const [i, line] of now.entries())
        expect(JSON.parse(lines[i] ?? 'null'), `${name}/${file}:${i + 1}`).toEqual(JSON.parse(line));
  });

  it('has a scenario for each state with each event', () => {
    const seen = new Set<string>();
    for (const file of files) replay(kind, linesOf(file), seen);
    const missing = kind.phases.flatMap((phase) =>
      kind.events.map((event) => `${phase} × ${event}`).filter((pair) => !seen.has(pair)),
    );
    expect(missing).toEqual([]);
  });
});

it('every folder has its machine', () => {
  const folders = readdirSync(HERE, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  expect(folders.map((entry) => entry.name).sort()).toEqual(Object.keys(KINDS).sort());
});
