/**
 * Making and keeping the NVE's session with its NVA, sans-IO. One session at a time is the active one: it carries reports, subscriptions
 * and questions. Beside it there may be one that is coming and one that is leaving, so that a change loses nothing (make before break):
 *
 * ```
 *   waiting ─(back-off, jitter)─► coming: dialling ─open─► greeting ─HELLO_ACK─► up
 *      ▲                             │ failed: the next one     │
 *      └───────── none is left ◄─────┘                          │ there is no active one, or it is leaving, or it is
 *                                                               │ not as good and this one has been up for 60 s
 *   retiring ◄── another takes over ── active ◄─────────────────┘
 *      └─ closed when the new one is in sync; active again if that is lost before
 * ```
 *
 * When the active session is lost the others are tried at once, in the order of their priority. It knows HELLO, PING, PONG, GOAWAY
 * and ERROR; every other frame of the active session goes to `host`.
 */
import { foreignError, type NveError, nveError } from '#model';
import { MAX_FRAME, NNP_LIMITS, NNP_VERSION, type NnpFrame } from '#wire';
import { earliest } from './deadlines.js';
import {
  DEFAULT_TIMING,
  type NnpClientOptions,
  type NnpClientStatus,
  type NnpEndpointStatus,
  type NnpTiming,
} from './nnp-client-events.js';
import { type NnpEndpoint, NnpEndpoints } from './nnp-endpoints.js';
import { type LinkId, NnpLink } from './nnp-link.js';

/** Who acts for the session. */
export interface NnpClientSessionHost {
  dial(link: LinkId, endpoint: NnpEndpoint): void;
  send(link: LinkId, frame: NnpFrame): void;
  close(link: LinkId): void;
  /** This session is the active one now; one before it is lost, or retires. */
  up(session: { readonly nvaId: string; readonly epoch: string; readonly endpoint: NnpEndpoint }, now: number): void;
  /** The active session is no longer, or there is none and an endpoint could not be reached. `hope`: another is tried at once. */
  down(error: NveError, was: 'up' | 'not up', hope: boolean, now: number): void;
  /** A frame of the active session. */
  frame(frame: NnpFrame, epoch: string, now: number): void;
  /** When the oldest request of each kind was sent that the NVA has not answered. */
  unanswered(): readonly { readonly what: string; readonly since: number | null }[];
  /** All that was subscribed to is up to date, and all that was reported is acknowledged. */
  isInSync(): boolean;
}

/** Epochs of which the highest term is remembered. */
const MAX_EPOCHS = 16;

export class NnpClientSession {
  readonly #options: NnpClientOptions;
  #tunnels: NnpClientOptions['tunnels'];
  readonly #host: NnpClientSessionHost;
  readonly #timing: NnpTiming;
  readonly #endpoints: NnpEndpoints;
  readonly #links = new Map<LinkId, NnpLink>();
  #lastLink = 0;
  #isStarted = false;
  #active: NnpLink | null = null;
  #coming: NnpLink | null = null;
  #retiring: NnpLink | null = null;
  /** Endpoints that this round has not tried yet. */
  #round: NnpEndpoint[] = [];
  /** When the next round begins; null: one is under way, or there is no need of one. */
  #until: number | null = null;
  /** Rounds and short sessions in a row: what the back-off grows with. */
  #attempts = 0;
  /** The same of rounds beside an active session. */
  #probes = 0;
  /** The session was lost, and others are tried that may be there. */
  #failsOver = false;
  /** The latest term of each epoch, the last used last, to know an outdated replica of the NVA. */
  readonly #terms = new Map<string, bigint>();
  refusedCertificates = 0;
  /** Why the last session ended or could not be made; null before the first try, and while one is up. */
  error: NveError | null = null;

  constructor(options: NnpClientOptions, host: NnpClientSessionHost) {
    this.#options = options;
    this.#tunnels = options.tunnels;
    this.#host = host;
    this.#timing = { ...DEFAULT_TIMING, ...options.timing };
    this.#endpoints = new NnpEndpoints(options.endpoints, options.random);
  }

  get isUp(): boolean {
    return this.#active !== null;
  }

  /** There is none yet, or none any more, and one may be there at once. */
  get isComing(): boolean {
    return this.#active === null && this.#coming !== null && (this.error === null || this.#failsOver);
  }

  status(): Pick<NnpClientStatus, 'state' | 'nvaId' | 'epoch' | 'term' | 'endpoint' | 'endpoints' | 'error'> {
    const link = this.#active ?? this.#coming;
    const { nvaId = null, epoch = null, term = null } = this.#active?.greeting ?? {};
    const waits = this.#isStarted ? 'waiting' : 'stopped';
    const state = this.#active !== null ? 'connected' : this.#coming !== null ? 'connecting' : waits;
    const endpoints = this.#endpoints.all().map((endpoint) => this.#statusOf(endpoint));
    return { state, nvaId, epoch, term, endpoint: link?.endpoint ?? null, endpoints, error: this.error };
  }

