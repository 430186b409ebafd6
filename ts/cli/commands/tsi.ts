// splitnve tsi: attach tenants' interfaces to VNs, and what becomes of them; at a tNVE (which makes their ports) or at an agent.

import type { Command } from 'commander';
import type { HypervisorClient, NewPort, ParamsIn, TsiListRow } from '#hypervisor';
import { examples } from '../help.js';
import type { Io } from '../io.js';
import { collect, printRows, type RpcOptions, runSilently, withClient, withTlsOptions } from '../rpc.js';
import type { Column } from '../table.js';
import { tagText } from './show.js';
import { registerTsiWatch } from './tsi-watch.js';

const COLUMNS: readonly Column<TsiListRow>[] = [
  { title: 'TSI', value: ({ tsi }) => tsi },
  { title: 'VN', value: ({ vn }) => vn },
  { title: 'LINK', value: ({ link }) => link },
  { title: 'STATE', value: stateText },
  { title: 'TAG', value: ({ tag }) => tagText(tag) },
  { title: 'MTU', value: ({ mtu }) => mtu, right: true },
  { title: 'GATEWAY', value: ({ gateway }) => gateway },
  { title: 'MACS', value: ({ macs }) => macs.join(',') },
  { title: 'IPS', value: ({ ips }) => ips.join(',') },
  { title: 'PORT', value: ({ iface, netns }) => (iface === undefined ? null : netns ? `${iface}@${netns}` : iface) },
  { title: 'CAUSE', value: ({ cause }) => cause },
];

function stateText({ state, suspended, migrating }: TsiListRow): string {
  return `${state}${suspended === true ? ' suspended' : ''}${migrating === true ? ' migrating' : ''}`;
}

interface Addresses {
  readonly mac?: string[];
  readonly ip?: string[];
}

interface AttachOptions extends RpcOptions, Addresses {
  readonly vn: string;
  readonly mac: string[];
  readonly tap?: string;
  readonly netns?: string;
  readonly vhost?: string;
  readonly pci?: string;
  readonly link?: string;
}

interface MigrateOptions extends RpcOptions, Addresses {
  readonly from?: string;
  readonly to?: string;
  readonly vn?: string;
}

