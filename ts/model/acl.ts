/**
 * Access control lists: ordered rules over the Ethernet, IP and transport headers of tenants' frames (RFC 8014 section 4.3). The first
 * rule that fits decides; what none fits has the list's default. What a rule does not name fits anything.
 */
import { z } from 'zod';
import { IpAddrSchema, ipFamily } from './ip.js';
import { MacAddrSchema } from './mac.js';

/** Rules of one list. Two lists of this length go with a VN in one frame of NNP. */
export const ACL_RULES_MAX = 128;

const ports = z.tuple([z.number().int().min(0).max(65_535), z.number().int().min(0).max(65_535)]);
const prefix = z.object({ ip: IpAddrSchema, length: z.number().int().min(0).max(128) });

export const AclRuleSchema = z
  .object({
    action: z.enum(['permit', 'deny']),
    srcMac: MacAddrSchema.optional(),
    dstMac: MacAddrSchema.optional(),
    /** Behind the tenant's tags. */
    etherType: z.number().int().min(0x600).max(0xffff).optional(),
    src: prefix.optional(),
    dst: prefix.optional(),
    /** The IP protocol, behind IPv6's extension headers. */
    protocol: z.number().int().min(0).max(255).optional(),
    /** Both ends included; with TCP, UDP and SCTP. */
    srcPorts: ports.optional(),
    dstPorts: ports.optional(),
  })
  .readonly();
export type AclRule = z.output<typeof AclRuleSchema>;
export type AclPrefix = z.output<typeof prefix>;

export const AclSchema = z
  .object({ default: z.enum(['permit', 'deny']), rules: z.array(AclRuleSchema).max(ACL_RULES_MAX).readonly() })
  .readonly();
export type Acl = z.output<typeof AclSchema>;

/** IP protocols whose header begins with two ports: TCP, UDP, SCTP. */
const WITH_PORTS: readonly number[] = [6, 17, 132];

/** What is wrong between the fields of a rule: where, and what is expected there; null: nothing. */
export function ruleProblem(rule: AclRule): { field: keyof AclRule; expected: string } | null {
  const { src, dst, etherType, protocol, srcPorts, dstPorts } = rule;
  for (const field of ['src', 'dst'] as const) {
    const of = rule[field];
    const bits = of !== undefined && ipFamily(of.ip) === 4 ? 32 : 128;
    if (of !== undefined && of.length > bits) return { field, expected: `a prefix of at most ${bits} bits` };
  }
  if (src !== undefined && dst !== undefined && ipFamily(src.ip) !== ipFamily(dst.ip))
    return { field: 'dst', expected: 'a prefix of the same family as that of src' };
  const family = src ?? dst;
  const needed = family === undefined ? undefined : ipFamily(family.ip) === 4 ? 0x0800 : 0x86dd;
  if (needed !== undefined && etherType !== undefined && etherType !== needed)
    return { field: 'etherType', expected: `nothing, or 0x${needed.toString(16).padStart(4, '0')} with such a prefix` };
  if (protocol !== undefined && etherType !== undefined && etherType !== 0x0800 && etherType !== 0x86dd)
    return { field: 'protocol', expected: 'nothing with an EtherType that is not of IP' };
  for (const field of ['srcPorts', 'dstPorts'] as const) {
    const range = rule[field];
    if (range !== undefined && range[0] > range[1]) return { field, expected: 'a range that rises' };
  }
  if ((srcPorts ?? dstPorts) !== undefined && (protocol === undefined || !WITH_PORTS.includes(protocol)))
    return {
      field: srcPorts === undefined ? 'dstPorts' : 'srcPorts',
      expected: `a rule for protocol ${WITH_PORTS.join(', ')}`,
    };
  return null;
}
