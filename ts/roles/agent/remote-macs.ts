// MACs that show up behind other NVEs, in VNs set to learn, where the NVA has no answer (RFC 8014 section 3.3): gives what the engine tells
// to the machine (`RemoteLearning`), and makes what it decides rows and next hops, in a scope of their own, so that what a packet from
// nowhere claims is never a condition of the VN. It decides nothing but what the machine is told.

import type { Logger } from 'pino';
import type { EngineEvent, NextHopId } from '#dataplane';
import { ENCAP_VXLAN, type HostInfo, type IpAddr, isAt, type MacAddr, type NveId, settingsOf, type VnId } from '#model';
import type { MappingChange, VnView } from '#nva';
import { MAX_REMOTE, RemoteLearning, type RemoteLearningEffect, type RemoteLearningEvent } from '#protocol';
import { type EngineObject, fdbKey, nhKey, type ObjectKey } from '../engine/objects.js';
import type { Reconciler, Scope } from '../engine/reconciler.js';
import { LEARNED_AGE_S, type LocalVn } from './local-vn.js';

export interface RemoteMacsParts {
  readonly log: Logger;
  readonly self: NveId;
  readonly reconciler: Pick<Reconciler, 'set' | 'patch'>;
  readonly vnOf: (vn: VnId) => LocalVn | undefined;
  readonly viewOf: (vn: VnId) => VnView | null;
  readonly nextHop: (vn: VnId, remote: IpAddr, contextId: number) => NextHopId;
  /** A MAC that was learned at a VAP of this NVE has moved away. */
  readonly moved: (vn: VnId, macs: readonly MacAddr[]) => void;
}

interface Way {
  readonly nh: NextHopId;
  users: number;
}

const REASONS = {
  named: 'somebody else names it',
  full: `${MAX_REMOTE} MACs have been learned in the VN`,
  restless: 'it moves too often',
} as const;

const scopeOf = (vn: VnId): Scope => `learned ${vn}`;

export class RemoteMacs {
  readonly #parts: RemoteMacsParts;
  readonly #log: Logger;
  readonly #machine = new RemoteLearning();
  readonly #places = new Map<VnId, Map<MacAddr, IpAddr>>();
  readonly #ways = new Map<VnId, Map<IpAddr, Way>>();
  /** Where the members of a VN were reached when they were last looked at. */
  readonly #members = new Map<VnId, ReadonlySet<IpAddr>>();

  constructor(parts: RemoteMacsParts) {
    this.#parts = parts;
    this.#log = parts.log.child({ component: 'learning' });
  }

  seen({ vn, mac, remote }: Extract<EngineEvent, { kind: 'learned_remote' }>): void {
    const local = this.#parts.vnOf(vn);
    if (local === undefined || !settingsOf(local.info).learn) return;
    const row = local.rows.get(mac);
    const isNamed = row?.isLearned === false || this.#isElsewhere(vn, mac);
    if (!isNamed && row !== undefined) this.#parts.moved(vn, [mac]);
    this.#handle({ type: 'seen', vn, mac, remote, isNamed });
  }

  aged(vn: VnId, mac: MacAddr): void {
    this.#handle({ type: 'aged', vn, mac });
  }

  /** A TSI of this NVE has them, or the NVA says where they are. */
  claimed(vn: VnId, macs: readonly MacAddr[]): void {
    for (const mac of macs) this.#handle({ type: 'claimed', vn, mac });
  }

