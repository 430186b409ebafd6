/**
 * One session of an NVA with an NVE, server side, sans-IO. It keeps the protocol and its limits; what is allowed and what is
 * so, the authority knows.
 * Mappings (`nnp-server-feed.ts`) are written about `WRITE_BYTES` at a time; then the session asks to be called again
 * (`more`) when the transport has room.
 */
import { type NveError, type NveId, nveError, type VnId } from '#model';
import { MAX_FRAME, NNP_LIMITS, NNP_VERSION, type NnpAlternate, type NnpFrame } from '#wire';
import type { NnpAuthority } from './nnp-authority.js';
import { NnpServerFeed, opSize, type SubscriptionStatus } from './nnp-server-feed.js';

export interface NnpServerLimits {
  readonly subscriptions: number;
}

export interface NnpServerTiming {
  /** From the connection to HELLO. */
  readonly helloMs: number;
  /** Silence after which the NVE is dead; several times what an NVE lets pass before its PING. */
  readonly deadMs: number;
  /** How long an NVE may leave unread what it subscribed to. */
  readonly slowMs: number;
  /** How often a subscription without changes hears the revision. */
  readonly bookmarkMs: number;
}

export const DEFAULT_SERVER_LIMITS: NnpServerLimits = { subscriptions: 4096 };
export const DEFAULT_SERVER_TIMING: NnpServerTiming = {
  helloMs: 5_000,
  deadMs: 15_000,
  slowMs: 15_000,
  bookmarkMs: 10_000,
};

export interface NnpServerOptions {
  readonly limits?: Partial<NnpServerLimits> | undefined;
  readonly timing?: Partial<NnpServerTiming> | undefined;
  /** The NVE that the transport's certificate is of: HELLO must be of the same. Absent: the transport does not tell. */
  readonly certified?: string;
  /** Other ways to the same NVA, as HELLO_ACK names them. */
  readonly alternates?: readonly NnpAlternate[] | undefined;
}

export type NnpServerEvent =
  | { readonly type: 'open' }
  | { readonly type: 'frame'; readonly frame: NnpFrame }
  /** The bytes are not NNP. */
  | { readonly type: 'garbled'; readonly error: NveError }
  /** The transport ended. */
  | { readonly type: 'closed' }
  /** The authority has changed. */
  | { readonly type: 'changed' }
  /** The transport has no room: nothing more is pushed until `writable`. */
  | { readonly type: 'full' }
  /** The transport has room again, after `more` or `full`. */
  | { readonly type: 'writable' }
  | { readonly type: 'tick' }
  /** The NVE is to go elsewhere: the session goes on for `graceMs`. */
  | { readonly type: 'goAway'; readonly error: NveError; readonly graceMs: number }
  /** End the session for a reason of the NVA. */
  | { readonly type: 'end'; readonly error: NveError };

export type NnpServerEffect =
  | { readonly type: 'send'; readonly frame: NnpFrame }
  /** Send what is queued, then end the transport. */
  | { readonly type: 'close'; readonly error: NveError | null }
  /** There is more to write: give `writable` when there is room. */
  | { readonly type: 'more' }
  /** The NVE is known and its session open; an older session of it is to be ended. */
  | { readonly type: 'greeted'; readonly nveId: NveId }
  /** The authority was changed by this session: give `changed` to all. */
  | { readonly type: 'changed' }
  /** The NVE could not apply something. */
  | { readonly type: 'nacked'; readonly nveId: NveId; readonly vn: VnId; readonly code: string; readonly text: string };

/** About as much is written before the transport is asked for room. */
const WRITE_BYTES = 256 * 1024;
/** As much room have the refusals of one report. */
const REJECT_BYTES = 768 * 1024;

export class NnpServerSession {
  readonly #authority: NnpAuthority;
  readonly #feed: NnpServerFeed;
  readonly #timing: NnpServerTiming;
  readonly #certified: string | null;
  readonly #alternates: readonly NnpAlternate[] | undefined;
  /** The NVE was told to go elsewhere, and when the session ends. */
  #leaving: { readonly error: NveError; readonly at: number } | null = null;
  #state: 'new' | 'greeting' | 'open' | 'closed' = 'new';
  #nveId: NveId | null = null;
  #heard = 0;
  /** Since when the transport has no room for what there is. */
  #blockedAt: number | null = null;
  #effects: NnpServerEffect[] = [];
  #written = 0;

  constructor(authority: NnpAuthority, { limits, timing, certified, alternates }: NnpServerOptions = {}) {
    this.#authority = authority;
    this.#certified = certified ?? null;
    this.#alternates = alternates;
    const { subscriptions } = { ...DEFAULT_SERVER_LIMITS, ...limits };
    this.#feed = new NnpServerFeed(authority, subscriptions, (frame) => this.#send(frame));
    this.#timing = { ...DEFAULT_SERVER_TIMING, ...timing };
  }

