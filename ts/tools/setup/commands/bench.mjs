// `npm run bench [-- --quick]`: measures the engine beside its peers.
import { build } from '../build.mjs';
import { setupOptions } from '../options.mjs';
import { setup } from '../setup.mjs';
import { run, system } from '../system.mjs';

/** @param {string[]} args what setup does not take goes to the measurement */
export async function main(args) {
  const { install, rest } = setupOptions(args);
  await setup(system, { sets: ['run', 'bench'], install });
  await build();
  return run(process.execPath, ['test/bench/run.mjs', ...rest]);
}
