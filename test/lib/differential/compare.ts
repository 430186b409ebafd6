// What the engine says of a frame against what the reference model says. What is the engine's choice is checked by what docs/engine.md says
// of it, and is then left out of the comparison: the source port and the flow label of a flow, which next hop of a group it takes, and the
// identification of a packet that routers may fragment.
import assert from 'node:assert/strict';
import type { Trace } from '#dataplane';
import { outerOf } from '../../../ts/dataplane/sim/encap.js';
import { type Fate, type fateOf, isLiving, type Machine, type State } from '../../../ts/dataplane/sim/index.js';
import {
  be16,
  bytes,
  checksum,
  ETHERNET,
  hexOf,
  type Octets,
  tagsAt,
  u16,
  withChecksum,
  withPseudoHeader,
} from '../../../ts/dataplane/sim/packet.js';
import { UNDERLAYS } from './network.js';
import type { Arrival } from './packets.js';

/** What both sides can say of a frame. */
interface Said {
  readonly outcome: string;
  readonly detail: string | null;
  readonly sent: readonly string[];
  readonly drops: Readonly<Record<string, number>>;
  readonly counted: Readonly<Record<string, number>>;
  readonly learned: readonly string[];
  readonly asked: boolean;
}

/** A flow's choices, as far as they were seen. */
interface Seen {
  /** By flow and range: its source port. */
  readonly ports: Map<string, number>;
  /** By flow: its flow label. */
  readonly labels: Map<string, string>;
  /** By group and flow: the next hops that it may have taken. */
  readonly members: Map<string, { readonly group: number; readonly may: readonly number[] }>;
}

export class Comparison {
  readonly #machine: Machine;
  readonly #model: typeof fateOf;
  readonly #seen: Seen = { ports: new Map(), labels: new Map(), members: new Map() };

  constructor(machine: Machine, model: typeof fateOf) {
    this.#machine = machine;
    this.#model = model;
  }

