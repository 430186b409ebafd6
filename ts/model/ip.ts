/**
 * IP addresses. In TypeScript one is its canonical text (dotted decimal, or RFC 5952 for IPv6), so that it can be a map key
 * and print as it is; on every wire it is 4 or 16 bytes.
 */
import { z } from 'zod';
import type { Brand } from './brand.js';
import { nveError } from './error.js';
import { err, ok, type Result } from './result.js';
import { show } from './show.js';

/** Canonical text of an IPv4 or IPv6 address. */
export type IpAddr = Brand<string, 'IpAddr'>;

const RULE = 'an IP address, as in 10.0.0.1 or 2001:db8::1';

export function parseIp(value: unknown): Result<IpAddr> {
  if (typeof value === 'string' && value.length <= 45) {
    const bytes = value.includes(':') ? ipv6Bytes(value) : ipv4Bytes(value);
    if (bytes !== null) return ipFromBytes(bytes);
  }
  return err(nveError('NVE-VAL-002', { what: 'IP address', got: show(value), rule: RULE }));
}

export function parseIpv4(value: unknown): Result<IpAddr> {
  const ip = parseIp(value);
  if (!ip.ok || ipFamily(ip.value) === 4) return ip;
  return err(
    nveError('NVE-VAL-002', { what: 'IP address', got: show(value), rule: 'an IPv4 address, as in 10.0.0.1' }),
  );
}

export function ipFamily(ip: IpAddr): 4 | 6 {
  return ip.includes(':') ? 6 : 4;
}

/** A multicast group: 224.0.0.0/4 or ff00::/8. */
export function isGroupIp(ip: IpAddr): boolean {
  const [first = 0] = ipToBytes(ip);
  return ipFamily(ip) === 4 ? first >> 4 === 0xe : first === 0xff;
}

/**
 * Whether a multicast group may carry an overlay: neither one of the link's own protocols (224.0.0.0/24, ff02::/16, and scopes that do not leave
 * a host or are reserved) nor one of named sources only (232.0.0.0/8, ff3x::/32).
 */
export function isOverlayGroup(ip: IpAddr): boolean {
  if (!isGroupIp(ip)) return false;
  const [first = 0, second = 0, third = 0, fourth = 0] = ipToBytes(ip);
  if (ipFamily(ip) === 4) return first !== 232 && !(first === 224 && second === 0 && third === 0);
  const scope = second & 15;
  const isOfSources = second >> 4 === 3 && third === 0 && fourth === 0;
  return scope >= 3 && scope < 15 && !isOfSources;
}

export function ipFromBytes(bytes: Uint8Array): Result<IpAddr> {
  if (bytes.length === 4) return ok(Array.from(bytes).join('.') as IpAddr);
  if (bytes.length === 16) return ok(ipv6Text(bytes) as IpAddr);
  return err(nveError('NVE-VAL-002', { what: 'IP address', got: `${bytes.length} bytes`, rule: '4 or 16 bytes' }));
}

/** The 4 or 16 bytes of the address. */
export function ipToBytes(ip: IpAddr): Uint8Array {
  // A branded address is canonical, so neither function can fail here.
  return (ipFamily(ip) === 4 ? ipv4Bytes(ip) : ipv6Bytes(ip)) ?? new Uint8Array(4);
}

function ipv4Bytes(text: string): Uint8Array | null {
  const parts = text.split('.');
  if (parts.length !== 4) return null;
  const bytes = new Uint8Array(4);
  for (const [i, part] of parts.entries()) {
    // A leading zero is octal to some readers and decimal to others: refused.
    if (!/^(0|[1-9][0-9]{0,2})$/.test(part) || Number(part) > 255) return null;
    bytes[i] = Number(part);
  }
  return bytes;
}

function ipv6Bytes(text: string): Uint8Array | null {
  const halves = text.split('::');
  if (halves.length > 2) return null;
  const groups = (half: string): number[] | null => {
    if (half === '') return [];
    const out: number[] = [];
    const parts = half.split(':');
    for (const [i, part] of parts.entries()) {
      if (part.includes('.') && i === parts.length - 1) {
        const v4 = ipv4Bytes(part);
        if (v4 === null) return null;
        out.push(((v4[0] ?? 0) << 8) | (v4[1] ?? 0), ((v4[2] ?? 0) << 8) | (v4[3] ?? 0));
      } else if (/^[0-9a-f]{1,4}$/i.test(part)) {
        out.push(Number.parseInt(part, 16));
      } else {
        return null;
      }
    }
    return out;
  };
  const [first = '', second] = halves;
  const head = groups(first);
  const tail = second === undefined ? [] : groups(second);
  // A dotted quad may only end the whole address.
  if (head === null || tail === null || (second !== undefined && first.includes('.'))) return null;
  const missing = 8 - head.length - tail.length;
  if (second === undefined ? missing !== 0 : missing < 1) return null;
  const all = [...head, ...new Array<number>(second === undefined ? 0 : missing).fill(0), ...tail];
  const bytes = new Uint8Array(16);
  for (const [i, group] of all.entries()) {
    bytes[i * 2] = group >> 8;
    bytes[i * 2 + 1] = group & 0xff;
  }
  return bytes;
}

/** RFC 5952: lower case, no leading zeros, the longest run of at least two zero groups (the first of equals) is `::`. */
function ipv6Text(bytes: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, i) => ((bytes[i * 2] ?? 0) << 8) | (bytes[i * 2 + 1] ?? 0));
  let start = -1;
  let length = 1;
  for (let i = 0; i < 8; i++) {
    let j = i;
    while (j < 8 && groups[j] === 0) j++;
    if (j - i > length) {
      start = i;
      length = j - i;
    }
    if (j > i) i = j - 1;
  }
  const text = (from: number, to: number) =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(':');
  return start < 0 ? text(0, 8) : `${text(0, start)}::${text(start + length, 8)}`;
}

function schema(parse: (value: unknown) => Result<IpAddr>) {
  return z.string({ error: `IP address must be text: ${RULE}` }).transform((value, context) => {
    const ip = parse(value);
    if (ip.ok) return ip.value;
    context.addIssue({ code: 'custom', message: ip.error.message });
    return z.NEVER;
  });
}

/** Either family, canonicalised. */
export const IpAddrSchema = schema(parseIp);
/** IPv4 only, canonicalised: what the underlay takes in this version. */
export const Ipv4AddrSchema = schema(parseIpv4);
