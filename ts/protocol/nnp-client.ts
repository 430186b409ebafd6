/**
 * The NVE's side of NNP, sans-IO. In each session, in this order: a full report of what is attached, then SUB for every VN
 * that is wanted. After a restart single reports come first, and the full one when the NVE has back what it had. What was learned stays while there is no session (fail-static): the NVE forwards with what it has.
 */
import { err, type NveError, nveError, ok, type Result, type VnId, type VnInfo } from '#model';
import { NNP_LIMITS, type NnpFrame, type NnpKey, type NnpToken } from '#wire';
import { Deadlines, earliest } from './deadlines.js';
import { NnpAuthorizations } from './nnp-authorizations.js';
import type {
  CallId,
  NnpClientEffect,
  NnpClientEvent,
  NnpClientOptions,
  NnpClientStatus,
} from './nnp-client-events.js';
import { NnpClientSession } from './nnp-client-session.js';
import { MAX_OBJECTS } from './nnp-mapping.js';
import { NnpPulls } from './nnp-pulls.js';
import { NnpReports } from './nnp-reports.js';
import type { NnpSubscription, SubscriptionOutcome } from './nnp-subscription.js';
import { calledOff, NnpSubscriptions } from './nnp-subscriptions.js';
import type { AuthorizeRequest, MappingChange, VnView } from './nnp-types.js';

interface Call {
  readonly kind: 'AUTH' | 'SUB' | 'REPORT';
  readonly ms: number;
}

export class NnpClient {
  readonly #session: NnpClientSession;
  readonly #authorizations = new NnpAuthorizations();
  readonly #subscriptions = new NnpSubscriptions();
  readonly #reports = new NnpReports();
  readonly #pulls: NnpPulls;
  readonly #calls = new Map<CallId, Call>();
  readonly #deadlines = new Deadlines();
  /** The reason of the outage as it was told. */
  #told: string | null = null;
  #unknownFrames = 0;
  /** What was attached in a former life of the NVE is not all back: the NVA keeps what it is not told. */
  #isRestoring: boolean;
  #effects: NnpClientEffect[] = [];

