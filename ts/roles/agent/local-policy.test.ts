import { describe, expect, it } from 'vitest';
import type { AgentConfig, VnInfo } from '#model';
import { type Applicant, LocalPolicy } from './local-policy.js';

type Rules = Partial<AgentConfig['authorization']['rule'][number]>[];

const BLUE = { vn: 1, name: 'blue', vni: 5001, mtu: 1500, gateway: null } as unknown as VnInfo;
const VSI = { managerId: '00'.repeat(16), typeId: 5, typeVersion: 1 };

function verdict(rules: Rules, applicant: Partial<Record<keyof Applicant, unknown>> = {}): string {
  const policy = new LocalPolicy({ mode: 'both', rule: rules as never, vn: [] });
  const given = { vn: BLUE, tsi: 'vm-1', link: 'access0', macs: ['02:00:00:00:00:01'], vsi: null, ...applicant };
  const result = policy.judge(given as Applicant);
  return result.ok ? 'allow' : `${result.error.context['reason']}`;
}

const allow = { verdict: 'allow' } as const;
const deny = { verdict: 'deny' } as const;
const mac = (n: number): string => `02:00:00:00:00:0${n}`;
const macs = (...ns: number[]) => ({ macs: ns.map(mac) as never });

describe('LocalPolicy', () => {
  it.each<[what: string, rules: Rules, applicant: Partial<Record<keyof Applicant, unknown>>, expected: string]>([
    ['no rule is a no', [], {}, 'no rule fits it'],
    ['a rule without conditions fits all', [allow], {}, 'allow'],
    ['the first that fits decides', [{ ...deny, tsi: 'vm-1' as never }, allow], {}, 'rule 1 denies it'],
    ['one that does not fit says nothing', [{ ...deny, tsi: 'vm-2*' as never }, allow], {}, 'allow'],
    ['another VN', [{ ...allow, vn: 'red' as never }], {}, 'no rule fits it'],
    ['the link', [{ ...allow, link: 'access0' as never }], {}, 'allow'],
    ['an S-channel of the link', [{ ...allow, link: 'access0' as never }], { link: 'access0.101' }, 'allow'],
    ['another link', [{ ...allow, link: 'access0' as never }], { link: 'access01' }, 'no rule fits it'],
    ['an S-channel only', [{ ...allow, link: 'access0.101' as never }], {}, 'no rule fits it'],
    ['all MACs are among the allowed', [{ ...allow, ...macs(1, 2) }], macs(2, 1), 'allow'],
    ['one MAC is not', [{ ...allow, ...macs(1, 2) }], macs(1, 3), 'no rule fits it'],
    ['no MAC is named, so none is known to be allowed', [{ ...allow, ...macs(1) }], macs(), 'no rule fits it'],
    ['one of the MACs is denied', [{ ...deny, ...macs(1) }, allow], macs(2, 1), 'rule 1 denies it'],
    ['a type fits no request of the RPC', [{ ...allow, vsi_type: 5 }], {}, 'no rule fits it'],
    ['a type fits the VSI', [{ ...allow, vsi_type: 5 }], { vsi: VSI }, 'allow'],
    ['another version does not', [{ ...allow, vsi_type: 5, vsi_type_version: 2 }], { vsi: VSI }, 'no rule fits it'],
    ['another manager does not', [{ ...allow, vsi_manager: '01'.repeat(16) }], { vsi: VSI }, 'no rule fits it'],
  ])('%s', (_, rules, applicant, expected) => {
    expect(verdict(rules, applicant)).toBe(expected);
  });
});
