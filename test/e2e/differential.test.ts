// The engine against its reference model (ts/dataplane/sim): random batches of commands and random packets, the same into both; both take or
// refuse a batch, and what becomes of each packet, and every octet that leaves, is the same. SPLITNVE_DIFF_SEED repeats a run.
//
// Not compared: what needs time or a link (rates, ageing, events, links and neighbours that come and go), the exception path, and groups of the underlay.
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { fateOf, REASONS } from '../../ts/dataplane/sim/index.js';
import { obstacle } from '../lib/command.js';
import { Reached, UNREACHABLE } from '../lib/differential/report.js';
import { FDB, type Options, Runner } from '../lib/differential/run.js';
import { sequence } from '../lib/differential/sequence.js';
import { Lab } from '../lib/lab.js';

const RUNS = Number(process.env['SPLITNVE_DIFF_RUNS'] ?? 10_000);
const SEED = process.env['SPLITNVE_DIFF_SEED'];
const why = obstacle('ip', 'nsenter');
const lab = new Lab();
let runner: Runner;

beforeAll(async () => {
  if (why !== undefined) return;
  runner = await Runner.create(
    await lab.engine('differential', await lab.namespace('differential'), { fdbCapacity: FDB }),
  );
});
afterAll(() => lab.close());
beforeEach((context) => {
  if (why !== undefined) context.skip(why);
});

it(`forwards as the model does, in ${RUNS} sequences`, { timeout: 600_000 }, async () => {
  const reached = new Reached();
  const seen = (what: Parameters<NonNullable<Options['seen']>>[0]) => reached.see(what);
  await fc.assert(
    fc.asyncProperty(sequence, (one) => runner.run(one, { seen })),
    { numRuns: RUNS, ...(SEED === undefined ? {} : { seed: Number(SEED) }) },
  );
  process.stdout.write(`${reached.lines().join('\n')}\n`);
  expect([...REASONS, ...Object.keys(UNREACHABLE)].sort(), 'each reason is in the model, or is not reached').toEqual(
    Reached.reasons().sort(),
  );
  // A short run does not reach everything.
  if (RUNS >= 10_000) expect(reached.missed()).toEqual([]);
  expect(Object.keys(UNREACHABLE).filter((what) => reached.has(what))).toEqual([]);
});

const FAULTS: readonly [string, Options][] = [
  [
    'an engine that gets one bit of a VNI wrong',
    {
      alter: (trace) => ({
        ...trace,
        frames: trace.frames.map(({ port, frame }) => {
          const wrong = Uint8Array.from(frame);
          if (port === 2 && wrong.length > 64) wrong[48] = (wrong[48] ?? 0) ^ 1;
          return { port, frame: wrong };
        }),
      }),
    },
  ],
  [
    'a model whose VAPs never guard',
    {
      model: (state, machine, port, frame) => {
        const vaps = new Map([...state.vaps].map(([id, vap]) => [id, { ...vap, guard: false }] as const));
        return fateOf({ ...state, vaps }, machine, port, frame);
      },
    },
  ],
  [
    'an engine that says nothing about its Geneve options',
    {
      alter: (trace) => ({
        ...trace,
        frames: trace.frames.map(({ port, frame }) => {
          const wrong = Uint8Array.from(frame);
          if (port === 2 && frame[23] === 17 && frame[36] === 0x17 && frame[37] === 0xc1) wrong[42] = 0;
          return { port, frame: wrong };
        }),
      }),
    },
  ],
  [
    'a model whose lists look at no ports',
    {
      model: (state, machine, port, frame) => {
        const acls = [...state.acls].map(([id, acl]) => {
          const rules = acl.rules.map(({ srcPort: _, dstPort: __, ...rule }) => rule);
          return [id, { ...acl, rules }] as const;
        });
        return fateOf({ ...state, acls: new Map(acls) }, machine, port, frame);
      },
    },
  ],
  [
    'a model of which a group always takes the first next hop',
    {
      model: (state, machine, port, frame) =>
        fateOf(state, { ...machine, choose: (_, living) => living[0]! }, port, frame),
    },
  ],
];

it.each(FAULTS)('%s is found, and the sequence is made small', { timeout: 120_000 }, async (_, fault) => {
  const details = await fc.check(
    fc.asyncProperty(sequence, (one) => runner.run(one, fault)),
    { numRuns: 4_000, seed: 8014 },
  );
  // By a difference, not by whatever else can go wrong.
  expect((details.errorInstance as Error | undefined)?.name).toBe('AssertionError');
  const [small] = details.counterexample!;
  // Of up to ten packets, two batches and fifty-odd commands. (An array is made shorter before its items are made simpler, and not again.)
  expect(small.arrivals.length).toBeLessThanOrEqual(3);
  expect([...small.usual, ...small.tables, ...small.batches.flat()].length).toBeLessThanOrEqual(8);
});
