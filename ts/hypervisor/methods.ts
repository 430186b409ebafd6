// The methods of docs/rpc.md: what each takes and what it answers with. Server and client both check against this table, so that
// neither trusts the other.

import { z } from 'zod';
import {
  IpAddrSchema,
  type LinkName,
  LinkNameSchema,
  MtuSchema,
  TagSchema,
  TSI_STATES,
  TsiIdSchema,
  TsiStateSchema,
  UnicastMacSchema,
  VnIdSchema,
  VniSchema,
  VnNameSchema,
} from '#model';
import {
  CapturedFrameRow,
  ShowAclRow,
  ShowDropsRow,
  ShowFdbRow,
  ShowFloodRow,
  ShowMemoryRow,
  ShowNeighRow,
  ShowNvaRow,
  ShowNveRow,
  ShowPortsRow,
  ShowVapRow,
  ShowVdpRow,
  ShowVnRow,
  TraceRow,
  TsiListRow,
  VnConnectionRow,
  VnListRow,
} from './rows.js';

const count = z.number().int().min(0);

/** Addresses of one kind that one TSI may have. */
const ADDRESSES_MAX = 64;

const macs = z.array(UnicastMacSchema).min(1, 'at least one MAC').max(ADDRESSES_MAX);
const ips = z.array(IpAddrSchema).max(ADDRESSES_MAX).default([]);

