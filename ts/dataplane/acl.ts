// Access control lists on their way to the engine and back: docs/engine.md, "Access control lists".

import { ipToBytes, macToBytes } from '#model';
import { badReply, Keys, present } from './reader.js';
import type { AclRule, IpPrefix, MaskedMac, NumberRange } from './types.js';

const U8 = 0xff;
const U16 = 0xffff;

export function encodeRule(rule: AclRule): Record<string, unknown> {
  const mac = ({ mac, mask }: MaskedMac) => [macToBytes(mac), macToBytes(mask)];
  const prefix = ({ ip, prefixLen }: IpPrefix) => [ipToBytes(ip), prefixLen];
  const range = ({ first, last }: NumberRange) => [first, last];
  const map: Record<string, unknown> = {
    action: rule.action,
    src_mac: rule.srcMac && mac(rule.srcMac),
    dst_mac: rule.dstMac && mac(rule.dstMac),
    ether_type: rule.etherType,
    vid: rule.vid,
    src_ip: rule.srcIp && prefix(rule.srcIp),
    dst_ip: rule.dstIp && prefix(rule.dstIp),
    protocol: rule.protocol,
    src_port: rule.srcPort && range(rule.srcPort),
    dst_port: rule.dstPort && range(rule.dstPort),
    tcp_flags: rule.tcpFlags && [rule.tcpFlags.flags, rule.tcpFlags.mask],
    icmp_type: rule.icmpType,
    icmp_code: rule.icmpCode,
  };
  return Object.fromEntries(Object.entries(map).filter(([, value]) => value !== undefined));
}

export function decodeRule(value: unknown, at: string): AclRule {
  const keys = new Keys(value, at);
  const mac = (key: string) => keys.list(key, (r): MaskedMac => ({ mac: r.mac('mac'), mask: r.mac('mask') }));
  const prefix = (key: string) =>
    keys.list(key, (r): IpPrefix => ({ ip: r.ip('ip'), prefixLen: r.uint('prefix_len', 128) }));
  const range = (key: string) =>
    keys.list(key, (r): NumberRange => ({ first: r.uint('first', U16), last: r.uint('last', U16) }));
  const rule: { [K in keyof AclRule]: AclRule[K] | undefined } = {
    action: keys.one('action', (reader) => reader.oneOf('value', ['permit', 'deny'])),
    srcMac: mac('src_mac'),
    dstMac: mac('dst_mac'),
    etherType: keys.uint('ether_type', U16),
    vid: keys.uint('vid', U16),
    srcIp: prefix('src_ip'),
    dstIp: prefix('dst_ip'),
    protocol: keys.uint('protocol', U8),
    srcPort: range('src_port'),
    dstPort: range('dst_port'),
    tcpFlags: keys.list('tcp_flags', (r) => ({ flags: r.uint('flags', U8), mask: r.uint('mask', U8) })),
    icmpType: keys.uint('icmp_type', U8),
    icmpCode: keys.uint('icmp_code', U8),
  };
  if (rule.action === undefined) throw badReply(`${at}.action`, undefined, 'permit or deny');
  return present<AclRule>({ ...rule, action: rule.action });
}
