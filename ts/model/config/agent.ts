// The configuration of `splitnve agent`, the NVE.

import { z } from 'zod';
import { aclNameField, aclsSection } from './acl.js';
import { authorizationSection } from './authorization.js';
import { cdcpSection, channelFields } from './channels.js';
import { engineSection, evbSection, logSection, nodeSection, portsSection } from './common.js';
import {
  intField,
  linkNameField,
  nvaEndpointField,
  pathField,
  stationAddressField,
  tlsFields,
  vnNameField,
} from './fields.js';
import { remoteRpcSection } from './rpc.js';
import { tenantTagsField, vlanFields } from './tagging.js';
import { exceptionSection, policyFields, routesSection, tunnelSection, underlaySection } from './tunnel.js';
import { vdpSection } from './vdp.js';

export const agentConfig = z
  .strictObject({
    node: nodeSection,
    log: logSection,
    engine: engineSection,
    port: portsSection,
    underlay: underlaySection,
    route: routesSection,
    exception: exceptionSection,
    tunnel: tunnelSection,
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
          ...policyFields,
          acl_in: aclNameField.optional().describe('The [[acl]] for frames from its tenants; by default all pass.'),
          acl_out: aclNameField.optional().describe('The [[acl]] for frames to its tenants; by default all pass.'),
          multihomed: z
            .boolean('true or false')
            .default(false)
            .describe(
              'Whether the tenants of the link are attached at other NVEs, too, at the same time and under the same TSI ids: all of them are sent to, and one of them passes broadcast on to the tenant.',
            ),
          ...channelFields,
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
    acl: aclsSection,
    evb: evbSection,
    cdcp: cdcpSection,
    vdp: vdpSection,
    authorization: authorizationSection,
    store: z
      .strictObject({
        path: pathField
          .default('/var/lib/splitnve/agent')
          .describe("A directory that is this agent's alone; made if it is not there."),
      })
      .prefault({})
      .describe('What the agent remembers over its restarts: which VN has which tag, and which TSIs are associated.'),
    nva: z
      .strictObject({
        endpoints: z.array(nvaEndpointField).min(1, 'at least one endpoint').max(16).describe('Where the NVA listens.'),
        tls: z
          .strictObject(tlsFields("the NVA's certificates"))
          .optional()
          .describe(
            'For endpoints with TLS: both sides show a certificate, the NVE one whose URI is spiffe://DOMAIN/nve/NAME, the NVA one of spiffe://DOMAIN/nva/NAME.',
          ),
      })
      .describe('The Network Virtualization Authority.'),
    rpc: remoteRpcSection('agent'),
  })
  .describe('splitnve agent');

export type AgentConfig = z.output<typeof agentConfig>;
