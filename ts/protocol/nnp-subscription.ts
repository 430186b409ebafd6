/**
 * One subscription of an NVE: SUB, then a snapshot or deltas, for as long as the role wants the VN; it outlives sessions.
 *
 * ```
 *            SUB_ACK delta
 *   asked ─────────────────────────► live ──┐ DELTA, BOOKMARK in order
 *    │ ▲                              ▲ ▲   │
 *    │ └──── gap: SUB again ──────────┘ └───┘
 *    └─ SUB_ACK snapshot ─► waiting ─ SNAP_BEGIN ─► snapshot ─ SYNC ─► live
 * ```
 *
 * A gap is a `prev_revision` that is not the last one received, or a SYNC that counts other objects than came. It is healed
 * by subscribing again, never guessed over: first with the token, then from nothing; the third time in a row the NVA does
 * not keep the protocol.
 */
import { foreignError, type HostInfo, type MacAddr, type NveError, nveError, type VnId } from '#model';
import { keyText, type NnpFrame, type NnpKey, type NnpOp, type NnpToken, objectKey } from '#wire';
import { NnpMapping } from './nnp-mapping.js';
import type { MappingChange, VnView } from './nnp-types.js';

/** What a frame led to. */
export type SubscriptionOutcome =
  | { readonly type: 'nothing' }
  | { readonly type: 'changed'; readonly changes: readonly MappingChange[]; readonly refused: readonly NnpKey[] }
  /** Send SUB with this token. */
  | { readonly type: 'subscribe'; readonly token: NnpToken | null }
  /** The NVA will not have it: the subscription is over. */
  | { readonly type: 'denied'; readonly error: NveError; readonly change: MappingChange | null }
  /** The NVA breaks the protocol: close the session. */
  | { readonly type: 'broken'; readonly error: NveError };

/** What an NVE has of a VN: up to which revision it received it, and up to which the engine has it. */
export interface SubscriptionState {
  readonly vn: VnId;
  readonly live: boolean;
  readonly received: bigint;
  readonly applied: bigint;
  /** How often something of it was refused (NACK), and why last. */
  readonly refusals: number;
  readonly refused: NveError | null;
}

type ChannelFrame = Extract<NnpFrame, { kind: 'subAck' | 'snapBegin' | 'snap' | 'sync' | 'delta' | 'bookmark' }>;

const NOTHING: SubscriptionOutcome = { type: 'nothing' };
const MAX_GAPS = 3;

export class NnpSubscription {
  readonly vn: VnId;
  channel: number;
  /** When the SUB that is not answered yet was sent; null if none is. */
  askedAt: number | null = null;
  readonly #mapping: NnpMapping;
  #state: 'idle' | 'asked' | 'waiting' | 'snapshot' | 'live' = 'idle';
  #epoch = '';
  /** Up to which everything was received; 0: nothing, or no longer consistent. */
  #revision = 0n;
  #applied = 0n;
  #snapshotRevision = 0n;
  #gaps = 0;
  #refusals = 0;
  #refused: NveError | null = null;

  constructor(vn: VnId, channel: number) {
    this.vn = vn;
    this.channel = channel;
    this.#mapping = new NnpMapping(vn);
  }

  get live(): boolean {
    return this.#state === 'live';
  }

  get received(): bigint {
    return this.#revision;
  }

  get applied(): bigint {
    return this.#applied;
  }

