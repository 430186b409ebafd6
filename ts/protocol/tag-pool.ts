/**
 * The VIDs of one access domain: which VN has which, which are free, and which must rest. A VID that was given back names no
 * other VN while frames with it may be under way, and then goes to the end of the queue; the VN that had it gets it again as
 * long as nobody else has it. Times are milliseconds of the caller's clock.
 */
import {
  err,
  isVn,
  type NveError,
  nveError,
  ok,
  type Result,
  type TagAllocation,
  VID_MAX,
  type Vid,
  type VnId,
  type VnInfo,
  type VnName,
  type VnRef,
  vnRefText,
} from '#model';
import { Deadlines } from './deadlines.js';

/** An inclusive range of VIDs. 0, 1 and 4095 are never handed out, whatever the range says. */
export interface VidRange {
  readonly from: Vid;
  readonly to: Vid;
}

export interface TagReservation {
  readonly vn: VnRef;
  /** Given to this VN alone; it need not be in the pool. */
  readonly vid: Vid;
}

/** Access links between which a frame may stray, so that a VID names the same VN on all of them; often it is one link. */
export interface TagDomain {
  /** The access domain's name; of a link that is a domain of its own, the link's. */
  readonly name: string;
  readonly pool: readonly VidRange[];
  readonly reserve: readonly TagReservation[];
}

/** 1 is the default VLAN of nearly every bridge: untagged traffic would fall into the VN. */
const LOWEST_VID = 2;
/** How long bridges between the hypervisor and the NVE may hold a frame at most (IEEE 802.1D, maximum bridge transit delay). */
export const QUARANTINE_MS = 4_000;
/** How many VNs an error about an exhausted pool names. */
const NAMED_HOLDERS = 8;

interface Held {
  readonly vid: Vid;
  readonly vnName: VnName;
  readonly holders: Set<string>;
}

/** A VN that had a VID. */
interface Former {
  readonly vn: VnId;
  readonly vnName: VnName;
}

export class TagPool {
  readonly name: string;
  readonly #text: string;
  readonly #size: number;
  readonly #reserved: ReadonlyMap<Vid, VnRef>;
  /** In the order of their last use: the first is the next to go out. */
  readonly #free = new Set<Vid>();
  /** Given back not long ago, and by whom. */
  readonly #resting = new Map<Vid, VnName>();
  /** Until when each rests. */
  readonly #rests = new Deadlines();
  readonly #held = new Map<VnId, Held>();
  readonly #holder = new Map<Vid, VnId>();
  /** Which VN had the VID last, and the other way round: of VIDs that no VN has. */
  readonly #former = new Map<Vid, Former>();
  readonly #last = new Map<VnId, Vid>();

  /** NVE-TAG-002 if there is no usable VID. */
  static create({ name, pool, reserve }: TagDomain): Result<TagPool> {
    const text = pool.map(({ from, to }) => (from === to ? `${from}` : `${from}-${to}`)).join(', ');
    const wrong = (problem: string) => err(nveError('NVE-TAG-002', { link: name, pool: text || 'empty', problem }));
    const vids = new Set<Vid>();
    for (const { from, to } of pool) {
      for (let vid = Math.max(from, LOWEST_VID); vid <= Math.min(to, VID_MAX); vid++) vids.add(vid as Vid);
    }
    const reserved = new Map<Vid, VnRef>();
    for (const { vn, vid } of reserve) {
      if (vid < LOWEST_VID || vid > VID_MAX) return wrong(`the reserved VID ${vid} is not from 2 to 4094`);
      const other = reserved.get(vid);
      if (other !== undefined) return wrong(`VID ${vid} is reserved for ${vnRefText(other)} and ${vnRefText(vn)}`);
      reserved.set(vid, vn);
    }
    if (vids.size === 0 && reserved.size === 0) return wrong('it holds no VID from 2 to 4094');
    return ok(new TagPool(name, text, vids, reserved));
  }

  private constructor(name: string, text: string, vids: ReadonlySet<Vid>, reserved: ReadonlyMap<Vid, VnRef>) {
    this.name = name;
    this.#text = text;
    this.#reserved = reserved;
    for (const vid of vids) if (!reserved.has(vid)) this.#free.add(vid);
    this.#size = this.#free.size;
  }

