// splitnve trace: what the engine of a running agent or tNVE would do with a frame, and why.

import { type Command, InvalidArgumentError } from 'commander';
import type { TraceRow } from '#hypervisor';
import { nveError } from '#model';
import { examples } from '../help.js';
import { inputOf, parseFrame } from '../input.js';
import type { Io } from '../io.js';
import { type RpcOptions, withClient, withRpcOptions } from '../rpc.js';

interface Options extends RpcOptions {
  readonly port?: string;
  readonly vap?: number;
}

interface Packet {
  readonly number: number;
  readonly frame: Uint8Array;
  /** How long it was on the wire. */
  readonly length: number;
}

type Traced = readonly [packet: Packet, row: TraceRow];

export function registerTrace(program: Command, io: Io): void {
  const trace = program
    .command('trace')
    .description('Follow a packet through the engine of a running agent or tNVE.')
    .summary('follow a packet through the engine')
    .helpGroup('Looking and changing:');

  withRpcOptions(
    trace
      .command('packet')
      .argument(
        '<frame|file>',
        'a frame from its destination MAC on, in hexadecimal, or a classic pcap file of Ethernet frames; "-" reads either from standard input',
      ),
  )
    .option('--port <name>', 'the port by which it comes in')
    .option('--vap <number>', 'instead: the VAP whose tenant sends it; the frame gets the tags of the VAP', vapOf)
    .description(
      'Tell step by step what the engine would do with a frame that came in now, what it would look up and find, what would leave, byte for byte, and why. The answer comes from the code that forwards, with the tables as they are; nothing leaves, nothing is learned or counted, and no policer is asked.',
    )
    .summary('tell what would become of a packet, and why')
    .addHelpText(
      'after',
      examples(
        'splitnve trace packet "020000000002 020000000001 8100 0064 0800 4500" --port access0',
        'splitnve trace packet arp.pcap --vap 7 --json',
        'tcpdump -i eth1 -c 10 -w - | splitnve trace packet - --port uplink0 --socket /run/splitnve/tnve.sock',
      ),
    )
    .action(async (target: string, options: Options) => {
      if ((options.port === undefined) === (options.vap === undefined))
        throw nveError('NVE-CLI-002', { problem: 'either --port or --vap is needed' });
      const { packets, problem } = await packetsOf(target, await inputOf(target, io));
      const { port, vap } = options;
      const where = port === undefined ? { vap } : { port };
      const traced = await withClient(options, async (client) => {
        const rows: Traced[] = [];
        for (const packet of packets) rows.push([packet, await client.trace({ ...where, frame: packet.frame })]);
        return rows;
      });
      const json = traced.map(([{ number, length }, row]) => ({ number, length, ...row }));
      io.out(options.json === true ? `${JSON.stringify(json, null, 2)}\n` : traced.map(textOf).join('\n'));
      if (problem !== null) throw problem;
    });
}

function vapOf(text: string): number {
  if (!/^\d{1,10}$/.test(text) || Number(text) > 0xffff_ffff)
    throw new InvalidArgumentError('Expected the number of a VAP, as `splitnve show vap` has it.');
  return Number(text);
}

/** An empty file, and a capture without packets, are mistakes. What precedes a mistake in a capture is still traced. */
async function packetsOf(
  target: string,
  input: Buffer,
): Promise<{ packets: readonly Packet[]; problem: Error | null }> {
  const file = target === '-' ? 'standard input' : target;
  if (input.length === 0) throw nveError('NVE-CLI-003', { file, reason: 'it is empty' });
  const { capturedFrames, isCapture } = await import('#roles');
  if (!isCapture(input)) {
    const frame = parseFrame(input.toString('latin1'));
    return { packets: [{ number: 1, frame, length: frame.length }], problem: null };
  }
  const capture = capturedFrames(input);
  if (!capture.ok) throw capture.error;
  const { frames, problem } = capture.value;
  if (frames.length === 0) throw problem ?? nveError('NVE-CLI-003', { file, reason: 'it holds no packets' });
  return { packets: frames.map(({ octets, ...rest }) => ({ ...rest, frame: octets })), problem };
}

function textOf([{ number, frame, length }, row]: Traced): string {
  const { outcome, detail, meaning, sent, drops, learned, steps } = row;
  const cut = frame.length < length ? `, of ${length} that were on the wire` : '';
  const lines = [`packet ${number}, ${frame.length} bytes${cut}`];
  const width = Math.max(...steps.map(({ step }) => step.length));
  for (const { step, facts } of steps) {
    const words = Object.entries(facts).map(
      ([name, fact]) => `${name}=${typeof fact === 'boolean' ? yes(fact) : (fact ?? 'none')}`,
    );
    lines.push(`  ${step.padEnd(width)}  ${words.join(' ')}`.trimEnd());
  }
  lines.push(
    `  => ${[outcome, detail].filter((word) => word !== null).join(': ')}${meaning === null ? '' : `. ${meaning}`}`,
  );
  for (const { vap, vn, mac } of learned) lines.push(`  told: ${mac} is at vap ${vap} of ${vn ?? 'a VN'}`);
  if (outcome === 'replicated')
    for (const { reason, packets } of drops) lines.push(`  dropped: ${packets} under ${reason}`);
  for (const { port, bytes } of sent) lines.push(`  out by ${port}, ${bytes.length / 2} bytes`, ...dumpOf(bytes));
  return `${lines.join('\n')}\n`;
}

const yes = (flag: boolean): string => (flag ? 'yes' : 'no');

/** Sixteen bytes a line, with their offset, as `xxd` and `text2pcap` have it. */
function dumpOf(bytes: string): string[] {
  const rows = bytes.match(/.{1,32}/g) ?? [];
  return rows.map((row, at) => `    ${(at * 16).toString(16).padStart(4, '0')}  ${row.match(/../g)?.join(' ') ?? ''}`);
}
