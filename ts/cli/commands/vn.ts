// splitnve vn: virtual networks of a running NVA.

import { type Command, InvalidArgumentError } from 'commander';
import type { VnListRow } from '#hypervisor';
import { examples } from '../help.js';
import type { Io } from '../io.js';
import { NVA_SOCKET, printRows, type RpcOptions, withClient, withRpcOptions } from '../rpc.js';
import type { Column } from '../table.js';

const COLUMNS: readonly Column<VnListRow>[] = [
  { title: 'VN', value: ({ vn }) => vn },
  { title: 'ID', value: ({ id }) => id, right: true },
  { title: 'VNI', value: ({ vni }) => vni, right: true },
  { title: 'MTU', value: ({ mtu }) => mtu, right: true },
  { title: 'GATEWAY', value: ({ gateway }) => gateway },
  { title: 'MEMBERS', value: ({ members }) => members.join(',') },
  { title: 'HOSTS', value: ({ hosts }) => hosts.map(({ tsi, nve }) => `${tsi}@${nve}`).join(',') },
];

export function registerVn(program: Command, io: Io): void {
  const vn = program
    .command('vn')
    .description(
      'Create, delete and list the virtual networks of a running NVA. What is made here is gone when the NVA ends.',
    )
    .summary('create, delete and list VNs at the NVA')
    .helpGroup('Looking and changing:');

  withRpcOptions(vn.command('add').argument('<name>', 'the name of the VN'), NVA_SOCKET)
    .description('Create a VN, or change the one of this name.')
    .summary('create a VN')
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
    .description('Delete a VN: its TSIs are de-associated at all NVEs.')
    .summary('delete a VN')
    .addHelpText('after', examples('splitnve vn del green'))
    .action(async (name: string, options: RpcOptions) => {
      await withClient(options, (client) => client.deleteVn(name));
      if (options.json === true) io.out('{}\n');
    });

  withRpcOptions(vn.command('list'), NVA_SOCKET)
    .description('List the VNs, their member NVEs and hosts.')
    .summary('list the VNs')
    .addHelpText('after', examples('splitnve vn list', 'splitnve vn list --json'))
    .action(async (options: RpcOptions) => {
      printRows(io, options, COLUMNS, await withClient(options, (client) => client.listVns()));
    });
}

/** Only that it is a number: its range is checked by the NVA, whose error says it. */
function number(text: string): number {
  if (!/^\d{1,10}$/.test(text)) throw new InvalidArgumentError('Expected a whole number.');
  return Number(text);
}
