/**
 * Making and keeping the NVE's session with its NVA, sans-IO: one at a time, with one of several equivalent endpoints
 * (RFC 8014 section 7.4: by priority, at random among equals), made again for ever.
 *
 * ```
 *   stopped ─start─► dialling ─open─► greeting ─HELLO_ACK─► up
 *                     ▲    │ failed       │ failed            │ lost
 *                     │    ▼ next one     ▼                   │
 *                     └── waiting (back-off, jitter) ◄────────┘
 * ```
 *
 * It knows HELLO, PING, PONG and ERROR; every other frame of a session goes to `host`.
 */
import { foreignError, type NveError, nveError } from '#model';
import { MAX_FRAME, NNP_LIMITS, NNP_VERSION, type NnpFrame } from '#wire';
import { DEFAULT_TIMING, type NnpClientOptions, type NnpClientStatus, type NnpTiming } from './nnp-client-events.js';

type State =
  | { readonly name: 'stopped' }
  | { readonly name: 'dialling' | 'greeting'; readonly endpoint: number; readonly since: number }
  | { readonly name: 'up'; readonly up: Up; heard: number; pinged: number }
  | { readonly name: 'waiting'; readonly until: number };

interface Up {
  readonly endpoint: number;
  readonly since: number;
  readonly nvaId: string;
  readonly epoch: string;
}

/** Who acts for the session. */
export interface NnpClientSessionHost {
  dial(endpoint: number): void;
  send(frame: NnpFrame): void;
  close(): void;
  up(session: Up, now: number): void;
  /** The session was lost, or one endpoint could not be reached. `hope`: the next one is tried at once. */
  down(error: NveError, was: 'up' | 'not up', hope: boolean, now: number): void;
  /** A frame of a session that is up. */
  frame(frame: NnpFrame, epoch: string, now: number): void;
  /** When the oldest request of each kind was sent that the NVA has not answered. */
  unanswered(): readonly { readonly what: string; readonly since: number | null }[];
}

export class NnpClientSession {
  readonly #options: NnpClientOptions;
  #tunnels: NnpClientOptions['tunnels'];
  readonly #host: NnpClientSessionHost;
  readonly #timing: NnpTiming;
  #state: State = { name: 'stopped' };
  /** Endpoints that this round has not tried yet. */
  #round: number[] = [];
  /** Rounds and short sessions in a row: what the back-off grows with. */
  #attempts = 0;
  /** The latest term of the NVA, to know an outdated replica of it. */
  #seen = { epoch: '', term: 0n };
  #nonce = 0;
  /** The ends are as HELLO or a frame after it said. */
  #isSaid = true;
  refusedCertificates = 0;
  /** Why the last session ended or could not be made; null before the first try, and while one is up. */
  error: NveError | null = null;

  constructor(options: NnpClientOptions, host: NnpClientSessionHost) {
    this.#options = options;
    this.#tunnels = options.tunnels;
    this.#host = host;
    this.#timing = { ...DEFAULT_TIMING, ...options.timing };
  }

  get isUp(): boolean {
    return this.#state.name === 'up';
  }

  get isConnecting(): boolean {
    return this.#state.name === 'dialling' || this.#state.name === 'greeting';
  }

  status(): Pick<NnpClientStatus, 'state' | 'nvaId' | 'epoch' | 'endpoint' | 'error'> {
    const state = this.#state;
    const { error } = this;
    if (state.name === 'up') {
      const { nvaId, epoch, endpoint } = state.up;
      return { state: 'connected', nvaId, epoch, endpoint, error };
    }
    const endpoint = 'endpoint' in state ? state.endpoint : null;
    const name = this.isConnecting ? 'connecting' : state.name === 'waiting' ? 'waiting' : 'stopped';
    return { state: name, nvaId: null, epoch: null, endpoint, error };
  }