  constructor(options: NnpClientOptions) {
    this.#isRestoring = options.restoring ?? false;
    this.#pulls = new NnpPulls(options.random);
    this.#session = new NnpClientSession(options, {
      dial: (link, endpoint) => this.#effects.push({ type: 'dial', link, endpoint }),
      send: (link, frame) => this.#effects.push({ type: 'send', link, frame }),
      close: (link) => this.#effects.push({ type: 'close', link }),
      up: ({ nvaId, epoch, endpoint }, now) => {
        this.#told = null;
        this.#lost();
        this.#effects.push({ type: 'connected', nvaId, epoch, endpoint });
        for (const report of this.#reports.all(this.#isRestoring ? 'delta' : 'full', now)) this.#send(report);
        this.#askNext();
        for (const subscription of this.#subscriptions.all()) this.#sub(subscription, subscription.ask(now));
      },
      down: (error, was, hope, now) => this.#down(error, was === 'up', hope, now),
      frame: (frame, epoch, now) => this.#frame(frame, epoch, now),
      unanswered: () => [
        { what: 'SUB', since: this.#subscriptions.oldest },
        { what: 'REPORT', since: this.#reports.oldest },
      ],
      isInSync: () => this.#reports.oldest === null && this.#subscriptions.isLive,
    });
  }

  handle(event: NnpClientEvent, now: number): NnpClientEffect[] {
    this.#effects = [];
    this.#dispatch(event, now);
    this.#query(now);
    this.#session.settle();
    return this.#effects;
  }

  /** When `tick` is due, on the clock of `handle`; null: never. */
  nextDeadline(): number | null {
    return earliest(this.#session.nextDeadline(), this.#deadlines.next(), this.#pulls.nextDeadline());
  }

  status(): NnpClientStatus {
    return {
      ...this.#session.status(),
      subscriptions: this.#subscriptions.size,
      attachments: this.#reports.size,
      vns: [...this.#subscriptions.all()].map((subscription) => subscription.status()),
      pulls: this.#pulls.status(),
      unknownFrames: this.#unknownFrames,
      refusedCertificates: this.#session.refusedCertificates,
    };
  }

  view(vn: VnId): VnView | null {
    return this.#subscriptions.ofVn(vn)?.view() ?? null;
  }

  #dispatch(event: NnpClientEvent, now: number): void {
    switch (event.type) {
      case 'start':
        this.#session.start(now);
        break;
      case 'stop':
        this.#stop(now);
        break;
      case 'open':
        this.#session.opened(event.link, now);
        break;
      case 'closed':
        this.#session.closed(event.link, event.cause, now);
        break;
      case 'frame':
        this.#session.frame(event.link, event.frame, now);
        break;
      case 'garbled':
        this.#session.garbled(event.link, event.error, now);
        break;
      case 'tick':
        this.#session.tick(now);
        for (const key of this.#deadlines.take(now)) this.#expire(Number(key), now);
        this.#askNext();
        this.#expirePulls(now);
        break;
      case 'authorize':
        this.#open(event.call, { kind: 'AUTH', ms: event.deadlineMs }, now);
        this.#authorize(event.call, event.request, now);
        break;
      case 'callOff':
        if (this.#authorizations.callOff(event.call)) this.#done(event.call, err(calledOff('AUTH')));
        break;
      case 'subscribe':
        this.#open(event.call, { kind: 'SUB', ms: event.deadlineMs }, now);
        this.#subscribe(event.call, event.vn, now);
        break;
      case 'unsubscribe':
        this.#unsubscribe(event.vn);
        break;
      case 'report': {
        const { call, change, attachment, deadlineMs } = event;
        this.#open(call, { kind: 'REPORT', ms: deadlineMs }, now);
        const frame = this.#reports.report({ call, change, attachment }, now);
        if (frame !== null) this.#send(frame);
        break;
      }
      case 'restored':
        if (!this.#isRestoring) break;
        this.#isRestoring = false;
        if (this.#session.isUp) for (const report of this.#reports.all('full', now)) this.#send(report);
        break;
      case 'ends':
        this.#session.ends(event.tunnels);
        break;
      case 'miss':
        for (const mac of event.macs) this.#pulls.miss(event.vn, mac);
        break;
      case 'idle':
        this.#pulls.idle(event.vn, event.mac);
        break;
      case 'applied': {
        const subscription = this.#subscriptions.ofVn(event.vn);
        if (subscription?.noteApplied(event.revision)) this.#acknowledge(subscription);
        break;
      }
      case 'refused': {
        const subscription = this.#subscriptions.ofVn(event.vn);
        const keys: NnpKey[] = [{ kind: 'vn', vn: event.vn }];
        if (subscription !== undefined) this.#refuse(subscription, event.revision, keys, event.error);
        break;
      }
    }
  }

  // The session

  #down(error: NveError, wasUp: boolean, hope: boolean, now: number): void {
    if (wasUp) this.#lost();
    // An outage is told once, and again when its reason changes.
    if (this.#told !== error.message) {
      this.#told = error.message;
      this.#effects.push({ type: 'disconnected', error });
    }
    if (hope) return;
    const away = error.code === 'NVE-NNP-001' ? error : this.#session.away();
    for (const { call, result } of this.#authorizations.away(now, away)) this.#done(call, result);
  }

  /** What was under way in a session goes to the next one. */
  #lost(): void {
    for (const subscription of this.#subscriptions.all()) subscription.lost();
    this.#reports.lost();
    this.#pulls.lost();
    this.#authorizations.lost();
  }

  #stop(now: number): void {
    if (this.#session.isUp) this.#lost();
    this.#session.stop();
    this.#authorizations.away(now, calledOff('AUTH'));
    for (const [call, { kind }] of this.#calls) {
      this.#forget(call);
      this.#done(call, err(calledOff(kind)));
    }
  }

  #frame(frame: NnpFrame, epoch: string, now: number): void {
    switch (frame.kind) {
      case 'authAck': {
        const answered = this.#authorizations.answered(frame, now);
        if (answered !== null) this.#done(answered.call, answered.result);
        this.#askNext();
        break;
      }
      case 'subAck':
      case 'snapBegin':
      case 'snap':
      case 'sync':
      case 'delta':
      case 'bookmark': {
        // A channel that we closed may still have frames under way.
        const subscription = this.#subscriptions.ofChannel(frame.channel);
        if (subscription !== undefined) this.#outcome(subscription, subscription.frame(frame, epoch, now), now);
        break;
      }
      case 'answer': {
        const { channel, vn, answers, ttlS, negativeTtlS } = frame;
        const subscription = this.#subscriptions.ofChannel(channel);
        if (subscription?.vn !== vn || !subscription.live) break;
        const ttlMs = { found: ttlS * 1_000, negative: negativeTtlS * 1_000 };
        const { found, gone } = this.#pulls.answered(vn, answers, ttlMs, now);
        this.#outcome(subscription, subscription.pull(found, gone), now);
        break;
      }
      case 'reportAck': {
        const { done, refused } = this.#reports.acknowledged(frame.seq, frame.rejects);
        for (const { call, result } of done) this.#done(call, result);
        for (const { attachment, error } of refused) this.#effects.push({ type: 'reportRefused', attachment, error });
        break;
      }
      case 'unknown':
        this.#unknownFrames += 1;
        if (frame.critical) this.#session.breakOff(nveError('NVE-WIRE-004', { kind: frame.number }), now);
        break;
      case 'ping':
      case 'pong':
      case 'goaway':
      case 'error':
        // The session's own.
        break;
      case 'hello':
      case 'helloAck':
      case 'auth':
      case 'sub':
      case 'unsub':
      case 'ack':
      case 'nack':
      case 'ends':
      case 'query':
      case 'report':
        this.#session.illegal(frame.kind, 'the NVA does not send it in a session', now);
        break;
    }
  }

  #outcome(subscription: NnpSubscription, outcome: SubscriptionOutcome, now: number): void {
    switch (outcome.type) {
      case 'nothing':
        break;
      case 'changed': {
        const { changes, refused } = outcome;
        for (const change of changes) this.#changed(change, now);
        if (changes.some(({ synced }) => synced)) {
          if (subscription.isPulled) this.#livePulls(subscription.vn, changes);
          else this.#pulls.forget(subscription.vn);
        }
        if (refused.length > 0) {
          const error = nveError('NVE-NNP-011', { vn: subscription.vn, limit: MAX_OBJECTS });
          this.#refuse(subscription, subscription.received, refused, error);
        }
        if (!subscription.live) break;
        for (const call of this.#subscriptions.takeWaiting(subscription.vn)) this.#done(call, ok(subscription.view()));
        break;
      }
      case 'subscribe':
        this.#sub(subscription, outcome.token);
        break;
      case 'denied': {
        const { vn } = subscription;
        this.#subscriptions.remove(subscription);
        this.#pulls.forget(vn);
        const waiting = this.#subscriptions.takeWaiting(vn);
        for (const call of waiting) this.#done(call, err(outcome.error));
        if (outcome.change !== null) this.#changed(outcome.change, now);
        else if (waiting.length === 0) this.#changed(nothingLeft(vn), now);
        break;
      }
      case 'broken':
        this.#session.breakOff(outcome.error, now);
        break;
    }
  }

  #changed(change: MappingChange, now: number): void {
    if (change.info !== undefined) this.#authorizations.verdicts.vnChanged(change.vn, change.info);
    this.#effects.push({ type: 'mapping', change });
    for (const mac of change.hosts.removed) this.#pulls.dropped(change.vn, mac);
    for (const { mac } of change.hosts.set) this.#pulls.pushed(change.vn, mac);
    if (change.info === null) this.#pulls.forget(change.vn);
    if (change.info !== null) return;
    // What was attached to it is attached to nothing; a VN that comes under the same id is another one.
    const withdrawn = this.#reports.withdraw(change.vn, now);
    if (withdrawn !== null) this.#send(withdrawn);
  }

  // Hosts that are asked for

  #query(now: number): void {
    if (!this.#session.isUp) return;
    for (const { vn, qid, macs } of this.#pulls.take(now)) {
      const subscription = this.#subscriptions.ofVn(vn);
      if (subscription !== undefined) this.#send({ kind: 'query', channel: subscription.channel, vn, qid, macs });
    }
  }

  /** What the snapshot did not name may be elsewhere: it was this NVE's own, or nobody would have told it. */
  #livePulls(vn: VnId, changes: readonly MappingChange[]): void {
    this.#pulls.live(vn);
    for (const { hosts } of changes) for (const mac of hosts.removed) this.#pulls.miss(vn, mac);
  }

  #expirePulls(now: number): void {
    for (const { vn, mac } of this.#pulls.expire(now)) {
      const subscription = this.#subscriptions.ofVn(vn);
      if (subscription !== undefined) this.#outcome(subscription, subscription.pull([], [mac]), now);
    }
  }

  // Calls

  #authorize(call: CallId, request: AuthorizeRequest, now: number): void {
    // One that is on its way is worth waiting for: the first, or another after a loss.
    if (!this.#session.isUp && !this.#session.isComing) {
      this.#done(call, this.#authorizations.verdicts.get(request, now) ?? err(this.#session.away()));
      return;
    }
    const tooMany = this.#authorizations.wait({ call, request });
    if (tooMany !== null) this.#done(call, err(tooMany));
    this.#askNext();
  }

  #askNext(): void {
    if (this.#session.isUp) for (const auth of this.#authorizations.take()) this.#send(auth);
  }

  #subscribe(call: CallId, vn: VnId, now: number): void {
    const known = this.#subscriptions.ofVn(vn);
    if (known?.live) {
      this.#done(call, ok(known.view()));
      return;
    }
    if (known === undefined) {
      const added = this.#subscriptions.add(vn);
      if (!added.ok) {
        this.#done(call, added);
        return;
      }
      if (this.#session.isUp) this.#sub(added.value, added.value.ask(now));
    }
    this.#subscriptions.wait(vn, call);
  }

  #unsubscribe(vn: VnId): void {
    const subscription = this.#subscriptions.ofVn(vn);
    if (subscription === undefined) return;
    if (this.#session.isUp) this.#send({ kind: 'unsub', channel: subscription.channel, vn });
    this.#subscriptions.remove(subscription);
    this.#pulls.forget(vn);
    for (const call of this.#subscriptions.takeWaiting(vn)) this.#done(call, err(calledOff('SUB')));
  }

  #open(call: CallId, made: Call, now: number): void {
    this.#calls.set(call, made);
    this.#deadlines.set(`${call}`, now + made.ms);
  }

  #expire(call: CallId, now: number): void {
    const open = this.#calls.get(call);
    if (open === undefined) return;
    const { kind, ms } = open;
    const late = this.#session.isUp ? nveError('NVE-NNP-002', { what: kind, ms }) : this.#session.away();
    const result = kind === 'AUTH' ? this.#authorizations.expired(call, now, late) : err(late);
    this.#forget(call);
    this.#done(call, result);
  }

  #forget(call: CallId): void {
    this.#subscriptions.forget(call);
    this.#reports.forget(call);
  }

