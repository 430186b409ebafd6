/** What the parts of the TSI life cycle share while they handle one event: the effects so far, and the next number. */
import type { NveError, Result, TsiRow } from '#model';
import type { RequestId, TsiEffect } from './tsi-events.js';

export class TsiOut {
  #effects: TsiEffect[] = [];
  /** 0 is none. */
  #number = 0;

  push(effect: TsiEffect): void {
    this.#effects.push(effect);
  }

  answer(request: RequestId, result: Result<TsiRow | null, NveError>): void {
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
