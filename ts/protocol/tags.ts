/**
 * C-TAGs of the access links: which VID names which VN on which link. The NVE allocates it (RFC 8394 section 3.1,
 * "Local_Tag"), one per (link, VN), shared by all TSIs of the VN on the link. It stays while there is one; afterwards the
 * VID goes to the end of the queue, so that a late frame with the old tag meets no new VN as long as others are free.
 */
import {
  err,
  type LinkName,
  nveError,
  ok,
  type Result,
  type Tag,
  type TsiId,
  VID_MAX,
  type Vid,
  type VnId,
  type VnName,
} from '#model';

/** An inclusive range of VIDs. 0, 1 and 4095 are never handed out, whatever the range says. */
export interface VidRange {
  readonly from: Vid;
  readonly to: Vid;
}

export interface TagHolding {
  readonly link: LinkName;
  readonly tag: Tag;
  readonly vn: VnId;
  readonly vnName: VnName;
  /** The TSIs of the VN on this link. */
  readonly holders: readonly TsiId[];
}

/** 1 is the default VLAN of nearly every bridge: untagged traffic would fall into the VN. */
const LOWEST_VID = 2;
/** How many VNs an error about an exhausted pool names. */
const NAMED_HOLDERS = 8;

interface Held {
  readonly tag: Tag;
  readonly vn: VnId;
  readonly vnName: VnName;
  readonly holders: Set<TsiId>;
}

interface Pool {
  readonly text: string;
  readonly size: number;
  /** In the order of their last use: the first is the next to go out. */
  readonly free: Set<Vid>;
  readonly held: Map<VnId, Held>;
}

export class TagAllocator {
  readonly #pools = new Map<LinkName, Pool>();

  /** NVE-TAG-002 if a link's ranges hold no usable VID. */
  static create(pools: ReadonlyMap<LinkName, readonly VidRange[]>): Result<TagAllocator> {
    const allocator = new TagAllocator();
    for (const [link, ranges] of pools) {
      const text = ranges.map(({ from, to }) => (from === to ? `${from}` : `${from}-${to}`)).join(', ');
      const free = new Set<Vid>();
      for (const { from, to } of ranges) {
        for (let vid = Math.max(from, LOWEST_VID); vid <= Math.min(to, VID_MAX); vid++) free.add(vid as Vid);
      }
      if (free.size === 0) {
        return err(nveError('NVE-TAG-002', { link, pool: text || 'empty', problem: 'it holds no VID from 2 to 4094' }));
      }
      allocator.#pools.set(link, { text, size: free.size, free, held: new Map() });
    }
    return ok(allocator);
  }

  private constructor() {}

  /** The access links that have a pool. */
  links(): LinkName[] {
    return [...this.#pools.keys()];
  }

  /**
   * The tag of the VN on the link: the one it has; else `wish`, if it is free; without a wish the free one that was used
   * least recently. A wish is what a hypervisor remembers (RFC 8394 section 3.1 leaves it open): after a restart of the NVE it brings the old tags
   * back. NVE-TAG-003 if it cannot be.
   */
  acquire(link: LinkName, vn: VnId, vnName: VnName, tsi: TsiId, wish: Vid | null = null): Result<Tag> {
    const pool = this.#pools.get(link);
    if (pool === undefined) return err(nveError('NVE-TSI-004', { link, known: this.links() }));
    const held = pool.held.get(vn);
    if (held !== undefined) {
      const { vid } = held.tag;
      if (wish !== null && wish !== vid) return err(cannotName(wish, link, vnName, `its tag there is ${vid}`));
      held.holders.add(tsi);
      return ok(held.tag);
    }
    if (wish !== null && !pool.free.has(wish)) {
      const owner = [...pool.held.values()].find(({ tag }) => tag.vid === wish);
      const reason = owner === undefined ? `it is not in the pool ${pool.text}` : `it names VN ${owner.vnName}`;
      return err(cannotName(wish, link, vnName, reason));
    }
    const vid = wish ?? pool.free.values().next().value;
    if (vid === undefined) return err(exhausted(link, pool));
    pool.free.delete(vid);
    const tag: Tag = { kind: 'c-tag', vid };
    pool.held.set(vn, { tag, vn, vnName, holders: new Set([tsi]) });
    return ok(tag);
  }

  /** The TSI needs it no longer; with the last TSI of the VN on the link the tag is free. Unknown holders are ignored. */
  release(link: LinkName, vn: VnId, tsi: TsiId): void {
    const pool = this.#pools.get(link);
    const held = pool?.held.get(vn);
    if (pool === undefined || held === undefined || !held.holders.delete(tsi) || held.holders.size > 0) return;
    pool.held.delete(vn);
    pool.free.add(held.tag.vid);
  }

  list(): TagHolding[] {
    return [...this.#pools].flatMap(([link, pool]) =>
      [...pool.held.values()].map(({ tag, vn, vnName, holders }) => ({ link, tag, vn, vnName, holders: [...holders] })),
    );
  }
}

function cannotName(vid: Vid, link: LinkName, vn: VnName, reason: string) {
  return nveError('NVE-TAG-003', { vid, link, vn, reason });
}

function exhausted(link: LinkName, pool: Pool) {
  const all = [...pool.held.values()];
  const named = all.slice(0, NAMED_HOLDERS).map(({ tag, vnName }) => `${tag.vid} ${vnName}`);
  const more = all.length - named.length;
  const holders = more > 0 ? `${named.join(', ')} and ${more} more` : named.join(', ');
  return nveError('NVE-TAG-001', { link, pool: pool.text, size: pool.size, holders });
}