  /** Null before HELLO. */
  get nveId(): NveId | null {
    return this.#nveId;
  }

  /** What the NVE has of each VN it subscribed to. */
  subscriptions(): SubscriptionStatus[] {
    return this.#feed.status();
  }

  handle(event: NnpServerEvent, now: number): NnpServerEffect[] {
    this.#effects = [];
    this.#written = 0;
    if (this.#state !== 'closed') this.#dispatch(event, now);
    return this.#effects;
  }

  nextDeadline(now: number): number | null {
    const { helloMs, deadMs, slowMs, bookmarkMs } = this.#timing;
    if (this.#state === 'new' || this.#state === 'closed') return null;
    if (this.#state === 'greeting') return this.#heard + helloMs;
    const blocked = this.#blockedAt === null ? Number.POSITIVE_INFINITY : this.#blockedAt + slowMs;
    const feed = this.#blockedAt === null ? this.#feed.nextDeadline(bookmarkMs, now) : Number.POSITIVE_INFINITY;
    const leaves = this.#leaving?.at ?? Number.POSITIVE_INFINITY;
    return Math.min(this.#heard + deadMs, blocked, feed, leaves);
  }

  #dispatch(event: NnpServerEvent, now: number): void {
    switch (event.type) {
      case 'open':
        this.#state = 'greeting';
        this.#heard = now;
        break;
      case 'frame':
        this.#heard = now;
        if (this.#state === 'greeting') this.#greet(event.frame, now);
        else this.#frame(event.frame, now);
        break;
      case 'garbled':
      case 'end':
        this.#end(event.error);
        break;
      case 'goAway':
        if (this.#state !== 'open') {
          this.#end(event.error);
          break;
        }
        this.#leaving = { error: event.error, at: now + event.graceMs };
        this.#send({
          kind: 'goaway',
          channel: 0,
          code: event.error.code,
          text: shorten(event.error.message),
          graceMs: event.graceMs,
        });
        break;
      case 'closed':
        this.#state = 'closed';
        break;
      case 'changed':
        this.#pump(now);
        break;
      case 'full':
        this.#blockedAt ??= now;
        break;
      case 'writable':
        this.#blockedAt = null;
        this.#pump(now);
        break;
      case 'tick':
        this.#tick(now);
        break;
    }
  }

  #greet(frame: NnpFrame, now: number): void {
    if (frame.kind === 'error') {
      this.#close(nveError('NVE-NNP-009', { code: frame.code, text: frame.text }));
      return;
    }
    if (frame.kind !== 'hello') {
      this.#illegal(frame.kind, 'HELLO comes first');
      return;
    }
    const { protoMin, protoMax, nveId, encaps } = frame;
    if (protoMin > NNP_VERSION || protoMax < NNP_VERSION) {
      this.#end(nveError('NVE-NNP-003', { offered: `${protoMin} to ${protoMax}`, supported: NNP_VERSION }));
      return;
    }
    if (frame.maxFrame < MAX_FRAME) {
      this.#illegal(`max_frame ${frame.maxFrame}`, `version 1 needs ${MAX_FRAME}`);
      return;
    }
    if (this.#certified !== null && this.#certified !== nveId) {
      const whose = "the NVE's certificate";
      this.#end(nveError('NVE-NNP-014', { whose, got: `NVE ${this.#certified}`, expected: `NVE ${nveId}` }));
      return;
    }
    const known = this.#authority.hello(nveId, encaps, now);
    if (!known.ok) {
      this.#end(known.error);
      return;
    }
    this.#state = 'open';
    this.#nveId = nveId;
    const { nvaId, epoch, term, revision, holdMs } = this.#authority;
    const greeting = {
      kind: 'helloAck' as const,
      channel: 0,
      proto: NNP_VERSION,
      nvaId,
      epoch,
      term,
      revision,
      holdMs,
    };
    this.#send(this.#alternates === undefined ? greeting : { ...greeting, alternates: this.#alternates });
    this.#effects.push({ type: 'greeted', nveId }, { type: 'changed' });
  }

  #frame(frame: NnpFrame, now: number): void {
    const nveId = this.#nveId;
    if (nveId === null) return;
    switch (frame.kind) {
      case 'auth': {
        const { result, ttlS } = this.#authority.authorize(nveId, frame);
        const verdict = result.ok
          ? { allow: true, code: null, text: null, vn: result.value }
          : { allow: false, code: result.error.code, text: shorten(result.error.message), vn: null };
        this.#send({ kind: 'authAck', channel: 0, qid: frame.qid, ttlS, ...verdict });
        break;
      }
      case 'sub': {
        const illegal = this.#feed.subscribe(nveId, frame, now);
        if (illegal === null) this.#pump(now);
        else this.#illegal('sub', illegal);
        break;
      }
      case 'query': {
        const illegal = this.#feed.query(frame, now);
        if (illegal !== null) this.#illegal('query', illegal);
        break;
      }
      case 'unsub':
        this.#feed.unsubscribe(frame.channel, frame.vn);
        break;
      case 'ack':
        this.#feed.acknowledged(frame.channel, frame.receivedRevision, frame.appliedRevision);
        break;
      case 'nack': {
        const vn = this.#feed.vnOf(frame.channel);
        const [item] = frame.items;
        if (vn === null || item === undefined) break;
        this.#effects.push({ type: 'nacked', nveId, vn, code: item.code, text: item.text });
        break;
      }
      case 'ends': {
        const before = this.#authority.revision;
        const taken = this.#authority.ends(nveId, frame.tunnels);
        if (!taken.ok) this.#end(taken.error);
        else if (this.#authority.revision !== before) this.#effects.push({ type: 'changed' });
        break;
      }
      case 'report': {
        const before = this.#authority.revision;
        const refused = this.#authority.report(nveId, frame.mode, frame.items, now);
        const room = Math.min(NNP_LIMITS.text, Math.floor(REJECT_BYTES / Math.max(1, refused.length)) - 32);
        const rejects = refused.map((reject) => ({ ...reject, text: reject.text.slice(0, room) }));
        this.#send({ kind: 'reportAck', channel: 0, seq: frame.seq, rejects });
        if (this.#authority.revision !== before || frame.mode === 'full') this.#effects.push({ type: 'changed' });
        break;
      }
      case 'ping':
        this.#send({ kind: 'pong', channel: 0, nonce: frame.nonce });
        break;
      case 'pong':
        break;
      case 'error':
        this.#close(nveError('NVE-NNP-009', { code: frame.code, text: frame.text }));
        break;
      case 'unknown':
        if (frame.critical) this.#end(nveError('NVE-WIRE-004', { kind: frame.number }));
        break;
      case 'hello':
        this.#illegal('hello', 'the session is open already');
        break;
      case 'helloAck':
      case 'authAck':
      case 'subAck':
      case 'snapBegin':
      case 'snap':
      case 'sync':
      case 'delta':
      case 'bookmark':
      case 'answer':
      case 'reportAck':
      case 'goaway':
        this.#illegal(frame.kind, 'an NVE does not send it');
        break;
    }
  }

  /** Writes what the NVE lacks, about `WRITE_BYTES` of it. */
  #pump(now: number): void {
    if (this.#state !== 'open' || this.#blockedAt !== null) return;
    do {
      if (this.#written >= WRITE_BYTES) {
        this.#blockedAt = now;
        this.#effects.push({ type: 'more' });
        return;
      }
    } while (this.#feed.step(now));
  }

  #tick(now: number): void {
    const { helloMs, deadMs, slowMs, bookmarkMs } = this.#timing;
    if (this.#state === 'greeting') {
      if (now >= this.#heard + helloMs) this.#end(nveError('NVE-NNP-005', { ms: helloMs }));
      return;
    }
    if (this.#state !== 'open') return;
    if (this.#leaving !== null && now >= this.#leaving.at) {
      this.#end(this.#leaving.error);
    } else if (this.#blockedAt !== null && now >= this.#blockedAt + slowMs) {
      this.#end(nveError('NVE-NNP-006', { ms: slowMs }));
    } else if (now >= this.#heard + deadMs) {
      this.#end(nveError('NVE-NNP-005', { ms: deadMs }));
    } else if (this.#blockedAt === null) {
      this.#pump(now);
      // A pump that was not blocked has brought everybody up to date.
      if (this.#blockedAt === null) this.#feed.bookmarks(bookmarkMs, now);
    }
  }

  // Ends

  #illegal(what: string, reason: string): void {
    this.#end(nveError('NVE-NNP-004', { what, reason }));
  }

  /** Says why, then closes. */
  #end(error: NveError): void {
    this.#send({ kind: 'error', channel: 0, code: error.code, text: shorten(error.message) });
    this.#close(error);
  }

  #close(error: NveError | null): void {
    this.#state = 'closed';
    this.#effects.push({ type: 'close', error });
  }

  #send(frame: NnpFrame): void {
    this.#effects.push({ type: 'send', frame });
    const ops = frame.kind === 'snap' || frame.kind === 'delta' ? frame.ops : [];
    this.#written += ops.reduce((sum, op) => sum + opSize(op), 32);
  }
}

function shorten(text: string): string {
  return text.slice(0, NNP_LIMITS.text);
}
