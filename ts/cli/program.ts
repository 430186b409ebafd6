// The command tree: what there is, in the order of the help. One file per command in commands/. A command loads what only it needs, the
// roles above all, when it runs: one that asks an agent a question is not to wait for them.

import { Command } from 'commander';
import { version } from '#hypervisor';
import { registerCapture } from './commands/capture.js';
import { registerDemo } from './commands/demo.js';
import { registerInject } from './commands/inject.js';
import { registerAgent, registerNva, registerTnve } from './commands/roles.js';
import { registerShow } from './commands/show.js';
import { registerTrace } from './commands/trace.js';
import { registerTsi } from './commands/tsi.js';
import { registerVdp } from './commands/vdp.js';
import { registerVn } from './commands/vn.js';
import { failureOf } from './errors.js';
import { EXIT_CODES, examples } from './help.js';
import type { Io } from './io.js';

/** `setExitCode` is for a command that ends without an error and not well: a demo whose verdict is red. */
export function makeProgram(io: Io, setExitCode: (code: number) => void = () => undefined): Command {
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
  registerVdp(program, io);
  registerVn(program, io);
  registerCapture(program, io);
  registerTrace(program, io);
  registerInject(program, io);
  registerDemo(program, setExitCode);
  prepare(program, io);
  return program;
}

/** Runs a command line (without node and script); gives the exit code. */
export async function run(args: readonly string[], io: Io): Promise<number> {
  let exitCode = 0;
  const setExitCode = (code: number): void => {
    exitCode = code;
  };
  try {
    await makeProgram(io, setExitCode).parseAsync([...args], { from: 'user' });
    return exitCode;
  } catch (caught) {
    const failure = failureOf(caught);
    io.err(failure.text);
    return failure.exitCode;
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