/** A TAP interface that is made for the TSI and moved into a network namespace (null: it stays). */
const tapPort = z.strictObject({
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
export type TapPort = z.output<typeof tapPort>;

/** A port that is made for the TSI. A tNVE makes TAP interfaces only. */
export const NewPortSchema = z.discriminatedUnion('kind', [
  tapPort,
  z.strictObject({
    kind: z.literal('net_vhost'),
    path: z
      .string()
      .regex(/^\/[A-Za-z0-9_.:@/-]{1,53}$/, 'an absolute path of at most 54 characters out of A-Z a-z 0-9 _ . : @ / -'),
  }),
  z.strictObject({
    kind: z.literal('pci'),
    address: z.string().regex(/^[0-9a-f]{4}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]$/, 'a PCI address such as 0000:03:00.1'),
  }),
]);
export type NewPort = z.output<typeof NewPortSchema>;
const newPort = NewPortSchema.refine(
  (port) => linkOfPort(port).length <= 64,
  'a shorter name of the network namespace',
);

/** At an agent such a port is a link of its own, and this is its name. */
export function linkOfPort(port: NewPort): LinkName {
  switch (port.kind) {
    case 'net_tap':
      return `net_tap:${port.iface}${port.netns === null ? '' : `@${port.netns}`}` as LinkName;
    case 'net_vhost':
      return `net_vhost:${port.path}` as LinkName;
    case 'pci':
      return `pci:${port.address}` as LinkName;
  }
}

function linkNameOf(link: string | NewPort): string {
  return typeof link === 'string' ? link : linkOfPort(link);
}

/** The agent itself holds VNs under such names (`vn.connect`). */
const tsiId = TsiIdSchema.refine((id) => !id.startsWith('vn:'), 'an id that does not begin with "vn:"');

const tsiKey = z.strictObject({ tsi: tsiId, link: LinkNameSchema });
const associate = z.strictObject({ vn: VnNameSchema, tsi: tsiId, macs, ips, link: LinkNameSchema });
const some = z
  .strictObject({ ...tsiKey.shape, macs: z.array(UnicastMacSchema).max(ADDRESSES_MAX).default([]), ips })
  .refine(({ macs, ips }) => macs.length + ips.length > 0, 'at least one MAC or IP address');
const migrate = z
  .strictObject({
    tsi: tsiId,
    from: LinkNameSchema.optional(),
    to: LinkNameSchema.optional(),
    vn: VnNameSchema.optional(),
    macs: macs.optional(),
    ips: z.array(IpAddrSchema).max(ADDRESSES_MAX).optional(),
  })
  .refine(({ from, to }) => from !== undefined || to !== undefined, 'at least one of from and to')
  .refine(({ from, to }) => from !== to, 'two links: from and to are the same');
/** Bytes of a frame that may be recorded. */
export const SNAP_MAX = 9_728;
const snap = z.number().int().min(1).max(SNAP_MAX);
const captureParams = z.discriminatedUnion('of', [
  z.strictObject({ of: z.literal('port'), port: LinkNameSchema, snap }),
  z.strictObject({ of: z.literal('vap'), vap: count, snap }),
  z.strictObject({
    of: z.literal('drops'),
    port: LinkNameSchema.nullable(),
    reason: z.string().max(64).nullable(),
    snap,
  }),
]);
const vnKey = z.strictObject({ vn: VnNameSchema, link: LinkNameSchema });
const nothing = z.strictObject({});

/** Tables may be long: `tsi.list` and `show.*` answer page by page. The cursor is opaque; null asks for the first page, and ends the last. */
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
  /** A TSI went from one state to another, whatever the reason (RFC 8394 section 6: every change of state is to be seen). */
  transition: z.object({
    tsi: TsiIdSchema,
    link: LinkNameSchema,
    vn: VnNameSchema,
    from: z.enum([...TSI_STATES, 'init']),
    to: z.enum([...TSI_STATES, 'init']),
    tag: TagSchema.nullable(),
    cause: z.string().max(4096),
  }),
  /** An access link has got or lost its carrier. */
  link: z.object({ link: LinkNameSchema, up: z.boolean() }),
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
  /** Holds the VN and its tag on the link, without a TSI (RFC 8394 section 3.1). */
  'vn.connect': { params: vnKey, result: VnConnectionRow, links: ofLink },
  /** The VN is on the link no more, nor are its TSIs. */
  'vn.disconnect': { params: vnKey, result: nothing, links: ofLink },
  /** Of the links that the client may use. */
  'vn.connections': { params: nothing, result: z.array(VnConnectionRow), links: ofNone },
  'tsi.associate': { params: associate, result: TsiListRow, links: ofLink },
  'tsi.activate': { params: tsiKey, result: TsiListRow, links: ofLink },
  'tsi.deactivate': { params: tsiKey, result: TsiListRow, links: ofLink },
  'tsi.deassociate': { params: tsiKey, result: nothing, links: ofLink },
  'tsi.addresses.add': { params: some, result: TsiListRow, links: ofLink },
  'tsi.addresses.del': { params: some, result: TsiListRow, links: ofLink },
  'tsi.suspend': { params: tsiKey, result: TsiListRow, links: ofLink },
  'tsi.resume': { params: tsiKey, result: TsiListRow, links: ofLink },
  /** At the link `to` it is associated and about to come, at the link `from` it is about to leave; either may be elsewhere. */
  'tsi.migrate': {
    params: migrate,
    result: TsiListRow,
    links: ({ from, to }: { from?: string | undefined; to?: string | undefined }) =>
      [from, to].filter((link) => link !== undefined),
  },
  'tsi.attach': {
    params: associate.extend({ link: z.union([LinkNameSchema, newPort]) }),
    result: TsiListRow,
    links: ({ link }: { link: string | NewPort }) => [linkNameOf(link)],
  },
  /** At a tNVE, which has one link, `link` may be absent. */
  'tsi.detach': {
    params: z.strictObject({ tsi: tsiId, link: z.union([LinkNameSchema, newPort]).optional() }),
    result: nothing,
    links: ({ link }: { link?: string | NewPort | undefined }) => (link === undefined ? [] : [linkNameOf(link)]),
  },
  /** Of the links that the client may use. */
  'tsi.list': { params: paged, result: page(TsiListRow), links: ofNone },
  'show.vn': { params: paged, result: page(ShowVnRow) },
  'show.vap': { params: paged, result: page(ShowVapRow) },
  'show.fdb': { params: paged, result: page(ShowFdbRow) },
  'show.drops': { params: paged, result: page(ShowDropsRow) },
  'show.ports': { params: paged, result: page(ShowPortsRow) },
  'show.nve': { params: paged, result: page(ShowNveRow) },
  'show.flood': { params: paged, result: page(ShowFloodRow) },
  'show.neigh': { params: paged, result: page(ShowNeighRow) },
  'show.acl': { params: paged, result: page(ShowAclRow) },
  'show.memory': { params: paged, result: page(ShowMemoryRow) },
  'show.vdp': { params: paged, result: page(ShowVdpRow) },
  'show.nva': { params: paged, result: page(ShowNvaRow) },
  /** Of an agent: what is not in its tables. */
  support: {
    params: nothing,
    result: z.object({
      versions: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
      uptime_s: count,
      /** Without secrets. */
      config: z.record(z.string(), z.unknown()),
      /** The last lines, JSON each, the oldest first. */
      log: z.array(z.string()),
    }),
  },
  /** Begins to record frames. One recording at a time; it ends when it is not read for five seconds. */
  'capture.start': {
    params: captureParams,
    result: z.object({ capture: count }),
  },
  /** What was recorded since the last call; waits a little if that is nothing. */
  'capture.read': {
    params: z.strictObject({ capture: count }),
    result: z.object({ frames: z.array(CapturedFrameRow), lost: count }),
  },
  'capture.stop': { params: z.strictObject({ capture: count }), result: nothing },
  inject: {
    params: z.strictObject({
      port: LinkNameSchema,
      frame: z
        .custom<Uint8Array>((frame) => frame instanceof Uint8Array)
        .refine((frame) => frame.length >= 14 && frame.length <= 9622, '14 to 9622 bytes'),
    }),
    result: nothing,
  },
  /** What would become of a frame that came in by a port now; or, without the VAP's tags, from the tenant at a VAP. Nothing leaves. */
  trace: {
    params: z
      .strictObject({
        port: LinkNameSchema.optional(),
        vap: z.number().int().min(0).max(0xffff_ffff).optional(),
        frame: z
          .custom<Uint8Array>((frame) => frame instanceof Uint8Array)
          .refine((frame) => frame.length <= 16_376, 'at most 16376 bytes'),
      })
      .refine(({ port, vap }) => (port === undefined) !== (vap === undefined), 'either port or vap'),
    result: TraceRow,
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