  nextDeadline(): number | null {
    if (!this.#isStarted) return null;
    const links = [...this.#links.values()].map((link) => link.nextDeadline(this.#timing));
    const { replyMs, failbackMs } = this.#timing;
    const waits = this.#host.unanswered().map(({ since }) => (since === null ? null : since + replyMs));
    const candidate = this.#active !== null && this.#coming?.state === 'up' ? this.#coming.since + failbackMs : null;
    return earliest(this.#until, candidate, ...links, ...(this.#active === null ? [] : waits));
  }

  start(now: number): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.#attempts = 0;
    this.error = null;
    this.#beginRound(null, now);
  }

  stop(): void {
    for (const { id } of this.#links.values()) this.#host.close(id);
    this.#links.clear();
    this.#active = null;
    this.#coming = null;
    this.#retiring = null;
    this.#round = [];
    this.#until = null;
    this.#failsOver = false;
    this.#isStarted = false;
  }

  opened(id: LinkId, now: number): void {
    const link = this.#links.get(id);
    if (link?.state !== 'dialling') return;
    link.opened(this.#tunnels, now);
    const { nveId, instance } = this.#options;
    this.#host.send(id, {
      kind: 'hello',
      channel: 0,
      protoMin: NNP_VERSION,
      protoMax: NNP_VERSION,
      nveId,
      instance,
      encaps: this.#tunnels,
      maxFrame: MAX_FRAME,
    });
  }

  /** The NVE is reached in another way: said now where there is a session, and in the next HELLO. */
  ends(tunnels: NnpClientOptions['tunnels']): void {
    this.#tunnels = tunnels;
    for (const link of this.#links.values()) this.#sayEnds(link);
  }

  /** Before HELLO_ACK nothing may follow HELLO: `#greeted` says it. */
  #sayEnds(link: NnpLink): void {
    if (link.state !== 'up' || link.tunnels === this.#tunnels) return;
    link.tunnels = this.#tunnels;
    this.#host.send(link.id, { kind: 'ends', channel: 0, tunnels: this.#tunnels });
  }

  /** The transport is gone, or was never made. */
  closed(id: LinkId, cause: NveError | string, now: number): void {
    const link = this.#links.get(id);
    if (link !== undefined) this.#ended(link, typeof cause === 'string' ? this.#unreachable(link, cause) : cause, now);
  }

  garbled(id: LinkId, error: NveError, now: number): void {
    const link = this.#links.get(id);
    if (link !== undefined) this.#breakOff(link, error, now);
  }

  /** The active session is given up for what is said. */
  breakOff(error: NveError, now: number): void {
    if (this.#active !== null) this.#breakOff(this.#active, error, now);
  }

  /** A frame to the NVA of the active session. */
  send(frame: NnpFrame): void {
    if (this.#active !== null) this.#host.send(this.#active.id, frame);
  }

  frame(id: LinkId, frame: NnpFrame, now: number): void {
    const link = this.#links.get(id);
    if (link === undefined) return;
    link.heard = now;
    if (frame.kind === 'error') {
      this.#toldOff(link, frame, now);
    } else if (link.state === 'greeting') {
      if (frame.kind === 'helloAck') this.#greeted(link, frame, now);
      else this.#illegal(link, frame.kind, 'HELLO_ACK comes first', now);
    } else if (link.state === 'up') {
      if (frame.kind === 'ping') this.#host.send(id, { kind: 'pong', channel: 0, nonce: frame.nonce });
      else if (frame.kind === 'goaway') this.#askedToLeave(link, frame, now);
      // What one that retires still has under way is told again by the other.
      else if (frame.kind !== 'pong' && link === this.#active) this.#host.frame(frame, link.greeting?.epoch ?? '', now);
    }
  }

  illegal(what: string, reason: string, now: number): void {
    if (this.#active !== null) this.#illegal(this.#active, what, reason, now);
  }

  tick(now: number): void {
    if (!this.#isStarted) return;
    for (const link of [...this.#links.values()]) this.#check(link, now);
    const coming = this.#coming;
    if (this.#active !== null && coming?.state === 'up' && now >= coming.since + this.#timing.failbackMs)
      this.#takeOver(coming, now);
    if (this.#until !== null && now >= this.#until) this.#beginRound(null, now);
  }

  /** To be called when `isInSync` may have become true: who waits for that may go. */
  settle(): void {
    const retiring = this.#retiring;
    if (retiring === null || this.#active === null || !this.#host.isInSync()) return;
    this.#retiring = null;
    this.#links.delete(retiring.id);
    this.#host.close(retiring.id);
  }

  /** NVE-NNP-001 with what is known. */
  away(reason?: string): NveError {
    const endpoints = this.#endpoints.all().map(({ name }) => name);
    const why = reason ?? this.error?.message ?? 'not connected';
    return nveError('NVE-NNP-001', { endpoints, reason: why }, this.error ?? undefined);
  }

  #unreachable({ endpoint }: NnpLink, reason: string): NveError {
    return this.#endpoints.all().length > 1
      ? nveError('NVE-NNP-001', { endpoints: [endpoint.name], reason })
      : this.away(reason);
  }

  // Rounds

  /** Tries the endpoints that are wanted now: all, or beside a session that is well those that are better. */
  #beginRound(last: string | null, now: number): void {
    const active = this.#active;
    this.#until = null;
    const order = this.#endpoints.order(last);
    this.#round =
      active === null
        ? order
        : order.filter(({ name, priority }) =>
            active.isLeaving ? name !== active.endpoint.name : priority < active.endpoint.priority,
          );
    if (this.#coming === null && (active === null || this.#round.length > 0)) this.#dialNext(now);
  }

  #dialNext(now: number): void {
    const endpoint = this.#round.shift();
    if (endpoint === undefined) {
      this.#wait(now);
      return;
    }
    this.#lastLink += 1;
    const link = new NnpLink(this.#lastLink, endpoint, now);
    this.#links.set(link.id, link);
    this.#coming = link;
    this.#host.dial(link.id, endpoint);
  }

  #wait(now: number): void {
    this.#failsOver = false;
    const attempts = this.#active === null ? this.#attempts++ : this.#probes++;
    this.#until = now + this.#endpoints.backoff(attempts, this.#timing);
  }

  /** After this session: is there a better endpoint to look for? */
  #lookForBetter({ endpoint, isLeaving }: NnpLink, now: number): void {
    this.#probes = 0;
    this.#until = null;
    this.#round = [];
    if (isLeaving || this.#endpoints.all().some(({ priority }) => priority < endpoint.priority)) this.#wait(now);
  }

  // Sessions

  #greeted(link: NnpLink, frame: Extract<NnpFrame, { kind: 'helloAck' }>, now: number): void {
    const { proto, nvaId, epoch, term, alternates } = frame;
    if (proto !== NNP_VERSION) {
      this.#breakOff(link, nveError('NVE-NNP-003', { offered: NNP_VERSION, supported: proto }), now);
      return;
    }
    const seen = this.#terms.get(epoch) ?? 0n;
    if (term < seen) {
      this.#breakOff(link, nveError('NVE-NNP-008', { endpoint: link.endpoint.name, term, seen }), now);
      return;
    }
    this.#terms.delete(epoch);
    this.#terms.set(epoch, term);
    for (const old of this.#terms.keys()) if (this.#terms.size > MAX_EPOCHS) this.#terms.delete(old);
    link.greeted({ nvaId, epoch, term }, now);
    this.#sayEnds(link);
    this.#endpoints.succeeded(link.endpoint);
    this.#endpoints.nameBy(link.endpoint, alternates ?? []);
    const active = this.#active;
    const isOutdated = active?.greeting?.epoch === epoch && active.greeting.term < term;
    if (active === null || active.isLeaving || isOutdated) this.#takeOver(link, now);
  }

  /** The link that was coming becomes the active session; the one before it stays until this one is in sync. */
  #takeOver(link: NnpLink, now: number): void {
    if (this.#retiring !== null) {
      this.#links.delete(this.#retiring.id);
      this.#host.close(this.#retiring.id);
    }
    this.#retiring = this.#active;
    this.#coming = null;
    this.#activate(link, now);
  }

  #activate(link: NnpLink, now: number): void {
    this.#active = link;
    this.#failsOver = false;
    this.error = null;
    this.#lookForBetter(link, now);
    const { nvaId, epoch } = link.greeting ?? { nvaId: '', epoch: '' };
    this.#host.up({ nvaId, epoch, endpoint: link.endpoint }, now);
  }

  #askedToLeave(link: NnpLink, { code, text }: Extract<NnpFrame, { kind: 'goaway' }>, now: number): void {
    const error = nveError('NVE-NNP-015', { endpoint: link.endpoint.name, code, text });
    if (link === this.#coming) {
      this.#breakOff(link, error, now);
    } else if (link === this.#active && !link.isLeaving) {
      link.isLeaving = true;
      this.#probes = 0;
      this.#endpoints.failed(link.endpoint, error);
      if (this.#coming?.state === 'up') this.#takeOver(this.#coming, now);
      else this.#beginRound(link.endpoint.name, now);
    }
  }

  #check(link: NnpLink, now: number): void {
    const { dialMs, helloMs, pingMs, deadMs, replyMs } = this.#timing;
    if (link.state === 'dialling') {
      if (now >= link.since + dialMs) this.#breakOff(link, this.#late('a connection', dialMs), now);
    } else if (link.state === 'greeting') {
      if (now >= link.since + helloMs) this.#breakOff(link, this.#late('HELLO', helloMs), now);
    } else {
      const waits = link === this.#active ? this.#host.unanswered() : [];
      const late = waits.find(({ since }) => since !== null && now >= since + replyMs);
      if (now >= link.heard + deadMs) {
        this.#breakOff(link, nveError('NVE-NNP-005', { ms: deadMs }), now);
      } else if (late !== undefined) {
        this.#breakOff(link, this.#late(late.what, replyMs), now);
      } else if (now >= Math.max(link.heard, link.pinged) + pingMs) {
        link.pinged = now;
        link.nonce = (link.nonce + 1) % 2 ** 32;
        this.#host.send(link.id, { kind: 'ping', channel: 0, nonce: link.nonce });
      }
    }
  }

  #late(what: string, ms: number): NveError {
    return nveError('NVE-NNP-002', { what, ms });
  }

  /** Our side gives the link up and says why. */
  #breakOff(link: NnpLink, error: NveError, now: number): void {
    const { code, message } = error;
    if (link.state !== 'dialling')
      this.#host.send(link.id, { kind: 'error', channel: 0, code, text: message.slice(0, NNP_LIMITS.text) });
    this.#host.close(link.id);
    this.#ended(link, error, now);
  }

  #illegal(link: NnpLink, what: string, reason: string, now: number): void {
    this.#breakOff(link, nveError('NVE-NNP-004', { what, reason }), now);
  }

  /** The NVA says why it ends the session. */
  #toldOff(link: NnpLink, { code, text }: Extract<NnpFrame, { kind: 'error' }>, now: number): void {
    this.#host.close(link.id);
    this.#ended(link, nveError('NVE-NNP-009', { code, text }, foreignError(code, {}, text)), now);
  }

  #ended(link: NnpLink, error: NveError, now: number): void {
    this.#links.delete(link.id);
    this.#endpoints.failed(link.endpoint, error);
    if (isAboutCertificates(error)) this.refusedCertificates += 1;
    if (link === this.#retiring) this.#retiring = null;
    else if (link === this.#coming) this.#comingEnded(error, now);
    else if (link === this.#active) this.#activeEnded(link, error, now);
  }

  #comingEnded(error: NveError, now: number): void {
    this.#coming = null;
    if (this.#active !== null) {
      this.#dialNext(now);
      return;
    }
    this.error = error;
    this.#dialNext(now);
    this.#host.down(error, 'not up', this.#coming !== null, now);
  }

  #activeEnded(link: NnpLink, error: NveError, now: number): void {
    const [retiring, coming] = [this.#retiring, this.#coming];
    this.error = error;
    this.#active = null;
    this.#until = null;
    if (now - link.since >= this.#timing.stableMs) this.#attempts = 0;
    const next = retiring ?? (coming?.state === 'up' ? coming : null);
    if (next !== null) {
      this.#host.down(error, 'up', true, now);
      if (next === retiring) this.#retiring = null;
      else this.#coming = null;
      this.#activate(next, now);
      return;
    }
    // A second short session in a row waits, and so does who has no other endpoint.
    if (this.#attempts === 0 && this.#endpoints.all().length > 1) {
      this.#attempts = 1;
      this.#failsOver = true;
      this.#beginRound(link.endpoint.name, now);
    } else if (coming === null) {
      this.#round = [];
      this.#wait(now);
    }
    this.#host.down(error, 'up', this.#coming !== null, now);
  }

  #statusOf(endpoint: NnpEndpoint): NnpEndpointStatus {
    const link = [...this.#links.values()].find((one) => one.endpoint.name === endpoint.name);
    const state = link === undefined ? 'idle' : this.#stateOf(link);
    return {
      endpoint,
      state,
      since: link?.since ?? null,
      nvaId: link?.greeting?.nvaId ?? null,
      error: this.#endpoints.errorOf(endpoint),
    };
  }

  #stateOf(link: NnpLink): NnpEndpointStatus['state'] {
    if (link === this.#active) return link.isLeaving ? 'leaving' : 'active';
    if (link === this.#retiring) return 'retiring';
    return link.state === 'up' ? 'standby' : 'connecting';
  }
}

/** Of ours, or what the NVA says of it. */
function isAboutCertificates(error: NveError): boolean {
  const code = error.code === 'NVE-NNP-009' ? error.context['code'] : error.code;
  return code === 'NVE-TLS-002' || code === 'NVE-NNP-013' || code === 'NVE-NNP-014';
}
