// The configuration of `splitnve nva`, the embedded authority.

import { z } from 'zod';
import { MTU_MAX, MTU_MIN, type Mtu, VN_ID_MAX, VNI_MAX, type VnId, type Vni } from '../numbers.js';
import { DSCP_MODELS, UNKNOWN_UNICAST } from '../vn-settings.js';
import { aclNameField, aclsSection } from './acl.js';
import { logSection, nodeSection } from './common.js';
import {
  deliveryField,
  encapsField,
  endpointField,
  intField,
  ipField,
  macField,
  nvaEndpointField,
  nveIdField,
  pathField,
  tlsFields,
  tsiPatternField,
  vnNameField,
} from './fields.js';
import { rpcSection } from './rpc.js';

/** A VN as such. */
const vnFields = {
  name: vnNameField.describe('The name by which hypervisors ask for the VN.'),
  vni: intField(1, VNI_MAX)
    .transform((vni) => vni as Vni)
    .describe('The VNI under which NVEs receive the VN.'),
  mtu: intField(MTU_MIN, MTU_MAX)
    .transform((mtu) => mtu as Mtu)
    .prefault(1500)
    .describe("The tenant's IP MTU. The underlay needs 50 bytes more with VXLAN over IPv4, 70 over IPv6."),
  id: intField(1, VN_ID_MAX)
    .transform((id) => id as VnId)
    .optional()
    .describe("The VN's number; by default its VNI."),
  gateway: ipField.optional().describe("The address of the VN's gateway, if it has one."),
};
const VN = 'A virtual network.';

/** For an agent that decides by itself who may join. */
export const bareVnSection = z.strictObject(vnFields).describe(VN);

const vnSection = z
  .strictObject({
    ...vnFields,
    unknown_unicast: z
      .enum(UNKNOWN_UNICAST)
      .default('drop')
      .describe(
        'What becomes of unicast to a MAC that nobody knows: "drop"; "query": it is dropped, and the NVE asks for the MAC; "flood": to all NVEs of the VN.',
      ),
    learn: z
      .boolean('true or false')
      .default(false)
      .describe(
        'Whether NVEs learn MACs from tunnelled packets, also of NVEs that are no members; what the NVA says stays above it.',
      ),
    suppress: z
      .boolean('true or false')
      .default(false)
      .describe("Whether NVEs answer ARP and ND themselves, where a TSI's addresses are known."),
    delivery: deliveryField
      .prefault('head-end')
      .describe(
        'How broadcast reaches the other NVEs: "head-end": a copy for each; a multicast group of the underlay, which the NVEs join and send to while all of them take one encapsulation and the VN under its own VNI, else a copy for each; "nve:NAME": one copy, for a replication node.',
      ),
    dscp: z
      .enum(DSCP_MODELS)
      .default('pipe')
      .describe(
        'What becomes of the outer DSCP where a tunnel ends: "pipe": nothing; "uniform": it replaces the inner one.',
      ),
    strict: z
      .boolean('true or false')
      .default(false)
      .describe('Whether tunnelled packets with reserved bits set are dropped.'),
    acl_in: aclNameField.optional().describe('The [[acl]] for frames from tenants; by default all pass.'),
    acl_out: aclNameField.optional().describe('The [[acl]] for frames to tenants; by default all pass.'),
  })
  .describe(VN);

const nveSection = z
  .strictObject({
    id: nveIdField.describe("The NVE's name: `name` in the agent's [node]."),
    addresses: z
      .array(ipField)
      .min(1, 'at least one address')
      .max(16)
      .describe('Its underlay addresses, IPv4 and IPv6; no other may be used.'),
    encaps: encapsField
      .default(['vxlan', 'geneve'])
      .describe('The encapsulations that it may use. A replication node that has no session is sent the first.'),
    vns: z.array(vnNameField).optional().describe('The VNs that it may serve; by default all.'),
  })
  .describe('An NVE that may connect.');

const tsiSection = z
  .strictObject({
    vn: vnNameField.describe('The VN that may be joined.'),
    tsi: tsiPatternField.describe('A TSI id, or a pattern in which "*" stands for any characters.'),
    macs: z.array(macField).min(1).optional().describe('The MAC addresses that it may have; by default any.'),
    ips: z.array(ipField).min(1).optional().describe('The IP addresses that it may have; by default any.'),
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
        tls: z
          .strictObject(tlsFields("the NVEs' certificates"))
          .optional()
          .describe(
            'For endpoints with TLS: both sides show a certificate, the NVA one whose URI is spiffe://DOMAIN/nva/NAME, an NVE one of spiffe://DOMAIN/nve/NAME.',
          ),
        alternates: z
          .array(nvaEndpointField)
          .max(16)
          .default([])
          .describe('Other ways to this NVA, told to NVEs that connect; in the form of [nva] endpoints of the agent.'),
        hold_ms: intField(1000, 86_400_000)
          .default(90_000)
          .describe('How long the reports of an NVE are kept after its session is lost, in ms.'),
      })
      .describe('Where the NVA listens.'),
    acl: aclsSection,
    vn: z.array(vnSection).max(65_536).default([]).describe('The virtual networks.'),
    nve: z.array(nveSection).max(65_536).default([]).describe('The NVEs.'),
    tsi: z.array(tsiSection).max(65_536).default([]).describe('The policy.'),
    store: z
      .strictObject({
        path: pathField
          .default('/var/lib/splitnve/nva')
          .describe("A directory that is this NVA's alone; made if it is not there."),
      })
      .prefault({})
      .describe('What the NVA remembers over its restarts: what NVEs have reported, and which revision it was at.'),
    rpc: rpcSection('nva'),
  })
  .describe('splitnve nva');

export type NvaConfig = z.output<typeof nvaConfig>;
