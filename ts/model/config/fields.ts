// The kinds of value that configuration keys hold. Each refuses with a message that reads after "expected": the loader prints
// `expected <message>, got <what stands there>`. The rules themselves are the nouns' (../names.ts, ../ip.ts, …).

import { z } from 'zod';
import { type IpAddr, ipFamily, ipToBytes, isGroupIp, isOverlayGroup, parseIp, parseIpv4 } from '../ip.js';
import { isGroupMac, type MacAddr, parseMac, parseUnicastMac } from '../mac.js';
import { parseGeneveOptions, parseVnRef, type VnRef } from '../mapping.js';
import { parseLinkName, parseNveId, parseTsiId, parseVnName } from '../names.js';
import { parseVid, type Vid } from '../numbers.js';
import type { Result } from '../result.js';
import type { Delivery } from '../vn-settings.js';

/** Text that a noun's parse function accepts. */
function nounField<T>(parse: (value: unknown) => Result<T>, expected: string) {
  return z.string(expected).transform((text, context): T => {
    const parsed = parse(text);
    if (parsed.ok) return parsed.value;
    context.addIssue({ code: 'custom', message: expected });
    return z.NEVER;
  });
}

const NAME = '"A-Z a-z 0-9 _ . : @ / -" that begins with a letter, digit or "_"';
export const vnNameField = nounField(parseVnName, `a name of 1 to 64 characters of ${NAME}`);
export const nveIdField = nounField(parseNveId, `a name of 1 to 64 characters of ${NAME}`);
export const linkNameField = nounField(parseLinkName, `a name of 1 to 64 characters of ${NAME}`);
/** A TSI id in which `*` may stand for any characters. */
const TSI_PATTERN = `a TSI id of 1 to 128 characters of ${NAME}, in which "*" stands for any characters`;
export const tsiPatternField = z
  .string(TSI_PATTERN)
  .refine((text) => parseTsiId(text.replaceAll('*', 'x')).ok, TSI_PATTERN);

export const ipField = nounField(parseIp, 'an IP address such as "192.0.2.1" or "2001:db8::1"');
export const ipv4Field = nounField(parseIpv4, 'an IPv4 address such as "192.0.2.1"');
export const macField = nounField(parseUnicastMac, 'a unicast MAC address such as "02:00:00:00:00:01"');
export const anyMacField = nounField(parseMac, 'a MAC address such as "02:00:00:00:00:01"');
/** Octets of options that the engine puts into a header. */
export const SENT_OPTIONS_MAX = 32;
const GENEVE_OPTIONS = `Geneve options in hexadecimal, up to ${SENT_OPTIONS_MAX} octets, such as "0102800100000007"`;
export const geneveOptionsField = nounField(parseGeneveOptions, GENEVE_OPTIONS).refine(
  (text) => text.length <= 2 * SENT_OPTIONS_MAX,
  GENEVE_OPTIONS,
);

/** A kernel interface name: IFNAMSIZ leaves 15 characters; the kernel refuses "/", ":" and white space. */
const IFACE = 'a kernel interface name of 1 to 15 characters without "/", ":", "," or spaces';
export const ifaceField = z.string(IFACE).regex(/^(?!\.{1,2}$)[^\s/:,]{1,15}$/, IFACE);

/** A path is absolute, so that it means the same wherever the program was started. DPDK cuts device arguments at commas. */
const PATH = 'an absolute path without commas';
export const pathField = z.string(PATH).regex(/^\/[^\0,]{1,4094}$/, PATH);

const PCI = 'the address of a PCI function as lspci -D writes it, such as 0000:03:00.0';
export const pciField = z.string(PCI).regex(/^[0-9a-f]{4}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]$/, PCI);

/** Unix socket paths are limited by sockaddr_un: 107 bytes and a terminating zero. */
const SOCKET_PATH_MAX = 107;
const socketFits = (path: string): boolean =>
  /^\/[^\0]+$/.test(path) && new TextEncoder().encode(path).length <= SOCKET_PATH_MAX;
const SOCKET = `an absolute path of at most ${SOCKET_PATH_MAX} bytes`;
export const socketField = z.string(SOCKET).refine(socketFits, SOCKET);

/** Where an NVA listens or is reached. With TLS the host may be a name. */
export type Endpoint =
  | { readonly kind: 'tls'; readonly host: string; readonly port: number }
  | { readonly kind: 'tcp'; readonly host: IpAddr; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string };

const ENDPOINT =
  /^(?:(?<kind>tls|tcp):(?:\[(?<host6>[0-9A-Fa-f:.]+)\]|(?<host>[A-Za-z0-9.-]{1,253})):(?<port>[0-9]{1,5})|unix:(?<path>\/.+))$/;
const HOST_NAME = /^(?=.*[A-Za-z])(?!-)[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})*$/;

