/** What the NVA said about TSIs, for as long as it said that it holds: the answer while the NVA is away. */
import type { Result, VnId, VnInfo } from '#model';
import type { AuthorizeRequest } from './nnp-types.js';

const MAX_VERDICTS = 4096;

interface Verdict {
  readonly result: Result<VnInfo>;
  readonly until: number;
}

export class NnpVerdicts {
  /** The oldest first. */
  readonly #verdicts = new Map<string, Verdict>();

  put(request: AuthorizeRequest, result: Result<VnInfo>, ttlMs: number, now: number): void {
    const key = keyOf(request);
    this.#verdicts.delete(key);
    if (ttlMs <= 0) return;
    this.#verdicts.set(key, { result, until: now + ttlMs });
    const [oldest] = this.#verdicts.keys();
    if (this.#verdicts.size > MAX_VERDICTS && oldest !== undefined) this.#verdicts.delete(oldest);
  }

  get(request: AuthorizeRequest, now: number): Result<VnInfo> | null {
    const verdict = this.#verdicts.get(keyOf(request));
    return verdict !== undefined && verdict.until > now ? verdict.result : null;
  }

  /** The NVA changed the VN, or deleted it (null): what was allowed follows. */
  vnChanged(vn: VnId, info: VnInfo | null): void {
    for (const [key, { result, until }] of this.#verdicts) {
      if (!result.ok || result.value.vn !== vn) continue;
      if (info === null) this.#verdicts.delete(key);
      else this.#verdicts.set(key, { result: { ok: true, value: info }, until });
    }
  }
}

/** The port does not count: a TSI that may join may do so at any port. */
function keyOf({ vn, tsi, macs, ips }: AuthorizeRequest): string {
  return JSON.stringify([vn, tsi, [...macs].sort(), [...ips].sort()]);
}
