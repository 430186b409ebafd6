// The configuration of `splitnve tnve`, the hypervisor's side.

import { z } from 'zod';
import { engineSection, evbSection, logSection, mtuField, nodeSection, portsSection } from './common.js';
import { intField, ipv4Field, linkNameField, socketField, vnNameField } from './fields.js';
import { rpcSection } from './rpc.js';

export const tnveConfig = z
  .strictObject({
    node: nodeSection,
    log: logSection,
    engine: engineSection,
    port: portsSection,
    uplink: z
      .strictObject({
        port: linkNameField.describe('The [[port]] towards the NVE.'),
        protocol: z
          .enum(['vdp', 'rpc'])
          .default('vdp')
          .describe('How the NVE is asked: "vdp": on the link itself (LLDP, ECP, VDP); "rpc": over its RPC socket.'),
        scheme: z
          .enum(['c-tag', 's-tag', 's-channel'], 'one of "c-tag", "s-tag", "s-channel"')
          .default('c-tag')
          .describe(
            'What the VIDs are that VDP gives, as at the NVE: C-TAGs; S-TAGs, behind which tenants keep their C-TAGs; C-TAGs within an S-channel that CDCP asks for. By RPC the NVE tells it itself.',
          ),
        down_hold_ms: intField(0, 600_000)
          .default(1000)
          .describe(
            'How long the link may be down until the tenants lose theirs, in milliseconds; they have it back as soon as it has.',
          ),
      })
      .describe('The access link, seen from the hypervisor.'),
    nve: z
      .strictObject({
        socket: socketField.describe("The RPC socket of the NVE's agent."),
        link: linkNameField.describe(
          "The access link's name: what the agent calls the port at the other end of the uplink.",
        ),
      })
      .optional()
      .describe('Where the NVE is asked by RPC; not read for VDP.'),
    vn: z
      .array(
        z.strictObject({
          name: vnNameField.describe('The name by which VMs are attached.'),
          vni: intField(1, 16_777_215).describe('Its VNI, by which VDP knows it.'),
          mtu: mtuField
            .optional()
            .describe("The tenants' IP MTU, which VDP does not tell; by default that of the uplink's port."),
          gateway: ipv4Field.optional().describe("The address of the VN's gateway, which VDP does not tell."),
        }),
      )
      .max(4094)
      .default([])
      .describe('VNs by name, for VDP; others are named vni:NUMBER. Not read for RPC: the NVE knows the names itself.'),
    evb: evbSection,
    rpc: rpcSection('tnve'),
  })
  .describe('splitnve tnve');

export type TnveConfig = z.output<typeof tnveConfig>;
