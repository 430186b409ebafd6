// `npm test`: sets up, builds, runs every runner, and ends with one line that counts them all.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { build } from '../build.mjs';
import { setupOptions } from '../options.mjs';
import { addFailure, CargoReader, closingLine, emptyResult, sum } from '../results.mjs';
import { setup } from '../setup.mjs';
import { duration, run, SetupError, system } from '../system.mjs';

/** @typedef {import('../results.mjs').Result} Result */

/** @typedef {{ name: string, needed?: boolean, run: () => Promise<Result> }} Stage */

/**
 * The stages in their order. One that others need (`needed`) stops them when it fails: each counts as a failure then. The build begins with
 * the first and goes on beside it: most of its time is the linker's, which has use for one CPU only. What it says it says in its turn.
 * @returns {Stage[]}
 */
function stages() {
  const building = buildBeside();
  return [
    { name: 'cargo tests', run: cargoTests },
    { name: 'unit tests', run: () => vitest('unit') },
    { name: 'build', needed: true, run: () => buildStage(building) },
    { name: 'e2e tests', run: () => vitest('e2e*') },
  ];
}

/** @param {string[]} args */
export async function main(args) {
  const { install, rest } = setupOptions(args);
  if (rest.length > 0) {
    throw new SetupError(
      `npm test takes no ${rest.join(' ')}`,
      'to run some tests: npx vitest run FILE, or cargo test -p CRATE NAME',
    );
  }
  await setup(system, { sets: ['run', 'test'], install });

  const rows = [];
  let stopped = '';
  for (const stage of stages()) {
    const start = performance.now();
    console.log(`\n=== ${stage.name}`);
    let result = emptyResult();
    if (stopped) addFailure(result, `${stage.name}: not run, because ${stopped} failed`);
    else result = await stage.run();
    if (stage.needed && result.failed > 0) stopped = stage.name;
    const time = duration(performance.now() - start);
    console.log(`=== ${stage.name}: ${outcome(result)}, ${time}`);
    rows.push({ name: stage.name, time, result });
  }

  const total = sum(rows.map(({ result }) => result));
  console.log('\n=== summary');
  for (const { name, time, result } of rows)
    console.log(`${name.padEnd(12)} ${time.padStart(12)}   ${outcome(result)}`);
  if (total.skips.length > 0) console.log('\nskipped:');
  for (const { name, reason } of total.skips) console.log(`  ${name}: ${reason || 'gives no reason'}`);
  if (total.failures.length > 0) console.log('\nfailed:');
  for (const name of total.failures) console.log(`  ${name}`);
  console.log(`\n${closingLine(total)}`);
  return total.failed > 0 ? 1 : 0;
}

/** @param {Result} result */
function outcome(result) {
  return result.passed + result.failed + result.skipped === 0 ? 'done' : closingLine(result);
}

async function cargoTests() {
  const reader = new CargoReader();
  const status = await run('cargo', ['test', '--locked', '--workspace', '--no-fail-fast'], {
    onLine: (line) => {
      if (reader.read(line)) console.log(line);
    },
  });
  const result = reader.end(status);
  if (result.passed + result.failed === 0) addFailure(result, 'cargo tests: no test was run');
  return result;
}

/** @returns {Promise<{ lines: string[], error?: unknown }>} what the build said, and why it failed if it did */
async function buildBeside() {
  /** @type {string[]} */
  const lines = [];
  try {
    await build((line) => lines.push(line));
    return { lines };
  } catch (error) {
    return { lines, error };
  }
}

/** @param {ReturnType<typeof buildBeside>} building @returns {Promise<Result>} */
async function buildStage(building) {
  const result = emptyResult();
  const { lines, error } = await building;
  for (const line of lines) console.log(line);
  if (error instanceof SetupError) addFailure(result, `build: ${error.message}`);
  else if (error !== undefined) throw error;
  return result;
}

/** @param {string} project of vitest.config.ts @returns {Promise<Result>} */
async function vitest(project) {
  const folder = mkdtempSync(path.join(tmpdir(), 'splitnve-test-'));
  const target = path.join(folder, 'result.json');
  const reporters = ['--reporter=default', '--reporter=./ts/tools/setup/vitest-reporter.mjs'];
  const status = await run(
    process.execPath,
    ['node_modules/vitest/vitest.mjs', 'run', '--project', project, '--allowOnly=false', ...reporters],
    { env: { SPLITNVE_TEST_RESULT: target } },
  );
  const result = readResult(target);
  rmSync(folder, { recursive: true });
  if (result.passed + result.failed === 0) addFailure(result, `${project} tests: no test was run`);
  else if (status !== 0 && result.failed === 0)
    addFailure(result, `${project} tests: vitest ended with exit code ${status}`);
  return result;
}

/** @param {string} file @returns {Result} */
function readResult(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    // vitest did not come to its end; the caller counts that.
    return emptyResult();
  }
}
