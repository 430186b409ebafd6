/**
 * What goes into and comes out of VDP's bridge side (`VdpBridge`), and the names that both sides share. The role executes
 * the effects in their order and hands answers back as events. Times are milliseconds.
 */
import type { LinkName, MacAddr, NveError, Result, TsiHints, TsiKey, TsiRow, Vid } from '#model';
import { type Hex, type VdpAssociation, type VdpPdu, VSIID_FORMATS } from '#wire';
import type { EvbParameters } from './evb-events.js';
import type { RequestId, TsiEvent } from './tsi-events.js';

/** An access channel: a port, or one S-channel of it. */
export interface VdpChannel {
  readonly port: LinkName;
  /** Null: the untagged default channel. */
  readonly svid: Vid | null;
}

/** A station: several may be behind one port (RFC 8394 requirement 2). */
export interface VdpPeer extends VdpChannel {
  readonly mac: MacAddr;
}

export interface VsiId {
  readonly vsiidFormat: number;
  readonly vsiid: Hex;
}

export type VdpBridgeEvent =
  /** A PDU that ECP has delivered. */
  | { readonly type: 'pdu'; readonly peer: VdpPeer; readonly pdu: VdpPdu }
  /** ECP has delivered the PDU of a `send`, or gave it up. The next one for the peer comes after that. */
  | { readonly type: 'delivered' | 'undelivered'; readonly token: number }
  /** The answer to a request of `tsi`. */
  | { readonly type: 'tsiAnswer'; readonly request: RequestId; readonly result: Result<TsiRow | null> }
  /**
   * The NVE side has ended a TSI: the NVA withdrew it, its VN was deleted (effect `ended` of `TsiTable`). `final`: asking again would only
   * take a TSI back that moved.
   */
  | { readonly type: 'tsiEnded'; readonly key: TsiKey; readonly error: NveError; readonly final?: boolean }
  /** Operational values of EVB; `mac` null: of all peers of the channel that have none of their own. Null: no own ones any more. */
  | {
      readonly type: 'parameters';
      readonly channel: VdpChannel;
      readonly mac: MacAddr | null;
      readonly parameters: EvbParameters | null;
    }
  | { readonly type: 'portDown'; readonly port: LinkName }
  | { readonly type: 'portUp'; readonly port: LinkName }
  /** An operator ends associations. */
  | { readonly type: 'revoke'; readonly scope: VdpRevokeScope; readonly reason: string }
  | { readonly type: 'tick' };

export type VdpRevokeScope =
  | { readonly peer: VdpPeer; readonly vsi: VsiId }
  | { readonly peer: VdpPeer }
  | { readonly channel: VdpChannel }
  | { readonly port: LinkName };

/** What VDP asks of the TSI life cycle. */
export type TsiCommand = Extract<TsiEvent, { request: RequestId }>;

export type VdpBridgeEffect =
  /** To be given to ECP; the token comes back in `delivered` or `undelivered`. */
  | { readonly type: 'send'; readonly peer: VdpPeer; readonly token: number; readonly pdu: VdpPdu }
  /** For `TsiTable`; answer with `tsiAnswer` (an `expire` has none of its own). */
  | { readonly type: 'tsi'; readonly command: TsiCommand }
  /** A state changed, or a command was refused (RFC 8394 section 6: log every state change). */
  | {
      readonly type: 'log';
      readonly peer: VdpPeer;
      readonly vsi: string;
      readonly from: VdpBridgeState;
      readonly to: VdpBridgeState;
      readonly cause: string;
      readonly error: NveError | null;
    };

/** The states of `vdp-bridge-machine.ts`; a VSI in `init` has no record. */
export const VDP_BRIDGE_STATES = ['init', 'processing', 'reprocessing', 'associated', 'releasing'] as const;
export type VdpBridgeState = (typeof VDP_BRIDGE_STATES)[number];

/** What `vdp show` prints of one VSI. */
export interface VdpVsiRow {
  /** Unique among all VSIs, and what the rows are ordered by. */
  readonly key: string;
  readonly port: LinkName;
  readonly svid: Vid | null;
  readonly station: MacAddr;
  readonly vsi: string;
  /** The VM's name, where the station tells it (Cisco's TLV 0xF1). */
  readonly name: string | null;
  /** 16 octets, from the same TLV. */
  readonly vmUuid: Hex | null;
  /** `refused`: there is no VSI, its first command was refused a while ago. */
  readonly state: VdpBridgeState | 'refused';
  /** Of the association, or of the command at work. */
  readonly managerId: Hex | null;
  readonly hints: TsiHints;
  /** What EVB has agreed with the station. */
  readonly parameters: EvbParameters;
  /** Why its last command was refused; null once one was granted. */
  readonly error: NveError | null;
  /** The association that holds, with the VIDs that were given; null: none yet. Of a refused VSI what it has asked for. */
  readonly association: VdpAssociation | null;
  readonly tsis: readonly TsiKey[];
  /** When the station was heard last, in milliseconds. */
  readonly heardAt: number;
}

export function channelText({ port, svid }: VdpChannel): string {
  return svid === null ? port : `${port}.${svid}`;
}

export function peerText(peer: VdpPeer): string {
  return `${channelText(peer)} ${peer.mac}`;
}

/** What a VSIID of local format may say in ASCII, closed with zeros; without "/", which begins a TSI's VNI. */
const LOCAL_TEXT = /^(?:[A-Za-z0-9_][A-Za-z0-9_.:@-]{0,15})$/;

/** As people write it: a UUID, a MAC, an IPv4 address, a local name; otherwise hexadecimal. */
export function vsiText({ vsiidFormat, vsiid }: VsiId): string {
  switch (vsiidFormat) {
    case VSIID_FORMATS.uuid:
      return [vsiid.slice(0, 8), vsiid.slice(8, 12), vsiid.slice(12, 16), vsiid.slice(16, 20), vsiid.slice(20)].join(
        '-',
      );
    case VSIID_FORMATS.mac:
      return (vsiid.slice(20).match(/../g) ?? []).join(':');
    case VSIID_FORMATS.ipv4:
      return (vsiid.slice(24).match(/../g) ?? []).map((octet) => Number.parseInt(octet, 16)).join('.');
    case VSIID_FORMATS.local: {
      const text = (vsiid.replace(/(?:00)*$/, '').match(/../g) ?? [])
        .map((octet) => String.fromCharCode(Number.parseInt(octet, 16)))
        .join('');
      return LOCAL_TEXT.test(text) ? text : vsiid;
    }
    default:
      return vsiid;
  }
}

/** Different for different VSIs of one peer, also where their texts are the same. */
export function vsiKey({ vsiidFormat, vsiid }: VsiId): string {
  return `${vsiidFormat}:${vsiid}`;
}
