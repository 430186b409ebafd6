/**
 * The tags of the access links: which one names which VN on which link. The NVE allocates them (RFC 8394 section 3.1,
 * "Local_Tag"), one per (access domain, VN), shared by all TSIs of the VN on all links of the domain. It stays while there is
 * one. How VIDs are chosen is in `tag-pool.ts`; here is which links there are, and what a tag looks like on each. Sans-IO:
 * `advance` tells the time, `takeChanges` what a store has to remember.
 */
import {
  err,
  type LinkName,
  nveError,
  ok,
  type Result,
  type Tag,
  type TagAllocation,
  type TsiId,
  type TsiKey,
  tsiKeyText,
  type Vid,
  type VnId,
  type VnInfo,
  type VnName,
} from '#model';
import { cannotName, QUARANTINE_MS, type TagDomain, TagPool } from './tag-pool.js';

/** How tags name VNs on a link. */
export type LinkTagging =
  | VlanTagging
  /** The whole port is one VN's. */
  | { readonly kind: 'port' };

type VlanTagging = {
  /** Links that are in one domain have one kind, and what else is said of the domain is said by the first. */
  readonly domain: TagDomain;
  /** Whether a hypervisor may choose a VID that its VN does not have yet. */
  readonly explicitVids: boolean;
} & ({ readonly kind: 'c-tag' | 's-tag' } | { readonly kind: 's-tag+c-tag'; readonly s_vid: Vid });

interface VlanLink {
  readonly tagging: VlanTagging;
  readonly pool: TagPool;
}

/** A port that is one VN's as a whole. */
interface PortLink {
  owner: { readonly vn: VnId; readonly vnName: VnName; readonly holders: Set<TsiId> } | null;
}

export class TagAllocator {
  readonly #links = new Map<LinkName, VlanLink | PortLink>();
  /** Pools of links that are there or still have TSIs. */
  readonly #pools = new Map<string, TagPool>();
  /** Of domains that have no pool now: what VNs had there, and until when nobody else gets it. */
  readonly #remembered = new Map<string, { readonly allocation: TagAllocation; readonly until: number }[]>();
  /** Links that are gone and still have TSIs. */
  readonly #leaving = new Set<LinkName>();
  #changes: TagAllocation[] = [];
  #now = 0;

  /** NVE-TAG-002 if the domain holds no usable VID. A link that is there keeps its tags. */
  addLink(link: LinkName, tagging: LinkTagging): Result<null> {
    if (this.#links.has(link)) {
      this.#leaving.delete(link);
      return ok(null);
    }
    if (tagging.kind === 'port') {
      this.#links.set(link, { owner: null });
      return ok(null);
    }
    const pool = this.#pool(tagging.domain);
    if (!pool.ok) return pool;
    this.#links.set(link, { tagging, pool: pool.value });
    return ok(null);
  }

