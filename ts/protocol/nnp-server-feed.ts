/**
 * What one NVE has of the VNs it subscribed to, and what it lacks. Mappings are pulled out of the authority by a revision
 * number per subscription, never queued: a slow NVE costs one number, and gets the difference when it reads again, or a
 * snapshot if the difference is no longer known. One subscription at a time takes a snapshot.
 */
import { type NveId, nveError, type VnId } from '#model';
import type { NnpFrame, NnpOp } from '#wire';
import type { NnpAuthority } from './nnp-authority.js';
import { FOUND_TTL_S, NEGATIVE_TTL_S, NnpInterest } from './nnp-interest.js';

/** About as large is one SNAP. */
const SNAP_BYTES = 64 * 1024;
/** Ops are of at most 1.8 kB and those of one revision stay together, so a DELTA stays below 1 MiB. */
const OPS_AT_ONCE = 512;

interface Subscription {
  readonly channel: number;
  readonly nveId: NveId;
  readonly vn: VnId;
  /** What comes next: a snapshot; its SYNC, once the authority has settled (until then changes extend it); changes. */
  state: 'snapshot' | 'settling' | 'live';
  /** It has the mappings of our former life, so the sweep is to wait: see `settlesAt`. */
  readonly waits: boolean;
  /** The NVE has everything up to here. */
  cursor: bigint;
  /** Up to here nothing that it is told changed in the VN since `cursor`. */
  checked: bigint;
  bookmarkedAt: number;
  received: bigint;
  applied: bigint;
  /** Which hosts it is told, where they are not pushed; null: all. */
  interest: NnpInterest | null;
}

interface Snapshot {
  readonly subscription: Subscription;
  readonly revision: bigint;
  readonly ops: readonly NnpOp[];
  next: number;
}

export interface SubscriptionStatus {
  readonly vn: VnId;
  readonly sent: bigint;
  readonly received: bigint;
  readonly applied: bigint;
}

export class NnpServerFeed {
  readonly #authority: NnpAuthority;
  readonly #limit: number;
  readonly #send: (frame: NnpFrame) => void;
  readonly #subscriptions = new Map<number, Subscription>();
  #snapshot: Snapshot | null = null;

  constructor(authority: NnpAuthority, limit: number, send: (frame: NnpFrame) => void) {
    this.#authority = authority;
    this.#limit = limit;
    this.#send = send;
  }