  /** What was allocated before: nobody else gets what a VN held before `until`. What the pool has no more is forgotten. */
  restore({ vn, vnName, vid, held }: TagAllocation, until: number): void {
    if (!this.#free.has(vid) || this.#last.has(vn)) return;
    this.#remember(vid, { vn, vnName });
    if (!held) return;
    this.#free.delete(vid);
    this.#rest(vid, vnName, until);
  }

  /** Ends the rest of VIDs whose time has come. */
  advance(now: number): void {
    for (const key of this.#rests.take(now)) {
      const vid = Number(key) as Vid;
      this.#resting.delete(vid);
      if (!this.#reserved.has(vid)) this.#free.add(vid);
    }
  }

  /**
   * The VID of the VN: the one it has; else the one that is reserved for it; else `wish`; else the one it had last, or the
   * free one that was used least recently. A wish is what a hypervisor remembers (RFC 8394 section 3.1 leaves it open);
   * `isFree`: whether it may choose. NVE-TAG-001 if there is none, NVE-TAG-003 if the wish cannot be.
   */
  acquire(vn: VnInfo, holder: string, wish: Vid | null, isFree: boolean, link: string): Result<Vid> {
    const held = this.#held.get(vn.vn);
    if (held !== undefined) {
      if (wish !== null && wish !== held.vid)
        return err(cannotName(wish, link, vn.name, `its tag there is ${held.vid}`));
      held.holders.add(holder);
      return ok(held.vid);
    }
    const own = this.#ownOf(vn);
    if (wish !== null && wish !== own) {
      const reason = this.#refusal(wish, vn, isFree);
      if (reason !== null) return err(cannotName(wish, link, vn.name, reason));
    }
    const vid = wish ?? own ?? this.#free.values().next().value;
    if (vid === undefined) return err(this.#exhausted(link));
    this.#free.delete(vid);
    this.#resting.delete(vid);
    this.#rests.set(`${vid}`, null);
    this.#forget(this.#former.get(vid)?.vn);
    this.#forget(vn.vn);
    this.#held.set(vn.vn, { vid, vnName: vn.name, holders: new Set([holder]) });
    this.#holder.set(vid, vn.vn);
    return ok(vid);
  }

  /** The holder needs it no longer; with the VN's last one the VID rests until `until`. Unknown holders are ignored. */
  release(vn: VnId, holder: string, until: number): TagAllocation | null {
    const held = this.#held.get(vn);
    if (held === undefined || !held.holders.delete(holder) || held.holders.size > 0) return null;
    const { vid, vnName } = held;
    this.#held.delete(vn);
    this.#holder.delete(vid);
    this.#rest(vid, vnName, until);
    this.#remember(vid, { vn, vnName });
    return { domain: this.name, vn, vnName, vid, held: false };
  }

  holds(vn: VnId): boolean {
    return this.#held.has(vn);
  }

  get isHeld(): boolean {
    return this.#held.size > 0;
  }

  /** What VNs have, and what they had last. */
  *allocations(): Generator<TagAllocation> {
    const domain = this.name;
    for (const [vn, { vid, vnName }] of this.#held) yield { domain, vn, vnName, vid, held: true };
    for (const [vid, { vn, vnName }] of this.#former) yield { domain, vn, vnName, vid, held: false };
  }

  /** The VID that is the VN's before all others: the reserved one, or the one it had last. */
  #ownOf(vn: VnInfo): Vid | null {
    for (const [vid, ref] of this.#reserved) if (isVn(vn, ref)) return vid;
    return this.#last.get(vn.vn) ?? null;
  }

  #refusal(wish: Vid, vn: VnInfo, isFree: boolean): string | null {
    const own = this.#ownOf(vn);
    if (own !== null && this.#reserved.has(own)) return `VID ${own} is reserved for it`;
    const reserved = this.#reserved.get(wish);
    if (reserved !== undefined) return `it is reserved for VN ${vnRefText(reserved)}`;
    const owner = this.#holder.get(wish);
    if (owner !== undefined) return `it names VN ${this.#held.get(owner)?.vnName}`;
    const resting = this.#resting.get(wish);
    if (resting !== undefined) return `it named VN ${resting} until a moment ago`;
    if (!this.#free.has(wish)) return `it is not in the pool ${this.#text}`;
    return isFree ? null : 'the NVE alone chooses VIDs there (explicit_vids = "refuse")';
  }

  #exhausted(link: string): NveError {
    const held = [...this.#held.values()].map(({ vid, vnName }) => `${vid} ${vnName}`);
    const resting = [...this.#resting].map(([vid, vnName]) => `${vid} just given back by ${vnName}`);
    const all = [...held, ...resting];
    const named = all.slice(0, NAMED_HOLDERS).join(', ');
    const more = all.length - NAMED_HOLDERS;
    const holders = more > 0 ? `${named} and ${more} more` : named;
    return nveError('NVE-TAG-001', { link, pool: this.#text || 'empty', size: this.#size, holders });
  }

  #rest(vid: Vid, vnName: VnName, until: number): void {
    this.#resting.set(vid, vnName);
    this.#rests.set(`${vid}`, until);
  }

  #remember(vid: Vid, former: Former): void {
    this.#former.set(vid, former);
    this.#last.set(former.vn, vid);
  }

  /** The VN has a VID, or another has its last one. */
  #forget(vn: VnId | undefined): void {
    const vid = vn === undefined ? undefined : this.#last.get(vn);
    if (vn === undefined || vid === undefined) return;
    this.#last.delete(vn);
    this.#former.delete(vid);
  }
}

export function cannotName(vid: Vid, link: string, vn: VnName, reason: string): NveError {
  return nveError('NVE-TAG-003', { vid, link, vn, reason });
}
