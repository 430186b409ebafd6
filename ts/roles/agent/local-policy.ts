// Who may join which VN by the agent's own rules (RFC 8394 section 6: believe the hypervisor, or let a policy override it). Pure: a
// question in, a verdict out; when it is asked, and whether the NVA is asked too, is the agent's.

import {
  type AgentConfig,
  err,
  isLinkOf,
  isVn,
  type LinkName,
  type MacAddr,
  matchesPattern,
  nveError,
  ok,
  type Result,
  type TsiId,
  type VnId,
  type VnInfo,
  type VnRef,
  vnRefText,
} from '#model';
import { isOfType, type VsiTypeRule } from '#protocol';

type Config = AgentConfig['authorization'];
type Rule = Config['rule'][number];

export interface Applicant {
  readonly vn: VnInfo;
  readonly tsi: TsiId;
  readonly link: LinkName;
  /** None: nobody says which it has. */
  readonly macs: readonly MacAddr[];
  /** What the station says of the VSI; null: it is none, a request of the RPC. */
  readonly vsi: Required<VsiTypeRule> | null;
}

export class LocalPolicy {
  readonly #config: Config;

  constructor(config: Config) {
    this.#config = config;
  }

  /** The NVA has to be asked. */
  get asksNva(): boolean {
    return this.#config.mode !== 'local';
  }

  /** A VN, where the NVA is not asked. */
  vn(ref: VnRef): Result<VnInfo> {
    for (const { name, vni, id, mtu, gateway } of this.#config.vn) {
      const info: VnInfo = { vn: id ?? (vni as number as VnId), name, vni, mtu, gateway: gateway ?? null };
      if (isVn(info, ref)) return ok(info);
    }
    return err(nveError('NVE-AUT-002', { vn: vnRefText(ref) }));
  }

  /** The first rule that fits decides; what none fits is denied. */
  judge(applicant: Applicant): Result<null> {
    const { mode, rule: rules } = this.#config;
    if (mode === 'nva') return ok(null);
    const n = rules.findIndex((rule) => fits(rule, applicant));
    if (rules[n]?.verdict === 'allow') return ok(null);
    const { vn, tsi, link } = applicant;
    const reason = n < 0 ? 'no rule fits it' : `rule ${n + 1} denies it`;
    return err(nveError('NVE-AUT-001', { tsi, vn: vn.name, link, reason }));
  }
}

function fits(rule: Rule, { vn, tsi, link, macs, vsi }: Applicant): boolean {
  return (
    (rule.vn ?? vn.name) === vn.name &&
    (rule.link === undefined || isLinkOf(link, rule.link)) &&
    (rule.tsi === undefined || matchesPattern(rule.tsi, tsi)) &&
    fitsMacs(rule, macs) &&
    fitsVsi(rule, vsi)
  );
}

/** An address too many must not be allowed, and one of several must not escape a denial. */
function fitsMacs({ verdict, macs: named }: Rule, macs: readonly MacAddr[]): boolean {
  if (named === undefined) return true;
  const isNamed = (mac: MacAddr): boolean => named.includes(mac);
  return verdict === 'allow' ? macs.length > 0 && macs.every(isNamed) : macs.some(isNamed);
}

function fitsVsi({ vsi_manager, vsi_type, vsi_type_version }: Rule, vsi: Applicant['vsi']): boolean {
  const rule: VsiTypeRule = { managerId: vsi_manager, typeId: vsi_type, typeVersion: vsi_type_version };
  if (Object.values(rule).every((value) => value === undefined)) return true;
  return vsi !== null && isOfType(vsi, rule);
}
