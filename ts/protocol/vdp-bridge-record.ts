/** One VSI as the bridge keeps it: its state, the association that holds, the command at work. Only data. */

import type { IpAddr, NveError, TsiHints, TsiKey, Vid } from '#model';
import { type Hex, type QualifiedAssociation, readRequestStatus, type VdpAssociation, type VdpCommand } from '#wire';
import type { RequestId } from './tsi-events.js';
import { ACTIVATED, ASSOCIATED } from './tsi-record.js';
import { type VdpBridgeState, type VdpPeer, vsiText } from './vdp-events.js';
import type { TsiWant } from './vdp-mapping.js';
import type { VdpLevel } from './vdp-tsis.js';

/** An association that was granted. */
export interface Held {
  readonly managerId: Hex;
  /** With the VIDs that were given. */
  readonly association: VdpAssociation;
  readonly wants: readonly TsiWant[];
  readonly ips: readonly IpAddr[];
  hints: TsiHints;
}

/** A command that waits for the TSI life cycle. */
export interface Job {
  managerId: Hex;
  qualified: QualifiedAssociation;
  readonly wants: readonly TsiWant[];
  readonly waiting: Map<RequestId, TsiWant | null>;
  /** What was given so far, by TSI id. */
  readonly vids: Map<string, Vid>;
  /** `raise` what it wants, then `lower` what it wants less of. */
  stage: 'raise' | 'lower';
  readonly since: number;
}

export interface VsiRecord {
  /** Unique among all VSIs of the bridge. */
  readonly key: string;
  readonly peer: VdpPeer;
  readonly vsi: string;
  state: VdpBridgeState;
  held: Held | null;
  job: Job | null;
  /** All TSIs that may be there because of this VSI. */
  readonly touched: Map<string, TsiKey>;
  /** Requests that bring back what `held` says, after a refusal. */
  readonly restoring: Set<RequestId>;
  /** When the station was heard last. */
  heardAt: number;
  /** Since when its port has been down. */
  downAt: number | null;
  name: string | null;
  vmUuid: Hex | null;
  /** Why its last command was refused; null once one was granted. */
  error: NveError | null;
}

export function newVsiRecord(key: string, peer: VdpPeer, association: VdpAssociation, now: number): VsiRecord {
  return {
    key,
    peer,
    vsi: vsiText(association),
    state: 'init',
    held: null,
    job: null,
    touched: new Map(),
    restoring: new Set(),
    heardAt: now,
    downAt: null,
    name: null,
    vmUuid: null,
    error: null,
  };
}

/** RFC 8394 section 5: Pre-Associate is Associate, Associate is Activate. */
export function levelOfCommand(command: VdpCommand): VdpLevel {
  return command === 'associate' ? ACTIVATED : ASSOCIATED;
}

export function hintsOf({ status }: VdpAssociation): TsiHints {
  const { suspended, migrating } = readRequestStatus(status);
  return { suspended, migrating };
}

/** For logs: `associate` of a suspended VM and the like. */
export function commandText(association: VdpAssociation): string {
  const { suspended, migrating } = hintsOf(association);
  return `${association.command}${migrating ? ', migrating to here' : ''}${suspended ? ', suspended' : ''}`;
}
