// How frames of a VN reach other NVEs: the next hops to an NVE's ends and the groups of them, as the engine's objects. Pure functions;
// they must not know which NVEs a VN has.

import { type GroupMember, MAX_GROUP_MEMBERS, type RemoteDest } from '#dataplane';
import type { NveId, TunnelEnd, VnId } from '#model';
import { destKey, type EngineObject } from '../engine/objects.js';
import type { Ids } from './ids.js';
import { nextHopOptions, optional, type Sending, usableEnds } from './underlay.js';

/** How the other NVEs of a VN are reached, those that are. */
export type Ways = ReadonlyMap<NveId, RemoteDest>;

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
): RemoteDest | null {
  return destOf(input, hopsTo(input, ends, contextId, objects), objects);
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
    return { nh, weight: 1 };
  });
}

function destOf({ vn, ids }: WayInput, hops: readonly GroupMember[], objects: EngineObject[]): RemoteDest | null {
  const members = hops.slice(0, MAX_GROUP_MEMBERS).sort((a, b) => a.nh - b.nh);
  const [first] = members;
  if (first === undefined) return null;
  if (members.length === 1) return { kind: 'nh', nh: first.nh };
  const group = ids.group(
    vn,
    members.map(({ nh }) => nh),
  );
  objects.push({ op: 'GroupSet', group, members });
  return { kind: 'group', group };
}

export function sameWays(a: Ways, b: Ways): boolean {
  const isSame = ([nveId, dest]: [NveId, RemoteDest]): boolean => {
    const other = b.get(nveId);
    return other !== undefined && destKey(other) === destKey(dest);
  };
  return a.size === b.size && [...a].every(isSame);
}
