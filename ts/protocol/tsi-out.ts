/** What the parts of the TSI life cycle share: the effects of the event in work, the requests without an answer, and the next number. */
import type { NveError, Result, TsiKey, TsiRow } from '#model';
import type { RequestId, TsiEffect } from './tsi-events.js';

export class TsiOut {
  #effects: TsiEffect[] = [];
  readonly #open = new Map<RequestId, TsiKey>();
  /** 0 is none. */
  #number = 0;

  push(effect: TsiEffect): void {
    this.#effects.push(effect);
  }

  /** From now until its answer the request is this TSI's. */
  asked(request: RequestId, key: TsiKey): void {
    this.#open.set(request, key);
  }

  /** Which TSI the request without an answer is about. */
  subject(request: RequestId): TsiKey | undefined {
    return this.#open.get(request);
  }

  answer(request: RequestId, result: Result<TsiRow | null, NveError>): void {
    this.#open.delete(request);
    this.#effects.push({ type: 'answer', request, result });
  }

  /** Of `askAuth`, of engine operations and of versions of addresses: each is used once. */
  number(): number {
    this.#number += 1;
    return this.#number;
  }

  take(): TsiEffect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }
}