  status(): SubscriptionStatus[] {
    return [...this.#subscriptions.values()].map(({ vn, cursor, received, applied }) => {
      return { vn, sent: cursor, received, applied };
    });
  }

  /** Answers SUB. Null, or why the SUB is illegal. */
  subscribe(nveId: NveId, frame: Extract<NnpFrame, { kind: 'sub' }>, now: number): string | null {
    const { channel, vn, token } = frame;
    const old = this.#subscriptions.get(channel);
    if (channel === 0) return 'channel 0 is for control';
    if (old !== undefined && old.vn !== vn) return `channel ${channel} is of VN ${old.vn}`;
    if (old !== undefined) this.#drop(old);
    const limit = this.#limit;
    const full = this.#subscriptions.size >= limit;
    const allowed = full
      ? { ok: false as const, error: nveError('NVE-NVA-007', { limit, what: 'subscriptions of one NVE' }) }
      : this.#authority.maySubscribe(nveId, vn);
    if (!allowed.ok) {
      this.#send({ kind: 'subAck', channel, vn, plan: 'denied', fromRevision: 0n, code: allowed.error.code });
      return null;
    }
    // Where hosts are not pushed there is little to send, and no memory of what an earlier session asked for.
    const isPulled = this.#authority.isPulled(vn);
    const resumed =
      !isPulled && token !== null && this.#resumable(vn, token.epoch, token.revision) ? token.revision : null;
    const cursor = resumed ?? 0n;
    this.#subscriptions.set(channel, {
      channel,
      nveId,
      vn,
      state: resumed !== null ? 'live' : 'snapshot',
      waits: token !== null && token.epoch !== this.#authority.epoch,
      cursor,
      checked: cursor,
      bookmarkedAt: now,
      received: 0n,
      applied: 0n,
      interest: isPulled ? new NnpInterest(nveId) : null,
    });
    const plan = resumed !== null ? 'delta' : 'snapshot';
    this.#send({ kind: 'subAck', channel, vn, plan, fromRevision: cursor, code: null });
    return null;
  }

  /** Answers QUERY. Null, or why the QUERY is illegal. */
  query({ channel, vn, qid, macs }: Extract<NnpFrame, { kind: 'query' }>, now: number): string | null {
    const subscription = this.#subscriptions.get(channel);
    // A subscription that ended meanwhile has no answers.
    if (subscription === undefined) return null;
    if (subscription.vn !== vn) return `channel ${channel} is of VN ${subscription.vn}`;
    const answers = macs.map((mac) => {
      const host = this.#authority.host(vn, mac);
      subscription.interest?.asked(mac, host, now);
      return { mac, host };
    });
    this.#send({ kind: 'answer', channel, vn, qid, ttlS: FOUND_TTL_S, negativeTtlS: NEGATIVE_TTL_S, answers });
    return null;
  }

  unsubscribe(channel: number, vn: VnId): void {
    const subscription = this.#subscriptions.get(channel);
    if (subscription?.vn === vn) this.#drop(subscription);
  }

  /** The VN of a channel; null if its subscription was ended meanwhile. */
  vnOf(channel: number): VnId | null {
    return this.#subscriptions.get(channel)?.vn ?? null;
  }

  acknowledged(channel: number, received: bigint, applied: bigint): void {
    const subscription = this.#subscriptions.get(channel);
    if (subscription === undefined) return;
    subscription.received = received;
    subscription.applied = applied;
  }

  /** Writes one more frame or so of what the NVE lacks. False: it lacks nothing. */
  step(now: number): boolean {
    return this.#continueSnapshot(now) || this.#nextChange(now) || this.#settle(now);
  }

  /** Tells subscriptions that had no change for `everyMs` the revision. Call it when `step` has nothing more. */
  bookmarks(everyMs: number, now: number): void {
    const { revision } = this.#authority;
    for (const subscription of this.#subscriptions.values()) {
      if (subscription.state !== 'live' || now < subscription.bookmarkedAt + everyMs) continue;
      subscription.bookmarkedAt = now;
      if (subscription.cursor === revision) continue;
      subscription.cursor = revision;
      subscription.checked = revision;
      this.#send({ kind: 'bookmark', channel: subscription.channel, revision });
    }
  }

  /** When `step` or `bookmarks` may have something to do though the authority does not change. */
  nextDeadline(bookmarkMs: number, now: number): number {
    let next = Number.POSITIVE_INFINITY;
    const settles = this.#authority.settlesAt(now) ?? now;
    for (const { state, bookmarkedAt } of this.#subscriptions.values()) {
      if (state === 'live') next = Math.min(next, bookmarkedAt + bookmarkMs);
      if (state === 'settling') next = Math.min(next, settles);
    }
    return next;
  }

  #resumable(vn: VnId, epoch: string, revision: bigint): boolean {
    if (epoch !== this.#authority.epoch || revision === 0n || revision > this.#authority.revision) return false;
    return this.#authority.changes(vn, revision, 1) !== null;
  }

  #drop(subscription: Subscription): void {
    this.#subscriptions.delete(subscription.channel);
    if (this.#snapshot?.subscription === subscription) this.#snapshot = null;
  }

  #continueSnapshot(now: number): boolean {
    const snapshot = this.#snapshot ?? this.#beginSnapshot(now);
    if (snapshot === null) return false;
    this.#snapshot = snapshot;
    const { subscription, revision, ops } = snapshot;
    const { channel } = subscription;
    if (snapshot.next === 0) this.#send({ kind: 'snapBegin', channel, revision });
    const part = cut(ops, snapshot.next);
    if (part.length > 0) this.#send({ kind: 'snap', channel, ops: part });
    snapshot.next += part.length;
    if (snapshot.next < ops.length) return true;
    this.#snapshot = null;
    subscription.cursor = revision;
    subscription.checked = revision;
    if (subscription.waits && this.#authority.settlesAt(now) !== null) subscription.state = 'settling';
    else this.#sync(subscription, ops.length, now);
    return true;
  }

  #beginSnapshot(now: number): Snapshot | null {
    for (const subscription of this.#subscriptions.values()) {
      if (subscription.state !== 'snapshot') continue;
      const { revision, ops } = this.#authority.snapshot(subscription.vn);
      return { subscription, revision, ops: subscription.interest?.only(ops, now) ?? ops, next: 0 };
    }
    return null;
  }

  /** The authority has settled: whoever has everything else gets the SYNC, and with it the sweep. */
  #settle(now: number): boolean {
    if (this.#authority.settlesAt(now) !== null) return false;
    for (const subscription of this.#subscriptions.values()) {
      if (subscription.state !== 'settling') continue;
      const { revision, ops } = this.#authority.snapshot(subscription.vn);
      subscription.cursor = revision;
      this.#sync(subscription, (subscription.interest?.only(ops, now) ?? ops).length, now);
      return true;
    }
    return false;
  }

  #sync(subscription: Subscription, count: number, now: number): void {
    const { channel, cursor: revision } = subscription;
    this.#send({ kind: 'sync', channel, revision, count });
    subscription.state = 'live';
    subscription.checked = revision;
    subscription.bookmarkedAt = now;
  }

  #nextChange(now: number): boolean {
    for (const subscription of this.#subscriptions.values()) {
      if (subscription.state === 'snapshot' || subscription.checked === this.#authority.revision) continue;
      const { channel, vn, cursor } = subscription;
      const changes = this.#authority.changes(vn, subscription.checked, OPS_AT_ONCE);
      const isPulled = this.#authority.isPulled(vn);
      if (changes === null || isPulled !== (subscription.interest !== null)) {
        // It was too slow for the change log, or gets other hosts from now on: from the beginning.
        subscription.interest = isPulled ? new NnpInterest(subscription.nveId) : null;
        subscription.state = 'snapshot';
        this.#send({ kind: 'subAck', channel, vn, plan: 'snapshot', fromRevision: 0n, code: null });
        return true;
      }
      const { revision } = changes;
      const ops = subscription.interest?.only(changes.ops, now) ?? changes.ops;
      subscription.checked = revision;
      if (ops.length === 0) continue;
      if (subscription.state === 'settling') this.#send({ kind: 'snap', channel, ops });
      else this.#send({ kind: 'delta', channel, prevRevision: cursor, revision, ops });
      subscription.cursor = revision;
      subscription.bookmarkedAt = now;
      return true;
    }
    return false;
  }
}

/** As many ops from `start` on as make one frame, at least one if there is one. */
function cut(ops: readonly NnpOp[], start: number): NnpOp[] {
  let end = start;
  for (let bytes = 0; end < ops.length && end - start < OPS_AT_ONCE && bytes < SNAP_BYTES; end++) {
    bytes += opSize(ops[end]);
  }
  return ops.slice(start, end);
}

/** About the bytes of an op. */
export function opSize(op: NnpOp | undefined): number {
  return op?.op === 'set' && op.object.kind === 'host'
    ? 96 + op.object.ips.length * 18 + (op.object.others?.length ?? 0) * 16
    : 80;
}
