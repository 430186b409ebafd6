// The command tree: what there is, in the order of the help. One file per command in commands/.

import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { registerInject } from './commands/inject.js';
import { registerAgent, registerNva, registerTnve } from './commands/roles.js';
import { registerShow } from './commands/show.js';
import { registerTsi } from './commands/tsi.js';
import { registerVn } from './commands/vn.js';
import { failureOf } from './errors.js';
import { EXIT_CODES, examples } from './help.js';
import type { Io } from './io.js';

export function makeProgram(io: Io): Command {
  const program = new Command('splitnve')
    .description(
      'A Network Virtualization Edge (RFC 8014): tags on the access link name virtual networks, VXLAN carries them between NVEs.',
    )
    .version(version(), '-V, --version', 'print the version')
    .helpCommand('help [command]', 'print the help of a command')
    .addHelpText(
      'after',
      `${examples('splitnve agent -c /etc/splitnve/agent.toml', 'splitnve tsi list', 'splitnve show fdb --json')}${EXIT_CODES}`,
    );
  registerAgent(program, io);
  registerTnve(program, io);
  registerNva(program, io);
  registerShow(program, io);
  registerTsi(program, io);
  registerVn(program, io);
  registerInject(program, io);
  prepare(program, io);
  return program;
}

/** Runs a command line (without node and script); gives the exit code. */
export async function run(args: readonly string[], io: Io): Promise<number> {
  try {
    await makeProgram(io).parseAsync([...args], { from: 'user' });
    return 0;
  } catch (caught) {
    const { text, exitCode } = failureOf(caught);
    io.err(text);
    return exitCode;
  }
}

/** For every command: errors are ours to print, output goes to `io`, help has a fixed width. */
function prepare(command: Command, io: Io): void {
  command
    .exitOverride()
    .configureOutput({
      writeOut: io.out,
      writeErr: io.err,
      outputError: () => undefined,
      getOutHelpWidth: () => 110,
      getErrHelpWidth: () => 110,
    })
    .showSuggestionAfterError(true);
  for (const child of command.commands) prepare(child, io);
}

function version(): string {
  const file: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  return typeof file === 'object' && file !== null && 'version' in file ? String(file.version) : 'unknown';
}
