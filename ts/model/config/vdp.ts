// How the agent speaks VDP: what IEEE 802.1Q leaves to the site, and what its public texts do not settle.

import { z } from 'zod';
import { intField, vnNameField } from './fields.js';

const ONE_ENTRY = 'different fields out of "group_id", "mac", "ipv4" or "ipv6", and "vid", which is needed';
const filterFormat = z.strictObject({
  code: intField(5, 255).describe('The Filter Info format; 1 to 4 are the standard’s and always there.'),
  fields: z
    .array(z.enum(['group_id', 'mac', 'ipv4', 'ipv6', 'vid']))
    .refine(
      (fields) =>
        fields.includes('vid') &&
        new Set(fields).size === fields.length &&
        !(fields.includes('ipv4') && fields.includes('ipv6')),
      ONE_ENTRY,
    )
    .describe('What one entry holds, in its order.'),
});

const MANAGER = '1 to 16 printable characters, or 32 hexadecimal digits';
/** 16 octets in hexadecimal. Text is what `mgrid2` of vdptool sends: ASCII, filled up with zeros. */
const managerIdField = z.string(MANAGER).transform((text, context): string => {
  if (/^[0-9a-f]{32}$/i.test(text)) return text.toLowerCase();
  if (/^[\x20-\x7e]{1,16}$/.test(text))
    return [...text]
      .map((char) => char.charCodeAt(0).toString(16))
      .join('')
      .padEnd(32, '0');
  context.addIssue({ code: 'custom', message: MANAGER });
  return z.NEVER;
});

/** Which VSIs are meant, by what their association TLV says of them. */
export const vsiTypeFields = {
  vsi_manager: managerIdField.optional().describe('The VSI Manager ID; by default any.'),
  vsi_type: intField(0, 0xffffff).optional().describe('The VSI Type ID; by default any.'),
  vsi_type_version: intField(0, 255).optional().describe('The VSI Type Version; by default any.'),
};

export const vdpSection = z
  .strictObject({
    port_down_hold_ms: intField(0, 86_400_000)
      .optional()
      .describe(
        'How long associations outlive the carrier of their port, in ms; by default one keep-alive interval (evb.rka).',
      ),
    filter_format: z
      .array(filterFormat)
      .max(32)
      .default([])
      .describe(
        'Further Filter Info formats. Those of 802.1Qcy carry IP addresses, and their codes are not public: take them from your copy of the standard.',
      ),
    vsi_type: z
      .array(z.strictObject({ ...vsiTypeFields, vn: vnNameField.describe('Their VN.') }))
      .max(4096)
      .default([])
      .describe(
        'The VN of VSIs whose filter carries no GroupID (formats 1 and 2), by their type: the first that fits, else the link’s `vn`.',
      ),
  })
  .prefault({})
  .describe('How VDP is spoken.');
