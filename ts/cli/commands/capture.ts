// splitnve capture: frames of a port or a VAP, or dropped ones, as a pcapng file.

import { open } from 'node:fs/promises';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type CapturedFrameRow, CaptureFile, type HypervisorClient, type ParamsIn, SNAP_MAX } from '#hypervisor';
import { NveError, nveError } from '#model';
import { examples } from '../help.js';
import type { Io } from '../io.js';
import { type RpcOptions, withClient, withRpcOptions } from '../rpc.js';

interface CaptureOptions extends RpcOptions {
  readonly write: string;
  readonly count?: number;
  readonly seconds?: number;
  readonly snap: number;
}

type Start = ParamsIn<'capture.start'>;

export function registerCapture(program: Command, io: Io): void {
  const command = program
    .command('capture')
    .argument('<what...>', 'port=NAME, vap=NUMBER, or drops or drops=REASON, which may have a port=NAME beside it');
  withRpcOptions(command)
    .description(
      'Record frames into a pcapng file: what comes in and leaves by a port; what is of a VAP, with its tags, as it comes and as it leaves; or what is dropped, as it was then, with the reason in the comment. On the local socket only, one recording at a time. It ends with --count, --seconds, or a signal, and then tells how many frames found no room.',
    )
    .summary('record frames of a port or a VAP, or dropped ones')
    .helpGroup('Looking and changing:')
    .addOption(new Option('-w, --write <file>', 'the file; "-" is standard output').default('-'))
    .addOption(new Option('--count <frames>', 'end after so many frames').argParser(number(1, 1e9)))
    .addOption(new Option('--seconds <seconds>', 'end after so many seconds').argParser(number(1, 86_400)))
    .addOption(
      new Option('--snap <bytes>', 'keep so many bytes of a frame').default(SNAP_MAX).argParser(number(1, SNAP_MAX)),
    )
    .addHelpText(
      'after',
      examples(
        'splitnve capture port=access0 | tshark -n -r -',
        'splitnve capture vap=3 -w vap3.pcapng --seconds 10',
        'splitnve capture drops=source_guard port=access0 -w drops.pcapng --count 100',
      ),
    )
    .action((what: string[], options: CaptureOptions) => capture(io, parseWhat(what, options.snap), options));
}

function number(min: number, max: number) {
  return (text: string): number => {
    const value = Number(text);
    if (!/^\d{1,10}$/.test(text) || value < min || value > max)
      throw new InvalidArgumentError(`Expected a number from ${min} to ${max}.`);
    return value;
  };
}

/** `port=`, `vap=` or `drops[=]`, each at most once. */
export function parseWhat(words: readonly string[], snap: number): Start {
  const given = new Map<string, string | undefined>();
  for (const word of words) {
    const [, name = '', value] = /^(port|vap|drops)(?:=(.+))?$/s.exec(word) ?? [];
    if (name === '' || given.has(name) || (value === undefined && name !== 'drops')) throw usage(`"${word}"`);
    given.set(name, value);
  }
  const [port, vap] = [given.get('port'), given.get('vap')];
  const all = [...given.keys()].sort().join(' ');
  if (all === 'port') return { of: 'port', port: `${port}`, snap };
  if (all === 'vap' && /^\d{1,10}$/.test(`${vap}`)) return { of: 'vap', vap: Number(vap), snap };
  if (all === 'drops' || all === 'drops port')
    return { of: 'drops', port: port ?? null, reason: given.get('drops') ?? null, snap };
  throw usage(words.join(' '));
}

function usage(words: string): NveError {
  const problem = `${words} is not port=NAME, vap=NUMBER, drops, drops=REASON, or drops with port=NAME`;
  return nveError('NVE-CLI-002', { problem });
}

async function capture(io: Io, start: Start, options: CaptureOptions): Promise<void> {
  const { write: file, count = Number.POSITIVE_INFINITY, seconds } = options;
  const ended = new AbortController();
  const end = (): void => ended.abort();
  const timer = seconds === undefined ? undefined : setTimeout(end, seconds * 1000);
  process.once('SIGINT', end).once('SIGTERM', end);
  io.stopped?.addEventListener('abort', end);
  const target = await openTarget(io, file);
  let frames = 0;
  let lost = 0;
  try {
    await withClient(options, async (client) => {
      const { capture } = await client.request('capture.start', start);
      const made = new CaptureFile(options.snap);
      await target.write(made.head());
      if (file !== '-') io.err(`recording into ${file}\n`);
      const take = async (rows: readonly CapturedFrameRow[]): Promise<void> => {
        const wanted = rows.slice(0, count - frames);
        frames += wanted.length;
        if (wanted.length > 0) await target.write(Buffer.concat(wanted.map((row) => made.frame(row))));
      };
      try {
        while (!ended.signal.aborted && frames < count) {
          const read = await client.request('capture.read', { capture });
          lost += read.lost;
          await take(read.frames);
        }
      } finally {
        await stop(client, capture);
      }
    });
  } finally {
    clearTimeout(timer);
    process.off('SIGINT', end).off('SIGTERM', end);
    io.stopped?.removeEventListener('abort', end);
    await target.close();
  }
  io.err(`${frames} frames recorded${lost === 0 ? '' : `, ${lost} lost: they came faster than they were read`}\n`);
}

/** The recording may be over already. */
async function stop(client: HypervisorClient, capture: number): Promise<void> {
  await client.request('capture.stop', { capture }).catch((error: unknown) => {
    if (!(error instanceof NveError)) throw error;
  });
}

interface Target {
  write(octets: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

async function openTarget(io: Io, file: string): Promise<Target> {
  if (file === '-') return { write: io.octets, close: async () => undefined };
  try {
    const handle = await open(file, 'w', 0o600);
    return { write: async (octets) => void (await handle.writeFile(octets)), close: () => handle.close() };
  } catch (caught) {
    const reason = caught instanceof Error ? caught.message : String(caught);
    throw nveError('NVE-CLI-004', { file, reason }, caught);
  }
}
