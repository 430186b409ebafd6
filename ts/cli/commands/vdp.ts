// splitnve vdp: what stations negotiate over VDP on the access links of an agent.

import type { Command } from 'commander';
import type { ShowVdpRow } from '#hypervisor';
import { nveError } from '#model';
import { examples } from '../help.js';
import { inputOf, parseFrame } from '../input.js';
import type { Io } from '../io.js';
import { printRows, type RpcOptions, withClient, withRpcOptions } from '../rpc.js';
import type { Column } from '../table.js';
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
    value: ({ evb }) => evb && `R=${evb.retries} RTE=${evb.rte} RWD=${evb.rwd} RKA=${evb.rka}`,
  },
  {
    title: 'ECP',
    value: ({ ecp }) =>
      ecp &&
      `sent=${ecp.sent} retried=${ecp.retried} timed-out=${ecp.timed_out} received=${ecp.received} duplicates=${ecp.duplicates}`,
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
      'Show the stations and the VSIs that they hold: link, station, VSI, VM, state, hints (M: migrating to here, S: suspended), VN, tag, addresses, how long ago the station was heard, what EVB has agreed, what ECP has counted, why the last command was refused. A station without VSIs has a row too, and so has for ten minutes a VSI whose first command was refused.',
    )
    .summary('show the stations and their VSIs')
    .addHelpText('after', examples('splitnve vdp show', 'splitnve vdp show --json'))
    .action(async (options: RpcOptions) => {
      printRows(io, options, COLUMNS, await withClient(options, (client) => client.show('vdp')));
    });

  vdp
    .command('explain')
    .argument(
      '<frame|file>',
      'a frame from its destination MAC on, in hexadecimal, or a classic pcap file of Ethernet frames; "-" reads either from standard input',
    )
    .option(
      '-c, --config <file>',
      'explain as an agent with this configuration would: its filter formats, its VNs, its rules',
    )
    .option('--link <name>', 'with -c: the access link where the frames were seen, if several speak VDP')
    .description(
      'Decode LLDP, EVB, CDCP, ECP and VDP field by field, and say what an agent would answer and why, or where a frame is malformed. Of a capture each such frame is explained, under its number.',
    )
    .summary('decode frames, and say what an agent would answer')
    .addHelpText(
      'after',
      examples(
        'splitnve vdp explain "0180c2000000 02aa00000001 8940 1401 0001"',
        'tcpdump -i eth1 -w - ether proto 0x8940 | splitnve vdp explain - -c /etc/splitnve/agent.toml --link access0',
      ),
    )
    .action(async (target: string, { config, link }: { config?: string; link?: string }) => {
      if (config === undefined && link !== undefined) throw nveError('NVE-CLI-002', { problem: '--link needs -c' });
      const { explainCapture, explainFrame, explainOptions, isCapture } = await import('#roles');
      const options = config === undefined ? {} : explainOptions(config, link);
      const input = await inputOf(target, io);
      if (!isCapture(input)) {
        io.out(`${explainFrame(parseFrame(input.toString('latin1')), options).join('\n')}\n`);
        return;
      }
      const capture = explainCapture(input, options);
      if (!capture.ok) throw capture.error;
      io.out(`${capture.value.lines.join('\n')}\n`);
      if (capture.value.problem !== null) throw capture.value.problem;
    });
}
