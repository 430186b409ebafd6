// One VN as this NVE serves it: what is attached here (from the TSI life cycle) and what the NVA says, and from both, by a pure
// function, what the engine shall hold.

import { MAX_GROUP_MEMBERS, type RemoteDest, type VnOptions } from '#dataplane';
import {
  formatTag,
  type HostInfo,
  type IpAddr,
  type LinkName,
  type MacAddr,
  type NveId,
  settingsOf,
  type Tag,
  type TsiId,
  type TunnelEnd,
  type VnId,
  type VnInfo,
  type Vni,
  type VnSettings,
} from '#model';
import type { VnView } from '#nva';
import { aclObject } from '../engine/acls.js';
import { destKey, type EngineObject, type EngineState, stateOf } from '../engine/objects.js';
import { selectorOf } from '../engine/tags.js';
import type { Ids } from './ids.js';
import type { AgentLink } from './links.js';
import { nextHopOptions, optional, type Sending, usableEnds } from './underlay.js';

/** Seconds of silence after which a MAC that was learned is forgotten (802.1Q, 8.8.3: the default of a bridge). */
export const LEARNED_AGE_S = 300;

/** A tenant's MAC that is attached here. */
export interface LocalRow {
  readonly tsi: TsiId;
  readonly link: AgentLink;
  readonly tag: Tag;
  /** Nobody named it: it was seen. */
  readonly isLearned: boolean;
  /** The mobility sequence that the NVA knew when the row was made, or under which it has named this NVE since. */
  since: number;
  /** The NVA has named this NVE as the MAC's place. */
  confirmed: boolean;
}

/** A VAP and the TSIs that are activated on it. */
export interface LocalVap {
  readonly link: AgentLink;
  readonly tag: Tag;
  readonly users: Set<TsiId>;
  /** Those of them that have MACs which nobody names, in the order of their activation. */
  readonly learners: Set<TsiId>;
}

export class LocalVn {
  info: VnInfo;
  readonly rows = new Map<MacAddr, LocalRow>();
  readonly vaps = new Map<string, LocalVap>();

  constructor(info: VnInfo) {
    this.info = info;
  }

  /** The TSI is activated on a VAP; false if it was already. */
  enter(link: AgentLink, tag: Tag, tsi: TsiId): boolean {
    const key = vapText(link.name, tag);
    const vap = this.vaps.get(key) ?? { link, tag, users: new Set(), learners: new Set() };
    const isNew = !vap.users.has(tsi);
    vap.users.add(tsi);
    this.vaps.set(key, vap);
    return isNew;
  }

  leave(link: LinkName, tag: Tag, tsi: TsiId): LocalVap | undefined {
    const vap = this.vapOf(link, tag);
    vap?.users.delete(tsi);
    vap?.learners.delete(tsi);
    if (vap?.users.size === 0) this.vaps.delete(vapText(link, tag));
    return vap;
  }

  vapOf(link: LinkName, tag: Tag): LocalVap | undefined {
    return this.vaps.get(vapText(link, tag));
  }
}

function vapText(link: LinkName, tag: Tag): string {
  return `${link} ${formatTag(tag)}`;
}

/** A fault that a test asks for, so that what must notice it can be seen to notice. */
export type Fault = 'wrong-vni';

export interface VnInput {
  readonly local: LocalVn;
  /** What the NVA says; null while nothing is known yet. */
  readonly view: VnView | null;
  readonly self: NveId;
  readonly sending: Sending;
  /** EVB has granted reflective relay on the link. */
  readonly reflects: (link: LinkName) => boolean;
  readonly ids: Ids;
  readonly fault?: Fault | undefined;
}

/** How the other NVEs of a VN are reached, those that are. */
export type Ways = ReadonlyMap<NveId, RemoteDest>;

/**
 * Whether a MAC that is attached here has since moved to another NVE: the NVA's word is newer than what it said when the row was made.
 * (RFC 8014 section 3.4: the NVE follows the NVA.)
 */
export function isMovedAway(row: LocalRow, host: HostInfo | undefined, self: NveId): boolean {
  return host !== undefined && host.nveId !== self && host.mobilitySeq > row.since;
}

/** The VN without its rows, and how each other NVE of it is reached. Only new numbers are taken from `ids`. */
export function vnStructure(input: VnInput): { state: EngineState; ways: Ways } {
  const { local, view, self, ids, reflects } = input;
  const { vn, mtu } = local.info;
  // Each NVE receives a VN under a Context ID of its own; the NVA may name another one than the VN's default.
  const vni = view?.members.get(self)?.contextId ?? local.info.vni;
  const settings = settingsOf(local.info);
  const objects: EngineObject[] = [
    ...aclsOf(vn, settings, ids),
    { op: 'VnSet', vn, vni, mtu, ...optional(vnOptions(vn, settings, ids)) },
  ];
  for (const { link, tag, learners } of local.vaps.values()) {
    const vap = ids.vap(vn, link.name, tag);
    const { port, tenantTags: tags } = link;
    const flags = { guard: true, uplink: false, reflect: reflects(link.name), learn: learners.size > 0 };
    objects.push({ op: 'VapSet', vap, vn, port, selector: selectorOf(tag), ...flags, tags, ...optional(link.policy) });
  }

  const ways = new Map<NveId, RemoteDest>();
  const sources = new Set<IpAddr>();
  for (const member of view?.members.values() ?? []) {
    if (member.nveId === self) continue;
    const way = wayTo(input, member.tunnels, member.contextId, objects);
    if (way !== null) ways.set(member.nveId, way);
    for (const { ip } of usableEnds(member.tunnels, input.sending)) sources.add(ip);
  }
  const dests = floodOf(input, ways, sources, objects);
  if (dests.length > 0) objects.push({ op: 'FloodSet', vn, dests });
  if (sources.size > 0) objects.push({ op: 'SourcesSet', vn, ips: [...sources].sort() });
  return { state: stateOf(objects), ways };
}

