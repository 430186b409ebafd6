/**
 * Numbers with rules: `Vni`, `Vid`, `VnId`, `Mtu`. None of them converts to another: which VID names which VN on a link,
 * and under which VNI an NVE receives a VN, are table entries.
 */
import { z } from 'zod';
import type { Brand } from './brand.js';
import { nveError } from './error.js';
import { err, ok, type Result } from './result.js';
import { show } from './show.js';

/** VXLAN Network Identifier, 1..2^24-1 (RFC 7348 section 5; 0 is left unused, as most implementations do). */
export type Vni = Brand<number, 'Vni'>;
/** VLAN id that may appear in a tag, 1..4094 (IEEE 802.1Q table 9-2: 0 is priority-tagged, 4095 reserved). */
export type Vid = Brand<number, 'Vid'>;
/** The NVA's number of a virtual network, 1..2^32-1. It says nothing about the VNI. */
export type VnId = Brand<number, 'VnId'>;
/** The tenant's IP MTU in bytes, 68..9216 (RFC 791 section 3.2; upper end as large as NICs in the field go). */
export type Mtu = Brand<number, 'Mtu'>;

export const VNI_MAX = 2 ** 24 - 1;
export const VID_MAX = 4094;
export const VN_ID_MAX = 2 ** 32 - 1;
export const MTU_MIN = 68;
export const MTU_MAX = 9216;

function integer<T>(what: string, min: number, max: number) {
  const schema = z
    .number({ error: `${what} must be an integer from ${min} to ${max}` })
    .int({ error: `${what} must be an integer from ${min} to ${max}` })
    .min(min, { error: `${what} must be an integer from ${min} to ${max}` })
    .max(max, { error: `${what} must be an integer from ${min} to ${max}` })
    .transform((value) => value as T);
  const parse = (value: unknown): Result<T> => {
    const number = typeof value === 'string' && /^[0-9]{1,10}$/.test(value) ? Number(value) : value;
    if (typeof number === 'number' && Number.isInteger(number) && number >= min && number <= max)
      return ok(number as T);
    return err(nveError('NVE-VAL-001', { what, got: show(value), min, max }));
  };
  return { schema, parse };
}

const vni = integer<Vni>('VNI', 1, VNI_MAX);
const vid = integer<Vid>('VID', 1, VID_MAX);
const vnId = integer<VnId>('VN id', 1, VN_ID_MAX);
const mtu = integer<Mtu>('MTU', MTU_MIN, MTU_MAX);

/** Each schema takes a number; each parse function takes a number or decimal text. */
export const VniSchema = vni.schema;
export const parseVni = vni.parse;
export const VidSchema = vid.schema;
export const parseVid = vid.parse;
export const VnIdSchema = vnId.schema;
export const parseVnId = vnId.parse;
export const MtuSchema = mtu.schema;
export const parseMtu = mtu.parse;