export function registerTsi(program: Command, io: Io): void {
  const tsi = program
    .command('tsi')
    .description('Attach and detach Tenant System Interfaces.')
    .summary('attach, detach, move and list tenant interfaces')
    .helpGroup('Looking and changing:');

  const command = (name: string): Command =>
    withTlsOptions(tsi.command(name).argument('<tsi>', 'the id of the interface'));
  const show = async (options: RpcOptions, ask: (client: HypervisorClient) => Promise<TsiListRow>): Promise<void> =>
    printRows(io, options, COLUMNS, [await withClient(options, ask)]);

  withAddresses(command('attach'), true)
    .description(
      'Attach a tenant interface to a VN by name. On an access link of an agent its tag is negotiated (--link); else a port is made for it: a TAP interface (--tap, the only kind at a tNVE), a vhost-user socket (--vhost) or a PCI function (--pci).',
    )
    .summary('attach an interface to a VN')
    .requiredOption('--vn <name>', 'the VN')
    .option('--tap <iface>', 'make this TAP interface and attach it')
    .option('--netns <name>', 'with --tap: the network namespace that the interface moves into')
    .option('--vhost <path>', 'at an agent: make this vhost-user socket and attach it')
    .option('--pci <address>', 'at an agent: attach this PCI function')
    .option('--link <name>', 'at an agent: the access link')
    .addHelpText(
      'after',
      examples(
        'splitnve tsi attach blue-1 --socket /run/splitnve/tnve1.sock --vn blue --mac 02:00:00:00:00:01 --tap blue1 --netns blue1',
        'splitnve tsi attach vm7-eth0 --vn blue --mac 02:00:00:00:00:07 --ip 10.0.0.7 --link access0',
        'splitnve tsi attach vm7-eth0 --vn blue --mac 02:00:00:00:00:07 --link access0 --tls nve1:7891 --ca ca.pem --cert hv1.crt --key hv1.key',
      ),
    )
    .action((id: string, options: AttachOptions, self: Command) => {
      const params = attachParams(id, options, self);
      return show(options, (client) => client.attach(params));
    });

  command('detach')
    .description('Detach a tenant interface: nothing is forwarded for it any more, tag and port are given back.')
    .summary('detach an interface')
    .option('--link <name>', 'at an agent: the access link')
    .addHelpText(
      'after',
      examples(
        'splitnve tsi detach blue-1 --socket /run/splitnve/tnve1.sock',
        'splitnve tsi detach vm7-eth0 --link access0',
      ),
    )
    .action((id: string, options: RpcOptions & { link?: string }) => {
      const { link } = options;
      return runSilently(io, options, (client) => client.detach(link === undefined ? { tsi: id } : { tsi: id, link }));
    });

  withAddresses(command('associate'), true)
    .description('Associate an interface at an agent: it is authorized and has its tag, and nothing is forwarded yet.')
    .summary('authorize an interface and reserve its tag')
    .requiredOption('--vn <name>', 'the VN')
    .requiredOption('--link <name>', 'the access link')
    .addHelpText('after', examples('splitnve tsi associate vm7-eth0 --vn blue --mac 02:00:00:00:00:07 --link access0'))
    .action((id: string, options: AttachOptions & { link: string }) => {
      const { vn, mac: macs, ip: ips = [], link } = options;
      return show(options, (client) => client.associate({ tsi: id, vn, macs, ips, link }));
    });

  const steps = [
    ['activate', 'Activate an associated interface: it forwards.', 'forward for an interface'],
    ['deactivate', 'Deactivate an interface: it forwards no more and keeps its tag.', 'forward no more, keep the tag'],
    ['suspend', 'Its VM does not run and will again: deactivate it, and remember why.', 'its VM does not run for now'],
    ['resume', 'Its VM runs again: activate it.', 'its VM runs again'],
  ] as const;
  for (const [name, description, summary] of steps) {
    command(name)
      .description(description)
      .summary(summary)
      .requiredOption('--link <name>', 'the access link')
      .addHelpText('after', examples(`splitnve tsi ${name} vm7-eth0 --link access0`))
      .action((id: string, options: RpcOptions & { link: string }) =>
        show(options, (client) => client[name]({ tsi: id, link: options.link })),
      );
  }

  command('deassociate')
    .description('De-associate an interface: it forwards no more, and its tag is given back.')
    .summary('give up an interface')
    .requiredOption('--link <name>', 'the access link')
    .addHelpText('after', examples('splitnve tsi deassociate vm7-eth0 --link access0'))
    .action((id: string, options: RpcOptions & { link: string }) =>
      runSilently(io, options, (client) => client.deassociate({ tsi: id, link: options.link })),
    );

  withAddresses(command('migrate'), false)
    .description(
      'Announce that the VM of an interface moves: it is associated on the new link and goes on forwarding on the old one. Then: activate on the new link, deassociate on the old one.',
    )
    .summary('prepare a move to another link')
    .option('--from <link>', 'the link that it leaves, if that is of this agent')
    .option('--to <link>', 'the link that it comes to, if that is of this agent')
    .option('--vn <name>', 'the VN, if the interface is not at this agent yet')
    .addHelpText(
      'after',
      examples(
        'splitnve tsi migrate vm7-eth0 --from access0 --to access1',
        'splitnve tsi migrate vm7-eth0 --to access1 --vn blue --mac 02:00:00:00:00:07',
      ),
    )
    .action((id: string, options: MigrateOptions) => {
      const { from, to, vn, mac: macs, ip: ips } = options;
      return show(options, (client) => client.migrate(present({ tsi: id, from, to, vn, macs, ips })));
    });

  for (const [name, what] of [
    ['add', 'Add addresses to an interface.'],
    ['del', 'Take addresses from an interface.'],
  ] as const) {
    withAddresses(command(`address-${name}`), false)
      .description(what)
      .summary(what.slice(0, -1).toLowerCase())
      .requiredOption('--link <name>', 'the access link')
      .addHelpText('after', examples(`splitnve tsi address-${name} vm7-eth0 --link access0 --ip 10.0.0.8`))
      .action((id: string, options: RpcOptions & Addresses & { link: string }) => {
        const { link, mac: macs = [], ip: ips = [] } = options;
        const params = { tsi: id, link, macs, ips };
        return show(options, (client) =>
          name === 'add' ? client.addAddresses(params) : client.deleteAddresses(params),
        );
      });
  }

  withTlsOptions(tsi.command('list'))
    .description('List the tenant interfaces: VN, state, tag, addresses, and why one is not where it was asked to be.')
    .summary('list the interfaces')
    .addHelpText('after', examples('splitnve tsi list', 'splitnve tsi list --json'))
    .action(async (options: RpcOptions) => {
      printRows(io, options, COLUMNS, await withClient(options, (client) => client.list()));
    });

  registerTsiWatch(tsi, io);
}

function withAddresses(command: Command, isMacNeeded: boolean): Command {
  const mac = ['--mac <mac>', 'a MAC address of the interface; may be given again', collect] as const;
  return (isMacNeeded ? command.requiredOption(...mac) : command.option(...mac)).option(
    '--ip <ip>',
    'an IP address of the interface; may be given again',
    collect,
  );
}

/** Without what is undefined. */
function present(params: { readonly [K in keyof ParamsIn<'tsi.migrate'>]: ParamsIn<'tsi.migrate'>[K] | undefined }) {
  return Object.fromEntries(
    Object.entries(params).filter(([, value]) => value !== undefined),
  ) as unknown as ParamsIn<'tsi.migrate'>;
}

function attachParams(tsi: string, options: AttachOptions, command: Command): ParamsIn<'tsi.attach'> {
  const { vn, mac, ip = [], tap, netns, vhost, pci, link } = options;
  if ([tap, vhost, pci, link].filter((place) => place !== undefined).length !== 1)
    command.error('error: exactly one of --link, --tap, --vhost and --pci is needed');
  if (netns !== undefined && tap === undefined) command.error('error: --netns goes with --tap');
  const port: NewPort | undefined =
    tap !== undefined
      ? { kind: 'net_tap', iface: tap, netns: netns ?? null }
      : vhost !== undefined
        ? { kind: 'net_vhost', path: vhost }
        : pci !== undefined
          ? { kind: 'pci', address: pci }
          : undefined;
  return { tsi, vn, macs: mac, ips: ip, link: port ?? link ?? '' };
}