/**
 * How another NVE is reached: by its end, or, if it has several, by a group that shares flows among those that live (RFC 8014 section
 * 4.4). Null: at none of its ends can this one send to it.
 */
function wayTo(
  { local, ids, sending, fault }: VnInput,
  ends: readonly TunnelEnd[],
  memberContext: Vni,
  objects: EngineObject[],
): RemoteDest | null {
  const { vn } = local.info;
  const contextId = memberContext + (fault === 'wrong-vni' ? 1 : 0);
  const nhs = usableEnds(ends, sending)
    .slice(0, MAX_GROUP_MEMBERS)
    .map((end) => {
      const options = nextHopOptions(end, sending.tunnel);
      const nh = ids.nextHop(vn, end, contextId, options);
      objects.push({ op: 'NextHopSet', nh, remote: end.ip, encap: end.encap, contextId, ...optional(options) });
      return nh;
    })
    .sort((a, b) => a - b);
  const [nh] = nhs;
  if (nh === undefined) return null;
  if (nhs.length === 1) return { kind: 'nh', nh };
  const group = ids.group(vn, nhs);
  objects.push({ op: 'GroupSet', group, members: nhs.map((nh) => ({ nh, weight: 1 })) });
  return { kind: 'group', group };
}

/**
 * Where broadcast goes (RFC 8014 section 4.3, item 3): a copy for each NVE, however many ends it has, or one for the NVE that makes the
 * others.
 */
function floodOf(input: VnInput, ways: Ways, sources: Set<IpAddr>, objects: EngineObject[]): RemoteDest[] {
  const { local, view, self } = input;
  const { delivery } = settingsOf(local.info);
  if (delivery.kind !== 'node' || delivery.nveId === self) {
    // Two NVEs at the same ends get one copy.
    const unique = new Map([...ways.values()].map((dest) => [destKey(dest), dest]));
    return [...unique.values()].sort((a, b) => numberOf(a) - numberOf(b));
  }
  const ends = view?.nves.get(delivery.nveId)?.tunnels ?? [];
  // It receives the VN under the number that it has for everybody.
  const way = wayTo(input, ends, local.info.vni, objects);
  for (const { ip } of usableEnds(ends, input.sending)) sources.add(ip);
  return way === null ? [] : [way];
}

/** Of next hops and groups; no two have the same. */
const numberOf = (dest: RemoteDest): number => (dest.kind === 'nh' ? dest.nh : dest.group);

function aclsOf(vn: VnId, { aclIn, aclOut }: VnSettings, ids: Ids): EngineObject[] {
  return [
    ...(aclIn === null ? [] : [aclObject(ids.acl(vn, 'in'), aclIn)]),
    ...(aclOut === null ? [] : [aclObject(ids.acl(vn, 'out'), aclOut)]),
  ];
}

/** What is not the engine's default. */
function vnOptions(vn: VnId, settings: VnSettings, ids: Ids): VnOptions {
  const { unknown, learn, suppress, dscp, strict, aclIn, aclOut } = settings;
  return {
    ...(unknown !== 'drop' && { unknown }),
    ...(learn && { learn }),
    ...(suppress && { suppress }),
    ...(dscp === 'uniform' && { dscpOut: dscp }),
    ...(strict && { strict }),
    ...(aclIn !== null && { aclIn: ids.acl(vn, 'in') }),
    ...(aclOut !== null && { aclOut: ids.acl(vn, 'out') }),
  };
}

/** The row of a MAC: to its VAP if it is attached here, to its NVE if the NVA names one that is known, else none. */
export function vnRow(input: VnInput, ways: Ways, mac: MacAddr): EngineObject | null {
  const { local, view, self, ids } = input;
  const { vn } = local.info;
  const row = local.rows.get(mac);
  const host = view?.hosts.get(mac);
  if (row !== undefined && !isMovedAway(row, host, self)) {
    const dest = { kind: 'vap', vap: ids.vap(vn, row.link.name, row.tag) } as const;
    return { op: 'FdbSet', vn, mac, dest, ...(row.isLearned ? { ageS: LEARNED_AGE_S } : {}) };
  }
  const dest = host === undefined ? undefined : ways.get(host.nveId);
  return dest === undefined ? null : { op: 'FdbSet', vn, mac, dest };
}
