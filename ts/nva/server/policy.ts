/** Who may do what at the embedded authority: which NVE serves which VN, which TSI joins it. No rule means no. */
import {
  ENCAP_VXLAN,
  encapName,
  err,
  type IpAddr,
  type MacAddr,
  matchesPattern,
  type NveId,
  nveError,
  ok,
  type Result,
  type TsiId,
  type TunnelEnd,
  type VnName,
} from '#model';
import type { NveRule, TsiRule } from './api.js';

export interface Candidate {
  readonly tsi: TsiId;
  readonly macs: readonly MacAddr[];
  readonly ips: readonly IpAddr[];
}

export class Policy {
  readonly #nves: ReadonlyMap<NveId, NveRule>;
  readonly #tsis: readonly TsiRule[];

  constructor(nves: readonly NveRule[], tsis: readonly TsiRule[]) {
    this.#nves = new Map(nves.map((rule) => [rule.nveId, rule]));
    this.#tsis = tsis;
  }

  nveIds(): NveId[] {
    return [...this.#nves.keys()];
  }

  /** A known NVE, with registered underlay addresses only. */
  mayConnect(nve: NveId, tunnels: readonly TunnelEnd[]): Result<null> {
    const rule = this.#nves.get(nve);
    if (rule === undefined) return err(nveError('NVE-NVA-006', { nve }));
    const foreign = tunnels.find(({ ip }) => !rule.underlay.includes(ip));
    if (foreign !== undefined) return err(nveError('NVE-NVA-005', { ip: foreign.ip, nve }));
    const other = tunnels.find(({ encap }) => rule.encaps?.includes(encap) === false);
    return other === undefined ? ok(null) : err(nveError('NVE-NVA-010', { encap: encapName(other.encap), nve }));
  }

  /** Where an NVE that has told nothing itself is reached: at its addresses, by the first of its encapsulations. */
  tunnelsOf(nve: NveId): TunnelEnd[] {
    const { underlay = [], encaps = [] } = this.#nves.get(nve) ?? {};
    const [encap = ENCAP_VXLAN] = encaps;
    return underlay.map((ip) => ({ encap, ip }));
  }

  mayServe(nve: NveId, vn: VnName): Result<null> {
    const rule = this.#nves.get(nve);
    if (rule === undefined) return err(nveError('NVE-NVA-006', { nve }));
    return rule.vns === undefined || rule.vns.includes(vn) ? ok(null) : err(nveError('NVE-NVA-004', { nve, vn }));
  }

  /** One rule has to allow everything: the TSI, each of its addresses, and the NVE. */
  mayJoin(vn: VnName, { tsi, macs, ips }: Candidate, nve: NveId): Result<null> {
    const rules = this.#tsis.filter((rule) => rule.vn === vn && matchesPattern(rule.tsi, tsi));
    if (rules.length === 0) return err(nveError('NVE-NVA-002', { tsi, vn, reason: 'no rule names it' }));
    const wrong = rules.map((rule) => {
      const mac = macs.find((one) => rule.macs !== undefined && !rule.macs.includes(one));
      if (mac !== undefined) return `MAC ${mac} is not its own`;
      const ip = ips.find((one) => rule.ips !== undefined && !rule.ips.includes(one));
      if (ip !== undefined) return `IP ${ip} is not its own`;
      return rule.nves === undefined || rule.nves.includes(nve) ? null : `not at NVE ${nve}`;
    });
    if (wrong.includes(null)) return ok(null);
    return err(nveError('NVE-NVA-002', { tsi, vn, reason: wrong[0] ?? '' }));
  }
}
