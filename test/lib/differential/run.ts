// Runs a sequence on the engine and on its reference model. Both take or refuse a batch; what becomes of each packet is compared.
import assert from 'node:assert/strict';
import type { Command, Trace } from '#dataplane';
import { macToBytes, type VnId } from '#model';
import { after, emptyState, fateOf, type Machine, nameOf, type State } from '../../../ts/dataplane/sim/index.js';
import { type EngineProcess, eventually, OPTIONS } from '../engine.js';
import { Comparison } from './compare.js';
import { BASE, PORTS } from './network.js';
import type { Arrival } from './packets.js';
import { addressed, type Sequence } from './sequence.js';

/** Rows that the engine has room for. */
export const FDB = 64;

/** Faults on purpose, and who looks on. */
export interface Options {
  readonly alter?: (trace: Trace) => Trace;
  readonly model?: typeof fateOf;
  readonly seen?: (what: Trace | 'batch taken' | 'batch refused') => void;
}

export class Runner {
  readonly #engine: EngineProcess;
  readonly #machine: Machine;
  #known: State;

  /** An engine with ports and addresses, and nothing else; the addresses are in use. */
  static async create(engine: EngineProcess): Promise<Runner> {
    const addresses = BASE.filter(({ op }) => op === 'UnderlaySet');
    await engine.must(...PORTS, ...addresses);
    await eventually('all addresses are in use', async () =>
      (await engine.dump('underlays')).every(({ state }) => state === 'preferred'),
    );
    const macs = (await engine.dump('ports')).map(({ mac }) => macToBytes(mac));
    return new Runner(
      engine,
      { portMac: (port) => macs[port] ?? new Uint8Array(6), buffer: OPTIONS.mbufSize - 128 },
      after(emptyState(), [...PORTS, ...addresses], FDB)!,
    );
  }

  private constructor(engine: EngineProcess, machine: Machine, known: State) {
    this.#engine = engine;
    this.#machine = machine;
    this.#known = known;
  }

  /** Fails where the two differ. */
  async run(
    { usual, tables, batches, arrivals }: Sequence,
    { alter = (trace) => trace, model = fateOf, seen = () => undefined }: Options = {},
  ): Promise<void> {
    const comparison = new Comparison(this.#machine, model);
    const apply = async (batch: readonly Command[]): Promise<void> => {
      const next = after(this.#known, batch, FDB);
      seen(next === undefined ? 'batch refused' : 'batch taken');
      const { refused } = await this.#engine.apply(batch);
      const text = () => `${JSON.stringify(batch)}: ${JSON.stringify(refused)}`;
      assert.equal(refused.length === 0, next !== undefined, text());
      if (next === undefined) return;
      comparison.changed(this.#known, next);
      this.#known = next;
    };
    const check = async (some: readonly Arrival[]): Promise<void> => {
      const all = some.map((one) => addressed(one, this.#machine.portMac));
      const traces = await this.#engine.trace(all.map(({ port, frame }) => [port, frame]));
      for (const [at, trace] of traces.entries()) {
        seen(trace);
        comparison.check(this.#known, all[at]!, alter(trace));
      }
    };
    const cleared = away(this.#known);
    if (cleared.length > 0) await apply(cleared);
    await apply(goodOf([...usual, ...tables], this.#known));
    await check(arrivals);
    for (const batch of batches) await apply(batch);
    if (batches.length > 0) await check(arrivals);
  }
}

/** The base, and of the commands those that can be taken with it, as one batch; of two about one object the later, if that can be. */
function goodOf(commands: readonly Command[], before: State): Command[] {
  let good = new Map(BASE.map((command) => [nameOf(command), command]));
  /** All at once if that can be, else one half and then the other. */
  const add = (some: readonly Command[]): void => {
    const more = new Map([...good, ...some.map((command) => [nameOf(command), command] as const)]);
    if (after(before, [...more.values()], FDB) !== undefined) {
      good = more;
    } else if (some.length > 1) {
      const half = Math.ceil(some.length / 2);
      add(some.slice(0, half));
      add(some.slice(half));
    }
  };
  add(commands);
  return [...good.values()];
}

/** Commands that take all but the ports and the underlay's addresses away. */
function away(state: State): Command[] {
  return [
    ...[...state.rows.values()].map(({ vn, mac }): Command => ({ op: 'FdbDel', vn, mac })),
    ...[...state.vaps.keys()].map((vap): Command => ({ op: 'VapDel', vap })),
    ...[...state.vns.keys()].map((vn): Command => ({ op: 'VnDel', vn: vn as VnId })),
    ...[...state.groups.keys()].map((group): Command => ({ op: 'GroupDel', group })),
    ...[...state.nextHops.keys()].map((nh): Command => ({ op: 'NextHopDel', nh })),
    ...[...state.neighbours.values()].map(({ port, ip }): Command => ({ op: 'NeighbourDel', port, ip })),
    ...[...state.routes.values()].map(({ prefix, prefixLen }): Command => ({ op: 'RouteDel', prefix, prefixLen })),
    ...[...state.acls.keys()].map((acl): Command => ({ op: 'AclDel', acl })),
  ];
}
