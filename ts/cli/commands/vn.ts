// splitnve vn: virtual networks of a running NVA, and those that an agent holds on its access links.

import { type Command, InvalidArgumentError } from 'commander';
import type { VnConnectionRow, VnListRow } from '#hypervisor';
import { examples } from '../help.js';
import type { Io } from '../io.js';
import {
  NVA_SOCKET,
  printRows,
  type RpcOptions,
  runSilently,
  withClient,
  withRpcOptions,
  withTlsOptions,
} from '../rpc.js';
import type { Column } from '../table.js';
import { tagText } from './show.js';

const COLUMNS: readonly Column<VnListRow>[] = [
  { title: 'VN', value: ({ vn }) => vn },
  { title: 'ID', value: ({ id }) => id, right: true },
  { title: 'VNI', value: ({ vni }) => vni, right: true },
  { title: 'MTU', value: ({ mtu }) => mtu, right: true },
  { title: 'GATEWAY', value: ({ gateway }) => gateway },
  { title: 'MEMBERS', value: ({ members }) => members.join(',') },
  { title: 'HOSTS', value: ({ hosts }) => hosts.map(({ tsi, nve }) => `${tsi}@${nve}`).join(',') },
];

const CONNECTIONS: readonly Column<VnConnectionRow>[] = [
  { title: 'VN', value: ({ vn }) => vn },
  { title: 'LINK', value: ({ link }) => link },
  { title: 'TAG', value: ({ tag }) => tagText(tag) },
  { title: 'MTU', value: ({ mtu }) => mtu, right: true },
  { title: 'GATEWAY', value: ({ gateway }) => gateway },
  { title: 'HELD', value: ({ held }) => (held ? 'yes' : 'no') },
  { title: 'TSIS', value: ({ tsis }) => tsis, right: true },
];

export function registerVn(program: Command, io: Io): void {
  const vn = program
    .command('vn')
    .description(
      'Create, delete and list the virtual networks of a running NVA; what is made so is gone when the NVA ends. Connect them to access links of a running agent.',
    )
    .summary('create, delete and list VNs at the NVA; connect them to links at an agent')
    .helpGroup('Looking and changing:');

  withRpcOptions(vn.command('add').argument('<name>', 'the name of the VN'), NVA_SOCKET)
    .description('At an NVA: create a VN, or change the one of this name.')
    .summary('at an NVA: create a VN')
    .requiredOption('--vni <number>', 'the VNI under which NVEs receive it', number)
    .option('--mtu <bytes>', "the tenant's IP MTU", number, 1500)
    .option('--id <number>', 'the number of the VN; chosen if absent', number)
    .option('--gateway <ip>', "the address of the VN's gateway")
    .addHelpText(
      'after',
      examples('splitnve vn add green --vni 5003', 'splitnve vn add green --vni 5003 --mtu 1400 --json'),
    )
    .action(async (name: string, options: RpcOptions & { vni: number; mtu: number; id?: number; gateway?: string }) => {
      const { vni, mtu, id, gateway } = options;
      const params = { name, vni, mtu, ...(id !== undefined && { id }), ...(gateway !== undefined && { gateway }) };
      printRows(io, options, COLUMNS, [await withClient(options, (client) => client.addVn(params))]);
    });

  withRpcOptions(vn.command('del').argument('<name>', 'the name of the VN'), NVA_SOCKET)
    .description('At an NVA: delete a VN. Its TSIs are de-associated at all NVEs.')
    .summary('at an NVA: delete a VN')
    .addHelpText('after', examples('splitnve vn del green'))
    .action(async (name: string, options: RpcOptions) => {
      await runSilently(io, options, (client) => client.deleteVn(name));
    });

  withRpcOptions(vn.command('list'), NVA_SOCKET)
    .description('At an NVA: list the VNs, their member NVEs and hosts.')
    .summary('at an NVA: list the VNs')
    .addHelpText('after', examples('splitnve vn list', 'splitnve vn list --json'))
    .action(async (options: RpcOptions) => {
      printRows(io, options, COLUMNS, await withClient(options, (client) => client.listVns()));
    });

  registerConnections(vn, io);
}

function registerConnections(vn: Command, io: Io): void {
  withTlsOptions(vn.command('connect').argument('<name>', 'the name of the VN'))
    .description('At an agent: hold a VN and its tag on an access link, also without a TSI, until it is disconnected.')
    .summary('at an agent: hold a VN on a link')
    .requiredOption('--link <name>', 'the access link')
    .addHelpText('after', examples('splitnve vn connect blue --link access0'))
    .action(async (name: string, options: RpcOptions & { link: string }) => {
      const params = { vn: name, link: options.link };
      printRows(io, options, CONNECTIONS, [await withClient(options, (client) => client.connectVn(params))]);
    });

  withTlsOptions(vn.command('disconnect').argument('<name>', 'the name of the VN'))
    .description('At an agent: take a VN from an access link. Its TSIs there are de-associated.')
    .summary('at an agent: take a VN from a link')
    .requiredOption('--link <name>', 'the access link')
    .addHelpText('after', examples('splitnve vn disconnect blue --link access0'))
    .action(async (name: string, options: RpcOptions & { link: string }) => {
      await runSilently(io, options, (client) => client.disconnectVn({ vn: name, link: options.link }));
    });

  withTlsOptions(vn.command('connections'))
    .description('At an agent: list which VN is on which access link, with its tag, and whether it is held there.')
    .summary('at an agent: list the VNs on links')
    .addHelpText('after', examples('splitnve vn connections', 'splitnve vn connections --json'))
    .action(async (options: RpcOptions) => {
      printRows(io, options, CONNECTIONS, await withClient(options, (client) => client.connections()));
    });
}

/** Only that it is a number: its range is checked by the NVA, whose error says it. */
function number(text: string): number {
  if (!/^\d{1,10}$/.test(text)) throw new InvalidArgumentError('Expected a whole number.');
  return Number(text);
}
