/**
 * How a VN is to be served, besides under which number (RFC 8014 section 4.3, items 3 and 6): what the NVA says of it. A VN of which it
 * says nothing has `DEFAULT_VN_SETTINGS`.
 */
import { z } from 'zod';
import { AclSchema } from './acl.js';
import { IpAddrSchema } from './ip.js';
import { NveIdSchema } from './names.js';

/** What becomes of unicast to a MAC that nobody knows. */
export const UNKNOWN_UNICAST = ['drop', 'query', 'flood'] as const;
/** What becomes of the outer DSCP when a packet leaves its tunnel (RFC 2983): nothing, or it replaces the inner one. */
export const DSCP_MODELS = ['pipe', 'uniform'] as const;

/** How broadcast and multicast reach the other NVEs of a VN. */
export const DeliverySchema = z.discriminatedUnion('kind', [
  /** A copy for each. */
  z.object({ kind: z.literal('head-end') }),
  /** By an underlay group that all of them have joined. */
  z.object({ kind: z.literal('multicast'), group: IpAddrSchema }),
  /** A copy for an NVE that makes the others. */
  z.object({ kind: z.literal('node'), nveId: NveIdSchema }),
]);
export type Delivery = Readonly<z.output<typeof DeliverySchema>>;

export const VnSettingsSchema = z
  .object({
    unknown: z.enum(UNKNOWN_UNICAST),
    /** MACs behind other NVEs are learned from the packets that they send; the NVA's word stays above it (section 3.3). */
    learn: z.boolean(),
    /** ARP and ND are answered from what the NVA knows, where it does. */
    suppress: z.boolean(),
    delivery: DeliverySchema,
    dscp: z.enum(DSCP_MODELS),
    /** Tunnelled packets with reserved bits set are dropped. */
    strict: z.boolean(),
    /** For frames from tenants, and to them. */
    aclIn: AclSchema.nullable(),
    aclOut: AclSchema.nullable(),
  })
  .readonly();
export type VnSettings = z.output<typeof VnSettingsSchema>;

export const DEFAULT_VN_SETTINGS: VnSettings = {
  unknown: 'drop',
  learn: false,
  suppress: false,
  delivery: { kind: 'head-end' },
  dscp: 'pipe',
  strict: false,
  aclIn: null,
  aclOut: null,
};
