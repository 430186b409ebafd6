// The configuration of `splitnve agent`, the NVE.

import { z } from 'zod';
import type { Vid } from '../numbers.js';
import { engineSection, evbSection, logSection, nodeSection, portsSection, rpcSection } from './common.js';
import {
  endpointField,
  intField,
  linkAddressField,
  linkNameField,
  negotiatedVidField,
  stationAddressField,
  vlanPoolField,
  vnNameField,
  vnRefField,
} from './fields.js';

/** `vlan_pool` and `reserve`: of an access domain, or of a link that is one by itself. */
const vlanFields = {
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
const tenantTagsField = z.union(
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

export const agentConfig = z
  .strictObject({
    node: nodeSection,
    log: logSection,
    engine: engineSection,
    port: portsSection,
    underlay: z
      .strictObject({
        port: linkNameField.describe('The [[port]] towards the other NVEs.'),
        address: linkAddressField.describe(
          "This NVE's address on the underlay and the length of its link's prefix. The kernel must not hold it.",
        ),
      })
      .describe('Where tunnelled packets leave and arrive.'),
    access_domain: z
      .array(
        z.strictObject({
          name: linkNameField.describe('What [[access]] names in `domain`.'),
          ...vlanFields,
        }),
      )
      .max(63, 'at most 63 access domains')
      .default([])
      .describe('Access links that lead into one bridged network: a VID names the same VN on all of them.'),
    access: z
      .array(
        z.strictObject({
          port: linkNameField.describe('The [[port]] towards a hypervisor; its name is the name of the access link.'),
          domain: linkNameField
            .optional()
            .describe(
              'The [[access_domain]] that the link belongs to; without it the link is one by itself, with the two keys that follow.',
            ),
          ...vlanFields,
          scheme: z
            .enum(['c-tag', 's-tag', 's-channel'], 'one of "c-tag", "s-tag", "s-channel"')
            .default('c-tag')
            .describe(
              'How frames name their VN: by their C-TAG; by their S-TAG, behind which the tenant keeps its C-TAGs; by the C-TAG within an S-channel.',
            ),
          tenant_tags: tenantTagsField
            .optional()
            .describe(
              'What is done with the tenants\' own tags behind the one that names the VN, in both directions; by default they are refused, and pass under scheme "s-tag".',
            ),
          explicit_vids: z
            .enum(['accept', 'refuse'], '"accept" or "refuse"')
            .default('accept')
            .describe(
              'Whether a hypervisor may choose a free VID; one that its VN has, had last or is reserved for it, it may name in any case.',
            ),
          max_vsis: intField(1, 4096).default(4096).describe('The TSIs that the link may carry.'),
          vdp: z
            .boolean()
            .default(true)
            .describe('Whether the link is served with LLDP, EVB, ECP and VDP; the RPC is served in any case.'),
          vn: vnNameField
            .optional()
            .describe(
              'The VN of VSIs whose VDP filter carries no GroupID (formats 1 and 2); without it they are refused.',
            ),
          reflective_relay: z
            .boolean()
            .default(false)
            .describe(
              'Whether EVB grants reflective relay: when all stations of the link ask for it, frames go back to the link they came from.',
            ),
          ecp_address: stationAddressField
            .prefault('nearest-customer-bridge')
            .describe(
              'Where stations are spoken to over LLDP and ECP: a group address, or with "unicast" each at its own. A bridge that runs STP passes nothing to the nearest customer bridge address: stations behind it need another group, or speak to the MAC of the port.',
            ),
        }),
      )
      .min(1, 'at least one [[access]]')
      .max(63, 'at most 63 access links')
      .describe('The access links.'),
    evb: evbSection,
    nva: z
      .strictObject({
        endpoints: z
          .array(endpointField)
          .min(1, 'at least one endpoint')
          .max(16)
          .describe('Where the NVA listens; tried in turn.'),
      })
      .describe('The Network Virtualization Authority.'),
    rpc: rpcSection('agent'),
  })
  .describe('splitnve agent');

export type AgentConfig = z.output<typeof agentConfig>;
