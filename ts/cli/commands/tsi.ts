// splitnve tsi: attach tenants' interfaces to VNs, at a tNVE (which makes their ports) or at an agent.

import type { Command } from 'commander';
import type { ParamsIn, TsiListRow } from '#hypervisor';
import { examples } from '../help.js';
import type { Io } from '../io.js';
import { collect, printRows, type RpcOptions, withClient, withTlsOptions } from '../rpc.js';
import type { Column } from '../table.js';
import { tagText } from './show.js';

const COLUMNS: readonly Column<TsiListRow>[] = [
  { title: 'TSI', value: ({ tsi }) => tsi },
  { title: 'VN', value: ({ vn }) => vn },
  { title: 'LINK', value: ({ link }) => link },
  { title: 'STATE', value: ({ state }) => state },
  { title: 'TAG', value: ({ tag }) => tagText(tag) },
  { title: 'MTU', value: ({ mtu }) => mtu, right: true },
  { title: 'MACS', value: ({ macs }) => macs.join(',') },
  { title: 'IPS', value: ({ ips }) => ips.join(',') },
  { title: 'PORT', value: ({ iface, netns }) => (iface === undefined ? null : netns ? `${iface}@${netns}` : iface) },
  { title: 'CAUSE', value: ({ cause }) => cause },
];

interface AttachOptions extends RpcOptions {
  readonly vn: string;
  readonly mac: string[];
  readonly ip?: string[];
  readonly tap?: string;
  readonly netns?: string;
  readonly link?: string;
  readonly associateOnly?: boolean;
}

export function registerTsi(program: Command, io: Io): void {
  const tsi = program
    .command('tsi')
    .description('Attach and detach Tenant System Interfaces.')
    .summary('attach, detach and list tenant interfaces')
    .helpGroup('Looking and changing:');

  withTlsOptions(tsi.command('attach').argument('<tsi>', 'the id of the interface'))
    .description(
      'Attach a tenant interface to a VN by name. At a tNVE a TAP port is made for it (--tap); at an agent only the tag of the access link is negotiated (--link).',
    )
    .summary('attach an interface to a VN')
    .requiredOption('--vn <name>', 'the VN')
    .requiredOption('--mac <mac>', 'a MAC address of the interface; may be given again', collect)
    .option('--ip <ip>', 'an IP address of the interface; may be given again', collect)
    .option('--tap <iface>', 'at a tNVE: the TAP interface to make')
    .option('--netns <name>', 'at a tNVE: the network namespace that the interface moves into')
    .option('--link <name>', 'at an agent: the access link')
    .option('--associate-only', 'at an agent: authorize and reserve a tag, forward nothing yet')
    .addHelpText(
      'after',
      examples(
        'splitnve tsi attach blue-1 --socket /run/splitnve/tnve1.sock --vn blue --mac 02:00:00:00:00:01 --tap blue1 --netns blue1',
        'splitnve tsi attach vm7-eth0 --vn blue --mac 02:00:00:00:00:07 --ip 10.0.0.7 --link access0',
      ),
    )
    .action(async (id: string, options: AttachOptions, command: Command) => {
      const params = attachParams(id, options, command);
      const row = await withClient(options, (client) =>
        options.associateOnly === true
          ? client.associate({ ...params, link: options.link ?? '' })
          : client.attach(params),
      );
      printRows(io, options, COLUMNS, [row]);
    });

  withTlsOptions(tsi.command('detach').argument('<tsi>', 'the id of the interface'))
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
    .action(async (id: string, options: RpcOptions & { link?: string }) => {
      const { link } = options;
      await withClient(options, (client) => client.detach(link === undefined ? { tsi: id } : { tsi: id, link }));
      if (options.json === true) io.out('{}\n');
    });

  withTlsOptions(tsi.command('list'))
    .description('List the tenant interfaces: VN, state, tag, addresses, and why one is not where it was asked to be.')
    .summary('list the interfaces')
    .addHelpText('after', examples('splitnve tsi list', 'splitnve tsi list --json'))
    .action(async (options: RpcOptions) => {
      printRows(io, options, COLUMNS, await withClient(options, (client) => client.list()));
    });
}

function attachParams(tsi: string, options: AttachOptions, command: Command): ParamsIn<'tsi.attach'> {
  const { vn, mac, ip = [], tap, netns, link, associateOnly } = options;
  if ((tap === undefined) === (link === undefined))
    command.error('error: one of --tap (at a tNVE) and --link (at an agent) is needed');
  if (netns !== undefined && tap === undefined) command.error('error: --netns goes with --tap');
  if (associateOnly === true && link === undefined) command.error('error: --associate-only goes with --link');
  const port = tap === undefined ? (link ?? '') : ({ kind: 'net_tap', iface: tap, netns: netns ?? null } as const);
  return { tsi, vn, macs: mac, ips: ip, link: port };
}