/** The endpoint of a text such as `tls:nva1.example.org:7890`; null if it is none. */
export function parseEndpoint(text: string): Endpoint | null {
  const { kind, host, host6, port, path } = ENDPOINT.exec(text)?.groups ?? {};
  if (path !== undefined) return socketFits(path) ? { kind: 'unix', path } : null;
  if (Number(port) < 1 || Number(port) > 65535) return null;
  const ip = host6 === undefined ? parseIpv4(host) : parseIp(host6);
  if (ip.ok && (kind === 'tls' || kind === 'tcp')) return { kind, host: ip.value, port: Number(port) };
  return kind === 'tls' && HOST_NAME.test(host ?? '') ? { kind, host: host ?? '', port: Number(port) } : null;
}

const ENDPOINT_EXPECTED = 'an endpoint "tls:HOST:PORT", "tcp:ADDRESS:PORT" or "unix:/PATH"';
export const endpointField = z.string(ENDPOINT_EXPECTED).transform((text, context): Endpoint => {
  const endpoint = parseEndpoint(text);
  if (endpoint !== null) return endpoint;
  context.addIssue({ code: 'custom', message: ENDPOINT_EXPECTED });
  return z.NEVER;
});

/** A way to the NVA; a text alone is one of priority 0 and weight 1. */
export const nvaEndpointField = z.union([
  endpointField.transform((address) => ({ address, priority: 0, weight: 1 })),
  z.strictObject({
    address: endpointField,
    priority: intField(0, 255)
      .default(0)
      .describe('The lowest that can be reached is used; the NVE goes back to a lower one when it was up for 60 s.'),
    weight: intField(1, 255).default(1).describe('How often it is chosen, beside others of its priority.'),
  }),
]);

/** The files of one side of TLS. `others`: whose certificates `ca` is of. */
export function tlsFields(others: string) {
  return {
    ca: pathField.describe(`The PEM file with the certificates of the authorities of ${others}.`),
    cert: pathField.describe('The PEM file with the own certificate, and those between it and its authority.'),
    key: pathField.describe('The PEM file with its private key.'),
  };
}

/** Where a TCP server listens. */
export interface ListenAddress {
  readonly host: IpAddr;
  readonly port: number;
}

const LISTEN = 'an address and a port, such as "192.0.2.1:7891" or "[2001:db8::1]:7891"';
export const listenField = z.string(LISTEN).transform((text, context): ListenAddress => {
  const [, host4, host6, port] = /^(?:([0-9.]+)|\[([0-9A-Fa-f:.]+)\]):([0-9]{1,5})$/.exec(text) ?? [];
  const host = host6 === undefined ? parseIpv4(host4) : parseIp(host6);
  if (host.ok && Number(port) >= 1 && Number(port) <= 65535) return { host: host.value, port: Number(port) };
  context.addIssue({ code: 'custom', message: LISTEN });
  return z.NEVER;
});

/** The name of an access link, in which `*` may stand for any characters. */
const LINK_PATTERN = `the name of an access link, of ${NAME}, in which "*" stands for any characters`;
export const linkPatternField = z
  .string(LINK_PATTERN)
  .refine((text) => parseLinkName(text.replaceAll('*', 'x')).ok, LINK_PATTERN);

/** An interface address and the length of its link's prefix. */
export interface LinkAddress {
  readonly ip: IpAddr;
  readonly prefixLen: number;
}

/** `ADDRESS/LENGTH`; null if it is neither family's. */
function addressAndLength(text: string): LinkAddress | null {
  const [, address, length] = /^([0-9A-Fa-f:.]+)\/([0-9]{1,3})$/.exec(text) ?? [];
  const ip = parseIp(address);
  const prefixLen = Number(length);
  return ip.ok && prefixLen <= bitsOf(ip.value) ? { ip: ip.value, prefixLen } : null;
}

const bitsOf = (ip: IpAddr): number => (ipFamily(ip) === 4 ? 32 : 128);

const LINK_ADDRESS = 'the address and prefix length of a host, such as "192.0.2.1/24" or "2001:db8::1/64"';
export const linkAddressField = z.string(LINK_ADDRESS).transform((text, context): LinkAddress => {
  const address = addressAndLength(text);
  if (address !== null && address.prefixLen >= 1 && isHostOf(address.ip, address.prefixLen)) return address;
  context.addIssue({ code: 'custom', message: LINK_ADDRESS });
  return z.NEVER;
});

/** The addresses that begin with the same bits. */
export interface IpPrefix {
  readonly ip: IpAddr;
  readonly length: number;
}

const PREFIX = 'a prefix such as "10.0.0.0/8" or "2001:db8::/32", its other bits 0';
export const prefixField = z.string(PREFIX).transform((text, context): IpPrefix => {
  const prefix = addressAndLength(text);
  const isBare = (bits: number, octet: number, i: number): boolean =>
    (octet & (0xff >> Math.min(8, Math.max(0, bits - i * 8)))) === 0;
  if (prefix !== null && ipToBytes(prefix.ip).every((octet, i) => isBare(prefix.prefixLen, octet, i)))
    return { ip: prefix.ip, length: prefix.prefixLen };
  context.addIssue({ code: 'custom', message: PREFIX });
  return z.NEVER;
});

