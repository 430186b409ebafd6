// Where broadcast of a VN goes, and by which ways it is heard, as the engine's objects (RFC 8014 section 4.3, item 3): a copy for each NVE, one
// for the NVE that makes the others, or one for a multicast group of the underlay. Pure functions.

import type { RemoteDest } from '#dataplane';
import { type Delivery, type IpAddr, ipFamily, type NveId, type VnInfo } from '#model';
import type { MemberView, VnView } from '#nva';
import { destKey, type EngineObject } from '../engine/objects.js';
import { type Way, type WayInput, type Ways, wayTo } from './nve-ways.js';
import { nextHopOptions, optional, usableEnds } from './underlay.js';

export interface FloodInput {
  readonly info: VnInfo;
  readonly view: VnView | null;
  readonly self: NveId;
  /** How broadcast is sent, and by which ways it may come. */
  readonly delivery: { readonly sent: Delivery; readonly heard: readonly Delivery[] };
  readonly way: WayInput;
}

/** The flood list. What it needs is added to `objects`, and who may send, besides members, to `sources`. */
export function floodOf(input: FloodInput, ways: Ways, sources: Set<IpAddr>, objects: EngineObject[]): RemoteDest[] {
  const { sent, heard } = input.delivery;
  // What will be sent to is there before: its neighbours are found, its groups joined.
  const dests = new Map(heard.map((delivery) => [delivery, destsOf(input, delivery, ways, sources, objects)]));
  for (const delivery of heard) if (delivery.kind === 'multicast') join(input, delivery.group, objects);
  return dests.get(sent) ?? destsOf(input, sent, ways, sources, objects);
}

function destsOf(
  input: FloodInput,
  delivery: Delivery,
  ways: Ways,
  sources: Set<IpAddr>,
  objects: EngineObject[],
): RemoteDest[] {
  const { info, view, self, way } = input;
  if (delivery.kind === 'multicast') return groupOf(input, delivery.group, ways, objects);
  if (delivery.kind !== 'node' || delivery.nveId === self) return copies(ways.values());
  const ends = view?.nves.get(delivery.nveId)?.tunnels ?? [];
  // It receives the VN under the number that it has for everybody.
  const toNode = wayTo(way, ends, info.vni, objects);
  for (const { ip } of usableEnds(ends, way.sending)) sources.add(ip);
  return copies([toNode]);
}

/** One copy for each; two NVEs at the same ends get one. */
function copies(ways: Iterable<Way | null | undefined>): RemoteDest[] {
  const dests = [...ways].flatMap((way) => way?.dest ?? []);
  const unique = new Map(dests.map((dest) => [destKey(dest), dest]));
  return [...unique.values()].sort((a, b) => numberOf(a) - numberOf(b));
}

/** Of next hops and groups; no two have the same. */
const numberOf = (dest: RemoteDest): number => (dest.kind === 'nh' ? dest.nh : dest.group);

/**
 * One copy for all who are in the group, and one for each that cannot be, having no end of its family. A packet to a group has one Context
 * ID and one encapsulation: unless all NVEs take these, each gets a copy of its own.
 */
function groupOf(input: FloodInput, group: IpAddr, ways: Ways, objects: EngineObject[]): RemoteDest[] {
  const { info, self, way } = input;
  const { vn, ids, sending } = way;
  const others = [...(input.view?.members.values() ?? [])].filter(({ nveId }) => nveId !== self);
  const hearers = others.filter((member) => mayHear(member, group));
  const encap = sending.encaps.find((one) => hearers.every(({ tunnels }) => takes(tunnels, one, group)));
  const port = portFor(input, group);
  if (port === undefined || encap === undefined || others.some(({ contextId }) => contextId !== info.vni))
    return copies(ways.values());
  const options = { ...nextHopOptions({ ip: group, encap }, sending.tunnel), port };
  const nh = ids.nextHop(vn, { ip: group, encap }, info.vni, options);
  objects.push({ op: 'NextHopSet', nh, remote: group, encap, contextId: info.vni, ...optional(options) });
  const deaf = others.filter((member) => !mayHear(member, group)).map(({ nveId }) => ways.get(nveId));
  return [...(hearers.length > 0 ? [{ kind: 'nh', nh } as const] : []), ...copies(deaf)];
}

/** Whether a member may be in a group: it has an end of its family, or its ends are not known yet. */
const mayHear = ({ tunnels }: MemberView, group: IpAddr): boolean =>
  tunnels.length === 0 || tunnels.some(({ ip }) => ipFamily(ip) === ipFamily(group));

const takes = (tunnels: MemberView['tunnels'], encap: number, group: IpAddr): boolean =>
  tunnels.length === 0 || tunnels.some((end) => end.encap === encap && ipFamily(end.ip) === ipFamily(group));

/**
 * Hears a group, if this NVE receives the VN under the number that packets to groups have: else they would be another VN's here, and nobody
 * sends any.
 */
function join(input: FloodInput, group: IpAddr, objects: EngineObject[]): void {
  const { info, view, self } = input;
  const port = portFor(input, group);
  const contextId = view?.members.get(self)?.contextId ?? info.vni;
  if (port !== undefined && contextId === info.vni) objects.push({ op: 'McastSet', vn: info.vn, port, group });
}

const portFor = ({ way }: FloodInput, group: IpAddr): number | undefined => way.sending.groupPorts.get(ipFamily(group));
