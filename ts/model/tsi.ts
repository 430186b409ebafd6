/**
 * A Tenant System Interface as the NVE shows it (docs/rpc.md, "TSI row"), its key, its tag and its states (RFC 8394
 * section 3.2; the states ending in -ing wait for an answer of the NVA or of the engine).
 */
import { z } from 'zod';
import { IpAddrSchema } from './ip.js';
import { type MacAddr, UnicastMacSchema } from './mac.js';
import { type LinkName, LinkNameSchema, parseTsiId, type TsiId, TsiIdSchema, VnNameSchema } from './names.js';
import { MtuSchema, type Vid, VidSchema } from './numbers.js';
import type { Result } from './result.js';

/**
 * How a frame on an access link names its VN: by its C-TAG; by its S-TAG, behind which the tenant's own tags travel; by the
 * C-TAG within an S-channel (`s_vid`); or by being on a port that is the VN's as a whole.
 */
export const TagSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('c-tag'), vid: VidSchema }),
  z.object({ kind: z.literal('s-tag'), vid: VidSchema }),
  z.object({ kind: z.literal('s-tag+c-tag'), s_vid: VidSchema, c_vid: VidSchema }),
  z.object({ kind: z.literal('port') }),
]);
export type Tag = z.output<typeof TagSchema>;

/** Different for different tags. */
export function formatTag(tag: Tag): string {
  switch (tag.kind) {
    case 'c-tag':
    case 's-tag':
      return `${tag.kind} ${tag.vid}`;
    case 's-tag+c-tag':
      return `${tag.kind} ${tag.s_vid}.${tag.c_vid}`;
    case 'port':
      return tag.kind;
  }
}

/** The VID that the NVE chooses for the VN and a VDP filter carries; null: there is none, the VN has the whole port. */
export function vidOfTag(tag: Tag): Vid | null {
  switch (tag.kind) {
    case 'c-tag':
    case 's-tag':
      return tag.vid;
    case 's-tag+c-tag':
      return tag.c_vid;
    case 'port':
      return null;
  }
}

/**
 * `authorizing` waits for the NVA, `reserving` for the engine (nothing forwarded yet); `associated` has its tag and its
 * resources and forwards nothing; `activating` waits for the engine; `activated` forwards; `deactivating` and `releasing`
 * wait for the engine to forget.
 */
export const TSI_STATES = [
  'authorizing',
  'reserving',
  'associated',
  'activating',
  'activated',
  'deactivating',
  'releasing',
] as const;
export const TsiStateSchema = z.enum(TSI_STATES);
/** A TSI in state Init has no row. */
export type TsiState = (typeof TSI_STATES)[number];

/** A TSI is a pair (tsi, link): the same `tsi` on a second link is a move. */
export interface TsiKey {
  readonly tsi: TsiId;
  readonly link: LinkName;
}

export function tsiKeyText(key: TsiKey): string {
  return `${key.tsi} on ${key.link}`;
}

export function sameTsiKey(a: TsiKey, b: TsiKey): boolean {
  return a.tsi === b.tsi && a.link === b.link;
}

const LEARNED = /^learned:(?:[0-9a-f]{2}:){5}[0-9a-f]{2}@/;

/**
 * As what an NVE reports a MAC that it has learned (docs/nnp.md): an attachment of its own, which names the TSI that the MAC showed up
 * behind. NVE-VAL-002 if that TSI's id is too long.
 */
export function learnedTsi(mac: MacAddr, learner: TsiId): Result<TsiId> {
  return parseTsiId(`learned:${mac}@${learner}`);
}

/** Behind which TSI the MAC of such an attachment was learned; null: it is a TSI like any other. */
export function learnerOf(tsi: TsiId): TsiId | null {
  return LEARNED.test(tsi) ? (tsi.replace(LEARNED, '') as TsiId) : null;
}

/** What a hypervisor says about the VM behind a TSI (RFC 8394 section 2; VDP's S and M bits). */
export interface TsiHints {
  /** The VM does not run: suspended, or about to move away. It keeps its association (RFC 8394 section 2.4). */
  readonly suspended: boolean;
  /** The VM is migrating to here. */
  readonly migrating: boolean;
}

export const NO_HINTS: TsiHints = { suspended: false, migrating: false };

export const TsiRowSchema = z.object({
  tsi: TsiIdSchema,
  /** The VN's name. */
  vn: VnNameSchema,
  link: LinkNameSchema,
  state: TsiStateSchema,
  tag: TagSchema.nullable(),
  macs: z.array(UnicastMacSchema),
  ips: z.array(IpAddrSchema),
  /** The tenant's IP MTU in bytes, once the NVA has told it. */
  mtu: MtuSchema.nullable(),
  /** The address of the VN's gateway; null: it has none, or nobody has told it (yet). Absent at a node of before this field. */
  gateway: IpAddrSchema.nullable().optional(),
  /** What the hypervisor last said of the VM; absent at a node that is not told. */
  suspended: z.boolean().optional(),
  migrating: z.boolean().optional(),
  /** Why the TSI is not where it was asked to be: an error's code and message, or null. */
  cause: z.string().nullable(),
});
export type TsiRow = z.output<typeof TsiRowSchema>;
