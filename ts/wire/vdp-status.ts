/**
 * The status octet of VDP association TLVs (IEEE 802.1Q clause 41).
 *
 * ```
 *  request:   | 0 | 0 | S    | M    | 0  0  0  0 |
 *  response:  | 0 | 1 | KEEP | HARD | error code |
 * ```
 */

const ACK = 0x40;
const SUSPENDED = 0x20;
const MIGRATING = 0x10;
const KEEP = 0x20;
const HARD = 0x10;
const CODE = 0x0f;

/** Error codes (clause 41). 6 to 15 are reserved and are kept as numbers. */
export const VDP_ERRORS = {
  success: 0,
  invalidFormat: 1,
  insufficientResources: 2,
  managerUnreachable: 3,
  otherFailure: 4,
  /** Invalid VID, GroupID or MAC. */
  invalidValue: 5,
} as const;

export interface VdpRequestStatus {
  /** The VSI's user is suspended: at the source of a migration (S). */
  readonly suspended: boolean;
  /** The VSI's user is migrating to here (M). */
  readonly migrating: boolean;
}

export interface VdpResponseStatus {
  /** Refused, but the association stays as it was. */
  readonly keep: boolean;
  /** The same command would fail again. */
  readonly hard: boolean;
  /** 0 to 15; see `VDP_ERRORS`. */
  readonly code: number;
}

export function isVdpResponse(status: number): boolean {
  return (status & ACK) !== 0;
}

/** Reserved bits are ignored on receipt. */
export function readRequestStatus(status: number): VdpRequestStatus {
  return { suspended: (status & SUSPENDED) !== 0, migrating: (status & MIGRATING) !== 0 };
}

export function readResponseStatus(status: number): VdpResponseStatus {
  return { keep: (status & KEEP) !== 0, hard: (status & HARD) !== 0, code: status & CODE };
}

export function requestStatus({ suspended = false, migrating = false }: Partial<VdpRequestStatus> = {}): number {
  return (suspended ? SUSPENDED : 0) | (migrating ? MIGRATING : 0);
}

/** Of a De-Associate that the bridge sends on its own: no response, so Req/Ack is 0. With HARD it says: do not ask again. */
export function unsolicitedStatus({ hard = false }: Partial<Pick<VdpResponseStatus, 'hard'>> = {}): number {
  return hard ? HARD : 0;
}

/** Success without arguments. */
export function responseStatus({ keep = false, hard = false, code = 0 }: Partial<VdpResponseStatus> = {}): number {
  return ACK | (keep ? KEEP : 0) | (hard ? HARD : 0) | (code & CODE);
}
