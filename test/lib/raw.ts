// The tests' end of raw.py: raw sockets in any namespace, through one process.
import { fileURLToPath } from 'node:url';
import type { Namespace } from './namespace.js';
import { Talker } from './talker.js';

const PROGRAM = fileURLToPath(new URL('raw.py', import.meta.url));

export interface TakeOptions {
  /** Frames to wait for. */
  readonly count?: number;
  /** Milliseconds to wait for them. */
  readonly timeout?: number;
  /** Milliseconds without a frame before it is over. */
  readonly quiet?: number;
}

/** How often frames with one label came, the highest number, and how many came after a higher number. */
export interface Count {
  readonly frames: number;
  readonly highest: number;
  readonly late: number;
}

export class Raw {
  readonly #talker: Talker;
  #sockets = 0;

  constructor() {
    this.#talker = new Talker('raw.py', 'python3', ['-B', PROGRAM]);
  }

  async socket(namespace: Namespace, iface: string): Promise<RawSocket> {
    const on = `${++this.#sockets} ${namespace.name} ${iface}`;
    await this.#talker.call({ call: 'open', on, netns: namespace.path, iface });
    return new RawSocket(this.#talker, on);
  }

  close(): Promise<void> {
    return this.#talker.close();
  }
}

export class RawSocket {
  readonly #talker: Talker;
  readonly #on: string;

  constructor(talker: Talker, on: string) {
    this.#talker = talker;
    this.#on = on;
  }

  /** Sends frames, `paced` milliseconds apart; the kernel must take them all. */
  async send(frames: readonly Buffer[], paced = 0): Promise<void> {
    const refused = await this.trySend(frames, paced);
    if (refused.length > 0) throw new Error(`${this.#on}: the kernel refused ${JSON.stringify(refused)}`);
  }

  /** Sends frames; the index and the error's name of each that the kernel refused. */
  async trySend(frames: readonly Buffer[], paced = 0): Promise<[index: number, error: string][]> {
    const hex = frames.map((frame) => frame.toString('hex'));
    return (await this.#call('send', { frames: hex, paced: paced / 1000 })) as [number, string][];
  }

  /** All frames since the last time; with `count`, waits for them. A frame that the socket itself lost is an error. */
  async take({ count = 0, timeout = 3_000, quiet = 100 }: TakeOptions = {}): Promise<Buffer[]> {
    const seconds = { timeout: count > 0 ? timeout / 1000 : 0, quiet: quiet / 1000 };
    const [frames, lost] = (await this.#call('take', { count, ...seconds })) as [string[], number];
    this.#check(lost);
    return frames.map((frame) => Buffer.from(frame, 'hex'));
  }

  /** Sends all frames every `period` milliseconds until `halt`; their last four bytes become a number that counts up. */
  async flow(frames: readonly Buffer[], period: number): Promise<void> {
    await this.#call('flow', { frames: frames.map((frame) => frame.toString('hex')), period: period / 1000 });
  }

  /** Ends the flow: how many frames it sent. */
  async halt(): Promise<number> {
    const [numbers, refused] = (await this.#call('halt', {})) as [number, number];
    return numbers - refused;
  }

  /** From now on frames are counted by `size` bytes from `at`, and not kept. */
  async tally(at: number, size: number): Promise<void> {
    await this.#call('tally', { at, size });
  }

  /** What has been counted, by those bytes as text; with `clear`, counting starts anew. */
  async counts(clear = false): Promise<Map<string, Count>> {
    const [labels, lost] = (await this.#call('counts', { clear })) as [
      Record<string, [number, number, number]>,
      number,
    ];
    this.#check(lost);
    return new Map(
      Object.entries(labels).map(([label, [frames, highest, late]]) => [
        Buffer.from(label, 'hex').toString('latin1'),
        { frames, highest, late },
      ]),
    );
  }

  #check(lost: number): void {
    if (lost > 0) throw new Error(`${this.#on}: the socket itself lost ${lost} frames, so nothing can be said`);
  }

  #call(call: string, rest: Record<string, unknown>): Promise<unknown> {
    return this.#talker.call({ call, on: this.#on, ...rest });
  }
}
