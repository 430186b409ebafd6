// `npm run lint`: every linter and format check, all of them even when one fails.
import { setupOptions } from '../options.mjs';
import { setup } from '../setup.mjs';
import { duration, run, SetupError, system } from '../system.mjs';

/** @type {[name: string, command: string, args: string[]][]} */
const checks = [
  [
    'biome',
    'node_modules/.bin/biome',
    ['ci', '--error-on-warnings', ...(process.stdout.isTTY ? [] : ['--colors=off'])],
  ],
  ['tsc', 'node_modules/.bin/tsc', ['-p', 'tsconfig.lint.json']],
  ['layers', process.execPath, ['ts/tools/lint/layers.mjs']],
  ['rustfmt', 'cargo', ['fmt', '--all', '--check']],
  // --locked: Cargo.lock is committed, and must be what the manifests say.
  ['clippy', 'cargo', ['clippy', '--locked', '--workspace', '--all-targets', '--quiet', '--', '-D', 'warnings']],
];

/** @param {string[]} args */
export async function main(args) {
  await setup(system, { sets: ['run'], install: setupOptions(args).install });
  for (const component of ['fmt', 'clippy']) {
    if (system.capture('cargo', [component, '--version'])?.status !== 0) {
      throw new SetupError(`cargo ${component} is not there`, 'rustup component add rustfmt clippy');
    }
  }
  const failed = [];
  for (const [name, command, commandArgs] of checks) {
    const start = performance.now();
    const status = await run(command, commandArgs);
    console.log(`lint: ${name}: ${status === 0 ? 'ok' : 'FAILED'}, ${duration(performance.now() - start)}`);
    if (status !== 0) failed.push(name);
  }
  if (failed.length > 0) console.log(`lint: failed: ${failed.join(', ')}`);
  return failed.length > 0 ? 1 : 0;
}
