/**
 * MAC addresses. In TypeScript one is its canonical text (`02:00:00:00:00:0a`), so that it can be a map key and print as it
 * is; on every wire it is 6 bytes.
 */
import { z } from 'zod';
import type { Brand } from './brand.js';
import { nveError } from './error.js';
import { err, ok, type Result } from './result.js';
import { show } from './show.js';

/** Canonical text: six lower-case pairs joined by colons. */
export type MacAddr = Brand<string, 'MacAddr'>;

const TEXT = /^[0-9a-f]{2}([:-])[0-9a-f]{2}(?:\1[0-9a-f]{2}){4}$/i;
const RULE = 'six hexadecimal pairs, as in 02:00:00:00:00:0a';

/** Accepts `:` or `-` between the pairs and either case. */
export function parseMac(value: unknown): Result<MacAddr> {
  if (typeof value === 'string' && TEXT.test(value)) return ok(value.toLowerCase().replaceAll('-', ':') as MacAddr);
  return err(nveError('NVE-VAL-002', { what: 'MAC address', got: show(value), rule: RULE }));
}

/** A MAC that a station may own: not multicast, not zero (IEEE 802 section 8.2). */
export function parseUnicastMac(value: unknown): Result<MacAddr> {
  const mac = parseMac(value);
  if (!mac.ok || isUnicastMac(mac.value)) return mac;
  return err(
    nveError('NVE-VAL-002', {
      what: 'MAC address',
      got: show(value),
      rule: 'a unicast address: first octet even, not all zero',
    }),
  );
}

export function isUnicastMac(mac: MacAddr): boolean {
  return !isGroupMac(mac) && mac !== '00:00:00:00:00:00';
}

/** Multicast or broadcast (IEEE 802 section 8.2, the I/G bit). */
export function isGroupMac(mac: MacAddr): boolean {
  return (Number.parseInt(mac.slice(0, 2), 16) & 1) === 1;
}

export function macFromBytes(bytes: Uint8Array): Result<MacAddr> {
  if (bytes.length !== 6)
    return err(nveError('NVE-VAL-002', { what: 'MAC address', got: `${bytes.length} bytes`, rule: '6 bytes' }));
  return ok(Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':') as MacAddr);
}

/** The 6 bytes of the address. */
export function macToBytes(mac: MacAddr): Uint8Array {
  const bytes = new Uint8Array(6);
  for (let i = 0; i < 6; i++) bytes[i] = Number.parseInt(mac.slice(i * 3, i * 3 + 2), 16);
  return bytes;
}

function schema(parse: (value: unknown) => Result<MacAddr>) {
  return z.string({ error: `MAC address must be text: ${RULE}` }).transform((value, context) => {
    const mac = parse(value);
    if (mac.ok) return mac.value;
    context.addIssue({ code: 'custom', message: mac.error.message });
    return z.NEVER;
  });
}

/** Any MAC, canonicalised. */
export const MacAddrSchema = schema(parseMac);
/** A station's MAC, canonicalised: what a TSI may have. */
export const UnicastMacSchema = schema(parseUnicastMac);
