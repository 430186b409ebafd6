// How frames of a VN reach other NVEs: the next hops to an NVE's ends and the groups of them, as the engine's objects. Pure functions;
// they must not know which NVEs a VN has.

import { type GroupMember, MAX_GROUP_MEMBERS, type RemoteDest } from '#dataplane';
import type { TunnelEnd, VnId } from '#model';
import { destKey, type EngineObject } from '../engine/objects.js';
import type { Ids } from './ids.js';
import { nextHopOptions, optional, type Sending, usableEnds } from './underlay.js';

/**
 * How the other NVEs of a VN are reached, by their names, and those of multihomed hosts together, by their `homeKey`; null: at none of
 * their ends can this one send to them.
 */
export type Ways = ReadonlyMap<string, Way | null>;

export interface Way {
  readonly dest: RemoteDest;
  /** The next hops behind it. */
  readonly hops: readonly GroupMember[];
}

/** A fault that a test asks for, so that what must notice it can be seen to notice. */
export type Fault = 'wrong-vni';

export interface WayInput {
  readonly vn: VnId;
  readonly ids: Ids;
  readonly sending: Sending;
  readonly fault?: Fault | undefined;
}

/**
 * How another NVE is reached: by its end, or, if it has several, by a group that shares flows among those that live (RFC 8014 section
 * 4.4). `contextId`: under which it receives the VN. Null: at none of its ends can this one send to it. What is needed is added to `objects`.
 */
export function wayTo(
  input: WayInput,
  ends: readonly TunnelEnd[],
  contextId: number,
  objects: EngineObject[],
): Way | null {
  return wayOver(input, hopsTo(input, ends, contextId, objects), objects);
}

/** How a host behind several NVEs is reached: by all the ends of all of them. */
export function wayToAny(
  input: WayInput,
  ways: readonly (Way | null | undefined)[],
  objects: EngineObject[],
): Way | null {
  const hops = new Map(ways.flatMap((way) => way?.hops ?? []).map((hop) => [hop.nh, hop]));
  return wayOver(input, [...hops.values()], objects);
}

/** The next hops to an NVE: one for each of its ends that this one can send to. */
function hopsTo(
  { vn, ids, sending, fault }: WayInput,
  ends: readonly TunnelEnd[],
  memberContext: number,
  objects: EngineObject[],
): GroupMember[] {
  const contextId = memberContext + (fault === 'wrong-vni' ? 1 : 0);
  return usableEnds(ends, sending).map((end) => {
    const options = nextHopOptions(end, sending.tunnel);
    const nh = ids.nextHop(vn, end, contextId, options);
    objects.push({ op: 'NextHopSet', nh, remote: end.ip, encap: end.encap, contextId, ...optional(options) });
    if (end.down === true) objects.push({ op: 'NextHopAlive', nh, alive: false });
    return { nh, weight: end.weight ?? 1 };
  });
}

function wayOver({ vn, ids }: WayInput, hops: readonly GroupMember[], objects: EngineObject[]): Way | null {
  const members = hops.slice(0, MAX_GROUP_MEMBERS).sort((a, b) => a.nh - b.nh);
  const [first] = members;
  if (first === undefined) return null;
  if (members.length === 1) return { dest: { kind: 'nh', nh: first.nh }, hops };
  const group = ids.group(vn, members);
  objects.push({ op: 'GroupSet', group, members });
  return { dest: { kind: 'group', group }, hops };
}

/** Whether rows that were made with `before` are right with `now`: what is new of multihomed hosts comes with these. */
export function sameWays(before: Ways, now: Ways): boolean {
  const textOf = (way: Way | null | undefined): string | null => (way ? destKey(way.dest) : null);
  const isSame = ([name, way]: [string, Way | null]): boolean => now.has(name) && textOf(now.get(name)) === textOf(way);
  const isHome = (name: string): boolean => name.includes(' ');
  return [...before].every(isSame) && [...now.keys()].every((name) => before.has(name) || isHome(name));
}
