/** What goes into and comes out of `NnpClient`. */
import type { MacAddr, NveError, NveId, Result, TunnelEnd, VnId, VnInfo } from '#model';
import type { NnpFrame } from '#wire';
import type { NnpEndpoint } from './nnp-endpoints.js';
import type { LinkId } from './nnp-link.js';
import type { PullStatus } from './nnp-pulls.js';
import type { SubscriptionState } from './nnp-subscription.js';
import type { Attachment, AuthorizeRequest, MappingChange, VnView } from './nnp-types.js';

export interface NnpTiming {
  /** From dialling to the transport, its certificates included. */
  readonly dialMs: number;
  /** From there to HELLO_ACK. */
  readonly helloMs: number;
  /** Silence after which a PING is sent. */
  readonly pingMs: number;
  /** Silence after which the peer is dead. */
  readonly deadMs: number;
  /** How long the peer may take for SUB_ACK and REPORT_ACK before the session is given up. */
  readonly replyMs: number;
  /** Back-off between rounds over the endpoints: doubles from the first to the second. */
  readonly backoffMinMs: number;
  readonly backoffMaxMs: number;
  /** A session that lasted this long was a good one: the back-off begins anew. */
  readonly stableMs: number;
  /** How long a session at a better endpoint must be up before it takes over. */
  readonly failbackMs: number;
}

export const DEFAULT_TIMING: NnpTiming = {
  dialMs: 2_000,
  helloMs: 5_000,
  pingMs: 3_000,
  deadMs: 10_000,
  replyMs: 10_000,
  backoffMinMs: 200,
  backoffMaxMs: 30_000,
  stableMs: 10_000,
  failbackMs: 60_000,
};

export interface NnpClientOptions {
  readonly nveId: NveId;
  /** New with every start of the agent. */
  readonly instance: string;
  /** Where this NVE is reached, until an `ends` says otherwise. */
  readonly tunnels: readonly TunnelEnd[];
  readonly endpoints: readonly NnpEndpoint[];
  /** From 0 up to, not including, 1. */
  readonly random: () => number;
  /** The NVE had TSIs attached in a former life: no full report before `restored`. */
  readonly restoring?: boolean;
  readonly timing?: Partial<NnpTiming>;
}

/** Chosen by the caller for each call; comes back in `done`. */
export type CallId = number;

export type NnpClientEvent =
  | { readonly type: 'start' }
  | { readonly type: 'stop' }
  // Of a transport that `dial` made. After its `close` nothing of it may arrive.
  | { readonly type: 'open'; readonly link: LinkId }
  | { readonly type: 'closed'; readonly link: LinkId; readonly cause: NveError | string }
  | { readonly type: 'frame'; readonly link: LinkId; readonly frame: NnpFrame }
  /** The bytes are not NNP. */
  | { readonly type: 'garbled'; readonly link: LinkId; readonly error: NveError }
  | { readonly type: 'tick' }
  /** All that was attached in a former life is back, or gone: report in full. */
  | { readonly type: 'restored' }
  /** This NVE is reached so from now on. */
  | { readonly type: 'ends'; readonly tunnels: readonly TunnelEnd[] }
  // Calls. `deadlineMs` is relative.
  | {
      readonly type: 'authorize';
      readonly call: CallId;
      readonly request: AuthorizeRequest;
      readonly deadlineMs: number;
    }
  /** Nobody wants the verdict any more: it is not asked for, unless it is already. */
  | { readonly type: 'callOff'; readonly call: CallId }
  | { readonly type: 'subscribe'; readonly call: CallId; readonly vn: VnId; readonly deadlineMs: number }
  | { readonly type: 'unsubscribe'; readonly vn: VnId }
  | {
      readonly type: 'report';
      readonly call: CallId;
      readonly change: 'attach' | 'detach';
      readonly attachment: Attachment;
      readonly deadlineMs: number;
    }
  /** Frames to MACs of the VN that the engine has no row of. */
  | { readonly type: 'miss'; readonly vn: VnId; readonly macs: readonly MacAddr[] }
  /** Nothing was sent to a MAC of late. */
  | { readonly type: 'idle'; readonly vn: VnId; readonly mac: MacAddr }
  | { readonly type: 'applied'; readonly vn: VnId; readonly revision: bigint }
  | { readonly type: 'refused'; readonly vn: VnId; readonly revision: bigint; readonly error: NveError };

export type NnpClientEffect =
  /** Make a transport to that endpoint; `open` or `closed` follows. */
  | { readonly type: 'dial'; readonly link: LinkId; readonly endpoint: NnpEndpoint }
  | { readonly type: 'send'; readonly link: LinkId; readonly frame: NnpFrame }
  /** Send what is queued, then end the transport. */
  | { readonly type: 'close'; readonly link: LinkId }
  /** Also when another session takes over: without `disconnected` before it nothing was lost. */
  | { readonly type: 'connected'; readonly nvaId: string; readonly epoch: string; readonly endpoint: NnpEndpoint }
  | { readonly type: 'disconnected'; readonly error: NveError }
  | { readonly type: 'mapping'; readonly change: MappingChange }
  | { readonly type: 'done'; readonly call: CallId; readonly result: Result<VnInfo | VnView | null> }
  | { readonly type: 'reportRefused'; readonly attachment: Attachment; readonly error: NveError };

export interface NnpEndpointStatus {
  readonly endpoint: NnpEndpoint;
  /**
   * `active`: it carries everything; `leaving`: so far, the NVA asked to go elsewhere; `retiring`: until the active one is in sync;
   * `standby`: up, to take over if it stays so; `idle`: no connection now.
   */
  readonly state: 'active' | 'leaving' | 'retiring' | 'standby' | 'connecting' | 'idle';
  /** When the state of its connection began, on the clock of `handle`; null: there is none. */
  readonly since: number | null;
  readonly nvaId: string | null;
  /** Why the last session or attempt ended. */
  readonly error: NveError | null;
}

export interface NnpClientStatus {
  readonly state: 'stopped' | 'connecting' | 'connected' | 'waiting';
  readonly nvaId: string | null;
  readonly epoch: string | null;
  readonly term: bigint | null;
  /** Of the active session, or of the one that is coming. */
  readonly endpoint: NnpEndpoint | null;
  readonly endpoints: readonly NnpEndpointStatus[];
  readonly subscriptions: number;
  readonly attachments: number;
  readonly vns: readonly SubscriptionState[];
  readonly pulls: PullStatus;
  /** Why the last session ended or could not be made. */
  readonly error: NveError | null;
  /** Frames of kinds that this release does not know. */
  readonly unknownFrames: number;
  /** Sessions that did not come about because one side did not accept the other's certificate. */
  readonly refusedCertificates: number;
}