  /** Fails if the engine's answer is none that the model allows. */
  check(state: State, arrival: Arrival, trace: Trace): void {
    const cleared: Cleared[] = [];
    const said = this.#said(trace, cleared);
    const fates = this.#fates(state, arrival);
    const alike = fates.filter(({ fate }) => isDeepEqual(said, saidOf(fate)));
    assert.deepEqual(said, saidOf((alike[0] ?? fates[0])!.fate), told(arrival));
    // Next hops of a group may differ in nothing but their source ports.
    const right = alike.filter(({ fate }) => cleared.every((one) => rangesOf(one, fate).some(has(one.port))));
    assert(right.length > 0, `source ports ${cleared.map(({ port }) => port)}: ${told(arrival)}`);
    this.#flows(
      cleared,
      right.map(({ fate }) => fate),
    );
    this.#members(arrival, right);
  }

  /** The tables have changed: a group whose next hops are others, or have come to life, may share its flows out anew. */
  changed(before: State, after: State): void {
    for (const [key, { group, may }] of this.#seen.members) {
      const [old, now] = [livingOf(before, group), livingOf(after, group)];
      const isSame = JSON.stringify(before.groups.get(group)) === JSON.stringify(after.groups.get(group));
      const stays = isSame && now.every((nh) => old.includes(nh)) && may.every((nh) => now.includes(nh));
      if (!stays) this.#seen.members.delete(key);
    }
  }

  /** Every fate that the model allows, by the next hop that each group takes. */
  #fates(
    state: State,
    { port, frame }: Arrival,
  ): { readonly fate: Fate; readonly taken: ReadonlyMap<number, number> }[] {
    const asked = new Map<number, readonly number[]>();
    const choose = (taken: ReadonlyMap<number, number>): Machine => ({
      ...this.#machine,
      choose: (group, living) => {
        asked.set(group, living);
        return taken.get(group) ?? living[0]!;
      },
    });
    const first = this.#model(state, choose(new Map()), port, frame);
    let choices: ReadonlyMap<number, number>[] = [new Map()];
    for (const [group, living] of asked)
      choices = choices.flatMap((taken) => living.map((nh) => new Map([...taken, [group, nh]])));
    if (asked.size === 0) return [{ fate: first, taken: new Map() }];
    return choices.map((taken) => ({ fate: this.#model(state, choose(taken), port, frame), taken }));
  }

  #said({ outcome, detail, frames, drops, learned, vaps, steps }: Trace, cleared: Cleared[]): Said {
    const sent = frames.map(({ port, frame }) => {
      if (!isTunnelled(port, frame)) return `${port} ${hexOf(frame)}`;
      const one = clear(frame);
      cleared.push(one);
      return `${port} ${one.frame}`;
    });
    const moved = vaps.flatMap(({ vap, inPackets, outPackets }) => [
      [`${vap} in`, inPackets] as const,
      [`${vap} out`, outPackets] as const,
    ]);
    return {
      outcome,
      detail,
      sent: sent.sort(),
      drops: Object.fromEntries(drops.map(({ reason, packets }) => [reason, packets])),
      counted: Object.fromEntries(moved.filter(([, packets]) => packets !== 0)),
      learned: learned.map(({ vap, mac }) => `${vap} ${mac}`),
      asked: steps.some(({ facts }) => facts['query'] === true),
    };
  }

  /** A flow has one source port of a range, and one flow label. */
  #flows(cleared: readonly Cleared[], fates: readonly Fate[]): void {
    for (const one of cleared) {
      const ranges = fates.flatMap((fate) => rangesOf(one, fate)).filter(has(one.port));
      // Of the same packet to two next hops of different ranges it is not known which is whose.
      if (new Set(ranges.map(String)).size === 1) same(this.#seen.ports, `${one.flow} by ${ranges[0]}`, one.port);
      if (one.label !== '') same(this.#seen.labels, one.flow, one.label);
    }
  }

  #members({ port, frame }: Arrival, right: readonly { readonly taken: ReadonlyMap<number, number> }[]): void {
    const tags = hexOf(frame.subarray(12, 24)).match(/^(?:(?:8100|88a8)....)*/)?.[0];
    const flow = `${port} ${tags} ${flowOf(bytes(frame.subarray(0, 12), frame.subarray(12 + (tags ?? '').length / 2)))}`;
    for (const group of right[0]!.taken.keys()) {
      const key = `${group} ${flow}`;
      const before = this.#seen.members.get(key)?.may;
      const taken = right.map((one) => one.taken.get(group)!);
      const may = [...new Set(taken)].filter((nh) => before?.includes(nh) ?? true);
      assert(may.length > 0, `flow ${key} took next hop ${before}, and now ${taken}`);
      this.#seen.members.set(key, { group, may });
    }
  }
}

type Range = readonly [first: number, last: number];
const has =
  (port: number) =>
  ([first, last]: Range): boolean =>
    first <= port && port <= last;
/** Those of the next hops that a packet may be for. */
const rangesOf = ({ frame }: Cleared, { sent }: Fate): Range[] =>
  sent.flatMap((one) => (one.ports !== null && hexOf(one.frame) === frame ? [one.ports] : []));

export const told = ({ port, frame }: Arrival): string => `port ${port} ${hexOf(frame)}`;

const livingOf = (state: State, group: number): number[] =>
  (state.groups.get(group)?.members ?? []).map(({ nh }) => nh).filter((nh) => isLiving(state, nh));

function same<T>(seen: Map<string, T>, flow: string, value: T): void {
  const before = seen.get(flow) ?? value;
  assert.equal(value, before, `flow ${flow} left with ${before}, and now with ${value}`);
  seen.set(flow, value);
}

function saidOf({ outcome, detail, sent, drops, learned, counted, asked }: Fate): Said {
  const frames = sent.map(({ port, frame }) => `${port} ${hexOf(frame)}`).sort();
  return { outcome, detail, sent: frames, drops, counted, learned, asked };
}

function isDeepEqual(a: unknown, b: unknown): boolean {
  try {
    assert.deepEqual(a, b);
    return true;
  } catch {
    return false;
  }
}

/** Whether what left by a port is an encapsulated frame, and no answer of our own. */
function isTunnelled(port: number, frame: Octets): boolean {
  if (!UNDERLAYS.some((underlay) => underlay === port)) return false;
  const { ip, udp } = outerOf(frame);
  return frame[ip + (udp - ip === 40 ? 6 : 9)] === 17 && [4789, 6081].includes(u16(frame, udp + 2));
}

interface Cleared {
  /** Without what is the engine's choice, which is zero, and with 0xffff for a UDP checksum. */
  readonly frame: string;
  readonly flow: string;
  readonly port: number;
  readonly label: string;
}

/** An encapsulated frame, its checksums right, without what is the engine's choice. */
function clear(packet: Octets): Cleared {
  const { ip, udp, inner } = outerOf(packet);
  const frame = Uint8Array.from(packet);
  const isIpv6 = udp - ip === 40;
  const addresses = packet.subarray(isIpv6 ? ip + 8 : ip + 12, udp);
  if (u16(packet, udp + 6) !== 0) {
    assert.equal(checksum(withPseudoHeader(addresses, 17, packet.subarray(udp))), 0, `UDP checksum: ${hexOf(packet)}`);
    frame.set([0xff, 0xff], udp + 6);
  }
  const label = isIpv6 ? hexOf(packet.subarray(ip + 1, ip + 4)).slice(1) : '';
  if (isIpv6) frame.set([(packet[ip + 1] ?? 0) & 0xf0, 0, 0], ip + 1);
  else {
    assert.equal(checksum(packet.subarray(ip, udp)), 0, `IPv4 checksum: ${hexOf(packet)}`);
    if (((packet[ip + 6] ?? 0) & 0x40) === 0) {
      frame.set([0, 0], ip + 4);
      frame.set([0, 0], ip + 10);
      frame.set(withChecksum(frame.subarray(ip, udp), 10), ip);
    }
  }
  frame.set(be16(0), udp);
  return { frame: hexOf(frame), flow: flowOf(packet.subarray(inner)), port: u16(packet, udp), label };
}

/** MACs, and of IPv4 addresses, protocol, and ports unless fragmented: what RFC 7348, 5 calls the inner flow. Of others the whole frame. */
function flowOf(inner: Octets): string {
  const tags = tagsAt(inner, 12);
  const packet = inner.subarray(ETHERNET + (tags?.length ?? 0));
  if (tags?.etherType !== 0x0800 || packet[0] !== 0x45) return hexOf(inner);
  const whole = (u16(packet, 6) & 0x3fff) === 0 && (packet[9] === 6 || packet[9] === 17);
  return [inner.subarray(0, 12), packet.subarray(9, 10), packet.subarray(12, 20), packet.subarray(20, whole ? 24 : 20)]
    .map(hexOf)
    .join(' ');
}
