/** What goes into and comes out of VDP's station side (`VdpStation`): one access channel of a hypervisor, with one bridge. */
import type { NveError, Result, TsiHints, Vid } from '#model';
import type { Hex, VdpAssociation, VdpCommand, VdpFilterEntry, VdpOuiTlv, VdpPdu } from '#wire';
import type { EvbParameters } from './evb-events.js';
import type { RequestId } from './tsi-events.js';
import type { VsiId } from './vdp-events.js';

/** A VSI as the hypervisor describes it. */
export interface StationVsi extends VsiId {
  /** 16 octets. */
  readonly managerId: Hex;
  readonly typeId: number;
  readonly typeVersion: number;
  readonly filterFormat: number;
  /** A VID of 0 lets the NVE choose. */
  readonly entries: readonly VdpFilterEntry[];
  /** Organizationally specific TLVs about it. */
  readonly qualifiers: readonly VdpOuiTlv[];
}

export type StationCommand = Exclude<VdpCommand, 'deAssociate'>;

export type VdpStationEvent =
  | {
      readonly type: 'associate';
      readonly request: RequestId;
      readonly command: StationCommand;
      readonly vsi: StationVsi;
      readonly hints: TsiHints;
    }
  | { readonly type: 'deAssociate'; readonly request: RequestId; readonly vsi: VsiId }
  | { readonly type: 'pdu'; readonly pdu: VdpPdu }
  /** ECP has delivered the PDU of a `send`, or gave it up. The next one comes after that. */
  | { readonly type: 'delivered' | 'undelivered'; readonly token: number }
  | { readonly type: 'parameters'; readonly parameters: EvbParameters }
  | { readonly type: 'down' }
  /** The channel is back: what is held is told again at once, since the bridge may have forgotten it. */
  | { readonly type: 'up' }
  | { readonly type: 'tick' };

export interface StationAssociation {
  /** With the VIDs and the PCP that the NVE gave. */
  readonly association: VdpAssociation;
  /** Of the entries, in their order. */
  readonly vids: readonly Vid[];
}

export type VdpStationEffect =
  /** To be given to ECP; the token comes back in `delivered` or `undelivered`. */
  | { readonly type: 'send'; readonly token: number; readonly pdu: VdpPdu }
  /** The command is done; null after a de-association. */
  | { readonly type: 'answer'; readonly request: RequestId; readonly result: Result<StationAssociation | null> }
  /** An association ended without a command: the NVE ended it, or is not heard any more. `retry`: asking again may help. */
  | { readonly type: 'ended'; readonly vsi: VsiId; readonly error: NveError; readonly retry: boolean }
  | {
      readonly type: 'log';
      readonly vsi: string;
      readonly from: VdpStationState;
      readonly to: VdpStationState;
      readonly cause: string;
      readonly error: NveError | null;
    };

/** The states of `vdp-station-machine.ts`; a VSI in `init` has no record. */
export const VDP_STATION_STATES = ['init', 'waiting', 'associated', 'keepAlive', 'leaving'] as const;
export type VdpStationState = (typeof VDP_STATION_STATES)[number];
