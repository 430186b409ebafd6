/**
 * What goes into and comes out of EVB on one access channel (`EvbBridge`, `EvbStation`). The neighbours are the LLDP agent's
 * (`lldp-events.ts`); the operational values go to ECP and VDP.
 */
import type { MacAddr } from '#model';
import type { EvbTlv } from '#wire';
import type { EcpResetReason } from './ecp-events.js';

/** What one side offers; each operational number is the greater of both sides' (IEEE 802.1Q clause D.2.12). */
export interface EvbParameters {
  /** R, 0 to 7. */
  readonly retries: number;
  /** RTE, 0 to 31, as an exponent of 10 µs · 2^x; so are RWD and RKA. */
  readonly rte: number;
  readonly rwd: number;
  readonly rka: number;
}

/** What ECP and VDP run with towards one peer. */
export interface EvbOperational extends EvbParameters {
  /** Whether filter formats with GroupID may be used: both sides said so. */
  readonly groupId: boolean;
  readonly reflectiveRelay: boolean;
  /** `local`: nothing was heard of a peer, our own values hold. */
  readonly source: 'local' | 'negotiated';
}

export type EvbEvent =
  /** The channel has a carrier and EVB is wanted on it. */
  | { readonly type: 'up' }
  | { readonly type: 'down' }
  /** An LLDP neighbour is there or has changed. `evb` null: it sends no EVB TLV. `id`: of its MSAP. */
  | { readonly type: 'neighbour'; readonly id: string; readonly mac: MacAddr; readonly evb: EvbTlv | null }
  | { readonly type: 'neighbourGone'; readonly id: string }
  /** At a station: reflective relay is wanted or no longer. At a bridge: may be granted or no longer. */
  | { readonly type: 'reflectiveRelay'; readonly on: boolean }
  | { readonly type: 'tick' };

export type EvbEffect =
  /** What LLDP sends from now on, at once; null: no EVB TLV. */
  | { readonly type: 'advertise'; readonly tlv: EvbTlv | null }
  /** `peer` null: what holds for every peer without values of its own. */
  | { readonly type: 'operational'; readonly peer: MacAddr | null; readonly value: EvbOperational }
  /** The peer has no values of its own any more. */
  | { readonly type: 'peerGone'; readonly peer: MacAddr }
  /** ECP forgets the sequence number that it saw last (clause 43 and the peer's restart). */
  | { readonly type: 'ecpReset'; readonly peer: MacAddr; readonly reason: EcpResetReason }
  /** Bridge: the port sends frames back to where they came from, or no longer. */
  | { readonly type: 'reflectiveRelay'; readonly on: boolean };
