/**
 * What stands behind the sessions of an NVA: the embedded authority, or an adapter to another one. Every method answers at
 * once from memory; nothing here waits.
 */
import type { HostInfo, MacAddr, NveId, Result, TunnelEnd, VnId, VnInfo } from '#model';
import type { NnpAttachment, NnpOp, NnpReject } from '#wire';
import type { AuthorizeRequest } from './nnp-types.js';

/** Ops up to and including `revision`, whole revisions only. */
export interface NnpChanges {
  readonly revision: bigint;
  readonly ops: readonly NnpOp[];
}

export interface NnpAuthority {
  readonly nvaId: string;
  /** Revisions compare only within an epoch. */
  readonly epoch: string;
  readonly term: bigint;
  /** How long the reports of an NVE are kept after its session. */
  readonly holdMs: number;
  /** Of the latest change. */
  readonly revision: bigint;
  /** May this NVE have a session, with these underlay addresses? If so its session begins. */
  hello(nveId: NveId, tunnels: readonly TunnelEnd[], now: number): Result<null>;
  /** The NVE of a session is reached in another way now. The rules are those of `hello`. */
  ends(nveId: NveId, tunnels: readonly TunnelEnd[]): Result<null>;
  /** May this TSI join? `ttlS`: how long the verdict may be used without asking again. */
  authorize(nveId: NveId, request: AuthorizeRequest): { readonly result: Result<VnInfo>; readonly ttlS: number };
  /** May this NVE have the mappings of the VN? */
  maySubscribe(nveId: NveId, vn: VnId): Result<null>;
  /** Takes what may be taken, and says what not. */
  report(nveId: NveId, mode: 'delta' | 'full' | 'part', items: readonly NnpAttachment[], now: number): NnpReject[];
  /** The hosts of the VN are not pushed: NVEs ask for those that they need. */
  isPulled(vn: VnId): boolean;
  /** Null: there is no such host. */
  host(vn: VnId, mac: MacAddr): HostInfo | null;
  /** All objects of a VN as they are now. */
  snapshot(vn: VnId): NnpChanges;
  /**
   * What changed in a VN after `from`, about `maxOps` of it; no ops: nothing changed. Null: that is no longer known, a
   * snapshot is needed.
   */
  changes(vn: VnId, from: bigint, maxOps: number): NnpChanges | null;
  /**
   * After a restart the NVA knows little: until this time on the clock of `now` an NVE that still has the mappings of the
   * NVA's former life had better not sweep them. Null: there is no reason to wait (any more).
   */
  settlesAt(now: number): number | null;
}
