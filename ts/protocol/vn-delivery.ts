// How broadcast of a VN reaches other NVEs, while the NVA changes its mind: frames are neither lost nor doubled, since who sends goes over when
// all have learned to hear, and who hears stops long after all have gone over. A machine without I/O: it knows neither groups nor engines.
//
//   want(new): heard at once ──SEND_AFTER──▶ sent so ── the old way is heard until HEAR_FOR after it was given up
//   want(head-end): sent so at once, since copies of each NVE are always heard

import type { Delivery } from '#model';

/**
 * When the NVA's word, a report of membership and a question for a neighbour have gone round: all NVEs hear the new way. They reconnect to an
 * NVA that has begun anew at different times, by some seconds.
 */
const SEND_AFTER_MS = 10_000;
/** When the slowest NVE sends by the new way. */
const HEAR_FOR_MS = 60_000;

const keyOf = (delivery: Delivery): string => Object.values(delivery).join(' ');

export class VnDelivery {
  #wanted: Delivery;
  #sent: Delivery;
  /** When what is wanted is to be sent, if that is not so yet. */
  #sendAt: number | null = null;
  /** Ways that were given up, and until when they are heard. */
  readonly #old = new Map<string, { readonly delivery: Delivery; readonly until: number }>();

  /** From the VN's first use here on; nothing is under way. */
  constructor(delivery: Delivery) {
    this.#wanted = delivery;
    this.#sent = delivery;
  }

  /** How broadcast is to go from now on. */
  want(delivery: Delivery, now: number): void {
    if (keyOf(delivery) === keyOf(this.#wanted)) return;
    this.#old.set(keyOf(this.#wanted), { delivery: this.#wanted, until: now + HEAR_FOR_MS });
    this.#old.delete(keyOf(delivery));
    this.#wanted = delivery;
    const isSent = keyOf(delivery) === keyOf(this.#sent);
    this.#sendAt = isSent ? null : now + (delivery.kind === 'head-end' ? 0 : SEND_AFTER_MS);
    this.handle(now);
  }

  /** Does what is due. */
  handle(now: number): void {
    if (this.#sendAt !== null && this.#sendAt <= now) {
      this.#sent = this.#wanted;
      this.#sendAt = null;
    }
    for (const [key, { until }] of this.#old) if (until <= now) this.#old.delete(key);
  }

  /** When the next is due; null: nothing is under way. */
  get due(): number | null {
    const dues = [...this.#old.values()].map(({ until }) => until);
    if (this.#sendAt !== null) dues.push(this.#sendAt);
    return dues.length === 0 ? null : Math.min(...dues);
  }

  /** How broadcast is sent now. */
  get sent(): Delivery {
    return this.#sent;
  }

  /** All ways by which it may come; the first is the one that is wanted. */
  get heard(): readonly Delivery[] {
    return [this.#wanted, ...[...this.#old.values()].map(({ delivery }) => delivery)];
  }
}
