/**
 * What goes into and comes out of LLDP on one access channel and one destination address (`LldpAgent` in `lldp.ts`).
 */
import type { MacAddr } from '#model';
import type { Lldpdu, LldpId, LldpTlv } from '#wire';

export interface LldpOptions {
  /** Where LLDPDUs go: one of `GROUP_ADDRESSES`. */
  readonly address: MacAddr;
  readonly chassisId: LldpId;
  readonly portId: LldpId;
  /** msgTxInterval, 30 s by default; the TTL is four times as long and a second (802.1AB clause 9.2). */
  readonly intervalMs: number;
  /** msgFastTx and txFastInit: so often in a row after a start or for a new neighbour. */
  readonly fastIntervalMs: number;
  readonly fastCount: number;
  readonly maxNeighbours: number;
  /** Whether the neighbour is in use, as a station with VSIs is: it does not give way to a new one. Nobody is, if absent. */
  readonly isInUse?: (neighbour: { readonly id: string; readonly src: MacAddr }) => boolean;
}

export const LLDP_TIMES = { intervalMs: 30_000, fastIntervalMs: 1_000, fastCount: 4 } as const;

export type LldpEvent =
  /** The channel has a carrier and LLDP is wanted. */
  | { readonly type: 'up' }
  /** No carrier. */
  | { readonly type: 'down' }
  /** LLDP is no longer wanted: the neighbours are told. */
  | { readonly type: 'stop' }
  /** What to send after the TTL from now on; sent at once when it differs. */
  | { readonly type: 'tlvs'; readonly tlvs: readonly LldpTlv[] }
  /** To be sent at once though nothing has changed: a neighbour has lost it. */
  | { readonly type: 'repeat' }
  | { readonly type: 'received'; readonly src: MacAddr; readonly pdu: Lldpdu }
  | { readonly type: 'tick' };

export type LldpGoneReason = 'aged' | 'shutdown' | 'down' | 'displaced';

export type LldpEffect =
  | { readonly type: 'transmit'; readonly dst: MacAddr; readonly pdu: Lldpdu }
  /** A neighbour is there, or says something else than before. `id`: its MSAP. */
  | {
      readonly type: 'neighbour';
      readonly id: string;
      readonly src: MacAddr;
      readonly change: 'new' | 'changed';
      readonly pdu: Lldpdu;
    }
  | { readonly type: 'neighbourGone'; readonly id: string; readonly reason: LldpGoneReason }
  /** There are as many neighbours as are allowed, all of them in use: this one is not taken. */
  | { readonly type: 'ignored'; readonly src: MacAddr; readonly id: string };

export interface LldpStatus {
  readonly state: 'down' | 'fast' | 'slow';
  readonly neighbours: readonly { readonly id: string; readonly src: MacAddr; readonly until: number }[];
}
