/**
 * The mappings of one VN as the NVA gave them: its VN object, the NVEs, which of them are members, and the hosts. Ops go in,
 * a `MappingChange` comes out that says what is different now. A snapshot marks what it names; `sweep` drops the rest, so
 * that stale mappings serve until the new ones are complete.
 */
import {
  type HostInfo,
  homeKey,
  homesOf,
  type MacAddr,
  type MemberInfo,
  type NveId,
  type NveInfo,
  type VnId,
  type VnInfo,
} from '#model';
import { keyText, type NnpKey, type NnpObject, type NnpOp, objectKey } from '#wire';
import type { MappingChange, MemberView } from './nnp-types.js';

/** Objects of one VN beyond which an NVE refuses more. */
export const MAX_OBJECTS = 1_100_000;

export class NnpMapping {
  readonly vn: VnId;
  info: VnInfo | null = null;
  readonly hosts = new Map<MacAddr, HostInfo>();
  /** The views are kept, so that reading them costs nothing. */
  readonly members = new Map<NveId, MemberView>();
  readonly #members = new Map<NveId, MemberInfo>();
  /** All that are named: the members, and a replication node. */
  readonly nves = new Map<NveId, NveInfo>();
  /** Of multihomed hosts: the NVEs of each combination. */
  readonly homes = new Map<string, readonly NveId[]>();
  readonly #homeHosts = new Map<string, number>();
  /** What the snapshot under way has named; null outside of one. */
  #marked: Set<string> | null = null;
  /** Hosts that were asked for one by one: no snapshot names them. */
  readonly #pulled = new Set<MacAddr>();
  readonly #changes = new Changes();

  constructor(vn: VnId) {
    this.vn = vn;
  }

  /** Whether the key belongs to a subscription of this VN. */
  covers(key: NnpKey): boolean {
    return key.kind === 'nve' || key.vn === this.vn;
  }

  beginSnapshot(): void {
    this.#marked = new Set();
  }

  /** How many objects the snapshot under way has named. */
  get marked(): number {
    return this.#marked?.size ?? 0;
  }

  /** The snapshot will not be completed: what it brought stays, nothing is swept. */
  abandonSnapshot(): void {
    this.#marked = null;
  }

