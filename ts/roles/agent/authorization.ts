// Whether a TSI may join a VN: the NVA's word, the local policy's, or both, before anything is allocated (RFC 8394 section 6). The NVA
// comes first, since it says which VN a name or a VNI is.

import { err, type MacAddr, type NveError, ok, type Result, type TsiKey, type VnInfo, type VnRef } from '#model';
import type { TsiWant, VsiDescription } from '#protocol';
import type { LocalPolicy } from './local-policy.js';
import type { TsiPorts } from './tsis.js';

export interface AuthorizationParts {
  readonly policy: LocalPolicy;
  /** Asks the NVA. */
  readonly ask: TsiPorts['authorize'];
  /** What VDP says of the TSI; null: it is not VDP's. */
  readonly vsiOf: (key: TsiKey) => VsiDescription | null;
  /** It was allowed before a restart of the NVE, and its station has not been heard since. */
  readonly isReturning: (key: TsiKey) => boolean;
  /** The VN, if this NVE serves it already. */
  readonly knownVn: (ref: VnRef) => VnInfo | null;
}

export class Authorization {
  readonly #parts: AuthorizationParts;

  constructor(parts: AuthorizationParts) {
    this.#parts = parts;
  }

  async authorize(...[effect, signal]: Parameters<TsiPorts['authorize']>): Promise<Result<VnInfo>> {
    const { policy, ask, vsiOf, isReturning } = this.#parts;
    const { key, vn, macs } = effect;
    const info = policy.asksNva ? await ask(effect, signal) : policy.vn(vn);
    if (!info.ok) return info;
    const vsi = vsiOf(key);
    // Rules about VSIs find nothing to look at yet: `refusal` judges when the station is heard.
    if (vsi === null && isReturning(key)) return info;
    const verdict = policy.judge({ ...key, vn: info.value, macs, vsi });
    return verdict.ok ? ok(info.value) : err(verdict.error);
  }

  /** Whether a MAC may be taken for the TSI's that showed up behind it. The NVA judges when it gets the report. */
  mayLearn(key: TsiKey, vn: VnInfo, mac: MacAddr): Result<null> {
    const { policy, vsiOf } = this.#parts;
    return policy.judge({ ...key, vn, macs: [mac], vsi: vsiOf(key) });
  }

  /** For VDP: nobody is asked again about a TSI that is there, but its VSI may have become one of another type. */
  refusal(vsi: VsiDescription, { key, vn, macs }: TsiWant): NveError | null {
    const info = this.#parts.knownVn(vn);
    if (info === null) return null;
    const verdict = this.#parts.policy.judge({ ...key, vn: info, macs, vsi });
    return verdict.ok ? null : verdict.error;
  }
}
