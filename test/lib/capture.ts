// What tcpdump records on an interface, and what tshark makes of it.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { must, said } from './command.js';
import type { Namespace } from './namespace.js';

/** Every checksum is verified, inner and outer. */
const CHECKSUMS = ['ip', 'udp', 'tcp'].flatMap((protocol) => ['-o', `${protocol}.check_checksum:TRUE`]);
/** Ports of tenants' TCP, which else would be guessed at: some guess that it is theirs, and malformed. */
export const TENANT_PORTS = [5201, 50_123] as const;
const AS_DATA = TENANT_PORTS.flatMap((port) => ['-d', `tcp.port==${port},data`]);
/** A frame at which tshark takes offence. */
const OFFENCES = [
  '_ws.malformed',
  '_ws.unreassembled',
  '_ws.expert.severity == "Error"',
  ...['ip', 'udp', 'tcp', 'icmp'].map((protocol) => `${protocol}.checksum.status == "Bad"`),
];
/** Linux writes a TCP checksum of 0 as 0xffff, which is the same number, and tshark minds. */
const WRONG = `(${OFFENCES.join(' || ')}) && !(tcp.checksum == 0xffff)`;

export class Capture {
  readonly #child: ChildProcess;
  readonly #folder: string;

  /** `direction` in: what the interface receives, and not what is sent there. */
  static async start(namespace: Namespace, iface: string, direction: 'in' | 'inout' = 'inout'): Promise<Capture> {
    const folder = mkdtempSync(path.join(tmpdir(), 'splitnve-capture-'));
    const args = [
      '-i',
      iface,
      '-Q',
      direction,
      '-w',
      path.join(folder, 'frames.pcap'),
      '-Z',
      'root',
      '-U',
      '--immediate-mode',
      '-B',
      '32768',
    ];
    const child = spawn(...namespace.insideUntilDeath('tcpdump', ...args), {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    await said(child, child.stderr, 'listening on');
    return new Capture(child, folder);
  }

  private constructor(child: ChildProcess, folder: string) {
    this.#child = child;
    this.#folder = folder;
  }

  /** Ends the recording, once tcpdump has had time to write what it heard. */
  async stop(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 200));
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGINT');
    await ended;
  }

  /** Classic pcap. */
  get file(): string {
    return path.join(this.#folder, 'frames.pcap');
  }

  /** Fields of the frames that a filter takes, one row a frame. */
  async fields(filter: string, ...fields: string[]): Promise<string[][]> {
    const named = fields.flatMap((field) => ['-e', field]);
    const text = await this.#tshark('-Y', filter, '-T', 'fields', ...named);
    return text
      .split('\n')
      .slice(0, -1)
      .map((line) => line.split('\t'));
  }

  /** A line for each frame, of those that a filter takes, that is malformed or has a wrong checksum. */
  async wrong(among = 'frame'): Promise<string[]> {
    return (await this.#tshark('-Y', `(${WRONG}) && (${among})`)).split('\n').slice(0, -1);
  }

  async close(): Promise<void> {
    await this.stop();
    rmSync(this.#folder, { recursive: true });
  }

  #tshark(...args: string[]): Promise<string> {
    return must('tshark', ['-n', '-r', this.file, ...AS_DATA, ...CHECKSUMS, ...args], 60_000);
  }
}