  /** Applies ops in their order. Gives the keys that were refused because there are too many objects. */
  apply(ops: readonly NnpOp[]): NnpKey[] {
    const refused: NnpKey[] = [];
    for (const op of ops) {
      if (op.op === 'delete') {
        this.#delete(op.key);
        this.#marked?.delete(keyText(op.key));
        continue;
      }
      const key = objectKey(op.object);
      if (this.#set(op.object)) this.#marked?.add(keyText(key));
      else refused.push(key);
    }
    return refused;
  }

  /** Hosts are not pushed, but asked for one by one. */
  get isPulled(): boolean {
    return isPulled(this.info);
  }

  /** Hosts that were asked for: those that are there, and those that are there no longer. */
  pull(found: readonly HostInfo[], gone: readonly MacAddr[]): NnpKey[] {
    const refused: NnpKey[] = [];
    for (const host of found) {
      const object = { kind: 'host' as const, ...host };
      if (this.#set(object)) this.#pulled.add(host.mac);
      else refused.push(objectKey(object));
    }
    for (const mac of gone) if (this.#pulled.has(mac)) this.#delete({ kind: 'host', vn: this.vn, mac });
    return refused;
  }

  /** Ends the snapshot: what it did not name goes. */
  sweep(): void {
    const marked = this.#marked;
    this.#marked = null;
    if (marked === null) return;
    const stale = (key: NnpKey) => !marked.has(keyText(key));
    if (!this.isPulled) this.#pulled.clear();
    for (const mac of this.hosts.keys()) {
      if (this.#pulled.has(mac)) continue;
      const key: NnpKey = { kind: 'host', vn: this.vn, mac };
      if (stale(key)) this.#delete(key);
    }
    for (const nveId of this.#members.keys()) {
      const key: NnpKey = { kind: 'member', vn: this.vn, nveId };
      if (stale(key)) this.#delete(key);
    }
    for (const nveId of this.nves.keys()) {
      const key: NnpKey = { kind: 'nve', nveId };
      if (stale(key)) this.#delete(key);
    }
    const key: NnpKey = { kind: 'vn', vn: this.vn };
    if (this.info !== null && stale(key)) this.#delete(key);
  }

  /** Drops everything: the VN is no more. */
  clear(): void {
    this.#pulled.clear();
    this.beginSnapshot();
    this.sweep();
  }

  /** What changed since the last call; null if nothing did. */
  takeChange(revision: bigint, synced: boolean): MappingChange | null {
    const change = this.#changes.take(this, revision, synced);
    const { members, hosts } = change;
    const counts = [members.set, members.removed, hosts.set, hosts.removed].map((list) => list.length);
    return change.info === undefined && !synced && counts.every((count) => count === 0) ? null : change;
  }

  #set(object: NnpObject): boolean {
    const size = this.hosts.size + this.#members.size + this.nves.size;
    switch (object.kind) {
      case 'vn': {
        const { kind: _, ...info } = object;
        if (JSON.stringify(info) !== JSON.stringify(this.info)) this.#changes.info = true;
        this.info = info;
        return true;
      }
      case 'nve':
        if (size >= MAX_OBJECTS && !this.nves.has(object.nveId)) return false;
        this.nves.set(object.nveId, object);
        this.#refresh(object.nveId);
        return true;
      case 'member':
        if (size >= MAX_OBJECTS && !this.#members.has(object.nveId)) return false;
        this.#members.set(object.nveId, object);
        this.#refresh(object.nveId);
        return true;
      case 'host': {
        if (size >= MAX_OBJECTS && !this.hosts.has(object.mac)) return false;
        const { kind: _, ...host } = object;
        const old = this.hosts.get(host.mac);
        this.hosts.set(host.mac, host);
        this.#home(host, 1);
        if (old !== undefined) this.#home(old, -1);
        if (old === undefined || !sameHost(old, host)) this.#changes.host(host.mac, old !== undefined);
        return true;
      }
    }
  }

  #delete(key: NnpKey): void {
    switch (key.kind) {
      case 'vn':
        if (this.info !== null) this.#changes.info = true;
        this.info = null;
        break;
      case 'nve':
        this.nves.delete(key.nveId);
        this.#refresh(key.nveId);
        break;
      case 'member':
        this.#members.delete(key.nveId);
        this.#refresh(key.nveId);
        break;
      case 'host':
        this.#pulled.delete(key.mac);
        this.#deleteHost(key.mac);
        break;
    }
  }

  #deleteHost(mac: MacAddr): void {
    const host = this.hosts.get(mac);
    if (host === undefined) return;
    this.hosts.delete(mac);
    this.#home(host, -1);
    this.#changes.host(mac, true);
  }

  /** One host more or less is behind these NVEs together. */
  #home(host: HostInfo, more: 1 | -1): void {
    const key = homeKey(host);
    if (key === null) return;
    const count = (this.#homeHosts.get(key) ?? 0) + more;
    if (count > 0) {
      this.#homeHosts.set(key, count);
      this.homes.set(key, homesOf(host));
    } else {
      this.#homeHosts.delete(key);
      this.homes.delete(key);
    }
  }

  #isNode(nveId: NveId): boolean {
    const delivery = this.info?.settings?.delivery;
    return delivery?.kind === 'node' && delivery.nveId === nveId;
  }

  /** A member is shown with the tunnels of its NVE object. */
  #refresh(nveId: NveId): void {
    if (this.#isNode(nveId)) this.#changes.info = true;
    const member = this.#members.get(nveId);
    const old = this.members.get(nveId);
    if (member === undefined) {
      if (this.members.delete(nveId)) this.#changes.member(nveId, true);
      return;
    }
    const view: MemberView = {
      nveId,
      contextId: member.contextId,
      tunnels: this.nves.get(nveId)?.tunnels ?? [],
    };
    if (JSON.stringify(view) === JSON.stringify(old)) return;
    this.members.set(nveId, view);
    this.#changes.member(nveId, old !== undefined);
  }
}

/** The NVA does not push the hosts of such a VN (docs/nnp.md, "settings"). */
export function isPulled(info: VnInfo | null): boolean {
  return info?.settings?.unknown === 'query';
}

/** The keys that were touched since the last `MappingChange`, and whether they were there before. */
class Changes {
  info = false;
  readonly #members = new Map<NveId, boolean>();
  readonly #hosts = new Map<MacAddr, boolean>();

  member(nveId: NveId, wasThere: boolean): void {
    if (!this.#members.has(nveId)) this.#members.set(nveId, wasThere);
  }

  host(mac: MacAddr, wasThere: boolean): void {
    if (!this.#hosts.has(mac)) this.#hosts.set(mac, wasThere);
  }

  take(mapping: NnpMapping, revision: bigint, synced: boolean): MappingChange {
    const change: MappingChange = {
      vn: mapping.vn,
      info: this.info ? mapping.info : undefined,
      members: split(this.#members, mapping.members),
      hosts: split(this.#hosts, mapping.hosts),
      revision,
      synced,
    };
    this.info = false;
    this.#members.clear();
    this.#hosts.clear();
    return change;
  }
}

/** What came and went in between is no change. */
function split<K, V>(touched: ReadonlyMap<K, boolean>, map: ReadonlyMap<K, V>): { set: V[]; removed: K[] } {
  const set: V[] = [];
  const removed: K[] = [];
  for (const [key, wasThere] of touched) {
    const value = map.get(key);
    if (value !== undefined) set.push(value);
    else if (wasThere) removed.push(key);
  }
  return { set, removed };
}

function sameHost(a: HostInfo, b: HostInfo): boolean {
  return (
    a.tsi === b.tsi &&
    a.nveId === b.nveId &&
    a.mobilitySeq === b.mobilitySeq &&
    (a.others === undefined) === (b.others === undefined) &&
    a.others?.join() === b.others?.join() &&
    a.ips.length === b.ips.length &&
    a.ips.every((ip, i) => ip === b.ips[i])
  );
}
