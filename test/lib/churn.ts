// VNs torn down and made again under traffic, with ids, tags and VNIs handed on to other VNs at once, over the whole path of chain.ts.
//
// Each frame says which VN it belongs to, and each tap belongs to one VN for ever: whatever the numbers in between, a frame at a tap with
// another VN's name is a leak. Traffic never stops; only the moment of handing on a tag or a VNI is the controller's to choose, because a
// frame that is already on the link with the old meaning cannot know of the new one. So before numbers are used again, the controller
// waits for a frame of a VN that stays, sent after the deletion, to arrive at the other end: links and queues keep their order.
import type { Command } from '#dataplane';
import {
  agentCommands,
  agentDeletion,
  Chain,
  type ChainVn,
  PORT,
  SIDES,
  type Side,
  TENANT,
  tnveCommands,
  tnveDeletion,
} from './chain.js';
import type { EngineProcess } from './engine.js';
import { BROADCAST, content, ETHERTYPE, ethernet } from './frames.js';
import type { Lab } from './lab.js';
import type { Random } from './random.js';
import type { RawSocket } from './raw.js';

/** All names have this length, and stand where the payload begins. */
const NAME = { at: 14, size: 6 };
const NAMES = ['blue  ', 'red   ', 'green '];
/** The VN that stays: its frames tell when all that was sent before them is through. */
const STAYS = { id: 100, tag: { 0: 100, 1: 100 }, vni: { 0: 100, 1: 100 }, tap: { 0: PORT.tap, 1: PORT.tap } };
const IDS = [1, 2, 3, 4];
/** Milliseconds between two bursts of a tap. */
const PERIOD = 2;

export interface Leak {
  readonly tap: string;
  readonly name: string;
  readonly frames: number;
}

export class Churn {
  readonly chain: Chain;
  rounds = 0;
  readonly #taps: Record<string, Record<Side, RawSocket>> = {};
  readonly #up = new Map<string, ChainVn>();
  #stays!: Record<Side, RawSocket>;
  #barriers = 0;

  static async create(lab: Lab): Promise<Churn> {
    const churn = new Churn(await Chain.create(lab));
    churn.#stays = { 0: await churn.chain.tap(0, PORT.tap), 1: await churn.chain.tap(1, PORT.tap) };
    await churn.chain.make(STAYS);
    for (const [at, name] of NAMES.entries()) {
      const port = tapOf(at);
      const sockets = { 0: await churn.chain.tap(0, port), 1: await churn.chain.tap(1, port) };
      churn.#taps[name] = sockets;
      for (const side of SIDES) await sockets[side].tally(NAME.at, NAME.size);
    }
    return churn;
  }

  private constructor(chain: Chain) {
    this.chain = chain;
  }

  /** Rounds under traffic for a while; the leaks that were seen, at once when there are any. */
  async run(random: Random, milliseconds: number): Promise<Leak[]> {
    const end = performance.now() + milliseconds;
    await this.start(random);
    let leaks: Leak[] = [];
    while (performance.now() < end && leaks.length === 0) {
      await this.round(random);
      if (this.rounds % 20 === 0) leaks = await this.leaks();
    }
    await this.stop();
    return leaks.length > 0 ? leaks : await this.leaks();
  }

  /** Makes all VNs and starts the traffic: from each tap, unicast to the other side and broadcast. */
  async start(random: Random): Promise<void> {
    await this.#make(
      NAMES.filter((name) => !this.#up.has(name)),
      random,
    );
    for (const name of NAMES) {
      for (const side of SIDES) {
        const to = [TENANT[side === 0 ? 1 : 0], BROADCAST];
        const frames = to.map((to) => ethernet({ to, from: TENANT[side] }, ETHERTYPE.local, content(name, 60)));
        await this.#taps[name]![side].flow([...frames, ...frames], PERIOD);
      }
    }
  }

  /** Ends the traffic, and waits until the last frame has arrived. */
  async stop(): Promise<void> {
    for (const name of NAMES) for (const side of SIDES) await this.#taps[name]![side].halt();
    await this.drained();
  }