  /** Before the change is brought into the engine. */
  mappingChanged({ vn, info, members, hosts }: MappingChange): void {
    this.claimed(
      vn,
      hosts.set.filter((host) => this.#isOther(host)).map(({ mac }) => mac),
    );
    if (info !== undefined) {
      const before = this.#parts.vnOf(vn)?.info;
      if (info === null || !settingsOf(info).learn || before?.vni !== info.vni) this.ended(vn);
    }
    if (members.set.length + members.removed.length === 0) return;
    const known = [...(this.#parts.viewOf(vn)?.members.values() ?? [])].flatMap(({ tunnels }) => tunnels);
    const now = new Set(known.map(({ ip }) => ip));
    for (const remote of this.#members.get(vn) ?? []) if (!now.has(remote)) this.#handle({ type: 'gone', vn, remote });
    this.#members.set(vn, now);
  }

  /** The VN does not learn any more, or is gone. */
  ended(vn: VnId): void {
    this.#handle({ type: 'ended', vn });
    this.#members.delete(vn);
  }

  #isOther(host: HostInfo): boolean {
    return !isAt(host, this.#parts.self);
  }

  #isElsewhere(vn: VnId, mac: MacAddr): boolean {
    const host = this.#parts.viewOf(vn)?.hosts.get(mac);
    return host !== undefined && this.#isOther(host);
  }

  #handle(event: RemoteLearningEvent): void {
    const { vn } = event;
    const changes = new Map<ObjectKey, EngineObject | null>();
    for (const effect of this.#machine.handle(event, performance.now())) {
      const { mac, remote } = effect;
      if (effect.type === 'refuse') {
        const { reason, count } = effect;
        this.#log.warn({ vn, mac, remote, reason, count }, `MAC ${mac} is not learned: ${REASONS[reason]}`);
        continue;
      }
      this.#log.debug({ vn, mac, remote }, `MAC ${mac}: ${effect.type === 'place' ? 'learned' : 'forgotten'}`);
      for (const [key, object] of this.#changesOf(effect)) changes.set(key, object);
    }
    if (changes.size > 0) void this.#parts.reconciler.patch(scopeOf(vn), changes).catch(() => undefined);
  }

  #changesOf({ type, vn, mac, remote }: Exclude<RemoteLearningEffect, { type: 'refuse' }>) {
    const places = this.#places.get(vn) ?? new Map<MacAddr, IpAddr>();
    const changes: [ObjectKey, EngineObject | null][] = [];
    const before = places.get(mac);
    if (type === 'place') {
      this.#places.set(vn, places.set(mac, remote));
      const { nh, object } = this.#use(vn, remote);
      changes.push([nhKey(nh), object]);
      const dest = { kind: 'nh', nh } as const;
      changes.push([fdbKey(vn, mac), { op: 'FdbSet', vn, mac, dest, ageS: LEARNED_AGE_S }]);
    } else {
      places.delete(mac);
      changes.push([fdbKey(vn, mac), null]);
    }
    if (before !== undefined) changes.push(...this.#leave(vn, before));
    if (places.size === 0) this.#places.delete(vn);
    return changes;
  }

  /** The next hop to an NVE; the NVA may say under which Context ID it receives the VN, else it is the VN's own. */
  #use(vn: VnId, remote: IpAddr): { nh: NextHopId; object: EngineObject } {
    const { vnOf, viewOf, nextHop } = this.#parts;
    const members = [...(viewOf(vn)?.members.values() ?? [])];
    const member = members.find(({ tunnels }) => tunnels.some(({ ip }) => ip === remote));
    const contextId = member?.contextId ?? vnOf(vn)?.info.vni ?? 0;
    const ways = this.#ways.get(vn) ?? new Map<IpAddr, Way>();
    const way = ways.get(remote) ?? { nh: nextHop(vn, remote, contextId), users: 0 };
    way.users += 1;
    this.#ways.set(vn, ways.set(remote, way));
    return { nh: way.nh, object: { op: 'NextHopSet', nh: way.nh, remote, encap: ENCAP_VXLAN, contextId } };
  }

  /** A MAC is there no more; with the last one the next hop goes. */
  #leave(vn: VnId, remote: IpAddr): [ObjectKey, null][] {
    const ways = this.#ways.get(vn);
    const way = ways?.get(remote);
    if (way === undefined) return [];
    way.users -= 1;
    if (way.users > 0) return [];
    ways?.delete(remote);
    if (ways?.size === 0) this.#ways.delete(vn);
    return [[nhKey(way.nh), null]];
  }
}
