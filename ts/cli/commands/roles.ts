// splitnve agent, tnve, nva: run a role until a signal.

import { type Command, InvalidArgumentError, Option } from 'commander';
import { formatMetricsAddress, type MetricsAddress, parseMetricsAddress, serveMetrics } from '#api';
import type { RoleName } from '#model';
import type { AgentFace, Fault, RunAgentOptions } from '#roles';
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
    .addOption(
      new Option(
        '--metrics <address>',
        'serve metrics to Prometheus: IP:PORT, or unix:PATH; see docs/operations.md',
      ).argParser(metricsAddress),
    )
    .action(async (options: RoleOptions & { fault?: Fault; metrics?: MetricsAddress }) => {
      if (await checked(io, 'agent', options)) return;
      const { runAgent } = await import('#roles');
      const { config, fault, metrics } = options;
      await runAgent(config, { fault, face: metrics && metricsFace(metrics) });
    });
}

export function registerTnve(program: Command, io: Io): void {
  role(program, io, 'tnve', "run the hypervisor's side: tenants' ports and the tagged uplink to the NVE").action(
    async (options: RoleOptions) => {
      if (!(await checked(io, 'tnve', options))) await (await import('#roles')).runTnve(options.config);
    },
  );
}

export function registerNva(program: Command, io: Io): void {
  role(program, io, 'nva', 'run the embedded Network Virtualization Authority').action(async (options: RoleOptions) => {
    if (!(await checked(io, 'nva', options))) await (await import('#roles')).runNva(options.config);
  });
}

function metricsAddress(text: string): MetricsAddress {
  const address = parseMetricsAddress(text);
  if (!address.ok) throw new InvalidArgumentError(`${address.error.message}.`);
  return address.value;
}

function metricsFace(address: MetricsAddress): RunAgentOptions['face'] {
  return async (agent, log): Promise<AgentFace> => {
    const server = await serveMetrics(address, () => agent.readings());
    log.info({ component: 'metrics', address: formatMetricsAddress(server.address) }, 'metrics are served');
    return server;
  };
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
async function checked(io: Io, name: RoleName, { config, check }: RoleOptions): Promise<boolean> {
  if (check !== true) return false;
  const { readConfig } = await import('#roles');
  readConfig(name, config);
  io.out(`${config}: a valid configuration of splitnve ${name}\n`);
  return true;
}
