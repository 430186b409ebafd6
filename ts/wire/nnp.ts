/**
 * The frames of docs/nnp.md as values. `encodeNnp` and `decodeNnp` (in `nnp-encode.ts`, `nnp-decode.ts`) turn them into
 * payloads and back; `frame.ts` puts the length in front.
 */
import type {
  HostInfo,
  IpAddr,
  LinkName,
  MacAddr,
  MemberInfo,
  NveId,
  NveInfo,
  TsiId,
  TunnelEnd,
  VnId,
  VnInfo,
  VnRef,
} from '#model';

export const NNP_VERSION = 1;

/** Kinds by their number. 19 is left for later use. */
export const NNP_KINDS = {
  hello: 1,
  helloAck: 2,
  auth: 3,
  authAck: 4,
  sub: 5,
  subAck: 6,
  snapBegin: 7,
  snap: 8,
  sync: 9,
  delta: 10,
  bookmark: 11,
  ack: 12,
  nack: 13,
  query: 14,
  answer: 15,
  ends: 16,
  report: 17,
  reportAck: 18,
  ping: 20,
  pong: 21,
  goaway: 22,
  error: 23,
  unsub: 24,
} as const;

export type NnpKind = keyof typeof NNP_KINDS;

/** Sizes beyond which a frame is refused, whoever sends it. */
export const NNP_LIMITS = {
  /** Objects in one SNAP or DELTA. */
  ops: 16_384,
  /** Attachments in one REPORT; so few that the refusal of all of them fits one REPORT_ACK. */
  reports: 8_192,
  /** MACs, and IPs, of one TSI. */
  addresses: 64,
  /** Underlay addresses of one NVE. */
  tunnels: 16,
  /** Rejected items in one NACK or REPORT_ACK. */
  rejects: 8_192,
  /** Hosts that are asked for in one QUERY. */
  keys: 1_024,
  /** Ways to the NVA in HELLO_ACK, and the length of one. */
  alternates: 16,
  endpoint: 272,
  /** Free text. */
  text: 1024,
  /** Ids that are not names: instance, epoch, NVA id, error codes. */
  id: 128,
} as const;

/** The four objects of NNP; `kind` is theirs on the wire in the order 1 to 4. */
export type NnpObject =
  | ({ readonly kind: 'vn' } & VnInfo)
  | ({ readonly kind: 'nve' } & NveInfo)
  | ({ readonly kind: 'member' } & MemberInfo)
  | ({ readonly kind: 'host' } & HostInfo);

export type NnpObjectKind = NnpObject['kind'];

/** In the order in which they are applied; deletes go in reverse. */
export const NNP_OBJECT_KINDS = ['vn', 'nve', 'member', 'host'] as const satisfies readonly NnpObjectKind[];

export type NnpKey =
  | { readonly kind: 'vn'; readonly vn: VnId }
  | { readonly kind: 'nve'; readonly nveId: NveId }
  | { readonly kind: 'member'; readonly vn: VnId; readonly nveId: NveId }
  | { readonly kind: 'host'; readonly vn: VnId; readonly mac: MacAddr };

export type NnpOp =
  | { readonly op: 'set'; readonly revision: bigint; readonly object: NnpObject }
  | { readonly op: 'delete'; readonly revision: bigint; readonly key: NnpKey };

export interface NnpToken {
  readonly epoch: string;
  readonly revision: bigint;
}

/** One item of a REPORT: a TSI that forwards (attach) or no longer forwards (detach) at a port of this NVE. */
export interface NnpAttachment {
  readonly change: 'attach' | 'detach';
  readonly vn: VnId;
  readonly tsi: TsiId;
  readonly macs: readonly MacAddr[];
  readonly ips: readonly IpAddr[];
  readonly port: LinkName;
  /** The TSI is attached at other NVEs at the same time, on purpose: this one joins them instead of taking its MACs over. */
  readonly multihomed?: boolean | undefined;
}

/** Of one host that was asked for; null: there is none. */
export interface NnpAnswer {
  readonly mac: MacAddr;
  readonly host: HostInfo | null;
}

export interface NnpReject {
  readonly index: number;
  readonly code: string;
  readonly text: string;
}

/** A way to the NVA, as it names it itself. */
export interface NnpAlternate {
  /** `tls:HOST:PORT`, `tcp:ADDRESS:PORT`, `unix:/PATH`. */
  readonly name: string;
  readonly priority: number;
  readonly weight: number;
}

/** What every frame has. Channel 0 is control; a subscription's frames carry its own. */
interface On {
  readonly channel: number;
}

