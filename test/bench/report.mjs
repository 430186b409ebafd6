// The figures, as a table for people and as JSON.
import { BenchError } from './machine.mjs';
import { cyclesPerPacket, median, quantile } from './measure.mjs';

/** @typedef {import('./measure.mjs').Window} Window */
/** @typedef {import('./scenario.mjs').Case} Case */
/** @typedef {{ testpmd: Window[], engine: Window[] }} Round one run of each, one right after the other */

/** A window in which others had the CPU for more than this share says little of the thread: its caches were theirs. */
const DISTURBED = 0.2;
/** @param {Window} window */
const isDisturbed = ({ waited, packets }) => waited > DISTURBED || packets === 0;

/** @param {Window[]} windows @param {number} tscHz */
function summary(windows, tscHz) {
  const good = windows.filter((window) => !isDisturbed(window));
  const cycles = good.map((window) => cyclesPerPacket(window, tscHz));
  return {
    cycles: median(cycles),
    quartiles: [quantile(cycles, 0.25), quantile(cycles, 0.75)],
    // What these cycles give on a CPU that nobody else uses.
    packetsPerSecond: tscHz / median(cycles),
    windows: windows.length,
    disturbed: windows.length - good.length,
  };
}

/** @param {Case} what @param {Round[]} rounds @param {number} tscHz */
export function compare(what, rounds, tscHz) {
  /** @param {(round: Round) => Window[]} side */
  const all = (side) => summary(rounds.flatMap(side), tscHz);
  const [testpmd, engine] = [all((round) => round.testpmd), all((round) => round.engine)];
  for (const { windows, disturbed } of [testpmd, engine]) {
    if (disturbed > windows / 2)
      throw new BenchError(`others had the poller's CPU in ${disturbed} of ${windows} windows`, {
        remedy: 'run it on a machine that does nothing else',
      });
  }
  const differences = rounds
    .map((round) => summary(round.engine, tscHz).cycles - summary(round.testpmd, tscHz).cycles)
    .filter((difference) => !Number.isNaN(difference));
  return {
    ...what,
    testpmd,
    engine,
    difference: engine.cycles - testpmd.cycles,
    differences: [Math.min(...differences), Math.max(...differences)],
    ratio: engine.cycles / testpmd.cycles,
  };
}

/** @typedef {ReturnType<typeof compare>} Comparison */

const COLUMNS = ['', 'flows', 'testpmd io', 'Mpps', 'engine', 'Mpps', 'more', 'ratio'];
const WIDTHS = [6, 6, 17, 6, 17, 6, 16, 6];

/** @param {import('./bench.mjs').Machine} machine */
export function machineLines({ cpu, cpus, virtual, kernel, dpdk, hugepages, freeHugepagesMb, tscHz, preferred, used }) {
  const free =
    freeHugepagesMb === 0 ? 'no huge pages are reserved' : `only ${freeHugepagesMb} MB of huge pages are free`;
  return [
    `machine: ${cpu}, ${cpus} CPUs${virtual ? ', virtual' : ''}, TSC ${(tscHz / 1e6).toFixed(0)} MHz, Linux ${kernel}`,
    `${dpdk}, packet buffers of both sides on ${hugepages ? 'huge pages' : `ordinary pages (${free})`}`,
    `poller on CPU ${used.poller}${preferred ? ', at the highest priority' : ''}, everything else on CPU ${used.others}`,
  ].join('\n');
}

/** @param {number[]} values */
const sum = (values) => values.reduce((total, value) => total + value, 0);

/** @param {Comparison[]} rows */
export function table(rows) {
  const cell = (/** @type {number} */ value) => value.toFixed(0);
  const spread = (/** @type {number} */ middle, /** @type {number[]} */ [low, high]) =>
    `${cell(middle)} (${cell(low ?? 0)}-${cell(high ?? 0)})`;
  const mpps = (/** @type {number} */ packets) => (packets / 1e6).toFixed(1);
  const lines = rows.map(({ mode, flows, testpmd, engine, difference, differences, ratio }) => [
    mode,
    `${flows}`,
    spread(testpmd.cycles, testpmd.quartiles),
    mpps(testpmd.packetsPerSecond),
    spread(engine.cycles, engine.quartiles),
    mpps(engine.packetsPerSecond),
    `+${spread(difference, differences)}`,
    ratio.toFixed(2),
  ]);
  const table = [COLUMNS, ...lines].map((line) =>
    line
      .map((text, n) => text.padStart(WIDTHS[n] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  const sides = rows.flatMap(({ testpmd, engine }) => [testpmd, engine]);
  const [windows, disturbed] = [sum(sides.map((side) => side.windows)), sum(sides.map((side) => side.disturbed))];
  return [
    'TSC cycles per packet (median, quartiles) and millions of packets per second, 64-byte frames.',
    '"more": engine less testpmd, of all windows (and the least and most of a round).',
    '',
    ...table,
    ...(disturbed === 0 ? [] : ['', `${disturbed} of ${windows} windows are left out: others had the poller's CPU.`]),
  ].join('\n');
}