  /** Some VNs go, in an order that varies, and come again under each other's ids, tags and VNIs. */
  async round(random: Random): Promise<void> {
    const names = random.shuffled(NAMES).slice(0, 1 + random.below(NAMES.length));
    const vns = names.map((name) => this.#up.get(name)!);
    const order = random.shuffled([
      ...SIDES.map((side) => this.chain.tnve[side]),
      ...SIDES.map((side) => this.chain.agent[side]),
    ]);
    const isTnve = (engine: EngineProcess): boolean => SIDES.some((side) => this.chain.tnve[side] === engine);
    for (const engine of order) await engine.must(...vns.flatMap(isTnve(engine) ? tnveDeletion : agentDeletion));
    for (const name of names) this.#up.delete(name);
    await this.drained();
    await this.#make(names, random);
    this.rounds += 1;
  }

  async #make(names: readonly string[], random: Random): Promise<void> {
    const free = <T>(all: readonly T[], of: (vn: ChainVn) => T): T[] => {
      const used = new Set([...this.#up.values()].map(of));
      return random.shuffled(all.filter((item) => !used.has(item)));
    };
    const ids = free(IDS, ({ id }) => id);
    const numbers = [11, 12, 13, 14];
    const tags = { 0: free(numbers, ({ tag }) => tag[0]), 1: free(numbers, ({ tag }) => tag[1]) };
    const vnis = { 0: free(numbers, ({ vni }) => vni[0]), 1: free(numbers, ({ vni }) => vni[1]) };
    for (const [at, name] of names.entries()) {
      const tap = tapOf(NAMES.indexOf(name));
      this.#up.set(name, {
        id: ids[at]!,
        tag: { 0: tags[0][at]!, 1: tags[1][at]! },
        vni: { 0: vnis[0][at]!, 1: vnis[1][at]! },
        tap: { 0: tap, 1: tap },
      });
    }
    const vns = names.map((name) => this.#up.get(name)!);
    const commands: [EngineProcess, Command[]][] = SIDES.flatMap((side) => [
      [this.chain.tnve[side], vns.flatMap((vn) => tnveCommands(vn, side))],
      [this.chain.agent[side], vns.flatMap((vn) => agentCommands(vn, side))],
    ]);
    for (const [engine, batch] of random.shuffled(commands)) await engine.must(...batch);
  }

  /**
   * Returns when all that left a tNVE before the call has arrived or was dropped. Two frames each way: a poller that was in the middle of its
   * turn when a batch was applied may let out more of the old after the first, but the second it can only meet in a later turn.
   */
  async drained(): Promise<void> {
    for (const side of SIDES) {
      const there = side === 0 ? 1 : 0;
      for (let i = 0; i < 2; i++) {
        const mark = `mark ${++this.#barriers} `;
        const frame = ethernet({ to: TENANT[there], from: TENANT[side] }, ETHERTYPE.local, content(mark, 60));
        await this.#stays[side].send([frame]);
        const [arrived] = await this.#stays[there].take({ count: 1, quiet: 0, timeout: 5_000 });
        if (arrived?.compare(frame) !== 0)
          throw new Error(`${mark}did not come through: got ${arrived?.toString('hex')}`);
      }
    }
  }

  /** Frames at a tap of another VN than theirs. */
  async leaks(): Promise<Leak[]> {
    const leaks: Leak[] = [];
    for (const name of NAMES) {
      for (const side of SIDES) {
        for (const [other, { frames }] of await this.#taps[name]![side].counts()) {
          if (other !== name) leaks.push({ tap: `${name.trim()} ${side}`, name: other, frames });
        }
      }
    }
    return leaks;
  }

  /** Frames that arrived where they belong, the fewest of any tap. */
  async fewest(): Promise<number> {
    const counts = NAMES.flatMap((name) =>
      SIDES.map(async (side) => (await this.#taps[name]![side].counts()).get(name)?.frames ?? 0),
    );
    return Math.min(...(await Promise.all(counts)));
  }

  /** A leak made on purpose: blue and red change places at one end only. */
  async crossWires(): Promise<void> {
    const [blue, red] = [this.#up.get(NAMES[0]!)!, this.#up.get(NAMES[1]!)!];
    const engine = this.chain.tnve[1];
    await engine.must(...tnveDeletion(blue), ...tnveDeletion(red));
    await engine.must(...tnveCommands({ ...blue, tap: red.tap }, 1), ...tnveCommands({ ...red, tap: blue.tap }, 1));
  }
}

function tapOf(at: number): number {
  return PORT.tap + 1 + at;
}
