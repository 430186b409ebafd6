// One VN as this NVE serves it: what is attached here (from the TSI life cycle) and what the NVA says, and from both, by a pure
// function, what the engine shall hold.

import type { NextHopId, VnOptions } from '#dataplane';
import {
  ENCAP_VXLAN,
  formatTag,
  type HostInfo,
  type IpAddr,
  ipFamily,
  type LinkName,
  type MacAddr,
  type NveId,
  settingsOf,
  type Tag,
  type TsiId,
  type VnInfo,
} from '#model';
import type { MemberView, VnView } from '#nva';
import { type EngineObject, type EngineState, stateOf } from '../engine/objects.js';
import { selectorOf } from '../engine/tags.js';
import type { Ids } from './ids.js';
import type { AgentLink } from './links.js';

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
  /** EVB has granted reflective relay on the link. */
  readonly reflects: (link: LinkName) => boolean;
  readonly ids: Ids;
  readonly fault?: Fault | undefined;
}

/** Where the NVE of a member is reached: its first VXLAN address over IPv4. */
export function tunnelOf(member: MemberView): IpAddr | undefined {
  return member.tunnels.find(({ encap, ip }) => encap === ENCAP_VXLAN && ipFamily(ip) === 4)?.ip;
}

/**
 * Whether a MAC that is attached here has since moved to another NVE: the NVA's word is newer than what it said when the row was made.
 * (RFC 8014 section 3.4: the NVE follows the NVA.)
 */
export function isMovedAway(row: LocalRow, host: HostInfo | undefined, self: NveId): boolean {
  return host !== undefined && host.nveId !== self && host.mobilitySeq > row.since;
}

/** What the engine is told of how the VN is served, where that is not its default. */
function optionsOf(info: VnInfo): { options?: VnOptions } {
  const { unknown, learn, suppress } = settingsOf(info);
  const options: VnOptions = {
    ...(unknown === 'drop' ? {} : { unknown }),
    ...(learn ? { learn } : {}),
    ...(suppress ? { suppress } : {}),
  };
  return Object.keys(options).length === 0 ? {} : { options };
}

/** The VN without its rows, and by which next hop each other NVE of it is reached. Only new numbers are taken from `ids`. */
export function vnStructure(input: VnInput): { state: EngineState; nextHops: ReadonlyMap<NveId, NextHopId> } {
  const { local, view, self, ids, reflects } = input;
  const { vn, mtu } = local.info;
  // Each NVE receives a VN under a Context ID of its own; the NVA may name another one than the VN's default.
  const vni = view?.members.get(self)?.contextId ?? local.info.vni;
  const objects: EngineObject[] = [{ op: 'VnSet', vn, vni, mtu, ...optionsOf(local.info) }];
  for (const { link, tag, learners } of local.vaps.values()) {
    const vap = ids.vap(vn, link.name, tag);
    const { port, tenantTags: tags } = link;
    const flags = { guard: true, uplink: false, reflect: reflects(link.name), learn: learners.size > 0 };
    objects.push({ op: 'VapSet', vap, vn, port, selector: selectorOf(tag), ...flags, tags });
  }

  const nextHops = new Map<NveId, NextHopId>();
  const sources = new Set<IpAddr>();
  for (const member of view?.members.values() ?? []) {
    const remote = tunnelOf(member);
    if (member.nveId === self || remote === undefined) continue;
    const contextId = member.contextId + (input.fault === 'wrong-vni' ? 1 : 0);
    const nh = ids.nextHop(vn, remote, ENCAP_VXLAN, contextId);
    nextHops.set(member.nveId, nh);
    objects.push({ op: 'NextHopSet', nh, remote, encap: ENCAP_VXLAN, contextId });
    for (const { encap, ip } of member.tunnels) if (encap === ENCAP_VXLAN && ipFamily(ip) === 4) sources.add(ip);
  }
  if (nextHops.size > 0)
    objects.push({ op: 'FloodSet', vn, nhs: [...new Set(nextHops.values())].sort((a, b) => a - b) });
  if (sources.size > 0) objects.push({ op: 'SourcesSet', vn, ips: [...sources].sort() });
  return { state: stateOf(objects), nextHops };
}

/** The row of a MAC: to its VAP if it is attached here, to its NVE if the NVA names one that is known, else none. */
export function vnRow(input: VnInput, nextHops: ReadonlyMap<NveId, NextHopId>, mac: MacAddr): EngineObject | null {
  const { local, view, self, ids } = input;
  const { vn } = local.info;
  const row = local.rows.get(mac);
  const host = view?.hosts.get(mac);
  if (row !== undefined && !isMovedAway(row, host, self)) {
    const dest = { kind: 'vap', vap: ids.vap(vn, row.link.name, row.tag) } as const;
    return { op: 'FdbSet', vn, mac, dest, ...(row.isLearned ? { ageS: LEARNED_AGE_S } : {}) };
  }
  const nh = host === undefined ? undefined : nextHops.get(host.nveId);
  return nh === undefined ? null : { op: 'FdbSet', vn, mac, dest: { kind: 'nh', nh } };
}
