// `[[acl]]`: access control lists by their names. The NVA's are for VNs, an agent's for access links.

import { z } from 'zod';
import { ACL_RULES_MAX, type Acl, type AclRule, ruleProblem } from '../acl.js';
import { anyMacField, intField, linkNameField, portRangeField, prefixField } from './fields.js';

const PROTOCOLS = { icmp: 1, tcp: 6, udp: 17, icmpv6: 58, sctp: 132 } as const;
const PROTOCOL = `${Object.keys(PROTOCOLS)
  .map((name) => `"${name}"`)
  .join(', ')} or a number from 0 to 255`;

const protocolField = z
  .union([z.enum(Object.keys(PROTOCOLS) as (keyof typeof PROTOCOLS)[], PROTOCOL), z.int(PROTOCOL)], PROTOCOL)
  .transform((value, context): number => {
    const protocol = typeof value === 'string' ? PROTOCOLS[value] : value;
    if (protocol >= 0 && protocol <= 255) return protocol;
    context.addIssue({ code: 'custom', message: PROTOCOL });
    return z.NEVER;
  });

const VERDICT = '"permit" or "deny"';
const ruleFields = z.strictObject({
  action: z.enum(['permit', 'deny'], VERDICT).describe('What holds for what the rule fits.'),
  src_mac: anyMacField.optional().describe('The source MAC; of this key and each that follows: by default any.'),
  dst_mac: anyMacField.optional().describe('The destination MAC.'),
  ether_type: intField(0x600, 0xffff).optional().describe("The EtherType, behind the tenant's tags."),
  src: prefixField.optional().describe('Where the source address is.'),
  dst: prefixField.optional().describe('Where the destination address is.'),
  protocol: protocolField
    .optional()
    .describe('The IP protocol: "icmp", "tcp", "udp", "icmpv6", "sctp", or its number.'),
  src_ports: portRangeField.optional().describe('The source port, or a range of them; with TCP, UDP and SCTP.'),
  dst_ports: portRangeField.optional().describe('The destination port, or a range of them; with TCP, UDP and SCTP.'),
});
type RuleConfig = z.output<typeof ruleFields>;

/** The keys of a rule in the file, by the noun's fields. */
const KEYS: Readonly<Record<keyof AclRule, keyof RuleConfig>> = {
  action: 'action',
  srcMac: 'src_mac',
  dstMac: 'dst_mac',
  etherType: 'ether_type',
  src: 'src',
  dst: 'dst',
  protocol: 'protocol',
  srcPorts: 'src_ports',
  dstPorts: 'dst_ports',
};

function ruleOf(config: RuleConfig): AclRule {
  const fields = Object.entries(KEYS).map(([field, key]) => [field, config[key]] as const);
  return Object.fromEntries(fields.filter(([, value]) => value !== undefined)) as unknown as AclRule;
}

const ruleSection = ruleFields.superRefine((config, context) => {
  const problem = ruleProblem(ruleOf(config));
  if (problem !== null) context.addIssue({ code: 'custom', message: problem.expected, path: [KEYS[problem.field]] });
});

const aclSection = z.strictObject({
  name: linkNameField.describe('What `acl_in` and `acl_out` name.'),
  default: z.enum(['permit', 'deny'], VERDICT).default('deny').describe('What holds for what no rule fits.'),
  rule: z.array(ruleSection).max(ACL_RULES_MAX).default([]).describe('The rules: the first that fits decides.'),
});

export const aclsSection = z
  .array(aclSection)
  .max(1024)
  .default([])
  .describe('Access control lists: rules over what tenants send and get.');

export type AclConfig = z.output<typeof aclSection>;

export function aclOf(config: AclConfig): Acl {
  return { default: config.default, rules: config.rule.map(ruleOf) };
}

const ACL_NAME = 'the name of an [[acl]]';
export const aclNameField = z.string(ACL_NAME).min(1, ACL_NAME);