  view(): VnView {
    const { info, members, nves, hosts, homes } = this.#mapping;
    return { info, members, nves, hosts, homes, live: this.live, revision: this.#revision };
  }

  /** A session is up, or a gap has to be healed: the token for the SUB. */
  ask(now: number): NnpToken | null {
    this.#mapping.abandonSnapshot();
    this.#state = 'asked';
    this.askedAt = now;
    return this.#epoch === '' ? null : { epoch: this.#epoch, revision: this.#revision };
  }

  /** Hosts are not pushed, but asked for one by one. */
  get isPulled(): boolean {
    return this.#mapping.isPulled;
  }

  /** Hosts that were asked for: those that are there, and those that are there no longer. */
  pull(found: readonly HostInfo[], gone: readonly MacAddr[]): SubscriptionOutcome {
    const refused = this.#mapping.pull(found, gone);
    const change = this.#mapping.takeChange(0n, false);
    return { type: 'changed', changes: change === null ? [] : [change], refused };
  }

  /** The session is gone; the mappings stay. */
  lost(): void {
    if (this.#state === 'snapshot') this.#revision = 0n;
    this.#mapping.abandonSnapshot();
    this.#state = 'idle';
    this.askedAt = null;
    this.#gaps = 0;
  }

  status(): SubscriptionState {
    const { vn, live, received, applied } = this;
    return { vn, live, received, applied, refusals: this.#refusals, refused: this.#refused };
  }

  /** Something of the VN was refused, here or by the engine. */
  noteRefused(error: NveError): void {
    this.#refusals += 1;
    this.#refused = error;
  }

  /** The engine has everything up to here. Gives whether that is news. */
  noteApplied(revision: bigint): boolean {
    if (revision <= this.#applied || revision > this.#revision) return false;
    this.#applied = revision;
    return true;
  }

  frame(frame: ChannelFrame, epoch: string, now: number): SubscriptionOutcome {
    if (frame.kind === 'subAck') return this.#acknowledged(frame, epoch, now);
    switch (this.#state) {
      case 'idle':
      case 'asked':
        // Sent before the NVA read the SUB.
        return NOTHING;
      case 'waiting':
        if (frame.kind !== 'snapBegin') return this.#illegal(frame.kind, 'a snapshot begins with SNAP_BEGIN');
        this.#state = 'snapshot';
        this.#snapshotRevision = frame.revision;
        // Between old and new: no token is right until SYNC.
        this.#revision = 0n;
        this.#mapping.beginSnapshot();
        return NOTHING;
      case 'snapshot':
        return this.#snapshot(frame, now);
      case 'live':
        return this.#live(frame, now);
    }
  }

  #acknowledged(frame: Extract<NnpFrame, { kind: 'subAck' }>, epoch: string, now: number): SubscriptionOutcome {
    if (frame.vn !== this.vn || this.#state === 'idle') return NOTHING;
    this.askedAt = null;
    switch (frame.plan) {
      case 'denied': {
        this.#state = 'idle';
        this.#mapping.clear();
        const error = foreignError(frame.code ?? 'NVE-NVA-001', { vn: this.vn });
        return { type: 'denied', error, change: this.#mapping.takeChange(0n, false) };
      }
      case 'delta':
        if (this.#epoch !== epoch || frame.fromRevision !== this.#revision || this.#revision === 0n) {
          return this.#gap(now);
        }
        this.#state = 'live';
        // Nobody waits for a SYNC on this way: what was known is what is.
        return this.#changed(this.#revision, true);
      case 'snapshot':
        this.#state = 'waiting';
        if (this.#epoch !== epoch) this.#applied = 0n;
        this.#epoch = epoch;
        return NOTHING;
    }
  }

  #snapshot(frame: Exclude<ChannelFrame, { kind: 'subAck' }>, now: number): SubscriptionOutcome {
    if (frame.kind === 'snap') {
      const alien = this.#alien(frame.ops.map((op) => (op.op === 'set' ? objectKey(op.object) : op.key)));
      if (alien !== null) return alien;
      return this.#apply(frame.ops, 0n);
    }
    if (frame.kind !== 'sync') return this.#illegal(frame.kind, 'a snapshot is under way');
    if (frame.revision < this.#snapshotRevision || frame.count !== this.#mapping.marked) return this.#gap(now);
    this.#mapping.sweep();
    this.#revision = frame.revision;
    this.#state = 'live';
    this.#gaps = 0;
    return this.#changed(frame.revision, true);
  }

  #live(frame: Exclude<ChannelFrame, { kind: 'subAck' }>, now: number): SubscriptionOutcome {
    if (frame.kind === 'bookmark') {
      if (frame.revision < this.#revision) return this.#gap(now);
      this.#revision = frame.revision;
      return NOTHING;
    }
    if (frame.kind !== 'delta') return this.#illegal(frame.kind, 'no snapshot was announced');
    const alien = this.#alien(frame.ops.map((op) => (op.op === 'set' ? objectKey(op.object) : op.key)));
    if (alien !== null) return alien;
    if (frame.prevRevision !== this.#revision || frame.revision <= frame.prevRevision) return this.#gap(now);
    this.#gaps = 0;
    this.#revision = frame.revision;
    return this.#apply(frame.ops, frame.revision);
  }

  /**
   * A VN that was deleted is another one when it comes again, even within one frame: what was attached to the old one is
   * not attached to it. So each deletion ends a change.
   */
  #apply(ops: readonly NnpOp[], revision: bigint): SubscriptionOutcome {
    const changes: MappingChange[] = [];
    const refused: NnpKey[] = [];
    let start = 0;
    for (const [i, op] of ops.entries()) {
      const last = i === ops.length - 1;
      if (!last && !(op.op === 'delete' && op.key.kind === 'vn')) continue;
      refused.push(...this.#mapping.apply(ops.slice(start, i + 1)));
      start = i + 1;
      const change = this.#mapping.takeChange(last ? revision : 0n, false);
      if (change !== null) changes.push(change);
    }
    return { type: 'changed', changes, refused };
  }

  #changed(revision: bigint, synced: boolean): SubscriptionOutcome {
    const change = this.#mapping.takeChange(revision, synced);
    return { type: 'changed', changes: change === null ? [] : [change], refused: [] };
  }

  #gap(now: number): SubscriptionOutcome {
    this.#gaps += 1;
    if (this.#gaps >= MAX_GAPS) return this.#illegal('revision order', 'three gaps in a row');
    if (this.#gaps > 1) this.#revision = 0n;
    return { type: 'subscribe', token: this.ask(now) };
  }

  #alien(keys: readonly NnpKey[]): SubscriptionOutcome | null {
    const key = keys.find((one) => !this.#mapping.covers(one));
    return key === undefined ? null : this.#illegal(keyText(key), `the subscription is of VN ${this.vn}`);
  }

  #illegal(what: string, reason: string): SubscriptionOutcome {
    return { type: 'broken', error: nveError('NVE-NNP-004', { what, reason }) };
  }
}
