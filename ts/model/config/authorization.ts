// Who may join a VN at this NVE: the NVA's word, rules of this file, or both.

import { z } from 'zod';
import { linkNameField, macField, tsiPatternField, vnNameField } from './fields.js';
import { bareVnSection } from './nva.js';
import { vsiTypeFields } from './vdp.js';

const rule = z.strictObject({
  verdict: z.enum(['allow', 'deny']).describe('What holds for what the rule fits.'),
  vn: vnNameField.optional().describe('The VN; by default any.'),
  link: linkNameField.optional().describe('The access link; by default any.'),
  tsi: tsiPatternField
    .optional()
    .describe('A TSI id, or a pattern in which "*" stands for any characters; by default any.'),
  macs: z
    .array(macField)
    .min(1)
    .optional()
    .describe(
      'MAC addresses: allowed is a TSI whose MACs are all among them, denied one of whose MACs any is. By default any.',
    ),
  ...vsiTypeFields,
});

export const authorizationSection = z
  .strictObject({
    mode: z
      .enum(['nva', 'local', 'both'])
      .default('nva')
      .describe('Who must allow it: the NVA, the rules of this file, or both of them.'),
    rule: z
      .array(rule)
      .max(65_536)
      .default([])
      .describe('The rules under "local" and "both": the first that fits decides, and what none fits is denied.'),
    vn: z
      .array(bareVnSection)
      .max(65_536)
      .default([])
      .describe(
        'Under "local" the VNs that can be joined: the NVA, which is not asked, must know them under the same id.',
      ),
  })
  .prefault({})
  .describe('Who may join a VN here, decided before anything is allocated.');
