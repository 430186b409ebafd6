// splitnve agent, tnve, nva: run a role until a signal.

import { type Command, Option } from 'commander';
import type { RoleName } from '#model';
import { type Fault, readConfig, runAgent, runNva, runTnve } from '#roles';
import { examples } from '../help.js';
import type { Io } from '../io.js';

interface RoleOptions {
  readonly config: string;
  readonly check?: boolean;
}

export function registerAgent(program: Command, io: Io): void {
  role(program, io, 'agent', 'run the NVE: negotiate tags, ask the NVA, forward between access links and underlay')
    .addOption(
      new Option('--fault <name>', 'a fault, for tests only: "wrong-vni" sends with the Context ID plus 1').choices([
        'wrong-vni',
      ]),
    )
    .action(async (options: RoleOptions & { fault?: Fault }) => {
      if (!checked(io, 'agent', options)) await runAgent(options.config, { fault: options.fault });
    });
}

export function registerTnve(program: Command, io: Io): void {
  role(program, io, 'tnve', "run the hypervisor's side: tenants' ports and the tagged uplink to the NVE").action(
    async (options: RoleOptions) => {
      if (!checked(io, 'tnve', options)) await runTnve(options.config);
    },
  );
}

export function registerNva(program: Command, io: Io): void {
  role(program, io, 'nva', 'run the embedded Network Virtualization Authority').action(async (options: RoleOptions) => {
    if (!checked(io, 'nva', options)) await runNva(options.config);
  });
}

function role(program: Command, _io: Io, name: RoleName, summary: string): Command {
  return program
    .command(name)
    .description(
      `${summary[0]?.toUpperCase()}${summary.slice(1)}. Ends with SIGINT or SIGTERM; logs JSON lines to standard error.`,
    )
    .summary(summary)
    .helpGroup('Roles:')
    .requiredOption('-c, --config <file>', 'the configuration (TOML, see docs/configuration.md)')
    .option('--check', 'check the configuration and end')
    .addHelpText(
      'after',
      examples(
        `splitnve ${name} -c firmware-config/generic-vm/${name === 'nva' ? 'nva' : `${name}1`}.toml`,
        `splitnve ${name} -c /etc/splitnve/${name}.toml --check`,
      ),
    );
}

/** With `--check`: reads the file, says that it is good, and is done. */
function checked(io: Io, name: RoleName, { config, check }: RoleOptions): boolean {
  if (check !== true) return false;
  readConfig(name, config);
  io.out(`${config}: a valid configuration of splitnve ${name}\n`);
  return true;
}
