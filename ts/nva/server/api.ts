/** The embedded authority, as `splitnve nva` configures it: plain values, checked by `model/config` before they come here. */
import type { HostInfo, IpAddr, MacAddr, MemberInfo, NveId, Result, VnInfo, VnName } from '#model';
import type { NnpServerLimits, NnpServerTiming, SubscriptionStatus } from '#protocol';
import type { TlsFiles } from '#tls';
import type { Clock } from '../clock.js';
import type { NvaAddress, NvaEndpoint } from '../types.js';
import type { AuthorityLimits } from './authority.js';
import type { RecordStore } from './records.js';

export interface AuthorityConfig {
  readonly nvaId: string;
  readonly vns: readonly VnInfo[];
  readonly nves: readonly NveRule[];
  /** Which TSI may join which VN: allowed if at least one rule matches, so no rule means nobody. */
  readonly tsis: readonly TsiRule[];
}

export interface NveRule {
  readonly nveId: NveId;
  /** Its registered underlay addresses; a HELLO with another one is refused. */
  readonly underlay: readonly IpAddr[];
  /** By their numbers; a HELLO with another one is refused. Absent: any. */
  readonly encaps?: readonly number[] | undefined;
  /** The VNs it may serve; absent: all. */
  readonly vns?: readonly VnName[] | undefined;
}

export interface TsiRule {
  readonly vn: VnName;
  /** A TSI id, or a pattern in which `*` stands for any characters. */
  readonly tsi: string;
  /** Every MAC of the TSI must be one of these; absent: any. */
  readonly macs?: readonly MacAddr[] | undefined;
  readonly ips?: readonly IpAddr[] | undefined;
  /** The NVEs at which it may be attached; absent: any. */
  readonly nves?: readonly NveId[] | undefined;
}

/** As of pino: fields, then text. */
export interface NvaLog {
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
}

export interface NvaServerOptions {
  readonly listen: readonly NvaAddress[];
  /** For addresses with TLS: the NVA's certificate, and the authority of the NVEs'. */
  readonly tls?: TlsFiles | undefined;
  /** Other ways to this NVA, as HELLO_ACK names them to NVEs. */
  readonly alternates?: readonly NvaEndpoint[] | undefined;
  readonly authority: AuthorityConfig;
  /** Where it remembers what it knows; without, that is gone when it ends. */
  readonly store?: RecordStore | undefined;
  /** How long the reports of an NVE whose session is lost are kept; 90,000 by default. */
  readonly holdMs?: number;
  /** How long an NVE may use a verdict without asking again, in seconds; 300 by default. */
  readonly authTtlS?: number;
  /**
   * After a start without a memory, how long an NVE that still has the mappings of an earlier start is not told to sweep them, while others
   * report; it ends as soon as all NVEs have. 30,000 by default.
   */
  readonly settleMs?: number;
  /** 1,024 by default. */
  readonly maxConnections?: number;
  readonly limits?: Partial<AuthorityLimits>;
  readonly sessionLimits?: Partial<NnpServerLimits>;
  readonly timing?: Partial<NnpServerTiming>;
  readonly clock?: Clock;
  readonly log?: NvaLog;
}

export interface VnListing {
  readonly info: VnInfo;
  readonly members: readonly MemberInfo[];
  readonly hosts: readonly HostInfo[];
}

export interface NvaSessionListing {
  readonly nveId: NveId;
  readonly upMs: number;
  /** Per VN the revisions that the NVE was sent, has received, and has in its engine. */
  readonly subscriptions: readonly SubscriptionStatus[];
}

/** Connections that did not become a session for want of a certificate that counts, and the last reason. */
export interface NvaRefusals {
  readonly count: number;
  readonly last: string | null;
}

/** `NvaServer.create(options)` makes one; it fails if the configuration contradicts itself. */
export interface NvaServerApi {
  /** Binds every address, or none of them. Gives the real addresses (port 0 is replaced by the chosen one). */
  listen(): Promise<Result<readonly NvaAddress[]>>;
  /** Asks the NVEs to go elsewhere, and resolves when all have, or `graceMs` have passed. New sessions are refused from now on. */
  drain(reason: string, graceMs: number): Promise<void>;
  close(): Promise<void>;
  /** Reads the files of TLS again, for sessions from now on. If it fails, what was read before stands. */
  renewTls(): Result<null>;
  /** Creates a VN, or changes the one of that name. Under another id it is another VN: the old one is deleted. */
  putVn(info: VnInfo): Result<null>;
  /** Deletes a VN with all that is attached to it; subscribers are told. */
  deleteVn(name: VnName): Result<null>;
  /** Resolves when all that was changed before is on disk; NVE-STO-005 if it is not yet: it is tried again. */
  written(): Promise<Result<null>>;
  list(): VnListing[];
  /** The NVEs that have a session now. */
  sessions(): NvaSessionListing[];
  refusals(): NvaRefusals;
}
