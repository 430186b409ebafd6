// splitnve show: the tables of a running role.

import type { Command } from 'commander';
import type { HypervisorClient, ShowRows } from '#hypervisor';
import { formatTag, type Tag } from '#model';
import { examples } from '../help.js';
import type { Io } from '../io.js';
import { printRows, withClient, withRpcOptions } from '../rpc.js';
import { type Column, counter } from '../table.js';
import { type WatchOptions, watchRows, withWatchOption } from '../watch.js';
import { registerShowSupport } from './show-support.js';

const list = (items: readonly string[]): string => items.join(',');
export const tagText = (tag: Tag | null): string | null => (tag === null ? null : formatTag(tag));
const yes = (value: boolean): string => (value ? 'yes' : 'no');

/** Words for what is not as it is by default: `unknown=flood,learn`. */
function words(options: Readonly<Record<string, string | number | boolean | null>>): string {
  const set = Object.entries(options).filter(([, value]) => value !== null && value !== false);
  return list(set.map(([name, value]) => (value === true ? name : `${name}=${value}`)));
}

function vnOptions({ unknown, learn, suppress, strict, dscp_out, acl_in, acl_out }: ShowRows['vn']): string {
  const dscp = dscp_out === 'pipe' ? null : dscp_out;
  const rest = { learn, suppress, strict, 'dscp-out': dscp, 'acl-in': acl_in, 'acl-out': acl_out };
  return words({ unknown: unknown === 'drop' ? null : unknown, ...rest });
}

function vapOptions(row: ShowRows['vap']): string {
  const { reflect, learn, tags, police, storm, acl_in, acl_out } = row;
  const passing = tags.policy === 'list' ? tags.vids.join('+') : tags.policy;
  return words({
    reflect,
    learn,
    tags: tags.policy === 'refuse' ? null : passing,
    'guard-ip': row.guard_ip,
    police: police && `${police.bits_per_s}/${police.burst_bytes}`,
    storm: storm && `${storm.packets_per_s}/${storm.burst}`,
    'acl-in': acl_in,
    'acl-out': acl_out,
  });
}

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
    { title: 'OPTIONS', value: vnOptions },
  ],
  vap: [
    { title: 'VAP', value: ({ vap }) => vap, right: true },
    { title: 'VN', value: ({ vn }) => vn },
    { title: 'PORT', value: ({ port }) => port },
    { title: 'TAG', value: ({ tag }) => tagText(tag) },
    { title: 'GUARD', value: ({ guard }) => yes(guard) },
    { title: 'UPLINK', value: ({ uplink }) => yes(uplink) },
    counter('IN-PACKETS', ({ in_packets }) => in_packets),
    counter('IN-BYTES', ({ in_bytes }) => in_bytes),
    counter('OUT-PACKETS', ({ out_packets }) => out_packets),
    counter('OUT-BYTES', ({ out_bytes }) => out_bytes),
    counter('SUPPRESSED', ({ suppressed }) => suppressed),
    { title: 'OPTIONS', value: vapOptions },
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
    counter('PACKETS', ({ packets }) => packets),
  ],
  ports: [
    { title: 'PORT', value: ({ port }) => port },
    { title: 'ID', value: ({ id }) => id, right: true },
    { title: 'DRIVER', value: ({ driver }) => driver },
    { title: 'MAC', value: ({ mac }) => mac },
    { title: 'MTU', value: ({ mtu }) => mtu, right: true },
    { title: 'LINK', value: ({ link }) => link },
    { title: 'ROLE', value: ({ role }) => role },
    counter('RX-PACKETS', ({ rx_packets }) => rx_packets),
    counter('RX-BYTES', ({ rx_bytes }) => rx_bytes),
    counter('TX-PACKETS', ({ tx_packets }) => tx_packets),
    counter('TX-BYTES', ({ tx_bytes }) => tx_bytes),
    counter('MISSED', ({ rx_missed }) => rx_missed),
    counter('ERRORS', ({ rx_errors }) => rx_errors),
  ],
  nve: [
    { title: 'NVE', value: ({ nve }) => nve },
    { title: 'REMOTE', value: ({ remote }) => remote },
    { title: 'ENCAP', value: ({ encap }) => encap },
    { title: 'PORT', value: ({ port }) => port },
    { title: 'NEIGHBOUR', value: ({ neighbour }) => neighbour },
    { title: 'NEXT-HOPS', value: ({ next_hops }) => next_hops, right: true },
    { title: 'VNS', value: ({ vns }) => vns, right: true },
  ],
  flood: [
    { title: 'VN', value: ({ vn }) => vn },
    { title: 'TO', value: ({ to }) => to },
    { title: 'VAP', value: ({ vap }) => vap, right: true },
    { title: 'PORT', value: ({ port }) => port },
    { title: 'TAG', value: ({ tag }) => tagText(tag) },
    { title: 'NVE', value: ({ nve }) => nve },
    { title: 'REMOTE', value: ({ remote }) => remote },
    { title: 'ENCAP', value: ({ encap, context_id }) => (encap === null ? null : `${encap} ${context_id}`) },
  ],
  neigh: [
    { title: 'PORT', value: ({ port }) => port },
    { title: 'IP', value: ({ ip }) => ip },
    { title: 'MAC', value: ({ mac }) => mac },
    { title: 'STATE', value: ({ state }) => state },
  ],
  acl: [
    { title: 'ACL', value: ({ acl }) => acl, right: true },
    { title: 'RULE', value: ({ rule }) => rule ?? 'default' },
    { title: 'ACTION', value: ({ action }) => action },
    { title: 'MATCH', value: ({ match }) => match },
    counter('PACKETS', ({ packets }) => packets),
  ],
  memory: [
    { title: 'TABLE', value: ({ table }) => table },
    { title: 'ENTRIES', value: ({ entries }) => entries, right: true },
    { title: 'CAPACITY', value: ({ capacity }) => capacity, right: true },
    { title: 'BYTES', value: ({ bytes }) => bytes, right: true },
    { title: 'PER-ENTRY', value: ({ bytes_per_entry }) => bytes_per_entry, right: true },
  ],
  nva: [
    { title: 'NVE', value: ({ nve }) => nve },
    { title: 'NVA', value: ({ nva }) => nva },
    { title: 'STATE', value: ({ state }) => state },
    { title: 'ENDPOINT', value: ({ endpoint }) => endpoint },
    { title: 'PRIORITY', value: ({ priority }) => priority, right: true },
    { title: 'FOR', value: ({ for_s }) => (for_s === null ? null : `${for_s} s`), right: true },
    { title: 'TERM', value: ({ term }) => term, right: true },
    { title: 'VN', value: ({ vn }) => vn },
    { title: 'REVISION', value: ({ revision }) => revision, right: true },
    { title: 'LAG', value: ({ lag }) => lag, right: true },
    { title: 'VNS', value: ({ subscriptions }) => subscriptions, right: true },
    { title: 'ATTACHED', value: ({ attachments }) => attachments, right: true },
    { title: 'REFUSED', value: ({ refused }) => refused, right: true },
    { title: 'ERROR', value: ({ error }) => error },
  ],
};

