/**
 * What the authority wants to remember over a restart, as records: a key and a JSON value each. The keys are those below, and
 * nothing outside of this file knows how they are made. What is read back is not trusted: each record is checked.
 */
import { z } from 'zod';
import {
  err,
  HostInfoSchema,
  IpAddrSchema,
  LinkNameSchema,
  type MacAddr,
  MemberInfoSchema,
  type NveId,
  NveIdSchema,
  NveInfoSchema,
  nveError,
  ok,
  type Result,
  TsiIdSchema,
  UnicastMacSchema,
  type VnId,
  VnIdSchema,
  VnInfoSchema,
} from '#model';

/** Where records are kept: `NvaStore` of `store`, or one of a test. */
export interface RecordStore {
  readonly path: string;
  records(): Iterable<readonly [string, unknown]>;
  /** The whole batch is kept, or nothing of it; a value of null deletes. */
  commit(batch: ReadonlyMap<string, unknown>): Promise<Result<null>>;
}

/** Takes note of a record; null: it is no more. */
export type Put = (key: string, value: unknown) => void;

/** Commits that are remembered whole, so that NVEs go on where they were: a ring, of which the oldest is overwritten. */
export const LOG_RING = 8192;

export const recordKeys = {
  meta: 'meta',
  vn: (vn: VnId) => `vn ${vn}`,
  /** Ids that a VN has had. */
  used: (vn: VnId) => `used ${vn}`,
  nve: (nveId: NveId) => `nve ${nveId}`,
  attachment: ({ nveId, tsi, port }: { nveId: NveId; tsi: string; port: string }, vn: VnId) =>
    `attachment ${vn} ${nveId} ${tsi} ${port}`,
  host: (vn: VnId, mac: MacAddr) => `host ${vn} ${mac}`,
  log: (revision: bigint) => `log ${revision % BigInt(LOG_RING)}`,
} as const;

const revision = z
  .string()
  .regex(/^\d{1,20}$/)
  .transform((text) => BigInt(text));

const key = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('vn'), vn: VnIdSchema }),
  z.object({ kind: z.literal('nve'), nveId: NveIdSchema }),
  z.object({ kind: z.literal('member'), vn: VnIdSchema, nveId: NveIdSchema }),
  z.object({ kind: z.literal('host'), vn: VnIdSchema, mac: UnicastMacSchema }),
]);
const object = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('vn'), ...VnInfoSchema.shape }),
  z.object({ kind: z.literal('nve'), ...NveInfoSchema.shape }),
  z.object({ kind: z.literal('member'), ...MemberInfoSchema.shape }),
  z.object({ kind: z.literal('host'), ...HostInfoSchema.shape }),
]);

/** By the first word of their keys. */
const SCHEMAS = {
  meta: z.object({ epoch: z.string().min(1).max(128), term: revision, revision }),
  vn: VnInfoSchema,
  used: VnIdSchema,
  nve: NveInfoSchema,
  attachment: z.object({
    vn: VnIdSchema,
    nveId: NveIdSchema,
    tsi: TsiIdSchema,
    port: LinkNameSchema,
    macs: z.array(UnicastMacSchema),
    ips: z.array(IpAddrSchema),
    multihomed: z.boolean().optional(),
  }),
  /** Of a MAC that has moved, or is attached at several places; it is at the last one. */
  host: z.object({
    vn: VnIdSchema,
    mac: UnicastMacSchema,
    mobilitySeq: z.number().int().min(0),
    owners: z.array(z.string().max(512)),
  }),
  log: z.object({
    revision,
    vn: VnIdSchema,
    changes: z.array(z.union([z.object({ set: object }), z.object({ unset: key })])),
  }),
} as const;
type Kind = keyof typeof SCHEMAS;

export type Remembered = { readonly [K in Kind]: readonly z.output<(typeof SCHEMAS)[K]>[] };
export type MetaRecord = Remembered['meta'][number];

/** Everything that a store holds; NVE-STO-002 with the first record that is not what it should be. */
export function readRecords(store: RecordStore): Result<Remembered> {
  const read: { [K in Kind]: unknown[] } = {
    meta: [],
    vn: [],
    used: [],
    nve: [],
    attachment: [],
    host: [],
    log: [],
  };
  for (const [name, value] of store.records()) {
    const [kind = ''] = name.split(' ', 1);
    const schema = Object.hasOwn(SCHEMAS, kind) ? SCHEMAS[kind as Kind] : undefined;
    const parsed = schema?.safeParse(value);
    if (parsed?.success !== true) {
      const [issue] = parsed?.error.issues ?? [];
      const problem = issue === undefined ? 'of an unknown kind' : `${issue.path.join('.')}: ${issue.message}`;
      return err(nveError('NVE-STO-002', { path: store.path, problem: `record "${name}": ${problem}` }));
    }
    read[kind as Kind].push(parsed.data);
  }
  return ok(read as unknown as Remembered);
}