const PORT_RANGE = 'a port or a range of ports, such as "53" or "8000-8080"';
export const portRangeField = z
  .union([z.string(PORT_RANGE), z.int(PORT_RANGE)], PORT_RANGE)
  .transform((value, context): [number, number] => {
    const [, first, last] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(String(value)) ?? [];
    const [min, max] = [Number(first), Number(last ?? first)];
    if (min <= max && max <= 65_535) return [min, max];
    context.addIssue({ code: 'custom', message: PORT_RANGE });
    return z.NEVER;
  });

const DELIVERY = '"head-end", a multicast group such as "239.1.1.1", or "nve:NAME" for a replication node';
export const deliveryField = z.string(DELIVERY).transform((text, context): Delivery => {
  if (text === 'head-end') return { kind: 'head-end' };
  const group = parseIp(text);
  if (group.ok && isOverlayGroup(group.value)) return { kind: 'multicast', group: group.value };
  const nveId = parseNveId(/^nve:(.*)$/s.exec(text)?.[1]);
  if (nveId.ok) return { kind: 'node', nveId: nveId.value };
  context.addIssue({ code: 'custom', message: DELIVERY });
  return z.NEVER;
});

const ENCAP_LIST = '"vxlan" and "geneve" in order of preference, each at most once';
export const encapsField = z
  .array(z.enum(['vxlan', 'geneve'], '"vxlan" or "geneve"'), ENCAP_LIST)
  .min(1, ENCAP_LIST)
  .refine((encaps) => new Set(encaps).size === encaps.length, ENCAP_LIST);

/** A unicast address that is neither its link's network nor its broadcast address (RFC 3021: a /31 has neither; nor has IPv6). */
function isHostOf(ip: IpAddr, prefixLen: number): boolean {
  if (ipFamily(ip) === 6) return !isGroupIp(ip) && ip !== '::' && ip !== '::1';
  const value = ip.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0);
  const first = Math.floor(value / 2 ** 24);
  if (first === 0 || first === 127 || first >= 224) return false;
  const size = 2 ** (32 - prefixLen);
  return prefixLen >= 31 || (value % size !== 0 && value % size !== size - 1);
}

/** Both ends included. */
export interface VlanRange {
  readonly from: Vid;
  readonly to: Vid;
}

/**
 * The C-TAG VIDs that the NVE may give out on an access link, as ranges that rise. VID 0 marks priority only and 4095 is reserved
 * (IEEE 802.1Q table 9-2); 1 is the default of most bridges and so never negotiated.
 */
const VLAN_POOL = 'VIDs from 2 to 4094 as ranges that rise, such as "2-4000" or "10,20-29"';
export const vlanPoolField = z.string(VLAN_POOL).transform((text, context): VlanRange[] => {
  const ranges: VlanRange[] = [];
  for (const part of text.split(',')) {
    const [, first, last] = /^\s*(\d{1,4})\s*(?:-\s*(\d{1,4})\s*)?$/.exec(part) ?? [];
    const from = parseVid(first);
    const to = parseVid(last ?? first);
    const floor = ranges.at(-1)?.to ?? 1;
    if (!from.ok || !to.ok || from.value <= floor || from.value > to.value) {
      context.addIssue({ code: 'custom', message: VLAN_POOL });
      return z.NEVER;
    }
    ranges.push({ from: from.value, to: to.value });
  }
  return ranges;
});

/** A VN by its name, or by its VNI as a number. */
const VN_REF = 'the name of a VN, or its VNI as a number';
export const vnRefField = z.union([z.string(VN_REF), z.int(VN_REF)], VN_REF).transform((value, context): VnRef => {
  const parsed = parseVnRef(value);
  if (parsed.ok) return parsed.value;
  context.addIssue({ code: 'custom', message: VN_REF });
  return z.NEVER;
});

const NEGOTIATED_VID = 'a VID from 2 to 4094';
/** A VID that may name a VN. */
export const negotiatedVidField = z
  .int(NEGOTIATED_VID)
  .min(2, NEGOTIATED_VID)
  .max(4094, NEGOTIATED_VID)
  .transform((vid) => vid as Vid);

/** Where the EVB stations of an access link are spoken to: at a group address, or each at its own. */
export type StationAddressConfig = { readonly group: MacAddr } | 'unicast';

const STATION_ADDRESS = '"nearest-customer-bridge", "unicast" or a group MAC address such as "01:80:c2:00:00:0e"';
const NEAREST_CUSTOMER_BRIDGE = '01:80:c2:00:00:00' as MacAddr;
const BROADCAST = 'ff:ff:ff:ff:ff:ff';
export const stationAddressField = z.string(STATION_ADDRESS).transform((text, context): StationAddressConfig => {
  if (text === 'unicast') return text;
  if (text === 'nearest-customer-bridge') return { group: NEAREST_CUSTOMER_BRIDGE };
  const mac = parseMac(text);
  if (mac.ok && isGroupMac(mac.value) && mac.value !== BROADCAST) return { group: mac.value };
  context.addIssue({ code: 'custom', message: STATION_ADDRESS });
  return z.NEVER;
});

/** A whole number within bounds; the message tells the bounds. */
export function intField(min: number, max: number) {
  const message = `a whole number from ${min} to ${max}`;
  return z.int(message).min(min, message).max(max, message);
}
