// `npm run soak`: the long runs. Arguments go to vitest (a file's name, `-t NAME`).
import { build } from '../build.mjs';
import { setupOptions } from '../options.mjs';
import { setup } from '../setup.mjs';
import { run, system } from '../system.mjs';

/** @param {string[]} args */
export async function main(args) {
  const { install, rest } = setupOptions(args);
  await setup(system, { sets: ['run', 'test'], install });
  await build();
  return run(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', '--project', 'soak', ...rest]);
}
