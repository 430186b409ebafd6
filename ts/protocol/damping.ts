// What keeps learning calm, wherever a MAC is learned: how often it may move, and how often the log hears of a refusal.

/** A MAC that was refused is not tried again for so long, and a refusal is told once in this time; milliseconds. */
export const HOLD_MS = 60_000;
/** A MAC may move so often in this time; then it stays where it is (the numbers of RFC 7432 section 15.1). */
export const MAX_MOVES = 5;
export const MOVES_MS = 180_000;

/** The moments at which a MAC came, as far as they count now. It is restless with more than MAX_MOVES of them. */
export function recentMoves(came: readonly number[] | undefined, now: number): number[] {
  return (came ?? []).filter((at) => now - at < MOVES_MS);
}

/** Refusals at one place, by reason: the first is told, and then one in HOLD_MS. */
export class Refusals<Reason> {
  readonly #told = new Map<Reason, { until: number; count: number }>();

  /** One more. If it is to be told: how many there were since the last that was. */
  add(reason: Reason, now: number): number | undefined {
    const last = this.#told.get(reason) ?? { until: now, count: 0 };
    last.count += 1;
    this.#told.set(reason, last);
    if (now < last.until) return undefined;
    this.#told.set(reason, { until: now + HOLD_MS, count: 0 });
    return last.count;
  }
}