  /** Nothing is acquired on the link any more; what TSIs hold there stays until they release it. */
  removeLink(link: LinkName): void {
    if (!this.#links.has(link)) return;
    this.#leaving.add(link);
    this.#tidy(link);
  }

  /** The access links that there are. */
  links(): LinkName[] {
    return [...this.#links.keys()].filter((link) => !this.#leaving.has(link));
  }

  hasLink(link: LinkName): boolean {
    return this.#links.has(link) && !this.#leaving.has(link);
  }

  /** It is `now`, in milliseconds: VIDs that have rested are free again. */
  advance(now: number): void {
    this.#now = now;
    for (const pool of this.#pools.values()) pool.advance(now);
  }

  /** What a store remembers of a former life. What VNs held then nobody else gets before `until`. */
  restore(allocations: readonly TagAllocation[], until: number): void {
    const heldFirst = [...allocations].sort((a, b) => Number(b.held) - Number(a.held));
    for (const allocation of heldFirst) {
      const { domain } = allocation;
      const pool = this.#pools.get(domain);
      if (pool !== undefined) pool.restore(allocation, until);
      else this.#remembered.set(domain, [...(this.#remembered.get(domain) ?? []), { allocation, until }]);
    }
  }

  /**
   * The tag of the VN on the link, for one of its TSIs; `wish` is the VID that it asks for. NVE-TSI-004 if there is no such
   * link, NVE-TAG-001 or -004 if there is no tag, -003 if the wish cannot be.
   */
  acquire(key: TsiKey, vn: VnInfo, wish: Vid | null = null): Result<Tag> {
    const { link, tsi } = key;
    const found = this.hasLink(link) ? this.#links.get(link) : undefined;
    if (found === undefined) return err(nveError('NVE-TSI-004', { link, known: this.links() }));
    if (!('pool' in found)) return acquirePort(found, link, vn, tsi, wish);
    const { pool, tagging } = found;
    const isNew = !pool.holds(vn.vn);
    const vid = pool.acquire(vn, tsiKeyText(key), wish, tagging.explicitVids, link);
    if (!vid.ok) return vid;
    if (isNew) this.#changes.push({ domain: pool.name, vn: vn.vn, vnName: vn.name, vid: vid.value, held: true });
    return ok(tagOf(tagging, vid.value));
  }

  /** The TSI needs it no longer; with the last TSI of the VN in the domain the VID rests. Unknown holders are ignored. */
  release(key: TsiKey, vn: VnId): void {
    const { link, tsi } = key;
    const found = this.#links.get(link);
    if (found === undefined) return;
    if ('pool' in found) {
      const freed = found.pool.release(vn, tsiKeyText(key), this.#now + QUARANTINE_MS);
      if (freed !== null) this.#changes.push(freed);
    } else if (found.owner?.vn === vn) {
      found.owner.holders.delete(tsi);
      if (found.owner.holders.size === 0) found.owner = null;
    }
    this.#tidy(link);
  }

  /** What VNs have, and had last; whole ports apart. */
  allocations(): TagAllocation[] {
    return [...this.#pools.values()].flatMap((pool) => [...pool.allocations()]);
  }

  /** What has changed since the last call. */
  takeChanges(): TagAllocation[] {
    const changes = this.#changes;
    this.#changes = [];
    return changes;
  }

  #pool(domain: TagDomain): Result<TagPool> {
    const { name } = domain;
    const known = this.#pools.get(name);
    if (known !== undefined) return ok(known);
    const made = TagPool.create(domain);
    if (!made.ok) return made;
    for (const { allocation, until } of this.#remembered.get(name) ?? []) made.value.restore(allocation, until);
    made.value.advance(this.#now);
    this.#remembered.delete(name);
    this.#pools.set(name, made.value);
    return made;
  }

  /** A link that is leaving goes with its last TSI, and a domain with its last link. */
  #tidy(link: LinkName): void {
    const found = this.#links.get(link);
    if (found === undefined || !this.#leaving.has(link)) return;
    if (!('pool' in found)) {
      if (found.owner !== null) return;
    } else {
      const { pool } = found;
      if (pool.isHeld) return;
      const isShared = [...this.#links].some(([other, one]) => other !== link && 'pool' in one && one.pool === pool);
      if (!isShared) {
        const until = this.#now + QUARANTINE_MS;
        const rest = [...pool.allocations()].map((allocation) => ({
          allocation: { ...allocation, held: true },
          until,
        }));
        this.#remembered.set(pool.name, rest);
        this.#pools.delete(pool.name);
      }
    }
    this.#leaving.delete(link);
    this.#links.delete(link);
  }
}

function acquirePort(port: PortLink, link: LinkName, vn: VnInfo, tsi: TsiId, wish: Vid | null): Result<Tag> {
  if (wish !== null) return err(cannotName(wish, link, vn.name, 'the VN has the whole port'));
  port.owner ??= { vn: vn.vn, vnName: vn.name, holders: new Set() };
  const { owner } = port;
  if (owner.vn !== vn.vn) return err(nveError('NVE-TAG-004', { link, vn: owner.vnName, asked: vn.name }));
  owner.holders.add(tsi);
  return ok({ kind: 'port' });
}

function tagOf(tagging: VlanTagging, vid: Vid): Tag {
  return tagging.kind === 's-tag+c-tag'
    ? { kind: tagging.kind, s_vid: tagging.s_vid, c_vid: vid }
    : { kind: tagging.kind, vid };
}