  nextDeadline(): number | null {
    const { helloMs, pingMs, deadMs, replyMs } = this.#timing;
    const state = this.#state;
    switch (state.name) {
      case 'stopped':
        return null;
      case 'waiting':
        return state.until;
      case 'dialling':
      case 'greeting':
        return state.since + helloMs;
      case 'up': {
        const waits = this.#host.unanswered().flatMap(({ since }) => (since === null ? [] : [since + replyMs]));
        return Math.min(state.heard + deadMs, Math.max(state.heard, state.pinged) + pingMs, ...waits);
      }
    }
  }

  start(now: number): void {
    if (this.#state.name !== 'stopped') return;
    this.#attempts = 0;
    this.error = null;
    this.#beginRound(now);
  }

  stop(): void {
    if (this.isUp || this.isConnecting) this.#host.close();
    this.#state = { name: 'stopped' };
  }

  opened(now: number): void {
    if (this.#state.name !== 'dialling') return;
    const { nveId, instance } = this.#options;
    this.#state = { name: 'greeting', endpoint: this.#state.endpoint, since: now };
    this.#isSaid = true;
    this.#host.send({
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

  /** The NVE is reached in another way: said now, if HELLO was sent already, and in the next HELLO. */
  ends(tunnels: NnpClientOptions['tunnels']): void {
    this.#tunnels = tunnels;
    // Before HELLO_ACK nothing may follow HELLO: `#greeted` says it.
    this.#isSaid = this.#state.name !== 'greeting';
    if (this.isUp) this.#host.send({ kind: 'ends', channel: 0, tunnels });
  }

  /** The transport is gone, or was never made. */
  closed(cause: NveError | string, now: number): void {
    this.#ended(typeof cause === 'string' ? this.away(cause) : cause, now);
  }

  /** Our side gives the session, or the attempt, up and says why. */
  breakOff(error: NveError, now: number): void {
    if (!this.isUp && !this.isConnecting) return;
    if (this.#state.name !== 'dialling') {
      this.#host.send({ kind: 'error', channel: 0, code: error.code, text: error.message.slice(0, NNP_LIMITS.text) });
    }
    this.#host.close();
    this.#ended(error, now);
  }

  illegal(what: string, reason: string, now: number): void {
    this.breakOff(nveError('NVE-NNP-004', { what, reason }), now);
  }

  frame(frame: NnpFrame, now: number): void {
    const state = this.#state;
    if (state.name === 'greeting') {
      if (frame.kind === 'helloAck') this.#greeted(frame, state.endpoint, now);
      else if (frame.kind === 'error') this.#toldOff(frame, now);
      else this.illegal(frame.kind, 'HELLO_ACK comes first', now);
    } else if (state.name === 'up') {
      state.heard = now;
      if (frame.kind === 'ping') this.#host.send({ kind: 'pong', channel: 0, nonce: frame.nonce });
      else if (frame.kind === 'error') this.#toldOff(frame, now);
      else if (frame.kind !== 'pong') this.#host.frame(frame, state.up.epoch, now);
    }
  }

  tick(now: number): void {
    const { helloMs, pingMs, deadMs, replyMs } = this.#timing;
    const state = this.#state;
    if (state.name === 'waiting') {
      if (now >= state.until) this.#beginRound(now);
    } else if (state.name === 'dialling' || state.name === 'greeting') {
      if (now >= state.since + helloMs) this.breakOff(nveError('NVE-NNP-002', { what: 'HELLO', ms: helloMs }), now);
    } else if (state.name === 'up') {
      const late = this.#host.unanswered().find(({ since }) => since !== null && now >= since + replyMs);
      if (now >= state.heard + deadMs) {
        this.breakOff(nveError('NVE-NNP-005', { ms: deadMs }), now);
      } else if (late !== undefined) {
        this.breakOff(nveError('NVE-NNP-002', { what: late.what, ms: replyMs }), now);
      } else if (now >= Math.max(state.heard, state.pinged) + pingMs) {
        state.pinged = now;
        this.#nonce = (this.#nonce + 1) % 2 ** 32;
        this.#host.send({ kind: 'ping', channel: 0, nonce: this.#nonce });
      }
    }
  }

  /** NVE-NNP-001 with what is known. */
  away(reason?: string): NveError {
    const endpoints = this.#options.endpoints.map(({ name }) => name);
    const why = reason ?? this.error?.message ?? 'not connected';
    return nveError('NVE-NNP-001', { endpoints, reason: why }, this.error ?? undefined);
  }

  #beginRound(now: number): void {
    const { endpoints, random } = this.#options;
    const order = endpoints.map(({ priority }, endpoint) => ({ priority, endpoint, lot: random() }));
    order.sort((a, b) => a.priority - b.priority || a.lot - b.lot);
    this.#round = order.map(({ endpoint }) => endpoint);
    this.#dialNext(now);
  }

  #dialNext(now: number): void {
    const endpoint = this.#round.shift();
    if (endpoint === undefined) {
      this.#wait(now);
      return;
    }
    this.#state = { name: 'dialling', endpoint, since: now };
    this.#host.dial(endpoint);
  }

  /** Half of the back-off is certain, half by lot: all NVEs of a domain lose their NVA at the same time. */
  #wait(now: number): void {
    const { backoffMinMs, backoffMaxMs } = this.#timing;
    const full = Math.min(backoffMaxMs, backoffMinMs * 2 ** Math.min(this.#attempts, 30));
    this.#attempts += 1;
    this.#state = { name: 'waiting', until: now + full * (0.5 + 0.5 * this.#options.random()) };
  }

  #greeted(frame: Extract<NnpFrame, { kind: 'helloAck' }>, endpoint: number, now: number): void {
    const { proto, nvaId, epoch, term } = frame;
    if (proto !== NNP_VERSION) {
      this.breakOff(nveError('NVE-NNP-003', { offered: NNP_VERSION, supported: proto }), now);
      return;
    }
    if (epoch === this.#seen.epoch && term < this.#seen.term) {
      const { name } = this.#options.endpoints[endpoint] ?? { name: `${endpoint}` };
      this.breakOff(nveError('NVE-NNP-008', { endpoint: name, term, seen: this.#seen.term }), now);
      return;
    }
    this.#seen = { epoch, term };
    const up: Up = { endpoint, since: now, nvaId, epoch };
    this.#state = { name: 'up', up, heard: now, pinged: now };
    this.error = null;
    if (!this.#isSaid) this.#host.send({ kind: 'ends', channel: 0, tunnels: this.#tunnels });
    this.#isSaid = true;
    this.#host.up(up, now);
  }

  /** The NVA says why it ends the session. */
  #toldOff({ code, text }: Extract<NnpFrame, { kind: 'error' }>, now: number): void {
    this.#host.close();
    this.#ended(nveError('NVE-NNP-009', { code, text }, foreignError(code, {}, text)), now);
  }

  #ended(error: NveError, now: number): void {
    const state = this.#state;
    if (state.name === 'stopped' || state.name === 'waiting') return;
    this.error = error;
    if (isAboutCertificates(error)) this.refusedCertificates += 1;
    const wasUp = state.name === 'up';
    if (wasUp) {
      if (now - state.up.since >= this.#timing.stableMs) this.#attempts = 0;
      // The next round begins with the best endpoint again, after the back-off.
      this.#round = [];
    }
    const hope = this.#round.length > 0;
    this.#dialNext(now);
    this.#host.down(error, wasUp ? 'up' : 'not up', hope, now);
  }
}

/** Of ours, or what the NVA says of it. */
function isAboutCertificates(error: NveError): boolean {
  const code = error.code === 'NVE-NNP-009' ? error.context['code'] : error.code;
  return code === 'NVE-TLS-002' || code === 'NVE-NNP-013' || code === 'NVE-NNP-014';
}
