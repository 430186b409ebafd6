// `npm start [-- --once] [-- --no-install]`: from a clean clone to the running demo.
import { build } from '../build.mjs';
import { setupOptions } from '../options.mjs';
import { setup } from '../setup.mjs';
import { run, SetupError, system } from '../system.mjs';

/** @param {string[]} args what setup does not take goes to the demo */
export async function main(args) {
  const { install, rest } = setupOptions(args);
  await setup(system, { sets: ['run'], install });
  await build();
  const demo = [process.execPath, 'dist/cli/main.js', 'demo', ...rest];
  if (system.isRoot) return run(process.execPath, demo.slice(1));
  if (!system.capture('sudo', ['--version'])) {
    throw new SetupError(
      'the demo makes network namespaces, which needs root',
      'run npm start as root, or install sudo',
    );
  }
  console.log(`start: the demo makes network namespaces: sudo ${demo.join(' ')}`);
  return run('sudo', demo);
}
