/**
 * Names: what people and orchestrators call things. All of them are short, printable ASCII without spaces or quotes, so
 * that they can stand in logs, tables, file names and keys without escaping.
 */
import { z } from 'zod';
import type { Brand } from './brand.js';
import { nveError } from './error.js';
import { err, ok, type Result } from './result.js';
import { show } from './show.js';

/** A virtual network's name, as the orchestrator gives it: 1..64 characters. */
export type VnName = Brand<string, 'VnName'>;
/** A Tenant System Interface's id: 1..128 characters (a UUID, a container id, `vm7-eth0`). */
export type TsiId = Brand<string, 'TsiId'>;
/** An NVE's id, unique in the NV Domain: 1..64 characters. */
export type NveId = Brand<string, 'NveId'>;
/** An access link: the name of the port in the agent's configuration, 1..64 characters. */
export type LinkName = Brand<string, 'LinkName'>;

const SHAPE = /^[A-Za-z0-9_][A-Za-z0-9_.:@/-]*$/;

function name<T>(what: string, max: number) {
  const rule = `1 to ${max} characters out of A-Z a-z 0-9 _ . : @ / - (the first one a letter, digit or _)`;
  const good = (value: unknown): value is string =>
    typeof value === 'string' && value.length <= max && SHAPE.test(value);
  const schema = z
    .string({ error: `${what} must be text: ${rule}` })
    .refine(good, { error: `${what} must be ${rule}` })
    .transform((value) => value as T);
  const parse = (value: unknown): Result<T> =>
    good(value) ? ok(value as T) : err(nveError('NVE-VAL-002', { what, got: show(value), rule }));
  return { schema, parse };
}

const vnName = name<VnName>('VN name', 64);
const tsiId = name<TsiId>('TSI id', 128);
const nveId = name<NveId>('NVE id', 64);
const linkName = name<LinkName>('link name', 64);

/** Whether the link is the port's own, or an S-channel of it. */
export function isLinkOf(link: string, port: string): boolean {
  return link === port || link.startsWith(`${port}.`);
}

export const VnNameSchema = vnName.schema;
export const parseVnName = vnName.parse;
export const TsiIdSchema = tsiId.schema;
export const parseTsiId = tsiId.parse;
export const NveIdSchema = nveId.schema;
export const parseNveId = nveId.parse;
export const LinkNameSchema = linkName.schema;
export const parseLinkName = linkName.parse;