  #done(call: CallId, result: Result<VnInfo | VnView | null>): void {
    if (!this.#calls.delete(call)) return;
    this.#deadlines.set(`${call}`, null);
    this.#effects.push({ type: 'done', call, result });
  }

  // Frames

  #send(frame: NnpFrame): void {
    this.#session.send(frame);
  }

  #sub({ channel, vn }: NnpSubscription, token: NnpToken | null): void {
    this.#send({ kind: 'sub', channel, vn, token });
  }

  #acknowledge({ channel, live, received, applied }: NnpSubscription): void {
    if (!this.#session.isUp || !live) return;
    this.#send({ kind: 'ack', channel, receivedRevision: received, appliedRevision: applied });
  }

  #refuse(subscription: NnpSubscription, revision: bigint, keys: readonly NnpKey[], error: NveError): void {
    const { channel } = subscription;
    subscription.noteRefused(error);
    if (!this.#session.isUp) return;
    const text = error.message.slice(0, NNP_LIMITS.text);
    // A sample is enough to know what is wrong.
    const items = keys.slice(0, 64).map((key) => ({ key, code: error.code, text }));
    this.#send({ kind: 'nack', channel, revision, items });
  }
}

function nothingLeft(vn: VnId): MappingChange {
  const none = { set: [], removed: [] };
  return { vn, info: null, members: none, hosts: none, revision: 0n, synced: false };
}
