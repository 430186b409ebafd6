// The commands behind the npm scripts, and how their failures are told.
import { SetupError } from './system.mjs';

/** @type {Record<string, { load: () => Promise<{ main: (args: string[]) => Promise<number> }>, what: string }>} */
const commands = {
  start: { load: () => import('./commands/start.mjs'), what: 'set up, build and run the demo' },
  setup: { load: () => import('./commands/setup.mjs'), what: 'install what is missing (--no-install: only list it)' },
  build: { load: () => import('./commands/build.mjs'), what: 'the native addon and the TypeScript, into dist/' },
  test: { load: () => import('./commands/test.mjs'), what: 'every test' },
  lint: { load: () => import('./commands/lint.mjs'), what: 'every linter and format check' },
  bench: {
    load: () => import('./commands/bench.mjs'),
    what: 'measure the engine beside dpdk-testpmd (--quick: a first figure)',
  },
  soak: { load: () => import('./commands/soak.mjs'), what: 'the long runs' },
};

/** @param {string[]} argv the command and its arguments */
export async function main([name = '', ...args]) {
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!command) {
    console.error(`error: ${name === '' ? 'no command' : `no such command: ${name}`}`);
    console.error('  fix: npm run one of');
    for (const [known, { what }] of Object.entries(commands)) console.error(`    ${known.padEnd(6)} ${what}`);
    process.exitCode = 2;
    return;
  }
  try {
    process.exitCode = await (await command.load()).main(args);
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    console.error(`error: ${error.message}\n  fix: ${error.remedy}`);
    process.exitCode = 1;
  }
}
