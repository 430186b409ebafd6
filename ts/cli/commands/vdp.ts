// splitnve vdp: what stations negotiate over VDP on the access links of an agent.

import type { Command } from 'commander';
import type { ShowVdpRow } from '#hypervisor';
import { explainFrame } from '#roles';
import { examples } from '../help.js';
import type { Io } from '../io.js';
import { printRows, type RpcOptions, withClient, withRpcOptions } from '../rpc.js';
import type { Column } from '../table.js';
import { parseFrame } from './inject.js';
import { tagText } from './show.js';

const distinct = (items: readonly (string | null)[]): string =>
  [...new Set(items.map((item) => item ?? '-'))].join(',');

const COLUMNS: readonly Column<ShowVdpRow>[] = [
  { title: 'LINK', value: ({ link }) => link },
  { title: 'STATION', value: ({ station }) => station },
  { title: 'VSI', value: ({ vsi }) => vsi },
  { title: 'VM', value: ({ vm, vm_uuid }) => vm || vm_uuid },
  { title: 'STATE', value: ({ state }) => state },
  { title: 'COMMAND', value: ({ command }) => command },
  { title: 'HINTS', value: ({ migrating, suspended }) => `${migrating ? 'M' : ''}${suspended ? 'S' : ''}` },
  { title: 'VN', value: ({ tsis }) => distinct(tsis.map(({ vn }) => vn)) },
  { title: 'TAG', value: ({ tsis }) => distinct(tsis.map(({ tag }) => tagText(tag))) },
  { title: 'FORMAT', value: ({ filter_format }) => filter_format, right: true },
  { title: 'MACS', value: ({ macs }) => macs.join(',') },
  { title: 'IPS', value: ({ tsis }) => tsis.flatMap(({ ips }) => ips).join(',') },
  { title: 'AGE-MS', value: ({ age_ms }) => age_ms, right: true },
  {
    title: 'EVB',
    value: ({ evb }) => `R=${evb.retries} RTE=${evb.rte} RWD=${evb.rwd} RKA=${evb.rka}`,
  },
  { title: 'ERROR', value: ({ error }) => error },
];

export function registerVdp(program: Command, io: Io): void {
  const vdp = program
    .command('vdp')
    .description('Look at what stations negotiate with an agent over VDP (docs/vdp.md).')
    .summary('look at what stations negotiate over VDP')
    .helpGroup('Looking and changing:');

  withRpcOptions(vdp.command('show'))
    .description(
      'Show the VSIs that stations hold: link, station, VSI, VM, state, hints (M: migrating to here, S: suspended), VN, tag, addresses, how long ago the station was heard, what EVB has agreed, why its last command was refused.',
    )
    .summary('show the VSIs that stations hold')
    .addHelpText('after', examples('splitnve vdp show', 'splitnve vdp show --json'))
    .action(async (options: RpcOptions) => {
      printRows(io, options, COLUMNS, await withClient(options, (client) => client.show('vdp')));
    });

  vdp
    .command('explain')
    .argument(
      '<frame>',
      'an LLDP or ECP frame from its destination MAC on, in hexadecimal; "-" reads it from standard input',
    )
    .description(
      'Decode a frame of an access link field by field, and say what an agent would answer and why, or where it is malformed.',
    )
    .summary('decode a frame, and say what an agent would answer')
    .addHelpText('after', examples('splitnve vdp explain "0180c2000000 02aa00000001 8940 1401 0001"'))
    .action(async (frame: string) => {
      const octets = parseFrame(frame === '-' ? (await io.stdin()).toString('latin1') : frame);
      io.out(`${explainFrame(octets).join('\n')}\n`);
    });
}
