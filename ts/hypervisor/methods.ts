// The methods of docs/rpc.md: what each takes and what it answers with. Server and client both check against this table, so that
// neither trusts the other.

import { z } from 'zod';
import {
  IpAddrSchema,
  LinkNameSchema,
  MtuSchema,
  TsiIdSchema,
  TsiStateSchema,
  UnicastMacSchema,
  VnIdSchema,
  VniSchema,
  VnNameSchema,
} from '#model';
import {
  ShowDropsRow,
  ShowFdbRow,
  ShowNvaRow,
  ShowPortsRow,
  ShowVapRow,
  ShowVdpRow,
  ShowVnRow,
  TsiListRow,
  VnListRow,
} from './rows.js';

/** Addresses of one kind that one TSI may have. */
const ADDRESSES_MAX = 64;

const macs = z.array(UnicastMacSchema).min(1, 'at least one MAC').max(ADDRESSES_MAX);
const ips = z.array(IpAddrSchema).max(ADDRESSES_MAX).default([]);

/** A port that the tNVE makes for the TSI: a TAP interface, moved into a network namespace (null: it stays). */
export const NewPortSchema = z.strictObject({
  kind: z.literal('net_tap'),
  iface: z
    .string()
    .regex(/^(?!\.{1,2}$)[A-Za-z0-9._-]{1,15}$/, 'an interface name of 1 to 15 characters out of A-Z a-z 0-9 . _ -'),
  netns: z
    .string()
    .regex(/^(?!\.{1,2}$)[A-Za-z0-9._-]{1,64}$/, 'the name of a network namespace, as ip netns knows it')
    .nullable()
    .default(null),
});
export type NewPort = z.output<typeof NewPortSchema>;

const tsiKey = z.strictObject({ tsi: TsiIdSchema, link: LinkNameSchema });
const associate = z.strictObject({ vn: VnNameSchema, tsi: TsiIdSchema, macs, ips, link: LinkNameSchema });
const nothing = z.strictObject({});

/** Tables may be long: `show.*` answers page by page. The cursor is opaque; null asks for the first page, and ends the last. */
const paged = z.strictObject({ cursor: z.unknown().optional() });
function page<T extends z.ZodType>(row: T) {
  return z.object({ rows: z.array(row), cursor: z.unknown() });
}

/** Topics of notifications and their data; each is about a link. */
export const TOPICS = {
  /**
   * A TSI changed its state for another reason than a request. `state` null: it is de-associated; `retry`: asking again may help (the
   * VN may come back), or would do harm (the TSI is at another NVE now).
   */
  tsi: z.object({
    tsi: TsiIdSchema,
    link: LinkNameSchema,
    state: TsiStateSchema.nullable(),
    cause: z.string().max(4096).nullable(),
    retry: z.boolean(),
  }),
} as const;
const watch = z.strictObject({ topics: z.array(z.enum(Object.keys(TOPICS) as [TopicName, ...TopicName[]])).max(16) });

/** The links that a call is about: who may use these may make it, also over TLS. A method without is for the local socket only. */
const ofLink = ({ link }: { link: string }): string[] => [link];
const ofNone = (): string[] => [];

export const METHODS = {
  hello: {
    params: z.strictObject({ versions: z.array(z.number().int().min(0)).min(1).max(16), client: z.string().max(64) }),
    result: z.object({ version: z.number().int(), role: z.enum(['agent', 'tnve', 'nva']), name: z.string().max(64) }),
  },
  /** From now on exactly these topics are notified on this connection. */
  watch: { params: watch, result: watch, links: ofNone },
  'tsi.associate': { params: associate, result: TsiListRow, links: ofLink },
  'tsi.activate': { params: tsiKey, result: TsiListRow, links: ofLink },
  'tsi.deactivate': { params: tsiKey, result: TsiListRow, links: ofLink },
  'tsi.deassociate': { params: tsiKey, result: nothing, links: ofLink },
  'tsi.attach': {
    params: associate.extend({ link: z.union([LinkNameSchema, NewPortSchema]) }),
    result: TsiListRow,
    links: ({ link }: { link: string | NewPort }) => [typeof link === 'string' ? link : link.iface],
  },
  /** At a tNVE, which has one link, `link` may be absent. */
  'tsi.detach': {
    params: z.strictObject({ tsi: TsiIdSchema, link: LinkNameSchema.optional() }),
    result: nothing,
    links: ({ link }: { link?: string | undefined }) => (link === undefined ? [] : [link]),
  },
  /** Of the links that the client may use. */
  'tsi.list': { params: nothing, result: z.array(TsiListRow), links: ofNone },
  'show.vn': { params: paged, result: page(ShowVnRow) },
  'show.vap': { params: paged, result: page(ShowVapRow) },
  'show.fdb': { params: paged, result: page(ShowFdbRow) },
  'show.drops': { params: paged, result: page(ShowDropsRow) },
  'show.ports': { params: paged, result: page(ShowPortsRow) },
  'show.vdp': { params: paged, result: page(ShowVdpRow) },
  'show.nva': { params: paged, result: page(ShowNvaRow) },
  inject: {
    params: z.strictObject({
      port: LinkNameSchema,
      frame: z
        .custom<Uint8Array>((frame) => frame instanceof Uint8Array)
        .refine((frame) => frame.length >= 14 && frame.length <= 9622, '14 to 9622 bytes'),
    }),
    result: nothing,
  },
  'vn.add': {
    params: z.strictObject({
      name: VnNameSchema,
      vni: VniSchema,
      mtu: MtuSchema,
      id: VnIdSchema.optional(),
      gateway: IpAddrSchema.optional(),
    }),
    result: VnListRow,
  },
  'vn.del': { params: z.strictObject({ name: VnNameSchema }), result: nothing },
  'vn.list': { params: nothing, result: z.array(VnListRow) },
} as const;

export type MethodName = keyof typeof METHODS;
/** What a caller writes. */
export type ParamsIn<M extends MethodName> = z.input<(typeof METHODS)[M]['params']>;
/** What a handler gets: checked, with defaults. */
export type ParamsOf<M extends MethodName> = z.output<(typeof METHODS)[M]['params']>;
export type ResultOf<M extends MethodName> = z.output<(typeof METHODS)[M]['result']>;

export function isMethod(name: string): name is MethodName {
  return Object.hasOwn(METHODS, name);
}

/** The first thing wrong with a value, as `path: message`. */
export function firstProblem(error: z.ZodError): string {
  const issue = error.issues[0];
  if (issue === undefined) return 'not acceptable';
  const path = issue.path.map(String).join('.');
  return path === '' ? issue.message : `${path}: ${issue.message}`;
}

export type TopicName = keyof typeof TOPICS;
export type TopicData<T extends TopicName> = z.output<(typeof TOPICS)[T]>;
