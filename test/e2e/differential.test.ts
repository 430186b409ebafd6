// The engine against its reference model (ts/dataplane/sim): random batches of commands and random packets, the same into both; both take or
// refuse a batch, and what becomes of each packet, and every octet that leaves, is the same.
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { Command, Trace } from '#dataplane';
import { macToBytes } from '#model';
import { after, emptyState, fateOf, type Machine, REASONS, type State } from '../../ts/dataplane/sim/index.js';
import { engineDropReasons } from '../../ts/model/drops-page.js';
import { obstacle } from '../lib/command.js';
import {
  type Arrival,
  addressed,
  anyArrival,
  anyCommand,
  away,
  BASE,
  expected,
  Flows,
  PORTS,
  USUAL,
} from '../lib/differential.js';
import { type EngineProcess, OPTIONS } from '../lib/engine.js';
import { Lab } from '../lib/lab.js';

const RUNS = Number(process.env['SPLITNVE_DIFF_RUNS'] ?? 10_000);
const FDB = 64;
/** Reasons that no trace gives, and why. */
const UNREACHABLE: Readonly<Record<string, string>> = {
  port_unused: 'a port that is not there is refused, and one that is has a role',
  no_headroom: 'a buffer has room for the longest header there is',
  no_buffer: 'a trace has buffers without end',
  tx_full: 'nothing is sent',
  punt_policed: 'a trace asks no policer',
  punt_full: 'nothing is punted',
};

const why = obstacle('ip', 'nsenter');
const lab = new Lab();
let engine: EngineProcess;
let machine: Machine;

beforeAll(async () => {
  if (why !== undefined) return;
  engine = await lab.engine('differential', await lab.namespace('differential'), { fdbCapacity: FDB });
  await engine.must(...PORTS);
  const macs = (await engine.dump('ports')).map(({ mac }) => macToBytes(mac));
  machine = { portMac: (port) => macs[port] ?? new Uint8Array(6), buffer: OPTIONS.mbufSize - 128 };
});
afterAll(() => lab.close());
beforeEach((context) => {
  if (why !== undefined) context.skip(why);
});

const sequence = fc.record({
  usual: fc.subarray([...USUAL], { minLength: 2 }),
  tables: fc.array(anyCommand, { maxLength: 12 }),
  batches: fc.array(fc.array(anyCommand, { minLength: 1, maxLength: 3 }), { maxLength: 2 }),
  arrivals: fc.array(anyArrival, { minLength: 1, maxLength: 10 }),
});
type Sequence = typeof sequence extends fc.Arbitrary<infer T> ? T : never;

/** Those of the commands that can be taken together, as one batch. */
function goodOf(commands: readonly Command[], before: State): Command[] {
  const good: Command[] = [];
  for (const command of commands) if (after(before, [...good, command], FDB) !== undefined) good.push(command);
  return good;
}

let known: State = after(emptyState(), PORTS, FDB) ?? emptyState();

/** Runs a sequence on both sides. `alter` and `model` are for faults on purpose. */
async function compare(
  { usual, tables, batches, arrivals }: Sequence,
  alter: (trace: Trace) => Trace = (trace) => trace,
  model: typeof fateOf = fateOf,
  seen: (trace: Trace) => void = () => undefined,
): Promise<void> {
  const apply = async (batch: readonly Command[]): Promise<void> => {
    const next = after(known, batch, FDB);
    const { refused } = await engine.apply(batch);
    expect(refused.length === 0, `${JSON.stringify(batch)}: ${JSON.stringify(refused)}`).toBe(next !== undefined);
    known = next ?? known;
  };
  const cleared = away(known);
  if (cleared.length > 0) await apply(cleared);
  await apply(goodOf([...BASE, ...usual, ...tables], known));
  const flows = new Flows();
  const check = async (some: readonly Arrival[]): Promise<void> => {
    const all = some.map((one) => addressed(one, machine));
    const traces = await engine.trace(all.map(({ port, frame }) => [port, frame]));
    for (const [at, trace] of traces.entries()) {
      seen(trace);
      const text = `port ${all[at]!.port} ${Buffer.from(all[at]!.frame).toString('hex')}`;
      expect(flows.normal(alter(trace)), text).toEqual(expected(known, machine, all[at]!, model));
    }
  };
  await check(arrivals);
  for (const batch of batches) await apply(batch);
  if (batches.length > 0) await check(arrivals);
}

it(`forwards as the model does, in ${RUNS} sequences`, { timeout: 600_000 }, async () => {
  const reached = new Map<string, number>();
  const count = (what: string, times = 1): void => void reached.set(what, (reached.get(what) ?? 0) + times);
  const seen = ({ outcome, detail, drops }: Trace): void => {
    count(outcome === 'punted' ? `${outcome} ${detail}` : outcome);
    for (const { reason, packets } of drops) count(reason, packets);
  };
  await fc.assert(
    fc.asyncProperty(sequence, (one) => compare(one, undefined, undefined, seen)),
    { numRuns: RUNS, endOnFailure: false },
  );
  const source = readFileSync(new URL('../../native/types/src/drop_reason.rs', import.meta.url), 'utf8');
  const reasons = engineDropReasons(source).map(([reason]) => reason);
  const verdicts = [
    'sent',
    'replicated',
    'dropped',
    ...['lldp', 'ecp', 'link_local', 'arp'].map((kind) => `punted ${kind}`),
  ];
  const lacking = (what: string) => UNREACHABLE[what] ?? (REASONS.includes(what) ? undefined : 'not in the model yet');
  const lines = verdicts.map((what) => `${what.padEnd(22)} ${reached.get(what) ?? 0}`);
  for (const what of reasons) {
    const why = lacking(what);
    lines.push(`${what.padEnd(22)} ${why === undefined ? (reached.get(what) ?? 0) : `- (${why})`}`);
  }
  process.stdout.write(`${lines.join('\n')}\n`);
  const missed = [...verdicts, ...REASONS].filter((what) => !reached.has(what));
  // A short run does not reach everything.
  if (RUNS >= 10_000) expect(missed).toEqual([]);
  expect(Object.keys(UNREACHABLE).filter((what) => reached.has(what))).toEqual([]);
});

const FAULTS: readonly [string, (trace: Trace) => Trace, typeof fateOf][] = [
  [
    'an engine that gets one bit of a VNI wrong',
    (trace) => ({
      ...trace,
      frames: trace.frames.map(({ port, frame }) => {
        const wrong = Uint8Array.from(frame);
        if (port === 2 && wrong.length > 64) wrong[48] = (wrong[48] ?? 0) ^ 1;
        return { port, frame: wrong };
      }),
    }),
    fateOf,
  ],
  [
    'a model whose VAPs never guard',
    (trace) => trace,
    (state, machine, port, frame) => {
      const vaps = new Map([...state.vaps].map(([id, vap]) => [id, { ...vap, guard: false }] as const));
      return fateOf({ ...state, vaps }, machine, port, frame);
    },
  ],
];

it.each(FAULTS)('%s is found, and the sequence is made small', { timeout: 120_000 }, async (_, alter, model) => {
  const details = await fc.check(
    fc.asyncProperty(sequence, (one) => compare(one, alter, model)),
    { numRuns: 2_000, seed: 8014 },
  );
  expect(details.failed).toBe(true);
  const [small] = details.counterexample!;
  // Of up to ten packets, two batches and eighteen commands. (An array is made shorter before its items are made simpler, and not again.)
  expect(small.arrivals.length).toBeLessThanOrEqual(3);
  expect(small.batches).toHaveLength(0);
  expect(small.usual.length + small.tables.length).toBeLessThanOrEqual(6);
});
