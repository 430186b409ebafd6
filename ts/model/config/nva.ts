// The configuration of `splitnve nva`, the embedded authority.

import { z } from 'zod';
import { MTU_MAX, MTU_MIN, type Mtu, VN_ID_MAX, VNI_MAX, type VnId, type Vni } from '../numbers.js';
import { logSection, nodeSection } from './common.js';
import { endpointField, intField, ipv4Field, macField, nveIdField, tsiPatternField, vnNameField } from './fields.js';
import { rpcSection } from './rpc.js';

export const vnSection = z
  .strictObject({
    name: vnNameField.describe('The name by which hypervisors ask for the VN.'),
    vni: intField(1, VNI_MAX)
      .transform((vni) => vni as Vni)
      .describe('The VNI under which NVEs receive the VN.'),
    mtu: intField(MTU_MIN, MTU_MAX)
      .transform((mtu) => mtu as Mtu)
      .prefault(1500)
      .describe("The tenant's IP MTU. The underlay needs 50 bytes more."),
    id: intField(1, VN_ID_MAX)
      .transform((id) => id as VnId)
      .optional()
      .describe("The VN's number; by default its VNI."),
    gateway: ipv4Field.optional().describe("The address of the VN's gateway, if it has one."),
  })
  .describe('A virtual network.');

const nveSection = z
  .strictObject({
    id: nveIdField.describe("The NVE's name: `name` in the agent's [node]."),
    addresses: z
      .array(ipv4Field)
      .min(1, 'at least one address')
      .max(16)
      .describe('Its underlay addresses; no other may be used.'),
    vns: z.array(vnNameField).optional().describe('The VNs that it may serve; by default all.'),
  })
  .describe('An NVE that may connect.');

const tsiSection = z
  .strictObject({
    vn: vnNameField.describe('The VN that may be joined.'),
    tsi: tsiPatternField.describe('A TSI id, or a pattern in which "*" stands for any characters.'),
    macs: z.array(macField).min(1).optional().describe('The MAC addresses that it may have; by default any.'),
    ips: z.array(ipv4Field).min(1).optional().describe('The IP addresses that it may have; by default any.'),
    nves: z.array(nveIdField).min(1).optional().describe('The NVEs at which it may be attached; by default any.'),
  })
  .describe('Who may join which VN: at least one rule must match, so without rules nobody may.');

export const nvaConfig = z
  .strictObject({
    node: nodeSection,
    log: logSection,
    listen: z
      .strictObject({
        endpoints: z
          .array(endpointField)
          .min(1, 'at least one endpoint')
          .max(16)
          .describe(
            'Where NVEs connect. Without TLS: loopback, Unix sockets and addresses of a network namespace only.',
          ),
        hold_ms: intField(1000, 86_400_000)
          .default(90_000)
          .describe('How long the reports of an NVE are kept after its session is lost, in ms.'),
      })
      .describe('Where the NVA listens.'),
    vn: z.array(vnSection).max(65_536).default([]).describe('The virtual networks.'),
    nve: z.array(nveSection).max(65_536).default([]).describe('The NVEs.'),
    tsi: z.array(tsiSection).max(65_536).default([]).describe('The policy.'),
    rpc: rpcSection('nva'),
  })
  .describe('splitnve nva');

export type NvaConfig = z.output<typeof nvaConfig>;
