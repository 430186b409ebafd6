/**
 * LLDP on one access channel towards one destination address (IEEE 802.1AB clause 9): it sends our TLVs, at once when they
 * change, and keeps the neighbours until their TTL ends. What is in the TLVs it does not know.
 *
 * ```
 *            up                     fastCount sent
 *   down ─────────► fast ───────────────────────────────► slow
 *    ▲               ▲ │ new neighbour: again fastCount     │
 *    │               └─┴───────────── new neighbour ────────┤
 *    └───────────────────── down, stop ─────────────────────┘
 * ```
 *
 * Credits bound what neighbours and changes can make it send (txCredit, clause 9.2): one comes each second, five are
 * kept; what has no credit waits for the next one.
 */
import type { MacAddr } from '#model';
import { type Lldpdu, type LldpTlv, msapOf } from '#wire';
import type { LldpEffect, LldpEvent, LldpGoneReason, LldpOptions, LldpStatus } from './lldp-events.js';

interface Neighbour {
  src: MacAddr;
  until: number;
  /** What it said, but for the TTL. */
  text: string;
}

const CREDITS_MAX = 5;
const CREDIT_MS = 1_000;
/** msgTxHold. */
const HOLD = 4;
const TTL_MAX = 65_535;

export class LldpAgent {
  readonly #options: LldpOptions;
  /** In the order in which they were heard last. */
  readonly #neighbours = new Map<string, Neighbour>();
  #state: LldpStatus['state'] = 'down';
  #tlvs: readonly LldpTlv[] = [];
  #fastLeft = 0;
  #next = 0;
  #credits = CREDITS_MAX;
  #creditsAt = 0;
  #effects: LldpEffect[] = [];

  constructor(options: LldpOptions) {
    this.#options = options;
  }

  handle(event: LldpEvent, now: number): LldpEffect[] {
    this.#effects = [];
    switch (event.type) {
      case 'up':
        if (this.#state === 'down') this.#fast(now, now);
        break;
      case 'down':
        this.#down();
        break;
      case 'stop':
        // Clause 9.2.7.5 (mibConstrShutdownLLDPDU): a TTL of zero says good-bye.
        if (this.#state !== 'down') this.#transmit(0, []);
        this.#down();
        break;
      case 'tlvs':
        this.#change(event.tlvs, now);
        break;
      case 'repeat':
        this.#now(now);
        break;
      case 'received':
        this.#received(event.src, event.pdu, now);
        break;
      case 'tick':
        this.#tick(now);
        break;
    }
    return this.#effects;
  }

  nextDeadline(): number | null {
    if (this.#state === 'down') return null;
    let next = this.#next;
    for (const { until } of this.#neighbours.values()) if (until < next) next = until;
    return next;
  }

  status(): LldpStatus {
    const neighbours = [...this.#neighbours].map(([id, { src, until }]) => ({ id, src, until }));
    return { state: this.#state, neighbours };
  }

  #tick(now: number): void {
    for (const [id, { until }] of this.#neighbours) if (now >= until) this.#gone(id, 'aged');
    if (this.#state === 'down' || now < this.#next || !this.#send(now)) return;
    if (this.#fastLeft > 0) this.#fastLeft--;
    if (this.#fastLeft === 0) this.#state = 'slow';
    this.#next = now + (this.#state === 'fast' ? this.#options.fastIntervalMs : this.#options.intervalMs);
  }

  /** False: there is no credit, and the next one is waited for. */
  #send(now: number): boolean {
    this.#refill(now);
    if (this.#credits < 1) {
      this.#next = this.#creditsAt + CREDIT_MS;
      return false;
    }
    this.#credits--;
    this.#transmit(Math.min(TTL_MAX, Math.ceil((HOLD * this.#options.intervalMs) / 1000) + 1), this.#tlvs);
    return true;
  }

  #fast(first: number, now: number): void {
    this.#state = 'fast';
    this.#fastLeft = this.#options.fastCount;
    this.#next = first;
    this.#tick(now);
  }

  #change(tlvs: readonly LldpTlv[], now: number): void {
    if (JSON.stringify(tlvs) === JSON.stringify(this.#tlvs)) return;
    this.#tlvs = tlvs;
    this.#now(now);
  }

  /** A change is sent at once (clause 9.2), and takes nothing away from a fast start. */
  #now(now: number): void {
    if (this.#state === 'down') return;
    if (this.#send(now) && this.#state === 'slow') this.#next = now + this.#options.intervalMs;
  }

  #received(src: MacAddr, pdu: Lldpdu, now: number): void {
    if (this.#state === 'down') return;
    const id = msapOf(pdu);
    const known = this.#neighbours.get(id);
    if (pdu.ttl === 0) {
      if (known !== undefined) this.#gone(id, 'shutdown');
      return;
    }
    const until = now + pdu.ttl * 1000;
    const text = JSON.stringify([src, pdu.tlvs]);
    if (known === undefined) {
      // Clause 9.2.7.7.5, tooManyNeighbors: which ones stay is ours to say.
      if (this.#neighbours.size >= this.#options.maxNeighbours && !this.#displace()) {
        this.#effects.push({ type: 'ignored', src, id });
        return;
      }
      this.#neighbours.set(id, { src, until, text });
      this.#effects.push({ type: 'neighbour', id, src, change: 'new', pdu });
      // newNeighbor (clause 9.2): it shall hear from us soon; what is due anyway stays due.
      this.#fast(Math.min(this.#next, now + this.#options.fastIntervalMs), now);
      return;
    }
    const changed = known.text !== text;
    this.#neighbours.delete(id);
    this.#neighbours.set(id, { src, until, text });
    if (changed) this.#effects.push({ type: 'neighbour', id, src, change: 'changed', pdu });
  }

  /** Forgets the neighbour heard longest ago, of those not in use: a flood of new ones must not keep out the next. */
  #displace(): boolean {
    for (const [id, { src }] of this.#neighbours) {
      if (this.#options.isInUse?.({ id, src })) continue;
      this.#gone(id, 'displaced');
      return true;
    }
    return false;
  }

  #down(): void {
    this.#state = 'down';
    for (const id of [...this.#neighbours.keys()]) this.#gone(id, 'down');
  }

  #gone(id: string, reason: LldpGoneReason): void {
    this.#neighbours.delete(id);
    this.#effects.push({ type: 'neighbourGone', id, reason });
  }

  #transmit(ttl: number, tlvs: readonly LldpTlv[]): void {
    const { address, chassisId, portId } = this.#options;
    this.#effects.push({ type: 'transmit', dst: address, pdu: { chassisId, portId, ttl, tlvs } });
  }

  #refill(now: number): void {
    const came = Math.floor((now - this.#creditsAt) / CREDIT_MS);
    if (came <= 0) return;
    this.#credits = Math.min(CREDITS_MAX, this.#credits + came);
    this.#creditsAt += came * CREDIT_MS;
  }
}
