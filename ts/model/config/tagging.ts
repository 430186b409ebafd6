// What the configuration says of VIDs: which may name VNs in an access domain, and what becomes of the tenants' own tags.

import { z } from 'zod';
import type { Vid } from '../numbers.js';
import { negotiatedVidField, vlanPoolField, vnRefField } from './fields.js';

/** `vlan_pool` and `reserve`: of an access domain, or of a link that is one by itself. */
export const vlanFields = {
  vlan_pool: vlanPoolField
    .prefault('2-4000')
    .describe(
      'The VIDs that may be given out to name VNs, as rising ranges: of C-TAGs, under scheme "s-tag" of S-TAGs.',
    ),
  reserve: z
    .array(
      z.strictObject({
        vn: vnRefField.describe('The VN: its name, or its VNI as a number.'),
        vid: negotiatedVidField.describe('The VID that is given to this VN and to no other; in the pool or not.'),
      }),
    )
    .max(4093)
    .default([])
    .describe('VIDs that belong to certain VNs.'),
};

const TENANT_TAGS = '"refuse", "pass", "strip", or a list of VIDs from 1 to 4094';
export const tenantTagsField = z.union(
  [
    z.enum(['refuse', 'pass', 'strip'], TENANT_TAGS),
    z
      .array(
        z
          .int(TENANT_TAGS)
          .min(1, TENANT_TAGS)
          .max(4094, TENANT_TAGS)
          .transform((vid) => vid as Vid),
      )
      .min(1, TENANT_TAGS),
  ],
  TENANT_TAGS,
);