export type NnpFrame = On &
  (
    | {
        readonly kind: 'hello';
        readonly protoMin: number;
        readonly protoMax: number;
        readonly nveId: NveId;
        /** New with every start of the agent. */
        readonly instance: string;
        readonly encaps: readonly TunnelEnd[];
        readonly maxFrame: number;
      }
    | {
        readonly kind: 'helloAck';
        readonly proto: number;
        readonly nvaId: string;
        /** Revisions compare only within an epoch; a rebuilt NVA has a new one. */
        readonly epoch: string;
        readonly term: bigint;
        readonly revision: bigint;
        readonly holdMs: number;
        /** Other ways to the same NVA; absent: it names none. */
        readonly alternates?: readonly NnpAlternate[];
      }
    | {
        readonly kind: 'auth';
        readonly qid: number;
        /** The VN's name, or its default VNI. */
        readonly vn: VnRef;
        readonly tsi: TsiId;
        readonly macs: readonly MacAddr[];
        readonly ips: readonly IpAddr[];
        readonly port: LinkName;
      }
    | {
        readonly kind: 'authAck';
        readonly qid: number;
        readonly allow: boolean;
        readonly code: string | null;
        readonly text: string | null;
        /** Present exactly if allowed. */
        readonly vn: VnInfo | null;
        readonly ttlS: number;
      }
    | { readonly kind: 'sub'; readonly vn: VnId; readonly token: NnpToken | null }
    | {
        readonly kind: 'subAck';
        readonly vn: VnId;
        readonly plan: 'denied' | 'delta' | 'snapshot';
        readonly fromRevision: bigint;
        readonly code: string | null;
      }
    | { readonly kind: 'snapBegin'; readonly revision: bigint }
    | { readonly kind: 'snap'; readonly ops: readonly NnpOp[] }
    | { readonly kind: 'sync'; readonly revision: bigint; readonly count: number }
    | {
        readonly kind: 'delta';
        readonly prevRevision: bigint;
        readonly revision: bigint;
        readonly ops: readonly NnpOp[];
      }
    | { readonly kind: 'bookmark'; readonly revision: bigint }
    | { readonly kind: 'ack'; readonly receivedRevision: bigint; readonly appliedRevision: bigint }
    | {
        readonly kind: 'nack';
        readonly revision: bigint;
        readonly items: readonly { readonly key: NnpKey; readonly code: string; readonly text: string }[];
      }
    /** Of the sender's, instead of those of its HELLO. */
    | { readonly kind: 'ends'; readonly tunnels: readonly TunnelEnd[] }
    /** Which hosts a VN has, where they are not pushed. */
    | {
        readonly kind: 'query';
        readonly vn: VnId;
        readonly qid: number;
        readonly macs: readonly MacAddr[];
      }
    | {
        readonly kind: 'answer';
        readonly vn: VnId;
        readonly qid: number;
        /** How long it counts that a host is there, and that it is not. */
        readonly ttlS: number;
        readonly negativeTtlS: number;
        readonly answers: readonly NnpAnswer[];
      }
    | {
        readonly kind: 'report';
        readonly seq: bigint;
        /** `part` is a piece of a full report: the sweep comes with the closing `full`. */
        readonly mode: 'delta' | 'full' | 'part';
        readonly items: readonly NnpAttachment[];
      }
    | { readonly kind: 'reportAck'; readonly seq: bigint; readonly rejects: readonly NnpReject[] }
    | { readonly kind: 'ping'; readonly nonce: number }
    | { readonly kind: 'pong'; readonly nonce: number }
    /** Go elsewhere: the session ends `graceMs` from now. */
    | { readonly kind: 'goaway'; readonly code: string; readonly text: string; readonly graceMs: number }
    | { readonly kind: 'error'; readonly code: string; readonly text: string }
    | { readonly kind: 'unsub'; readonly vn: VnId }
    /** A kind of a later version; `critical` tells whether the session can go on without it. */
    | { readonly kind: 'unknown'; readonly number: number; readonly critical: boolean }
  );

export function objectKey(object: NnpObject): NnpKey {
  switch (object.kind) {
    case 'vn':
      return { kind: 'vn', vn: object.vn };
    case 'nve':
      return { kind: 'nve', nveId: object.nveId };
    case 'member':
      return { kind: 'member', vn: object.vn, nveId: object.nveId };
    case 'host':
      return { kind: 'host', vn: object.vn, mac: object.mac };
  }
}

/** A text that is equal exactly for equal keys. */
export function keyText(key: NnpKey): string {
  switch (key.kind) {
    case 'vn':
      return `vn ${key.vn}`;
    case 'nve':
      return `nve ${key.nveId}`;
    case 'member':
      return `member ${key.vn} ${key.nveId}`;
    case 'host':
      return `host ${key.vn} ${key.mac}`;
  }
}
