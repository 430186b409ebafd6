// An agent's underlay: its addresses, the routes behind them, the exception path, what its tunnels are like, and what the tenants of an access link are allowed.

import { z } from 'zod';
import {
  encapsField,
  geneveOptionsField,
  intField,
  ipField,
  linkAddressField,
  linkNameField,
  portRangeField,
  prefixField,
} from './fields.js';

const CHECKSUM = 'true or false';

export const underlaySection = z
  .array(
    z.strictObject({
      port: linkNameField.describe('The [[port]] towards the other NVEs; one may have several addresses.'),
      address: linkAddressField.describe(
        "An address of this NVE on the underlay, IPv4 or IPv6, and the length of its link's prefix. The kernel must not hold it.",
      ),
      vlan: intField(1, 4094).optional().describe('The C-TAG of its frames on the link; by default they have none.'),
      encaps: encapsField
        .default(['vxlan'])
        .describe('The encapsulations that are taken at this address, in order of preference: "vxlan", "geneve".'),
      weight: intField(1, 255)
        .default(1)
        .describe('The share of the flows that other NVEs send to this address, relative to the other addresses.'),
      zero_checksum: z
        .boolean('true or false')
        .default(false)
        .describe('Whether packets over IPv6 without a UDP checksum are taken (RFC 6935).'),
      checksum: z
        .boolean(CHECKSUM)
        .optional()
        .describe(
          'Whether other NVEs are asked to send with an outer UDP checksum, or without; by default they decide.',
        ),
      geneve_options: geneveOptionsField
        .optional()
        .describe('Geneve options that other NVEs are asked to send in each packet, in hexadecimal.'),
    }),
  )
  .min(1, 'at least one [[underlay]]')
  // What HELLO tells the NVA has room for 16, and each may have two encapsulations.
  .max(8, 'at most 8 underlay addresses')
  .describe('Where tunnelled packets leave and arrive.');

export type UnderlayConfig = z.output<typeof underlaySection>[number];

export const routesSection = z
  .array(
    z.strictObject({
      prefix: prefixField.describe('Where other NVEs are: "0.0.0.0/0" for all of IPv4.'),
      gateways: z
        .array(ipField)
        .min(1, 'at least one gateway')
        .max(8, 'at most 8 gateways')
        .describe('Routers on the link of an underlay address; the first that lives is used.'),
    }),
  )
  .max(1024, 'at most 1024 routes')
  .default([])
  .describe('Ways to NVEs that are on no link of this one; the longest prefix counts.');

export const exceptionSection = z
  .strictObject({
    underlay: linkNameField.describe('The port of an [[underlay]].'),
    port: linkNameField.describe(
      "A [[port]] with the driver net_tap, which gets the underlay port's MAC unless it has one, and its addresses.",
    ),
  })
  .optional()
  .describe(
    'What arrives for this NVE and is not for the engine (TCP, other UDP, ICMP errors) goes, policed, to an interface of the kernel, and what the kernel sends there leaves by the underlay port.',
  );

const INHERIT = (what: string) => `${what}, or "inherit": that of the tenant's packet`;
const orInherit = (min: number, max: number, what: string) => {
  const message = `a whole number from ${min} to ${max} or "inherit"`;
  return {
    field: z.union([z.literal('inherit', message), z.int(message).min(min, message).max(max, message)], message),
    text: INHERIT(what),
  };
};
const ttl = orInherit(1, 255, 'The outer TTL or hop limit');
const dscp = orInherit(0, 63, 'The outer DSCP');
const pcp = orInherit(0, 7, 'The priority in the outer C-TAG');

export const tunnelSection = z
  .strictObject({
    encaps: encapsField
      .default(['vxlan', 'geneve'])
      .describe(
        'The encapsulations that are sent, in order of preference; the first that the other NVE takes is used.',
      ),
    ttl: ttl.field.default(64).describe(`${ttl.text}. To a multicast group it is 1 unless this is another than 64.`),
    df: z
      .enum(['set', 'unset', 'inherit'])
      .default('set')
      .describe('The DF bit of IPv4: "inherit": that of the tenant\'s packet.'),
    dscp: dscp.field.default(0).describe(`${dscp.text}.`),
    ecn: z
      .enum(['standard', 'kernel', 'off'])
      .default('standard')
      .describe(
        'The outer ECN field: "standard": RFC 6040, normal mode; "kernel": as Linux has it; "off": never ECN-capable.',
      ),
    pcp: pcp.field.default(0).describe(`${pcp.text}.`),
    checksum: z
      .boolean(CHECKSUM)
      .optional()
      .describe(
        'Whether there is an outer UDP checksum where the other NVE has no wish; by default over IPv6, not over IPv4.',
      ),
    ports: portRangeField.prefault('49152-65535').describe('The UDP source ports, of which the inner flow picks one.'),
    geneve_options: geneveOptionsField
      .optional()
      .describe('Geneve options in each packet, in hexadecimal, where the other NVE has no wish.'),
    mtu: intField(576, 9600)
      .optional()
      .describe("The longest IP packet that the path to other NVEs takes; by default the MTU of the underlay's port."),
    down_hold_ms: intField(0, 600_000)
      .default(1000)
      .describe(
        'How long no underlay port may have a link until the tenants lose theirs, in milliseconds; they have it back as soon as one port has.',
      ),
  })
  .prefault({})
  .describe('The tunnels to other NVEs.');

export type TunnelConfig = z.output<typeof tunnelSection>;

const burst = (what: string) => intField(1, 4_294_967_295).describe(what);
/** Of `[[access]]`: what its tenants may send and get, each VAP by itself. */
export const policyFields = {
  police: z
    .strictObject({
      bits_per_second: z
        .int('a whole number from 1 to 9007199254740991')

        .min(1, 'a whole number from 1 to 9007199254740991')
        .describe('Bits of tenant frames a second.'),
      burst_bytes: burst('Bytes at once.'),
    })
    .optional()
    .describe('What a VAP of the link may send; by default as much as it can.'),
  storm: z
    .strictObject({
      packets_per_second: burst('Frames a second.'),
      burst: burst('Frames at once.'),
    })
    .optional()
    .describe(
      'Broadcast, multicast and unknown unicast that a VAP of the link may send; by default as much as it can.',
    ),
  guard_ip: z
    .boolean('true or false')
    .default(false)
    .describe("Whether a TSI's packets must come from the IP addresses that it was associated with."),
};
