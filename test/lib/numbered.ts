// Numbered frames of several flows, to a tenant and to everybody, that run while something changes: which of them did not come, which came
// twice, and for how long none did.
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { BROADCAST, content, ETHERTYPE, ethernet, ipv4, udp } from './frames.js';
import type { RawSocket } from './raw.js';

/** Every `PERIOD_MS` one frame of each flow, to the receiver and to everybody. */
const PERIOD_MS = 10;
const FLOWS = 8;
const PORT = 7_777;
const MARK = 'numbered';
/** Of the tenants' networks, but nobody's: no kernel answers. */
const FLOW_IPS = { from: '10.9.0.1', to: '10.9.0.2' };
const CONTENT_AT = 14 + 20 + 8;

export interface Seen {
  /** Frames that did not come, and those that came more than once. */
  readonly lost: readonly number[];
  readonly twice: readonly number[];
  /** From the first round in which a frame was lost to the last. */
  readonly outageMs: number;
  /** What was sent by each link. */
  readonly sent: readonly number[];
}

export interface NumberedOptions {
  readonly sender: RawSocket;
  readonly receiver: RawSocket;
  readonly from: string;
  readonly to: string;
  /** Frames sent by each link so far. */
  readonly txOf: () => Promise<number[]>;
}

export class Numbered {
  readonly #options: NumberedOptions;
  readonly #frames: Buffer[];

  constructor(options: NumberedOptions) {
    this.#options = options;
    const frameTo = (to: string, flow: number): Buffer => {
      const datagram = udp({ ...FLOW_IPS, source: 2_000 + flow, target: PORT, plain: true }, content(MARK, 40));
      return ethernet({ to, from: options.from }, ETHERTYPE.ipv4, ipv4({ ...FLOW_IPS, protocol: 17 }, datagram));
    };
    const flows = (to: string): Buffer[] => Array.from({ length: FLOWS }, (_, flow) => frameTo(to, flow));
    this.#frames = [...flows(options.to), ...flows(BROADCAST)];
  }

  /** Frames of one round: so many are lost in each `PERIOD_MS` of a whole outage. */
  get perRound(): number {
    return this.#frames.length;
  }

  /** Traffic before, while and for `afterMs` after something changes. */
  async traffic(change: () => Promise<unknown> = async () => undefined, afterMs = 1_000): Promise<Seen> {
    const { sender, receiver, txOf } = this.#options;
    const frames = this.#frames;
    await receiver.take();
    const before = await txOf();
    await sender.flow(frames, PERIOD_MS);
    await sleep(500);
    await change();
    await sleep(afterMs);
    const count = await sender.halt();
    expect(count % frames.length).toBe(0);
    expect(count).toBeGreaterThan(20 * frames.length);
    const came = new Map<number, number>();
    for (const frame of await receiver.take({ quiet: 300 })) {
      if (frame.toString('latin1', CONTENT_AT, CONTENT_AT + MARK.length) !== MARK) continue;
      const number = frame.readUInt32BE(frame.length - 4);
      // It is the frame that was sent under this number, and no other.
      expect(frame.subarray(0, -4).equals(frames[(number - 1) % frames.length]!.subarray(0, -4))).toBe(true);
      came.set(number, (came.get(number) ?? 0) + 1);
    }
    const numbers = Array.from({ length: count }, (_, n) => n + 1);
    const lost = numbers.filter((number) => !came.has(number));
    const rounds = lost.map((number) => Math.floor((number - 1) / frames.length));
    const outageMs = lost.length === 0 ? 0 : (rounds.at(-1)! - rounds[0]! + 1) * PERIOD_MS;
    const after = await txOf();
    return {
      lost,
      twice: numbers.filter((number) => (came.get(number) ?? 0) > 1),
      outageMs,
      sent: after.map((packets, n) => packets - before[n]!),
    };
  }
}

/** Every frame came once, and each link carried a part of it, or nothing. */
export function expectWhole({ lost, twice, sent }: Seen, used: readonly boolean[]): void {
  expect({ lost, twice }).toEqual({ lost: [], twice: [] });
  // Besides tunnelled packets there are a few questions for neighbours.
  used.forEach((is, n) => {
    if (is) expect(sent[n]).toBeGreaterThan(100);
    else expect(sent[n]).toBeLessThan(10);
  });
}
