// The engine against its reference model (ts/dataplane/sim): random batches of commands and random packets, the same into both; both take or
// refuse a batch, and what becomes of each packet, and every octet that leaves, is the same.
//
// Not compared yet, and so not generated: options of VNs, VAPs, next hops and underlay addresses, access lists, policers, storm limits, pairs,
// groups of next hops, Geneve, an underlay of IPv6, routes, more than one underlay port, and the exception path.
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { Command, Trace } from '#dataplane';
import { macToBytes } from '#model';
import { after, emptyState, fateOf, type Machine, REASONS, type State } from '../../ts/dataplane/sim/index.js';
import { isTag, u16 } from '../../ts/dataplane/sim/packet.js';
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
const [LIMIT, LIST, GENEVE, OVER_IPV6] = [
  'no VAP has a limit of rate or a guard of pairs here',
  'there is no access list here',
  'nothing is carried by Geneve here',
  'the underlay is IPv4 here',
];
/** Reasons that no trace of these gives, and why. */
const UNREACHABLE: Readonly<Record<string, string>> = {
  port_unused: 'a port that is not there is refused, and one that is has a role',
  no_headroom: 'a buffer has room for the longest header there is',
  no_buffer: 'a trace has buffers without end',
  tx_full: 'nothing is sent',
  punt_policed: 'a trace asks no policer',
  punt_full: 'nothing is punted',
  storm: LIMIT,
  policed: LIMIT,
  ip_guard: LIMIT,
  acl_in: LIST,
  acl_out: LIST,
  geneve_invalid: GENEVE,
  geneve_control: GENEVE,
  geneve_critical: GENEVE,
  geneve_protocol: GENEVE,
  outer_zero_checksum: OVER_IPV6,
  outer_extension: OVER_IPV6,
  nd_invalid: OVER_IPV6,
  membership_invalid: 'no VN is in a group here',
  reserved_bits: 'no VN is strict here',
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
  // Mostly all of them; made smaller, none.
  usual: fc
    .tuple(...USUAL.map((command) => fc.constantFrom([], [command], [command], [command], [command])))
    .map((some): Command[] => some.flat()),
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

/** Of a frame's packet, behind all of its tags. */
function versionOf(frame: Uint8Array): string {
  let at = 12;
  while (isTag(u16(frame, at))) at += 4;
  return u16(frame, at) === 0x86dd ? 'IPv6' : 'IPv4';
}

let known: State = after(emptyState(), PORTS, FDB) ?? emptyState();

/** Runs a sequence on both sides. `alter` and `model` are for faults on purpose. */
async function compare(
  { usual, tables, batches, arrivals }: Sequence,
  alter: (trace: Trace) => Trace = (trace) => trace,
  model: typeof fateOf = fateOf,
  seen: (what: Trace | 'batch taken' | 'batch refused') => void = () => undefined,
): Promise<void> {
  const apply = async (batch: readonly Command[]): Promise<void> => {
    const next = after(known, batch, FDB);
    seen(next === undefined ? 'batch refused' : 'batch taken');
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
  const seen = (what: Trace | string): void => {
    if (typeof what === 'string') {
      count(what);
      return;
    }
    const { outcome, detail, drops, frames } = what;
    count(outcome === 'punted' ? `${outcome} ${detail}` : outcome);
    for (const { reason, packets } of drops) count(reason, packets);
    // The only frame that leaves instead of a dropped one is the message that it is too big.
    if (outcome === 'dropped') for (const { frame } of frames) count(`too big ${versionOf(frame)}`);
  };
  await fc.assert(
    fc.asyncProperty(sequence, (one) => compare(one, undefined, undefined, seen)),
    { numRuns: RUNS, endOnFailure: false },
  );
  const source = readFileSync(new URL('../../native/types/src/drop_reason.rs', import.meta.url), 'utf8');
  const reasons = engineDropReasons(source).map(([reason]) => reason);
  const verdicts = [
    'batch taken',
    'batch refused',
    'sent',
    'replicated',
    'dropped',
    'too big IPv4',
    'too big IPv6',
    ...['lldp', 'ecp', 'link_local', 'arp'].map((kind) => `punted ${kind}`),
  ];
  const lines = [...verdicts, ...reasons].map((what) => {
    const why = UNREACHABLE[what];
    return `${what.padEnd(22)} ${why === undefined ? (reached.get(what) ?? 0) : `- (${why})`}`;
  });
  process.stdout.write(`${lines.join('\n')}\n`);
  expect([...REASONS, ...Object.keys(UNREACHABLE)].sort(), 'each reason is in the model, or is not reached').toEqual(
    [...reasons].sort(),
  );
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
  // By a difference, not by whatever else can go wrong.
  expect((details.errorInstance as Error).name).toBe('AssertionError');
  const [small] = details.counterexample!;
  // Of up to ten packets, two batches and eighteen commands. (An array is made shorter before its items are made simpler, and not again.)
  expect(small.arrivals.length).toBeLessThanOrEqual(3);
  expect(small.batches).toHaveLength(0);
  expect(small.usual.length + small.tables.length).toBeLessThanOrEqual(6);
});
