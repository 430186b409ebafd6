/** The NVE's side of the session with its NVA, as a role sees it. */
import type { MacAddr, NveError, NveId, Result, TunnelEnd, VnId, VnInfo } from '#model';
import type { NnpEndpointStatus, NnpTiming, PullStatus, SubscriptionState } from '#protocol';
import type { TlsFiles } from '#tls';
import type { Clock } from '../clock.js';
import type { Attachment, AuthorizeRequest, MappingChange, NvaEndpoint, VnView } from '../types.js';

export interface NvaClientOptions {
  readonly nveId: NveId;
  /** One list, tried by priority; at least one. */
  readonly endpoints: readonly NvaEndpoint[];
  /** For endpoints with TLS: the NVE's certificate, and the authority of the NVA's. */
  readonly tls?: TlsFiles | undefined;
  /** This NVE's underlay addresses, as HELLO tells them. */
  readonly tunnels: readonly TunnelEnd[];
  /** New with every start of the agent; chosen if absent. */
  readonly instance?: string;
  /** TSIs of a former life are on their way back: until `restored` the NVA is not told that anything else is gone. */
  readonly restoring?: boolean;
  /** For tests and unusual networks. */
  readonly timing?: Partial<NnpTiming>;
  readonly clock?: Clock;
  /** From 0 up to, not including, 1; spreads the load over equal endpoints and the reconnects in time. */
  readonly random?: () => number;
}

export interface NvaClientHandlers {
  /** The session is up. Reports and subscriptions are renewed by the client itself. */
  onConnected?(session: { readonly nvaId: string; readonly epoch: string; readonly endpoint: NvaEndpoint }): void;
  /** The session is lost or could not be made; the client goes on trying. Mappings stay (fail-static). */
  onDisconnected?(error: NveError): void;
  onMapping?(change: MappingChange): void;
  /** The NVA refused an attachment after the fact (its rules changed, or another NVE was first): revoke the TSI. */
  onReportRefused?(attachment: Attachment, error: NveError): void;
}

export interface NvaEndpointStatus {
  readonly endpoint: NvaEndpoint;
  readonly state: NnpEndpointStatus['state'];
  /** How long its connection has been in this state; null: there is none. */
  readonly forMs: number | null;
  readonly nvaId: string | null;
  /** Why the last session or attempt ended. */
  readonly error: NveError | null;
}

export interface NvaStatus {
  readonly state: 'stopped' | 'connecting' | 'connected' | 'waiting';
  readonly nvaId: string | null;
  readonly epoch: string | null;
  readonly term: bigint | null;
  readonly endpoint: NvaEndpoint | null;
  readonly endpoints: readonly NvaEndpointStatus[];
  readonly subscriptions: number;
  readonly attachments: number;
  readonly vns: readonly SubscriptionState[];
  readonly pulls: PullStatus;
  /** Why the last session ended or could not be made; null while one is up. */
  readonly error: NveError | null;
  /** Frames of kinds that this release does not know. */
  readonly unknownFrames: number;
  /** Sessions that did not come about because one side did not accept the other's certificate. */
  readonly refusedCertificates: number;
}

/** None of the promises rejects: failure is a result. `deadlineMs` is relative, 5,000 by default. */
export interface NvaClientApi {
  start(): void;
  stop(): Promise<void>;
  /** Reads the files of TLS again, for sessions from now on. If it fails, what was read before stands. */
  renewTls(): Result<null>;
  status(): NvaStatus;
  /**
   * May this TSI join? While the NVA is away a verdict it gave within its time to live counts, else NVE-NNP-001. The links take turns;
   * when `signal` aborts, a question that still waits is not asked (NVE-NNP-010).
   */
  authorize(request: AuthorizeRequest, deadlineMs?: number, signal?: AbortSignal): Promise<Result<VnInfo>>;
  /** Resolves when the VN is in sync for the first time. The subscription stays when the deadline passes, not when denied. */
  subscribe(vn: VnId, deadlineMs?: number): Promise<Result<VnView>>;
  /** Forgets the VN's mappings, without an `onMapping`. */
  unsubscribe(vn: VnId): void;
  /** Resolves when the NVA has it. If the deadline passes it is still reported as soon as the NVA is back. */
  report(change: 'attach' | 'detach', attachment: Attachment, deadlineMs?: number): Promise<Result<null>>;
  /** This NVE is reached so from now on: the NVA is told, now or in the next session. */
  ends(tunnels: readonly TunnelEnd[]): void;
  /** Ends `restoring`: reports in full. */
  restored(): void;
  /** Frames go to MACs of the VN that the engine has no row of: where hosts are not pushed, the NVA is asked; what it has comes by `onMapping`. */
  missed(vn: VnId, macs: readonly MacAddr[]): void;
  /** Nothing was sent to a MAC of late: once its answer's time is over, it is not asked for again. */
  idle(vn: VnId, mac: MacAddr): void;
  /** The engine has what `onMapping` told up to this revision. */
  applied(vn: VnId, revision: bigint): void;
  /** The engine refused it; `text` reaches the NVA's log. */
  refused(vn: VnId, revision: bigint, error: NveError): void;
  view(vn: VnId): VnView | null;
}
