// One VN as this NVE serves it: what is attached here (from the TSI life cycle) and what the NVA says, and from both, by a pure
// function, what the engine shall hold.

import type { VapOptions, VnOptions } from '#dataplane';
import {
  formatTag,
  type HostInfo,
  homeKey,
  type IpAddr,
  isAt,
  type LinkName,
  type MacAddr,
  type NveId,
  settingsOf,
  type TsiKey,
  tsiKeyText,
  type VnId,
  type VnSettings,
} from '#model';
import type { VnView } from '#nva';
import { aclObject } from '../engine/acls.js';
import { type EngineObject, type EngineState, stateOf } from '../engine/objects.js';
import { selectorOf } from '../engine/tags.js';
import type { Ids } from './ids.js';
import { LEARNED_AGE_S, type LocalRow, type LocalVap, type LocalVn } from './local-vn.js';
import { forwarderOf, homeAcl } from './multihoming.js';
import { type Fault, type Way, type WayInput, type Ways, wayTo, wayToAny } from './nve-ways.js';
import { optional, type Sending, usableEnds } from './underlay.js';
import { type FloodInput, floodOf } from './vn-flood.js';

export interface VnInput {
  readonly local: LocalVn;
  /** What the NVA says; null while nothing is known yet. */
  readonly view: VnView | null;
  readonly self: NveId;
  readonly sending: Sending;
  /** EVB has granted reflective relay on the link. */
  readonly reflects: (link: LinkName) => boolean;
  readonly ids: Ids;
  readonly delivery: FloodInput['delivery'];
  readonly fault?: Fault | undefined;
}

/**
 * Whether a MAC that is attached here has since moved to another NVE: the NVA's word is newer than what it said when the row was made.
 * (RFC 8014 section 3.4: the NVE follows the NVA.)
 */
export function isMovedAway(row: LocalRow, host: HostInfo | undefined, self: NveId): boolean {
  if (host === undefined || isAt(host, self) || host.mobilitySeq <= row.since) return false;
  // It is multihomed and this NVE one of its homes: what the NVA does not know yet is no move.
  return host.others === undefined || !row.link.multihomed;
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
  for (const one of local.vaps.values()) {
    const { link, tag, learners } = one;
    const vap = ids.vap(vn, link.name, tag);
    const { port, tenantTags: tags } = link;
    const flags = { guard: true, uplink: false, reflect: reflects(link.name), learn: learners.size > 0 };
    const policy = link.multihomed ? homePolicy(input, one, objects) : link.policy;
    objects.push({ op: 'VapSet', vap, vn, port, selector: selectorOf(tag), ...flags, tags, ...optional(policy) });
  }

  const ways = new Map<string, Way | null>();
  const sources = new Set<IpAddr>();
  for (const member of view?.members.values() ?? []) {
    if (member.nveId === self) continue;
    ways.set(member.nveId, wayTo(wayInput(input), member.tunnels, member.contextId, objects));
    for (const { ip } of usableEnds(member.tunnels, input.sending)) sources.add(ip);
  }
  const dests = floodOf(
    { info: local.info, view, self, delivery: input.delivery, way: wayInput(input) },
    ways,
    sources,
    objects,
  );
  for (const [key, homes] of view?.homes ?? []) {
    const others = homes.filter((nveId) => nveId !== self).map((nveId) => ways.get(nveId));
    ways.set(key, wayToAny(wayInput(input), others, objects));
  }
  if (dests.length > 0) objects.push({ op: 'FloodSet', vn, dests });
  if (sources.size > 0) objects.push({ op: 'SourcesSet', vn, ips: [...sources].sort() });
  return { state: stateOf(objects), ways };
}

const wayInput = ({ local, ids, sending, fault }: VnInput): WayInput => ({ vn: local.info.vn, ids, sending, fault });

/** What a VAP of a multihomed link is allowed: what others are, and no frame twice. */
function homePolicy({ local, view, self, ids }: VnInput, { link, tag }: LocalVap, objects: EngineObject[]): VapOptions {
  const { vn } = local.info;
  const isThere = ([, row]: [MacAddr, LocalRow]): boolean =>
    row.link.name === link.name && formatTag(row.tag) === formatTag(tag) && !row.isLearned;
  const macs = [...local.rows].filter(isThere).map(([mac]) => mac);
  const acl = ids.homeAcl(vn, ids.vap(vn, link.name, tag));
  objects.push(homeAcl(acl, macs.sort(), forwarderOf(macs, view, self) === self, link.aclOut));
  return { ...link.policy, aclOut: acl };
}

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
  const way = host === undefined ? undefined : ways.get(homeKey(host) ?? host.nveId);
  return way ? { op: 'FdbSet', vn, mac, dest: way.dest } : null;
}

/**
 * Compares the MACs that are attached here with what the NVA says: remembers under which mobility sequence it names this NVE, and
 * gives the TSIs and the learned MACs of which it says that they are at another NVE by now.
 */
export function movedAway(
  local: LocalVn,
  view: VnView | null,
  self: NveId,
): { tsis: { key: TsiKey; to: NveId }[]; learned: MacAddr[] } {
  const gone = new Map<string, { key: TsiKey; to: NveId }>();
  const learned: MacAddr[] = [];
  for (const [mac, row] of local.rows) {
    const host = view?.hosts.get(mac);
    if (host !== undefined && isAt(host, self)) {
      row.confirmed = true;
      row.since = Math.max(row.since, host.mobilitySeq);
    } else if (host !== undefined && row.confirmed && isMovedAway(row, host, self)) {
      if (row.isLearned) {
        learned.push(mac);
        continue;
      }
      const key = { tsi: row.tsi, link: row.link.name };
      gone.set(tsiKeyText(key), { key, to: host.nveId });
    }
  }
  return { tsis: [...gone.values()], learned };
}
