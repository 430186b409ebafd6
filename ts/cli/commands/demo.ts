// splitnve demo: two hosts, two VNs, everything real, in namespaces that vanish with it.

import { type Command, Option } from 'commander';
import { FAULTS, type Fault, runDemo } from '#tools';
import { examples } from '../help.js';

interface Options {
  readonly once?: boolean;
  readonly fault?: Fault;
  readonly keepLogs?: boolean;
}

export function registerDemo(program: Command, setExitCode: (code: number) => void): void {
  program
    .command('demo')
    .description(
      'Build two hosts with two tenants each, in network namespaces that vanish with the demo, attach the tenants to two VNs, and check that each reaches its own and nobody else. Needs root. Exits 0 only if every check held.',
    )
    .summary('two hosts and two VNs in namespaces, and a verdict')
    .helpGroup('Tools:')
    .option('--once', 'end after the verdict; else a live table goes on until Ctrl-C')
    .addOption(new Option('--fault <name>', 'break something on purpose: the verdict must turn red').choices(FAULTS))
    .option('--keep-logs', 'keep the logs of all processes in a folder of /tmp')
    .addHelpText('after', examples('sudo splitnve demo --once', 'sudo splitnve demo --once --fault wrong-vni'))
    .action(async ({ once, fault, keepLogs }: Options) => {
      setExitCode(await runDemo({ once: once === true, fault, keepLogs }));
    });
}
