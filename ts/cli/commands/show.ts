// splitnve show: the tables of a running role.

import type { Command } from 'commander';
import type { ShowRows } from '#hypervisor';
import { formatTag, type Tag } from '#model';
import { examples } from '../help.js';
import type { Io } from '../io.js';
import { printRows, type RpcOptions, withClient, withRpcOptions } from '../rpc.js';
import type { Column } from '../table.js';

const list = (items: readonly string[]): string => items.join(',');
export const tagText = (tag: Tag | null): string | null => (tag === null ? null : formatTag(tag));
const yes = (value: boolean): string => (value ? 'yes' : 'no');

/** VDP has a command of its own: `vdp show`. */
type Table = Exclude<keyof ShowRows, 'vdp'>;

const COLUMNS: { readonly [K in Table]: readonly Column<ShowRows[K]>[] } = {
  vn: [
    { title: 'VN', value: ({ vn }) => vn },
    { title: 'ID', value: ({ id }) => id, right: true },
    { title: 'VNI', value: ({ vni }) => vni, right: true },
    { title: 'MTU', value: ({ mtu }) => mtu, right: true },
    { title: 'VAPS', value: ({ vaps }) => vaps, right: true },
    { title: 'ROWS', value: ({ rows }) => rows, right: true },
    { title: 'FLOOD', value: ({ flood }) => list(flood) },
    { title: 'SOURCES', value: ({ sources }) => list(sources) },
  ],
  vap: [
    { title: 'VAP', value: ({ vap }) => vap, right: true },
    { title: 'VN', value: ({ vn }) => vn },
    { title: 'PORT', value: ({ port }) => port },
    { title: 'TAG', value: ({ tag }) => tagText(tag) },
    { title: 'GUARD', value: ({ guard }) => yes(guard) },
    { title: 'UPLINK', value: ({ uplink }) => yes(uplink) },
    { title: 'IN-PACKETS', value: ({ in_packets }) => in_packets, right: true },
    { title: 'IN-BYTES', value: ({ in_bytes }) => in_bytes, right: true },
    { title: 'OUT-PACKETS', value: ({ out_packets }) => out_packets, right: true },
    { title: 'OUT-BYTES', value: ({ out_bytes }) => out_bytes, right: true },
  ],
  fdb: [
    { title: 'VN', value: ({ vn }) => vn },
    { title: 'MAC', value: ({ mac }) => mac },
    { title: 'TO', value: ({ to }) => to },
    { title: 'PORT', value: ({ port }) => port },
    { title: 'TAG', value: ({ tag }) => tagText(tag) },
    { title: 'NVE', value: ({ nve }) => nve },
    { title: 'REMOTE', value: ({ remote }) => remote },
    { title: 'ENCAP', value: ({ encap, context_id }) => (encap === null ? null : `${encap} ${context_id}`) },
    { title: 'TSI', value: ({ tsi }) => tsi },
  ],
  drops: [
    { title: 'PORT', value: ({ port }) => port },
    { title: 'REASON', value: ({ reason }) => reason },
    { title: 'PACKETS', value: ({ packets }) => packets, right: true },
  ],
  ports: [
    { title: 'PORT', value: ({ port }) => port },
    { title: 'ID', value: ({ id }) => id, right: true },
    { title: 'DRIVER', value: ({ driver }) => driver },
    { title: 'MAC', value: ({ mac }) => mac },
    { title: 'MTU', value: ({ mtu }) => mtu, right: true },
    { title: 'LINK', value: ({ link }) => link },
    { title: 'ROLE', value: ({ role }) => role },
    { title: 'RX-PACKETS', value: ({ rx_packets }) => rx_packets, right: true },
    { title: 'RX-BYTES', value: ({ rx_bytes }) => rx_bytes, right: true },
    { title: 'TX-PACKETS', value: ({ tx_packets }) => tx_packets, right: true },
    { title: 'TX-BYTES', value: ({ tx_bytes }) => tx_bytes, right: true },
    { title: 'MISSED', value: ({ rx_missed }) => rx_missed, right: true },
    { title: 'ERRORS', value: ({ rx_errors }) => rx_errors, right: true },
  ],
  nva: [
    { title: 'NVE', value: ({ nve }) => nve },
    { title: 'NVA', value: ({ nva }) => nva },
    { title: 'STATE', value: ({ state }) => state },
    { title: 'ENDPOINT', value: ({ endpoint }) => endpoint },
    { title: 'VNS', value: ({ subscriptions }) => subscriptions, right: true },
    { title: 'ATTACHED', value: ({ attachments }) => attachments, right: true },
    { title: 'ERROR', value: ({ error }) => error },
  ],
};

const SUMMARIES: { readonly [K in Table]: string } = {
  vn: 'the VNs: VNI, MTU, where broadcast goes, who may send',
  vap: 'the VAPs: which tag of which port belongs to which VN, and their counters',
  fdb: 'the overlay MACs and where each is: a VAP here, or another NVE',
  drops: 'what was dropped, by reason and by the port where it came in',
  ports: 'the ports, their links and counters',
  nva: 'the session with the NVA; at an NVA, its NVEs',
};

export function registerShow(program: Command, io: Io): void {
  const show = program
    .command('show')
    .description('Show a table of a running agent, tNVE or NVA.')
    .summary('show a table of a running role')
    .helpGroup('Looking and changing:');
  for (const kind of Object.keys(SUMMARIES) as Table[]) registerTable(show, io, kind);
}

function registerTable<K extends Table>(show: Command, io: Io, kind: K): void {
  const command = withRpcOptions(show.command(kind).description(`Show ${SUMMARIES[kind]}.`).summary(SUMMARIES[kind]));
  if (kind === 'drops') command.option('--all', 'also reasons that never occurred');
  command
    .addHelpText(
      'after',
      examples(`splitnve show ${kind}`, `splitnve show ${kind} --socket /run/splitnve/tnve.sock --json`),
    )
    .action(async (options: RpcOptions & { all?: boolean }) => {
      const rows = await withClient(options, (client) => client.show(kind));
      const shown =
        kind === 'drops' && options.all !== true ? rows.filter((row) => 'packets' in row && row.packets > 0) : rows;
      printRows(io, options, COLUMNS[kind], shown);
    });
}
