// `npm run bench -- --quick [--json FILE]`: what a packet costs the engine, beside dpdk-testpmd in the same run. docs/performance.md says
// what is measured and how.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { Bench, QUICK } from './bench.mjs';
import { BenchError, killAll } from './machine.mjs';
import { machineLines, table } from './report.mjs';

const USAGE = `Usage: npm run bench -- --quick [--json FILE]

Cycles per packet (TSC) of the engine's encapsulation and decapsulation, beside dpdk-testpmd's mode io on the same source
and sink. Takes less than a minute and two CPUs. docs/performance.md says what is measured and how.

  --quick      64-byte frames, 1 and 1,000 flows
  --json FILE  all figures, and every window that they come from`;

/** @param {string[]} args */
function options(args) {
  try {
    const string = /** @type {const} */ ({ type: 'string' });
    const flag = /** @type {const} */ ({ type: 'boolean' });
    return parseArgs({ args, options: { quick: flag, json: string, help: { ...flag, short: 'h' } } }).values;
  } catch (error) {
    throw new BenchError(error instanceof Error ? error.message : `${error}`, {
      remedy: 'npm run bench -- --help',
      cause: error,
    });
  }
}

/** @param {string[]} args */
async function main(args) {
  const { quick, json, help } = options(args);
  if (help) return console.log(USAGE);
  if (!quick)
    throw new BenchError('say how much to measure: only --quick exists so far', { remedy: 'npm run bench -- --quick' });
  const folder = mkdtempSync(path.join(tmpdir(), 'splitnve-bench-'));
  process.on('exit', () => {
    killAll();
    rmSync(folder, { recursive: true, force: true });
  });
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(130));

  const begin = performance.now();
  const bench = new Bench(folder);
  const machine = await bench.probe();
  console.log(machineLines(machine));
  for (const what of QUICK.filter(({ flows }) => flows > 1)) {
    await bench.check(what);
    console.log(`checked ${what.mode}: ${what.flows} frames went through once, and every byte of them is right`);
  }
  const { results, ...details } = await bench.compare(QUICK, (line) => console.log(line), machine.tscHz);
  console.log(`\n${table(results)}\n\n${((performance.now() - begin) / 1000).toFixed(0)} s`);
  if (json !== undefined) {
    const date = new Date().toISOString();
    writeFileSync(json, `${JSON.stringify({ date, machine, results, ...details }, undefined, 2)}\n`);
  }
}

main(process.argv.slice(2)).catch((/** @type {unknown} */ error) => {
  console.error(error instanceof BenchError ? `bench: ${error.message}` : error);
  // Not an exit code to be set and waited for: children may be running.
  process.exit(1);
});
