/**
 * What an agent remembers over its restarts: which VN has which VID, and which TSIs were associated, as they were acknowledged.
 */
import { z } from 'zod';
import { IpAddrSchema } from './ip.js';
import { UnicastMacSchema } from './mac.js';
import { VnInfoSchema } from './mapping.js';
import { LinkNameSchema, TsiIdSchema, VnNameSchema } from './names.js';
import { VidSchema, VnIdSchema } from './numbers.js';

/** Who asked for a TSI: a request of the RPC, which stays until another takes it back, or a station that renews it. */
export const TsiAskerSchema = z.enum(['rpc', 'vdp']);
export type TsiAsker = z.output<typeof TsiAskerSchema>;

/** A VN's VID in an access domain. */
export const TagAllocationSchema = z.object({
  domain: z.string().min(1).max(256),
  vn: VnIdSchema,
  vnName: VnNameSchema,
  vid: VidSchema,
  /** It has TSIs. Otherwise it is only the VID that the VN had last. */
  held: z.boolean(),
});
export type TagAllocation = Readonly<z.output<typeof TagAllocationSchema>>;

export const AssociationSchema = z.object({
  key: z.object({ tsi: TsiIdSchema, link: LinkNameSchema }),
  /** The VN as the NVA last described it. */
  vn: VnInfoSchema,
  macs: z.array(UnicastMacSchema),
  ips: z.array(IpAddrSchema),
  /** It may have MACs that nobody names. */
  learn: z.boolean(),
  hints: z.object({ suspended: z.boolean(), migrating: z.boolean() }),
  /** Where it was asked to be. */
  upTo: z.enum(['associated', 'activated']),
  asker: TsiAskerSchema,
});
export type Association = Readonly<z.output<typeof AssociationSchema>>;
