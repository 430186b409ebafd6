// The configuration of `splitnve agent`, the NVE.

import { z } from 'zod';
import { engineSection, evbSection, logSection, nodeSection, portsSection, rpcSection } from './common.js';
import {
  endpointField,
  linkAddressField,
  linkNameField,
  stationAddressField,
  vlanPoolField,
  vnNameField,
} from './fields.js';

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
    access: z
      .array(
        z.strictObject({
          port: linkNameField.describe('The [[port]] towards a hypervisor; its name is the name of the access link.'),
          vlan_pool: vlanPoolField
            .prefault('2-4000')
            .describe('The C-TAG VIDs that may be given out on this link, as rising ranges.'),
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