const SUMMARIES: { readonly [K in Table]: string } = {
  vn: 'the VNs: VNI, MTU, where broadcast goes, who may send, and options that are not their default',
  vap: 'the VAPs: which tag of which port belongs to which VN, their counters, and options that are not their default',
  fdb: 'the overlay MACs and where each is: a VAP here, or another NVE',
  drops: 'what was dropped, by reason and by the port where it came in',
  ports: 'the ports, their links and counters',
  nve: 'the other NVEs: where they are, and whether the way there is known',
  flood: 'where broadcast, unknown unicast and multicast of each VN go',
  neigh: 'the neighbours on the underlay',
  acl: 'the rules of the access lists, and how many frames each decided',
  memory: 'what the tables hold, and how much memory that takes',
  nva: 'the session with the NVA, the endpoints of the NVA, and what it told of each VN; at an NVA, its NVEs',
};

export function registerShow(program: Command, io: Io): void {
  const show = program
    .command('show')
    .description('Show a table of a running agent, tNVE or NVA.')
    .summary('show a table of a running role')
    .helpGroup('Looking and changing:');
  for (const kind of Object.keys(SUMMARIES) as Table[]) registerTable(show, io, kind);
  registerShowSupport(show, io);
}

/** What tells a row from others of its table. */
const KEYS: { readonly [K in Table]: (row: ShowRows[K]) => string } = {
  vn: ({ id }) => `${id}`,
  vap: ({ vap }) => `${vap}`,
  fdb: ({ vn, mac }) => `${vn} ${mac}`,
  drops: ({ port, reason }) => `${port} ${reason}`,
  ports: ({ id }) => `${id}`,
  nve: ({ remote, encap }) => `${remote} ${encap}`,
  flood: ({ vn, vap, remote, context_id }) => `${vn} ${vap} ${remote} ${context_id}`,
  neigh: ({ port, ip }) => `${port} ${ip}`,
  acl: ({ acl, rule }) => `${acl} ${rule}`,
  memory: ({ table }) => table,
  nva: ({ nve, endpoint, vn }) => `${nve} ${endpoint} ${vn}`,
};

function registerTable<K extends Table>(show: Command, io: Io, kind: K): void {
  const command = withRpcOptions(show.command(kind).description(`Show ${SUMMARIES[kind]}.`).summary(SUMMARIES[kind]));
  withWatchOption(command);
  if (kind === 'drops') command.option('--all', 'also reasons that never occurred');
  command
    .addHelpText(
      'after',
      examples(
        `splitnve show ${kind}`,
        `splitnve show ${kind} --socket /run/splitnve/tnve.sock --json`,
        `splitnve show ${kind} --watch 1`,
      ),
    )
    .action(async (options: WatchOptions & { all?: boolean }) => {
      const ask = async (client: HypervisorClient): Promise<ShowRows[K][]> => {
        const rows = await client.show(kind);
        const isShown = (row: object): boolean => kind !== 'drops' || ('packets' in row && Number(row.packets) > 0);
        return options.all === true ? rows : rows.filter(isShown);
      };
      const watched = { name: `show ${kind}`, key: KEYS[kind], columns: COLUMNS[kind] };
      if (options.watch !== undefined) await watchRows(io, options, watched, ask);
      else printRows(io, options, COLUMNS[kind], await withClient(options, ask));
    });
}
