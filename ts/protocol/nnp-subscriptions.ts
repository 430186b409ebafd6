/** The subscriptions of an NVE, by VN and by channel, and the calls that wait for one to be in sync. */
import { type NveError, nveError, type Result, type VnId } from '#model';
import type { CallId } from './nnp-client-events.js';
import { NnpSubscription } from './nnp-subscription.js';

const MAX_CHANNEL = 65_535;

export class NnpSubscriptions {
  readonly #byVn = new Map<VnId, NnpSubscription>();
  readonly #byChannel = new Map<number, NnpSubscription>();
  readonly #waiting = new Map<VnId, CallId[]>();
  /** Channels go round, so that a late frame of an ended subscription meets nobody. */
  #lastChannel = 0;

  get size(): number {
    return this.#byVn.size;
  }

  /** All are up to date. */
  get isLive(): boolean {
    for (const subscription of this.#byVn.values()) if (!subscription.live) return false;
    return true;
  }

  all(): Iterable<NnpSubscription> {
    return this.#byVn.values();
  }

  ofVn(vn: VnId): NnpSubscription | undefined {
    return this.#byVn.get(vn);
  }

  ofChannel(channel: number): NnpSubscription | undefined {
    return this.#byChannel.get(channel);
  }

  add(vn: VnId): Result<NnpSubscription> {
    if (this.#byVn.size >= MAX_CHANNEL) {
      return { ok: false, error: nveError('NVE-NVA-007', { limit: MAX_CHANNEL, what: 'subscriptions of one NVE' }) };
    }
    do this.#lastChannel = (this.#lastChannel % MAX_CHANNEL) + 1;
    while (this.#byChannel.has(this.#lastChannel));
    const subscription = new NnpSubscription(vn, this.#lastChannel);
    this.#byVn.set(vn, subscription);
    this.#byChannel.set(subscription.channel, subscription);
    return { ok: true, value: subscription };
  }

  remove(subscription: NnpSubscription): void {
    this.#byVn.delete(subscription.vn);
    this.#byChannel.delete(subscription.channel);
  }

  wait(vn: VnId, call: CallId): void {
    this.#waiting.set(vn, [...(this.#waiting.get(vn) ?? []), call]);
  }

  /** The calls that waited for this VN; they do no longer. */
  takeWaiting(vn: VnId): CallId[] {
    const calls = this.#waiting.get(vn) ?? [];
    this.#waiting.delete(vn);
    return calls;
  }

  forget(call: CallId): void {
    for (const [vn, calls] of this.#waiting) {
      const rest = calls.filter((one) => one !== call);
      if (rest.length === 0) this.#waiting.delete(vn);
      else this.#waiting.set(vn, rest);
    }
  }

  /** When the oldest SUB without an answer was sent. */
  get oldest(): number | null {
    let oldest: number | null = null;
    for (const { askedAt } of this.#byVn.values()) {
      if (askedAt !== null && (oldest === null || askedAt < oldest)) oldest = askedAt;
    }
    return oldest;
  }
}

export function calledOff(what: string): NveError {
  return nveError('NVE-NNP-010', { what });
}
