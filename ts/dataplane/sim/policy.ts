// What tenants may send and get, in the reference model: the guard of addresses, and access lists. Rates have no place here: a trace is
// asked of nobody who has sent anything before.

import { type IpAddr, ipFromBytes, macToBytes } from '#model';
import type { AclId, AclRule, IpPrefix, MaskedMac, NumberRange } from '../types.js';
import type { Vap } from './classify.js';
import { Drop } from './fate.js';
import { ARP, equal, IPV4, IPV6, macText, type Octets, octetsOf, u16 } from './packet.js';
import type { State } from './state.js';
import { isIp, layer4, read, type TenantFrame, type Upper, upperOf } from './upper.js';

/** What a frame from a tenant meets, in this order. */
export function fromVap(state: State, vap: Vap, inner: Octets): void {
  if (vap.options?.guardIp === true && !isFromItsOwner(state, vap.vn, inner)) throw new Drop('ip_guard');
  const lists = [vap.options?.aclIn, state.vns.get(vap.vn)?.options?.aclIn];
  if (!permits(state, lists, inner)) throw new Drop('acl_in');
}

/** docs/engine.md, option `guard_ip` of a VAP; RFC 7039, 3. */
function isFromItsOwner(state: State, vn: number, inner: Octets): boolean {
  const frame = read(inner);
  if (frame === null) return false;
  const source = inner.subarray(6, 12);
  const owns = (ip: Octets) => ownerOf(state, vn, ip) === macText(source);
  const isNone = (ip: Octets) => ip.every((octet) => octet === 0);
  const { etherType, payload } = frame;
  if (etherType === ARP) {
    const sender = payload.subarray(14, 18);
    return isArp(payload) && equal(payload.subarray(8, 14), source) && (isNone(sender) || owns(sender));
  }
  if (!isIp(frame)) return true;
  const upper = upperOf(frame);
  if (upper === null) return false;
  if (isNone(upper.source)) return hasNoAddressYet(etherType, upper);
  return owns(upper.source) && (etherType === IPV4 || advertised(upper).every(owns));
}

export const ownerOf = (state: State, vn: number, ip: Octets): string | undefined => {
  const known = ipFromBytes(ip);
  return known.ok ? state.pairs.get(`${vn} ${known.value}`)?.mac : undefined;
};

/** RFC 826, of Ethernet and IPv4: a request or a reply. */
export const isArp = (payload: Octets): boolean =>
  payload.length >= 28 && /^000108000604000[12]/.test(Buffer.from(payload.subarray(0, 8)).toString('hex'));

/** DHCP (RFC 2131, 4.1); router and neighbour solicitations, and reports of MLD (RFC 4861, 4.1 and 4.3; RFC 3810, 5.2.13). */
function hasNoAddressYet(etherType: number, { protocol, offset, payload }: Upper): boolean {
  if (offset !== 0) return false;
  if (etherType === IPV6) return protocol === 58 && [133, 135, 143].includes(payload[0] ?? 0);
  return protocol === 17 && payload.length >= 4 && u16(payload, 0) === 68 && u16(payload, 2) === 67;
}

/** The target of a neighbour advertisement (RFC 4861, 4.4); of one that ends before it, nobody's address. */
function advertised({ protocol, offset, payload }: Upper): Octets[] {
  if (protocol !== 58 || offset !== 0 || payload[0] !== 136) return [];
  return [payload.length < 24 ? new Uint8Array(16) : payload.subarray(8, 24)];
}

/** Whether all lists that there are permit a frame, as it is inside its VN. */
export function permits(state: State, lists: readonly (AclId | undefined)[], inner: Octets): boolean {
  const ids = lists.filter((id) => id !== undefined);
  if (ids.length === 0) return true;
  const frame = read(inner);
  const upper = frame !== null && isIp(frame) ? upperOf(frame) : undefined;
  // What cannot be decided is denied.
  if (frame === null || upper === null || (upper && layer4(upper) === null)) return false;
  return ids.every((id) => {
    const acl = state.acls.get(id);
    const rule = acl?.rules.find((rule) => matches(rule, inner, frame, upper));
    return (rule?.action ?? acl?.default) === 'permit';
  });
}

function matches(rule: AclRule, inner: Octets, frame: TenantFrame, upper: Upper | undefined): boolean {
  const l4 = upper && layer4(upper);
  const mac = (field: MaskedMac | undefined, at: number) => {
    if (field === undefined) return true;
    const [value, mask] = [macToBytes(field.mac), macToBytes(field.mask)];
    return mask.every((bits, i) => (((value[i] ?? 0) ^ (inner[at + i] ?? 0)) & bits) === 0);
  };
  const ip = (field: IpPrefix | undefined, address: Octets | undefined) =>
    field === undefined || (address !== undefined && hasPrefix(address, field.ip, field.prefixLen));
  const port = (field: NumberRange | undefined, port: number | undefined) =>
    field === undefined || (port !== undefined && field.first <= port && port <= field.last);
  const same = (field: number | undefined, value: number | null | undefined) => field === undefined || field === value;
  const flags = rule.tcpFlags;
  return (
    mac(rule.dstMac, 0) &&
    mac(rule.srcMac, 6) &&
    same(rule.etherType, frame.etherType) &&
    same(rule.vid, frame.vid) &&
    ip(rule.srcIp, upper?.source) &&
    ip(rule.dstIp, upper?.destination) &&
    same(rule.protocol, upper?.protocol) &&
    port(rule.srcPort, l4?.source) &&
    port(rule.dstPort, l4?.destination) &&
    (flags === undefined || (l4 !== null && l4 !== undefined && ((l4.flags ^ flags.flags) & flags.mask) === 0)) &&
    same(rule.icmpType, l4 && l4.source >> 8) &&
    same(rule.icmpCode, l4 && l4.source & 0xff)
  );
}

export function hasPrefix(address: Octets, prefix: IpAddr, length: number): boolean {
  const of = octetsOf(prefix);
  if (of.length !== address.length) return false;
  return of.every((octet, at) => {
    const mask = (0xff00 >> Math.min(8, Math.max(0, length - at * 8))) & 0xff;
    return ((octet ^ (address[at] ?? 0)) & mask) === 0;
  });
}
