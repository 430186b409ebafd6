import { setupOptions } from '../options.mjs';
import { setup } from '../setup.mjs';
import { system } from '../system.mjs';

/** @param {string[]} args */
export async function main(args) {
  await setup(system, { sets: ['run', 'test', 'bench'], install: setupOptions(args).install });
  return 0;
}
