/**
 * What goes into and comes out of CDCP on one physical port (`CdcpBridge`, `CdcpStation`). The neighbours are those of the
 * LLDP agent on the nearest non-TPMR bridge's address.
 */
import type { CdcpPair, CdcpTlv } from '#wire';

/**
 * Which side a peer is on. Which value of the Role bit means the station is disputed, hence: `bit` believes `stationBit`;
 * `tolerant` also takes a peer for a station when it asks for an SVID with 0, and for a bridge when it answers to us with
 * the SVIDs we lacked; `assume` takes whoever has an S-VLAN component.
 */
export type CdcpPeerRole = 'bit' | 'tolerant' | 'assume';

export interface CdcpRoleOptions {
  readonly stationBit: 0 | 1;
  readonly peerRole: CdcpPeerRole;
}

export type CdcpEvent =
  /** The port has a carrier and CDCP is wanted on it. */
  | { readonly type: 'up' }
  | { readonly type: 'down' }
  /** At a bridge that begins: the channels that the station had before the restart. They are held until it is heard. */
  | { readonly type: 'restored'; readonly station: string; readonly channels: readonly CdcpPair[] }
  /** `cdcp` null: it sends no CDCP TLV. `id`: of its MSAP. */
  | { readonly type: 'neighbour'; readonly id: string; readonly cdcp: CdcpTlv | null }
  | { readonly type: 'neighbourGone'; readonly id: string }
  /** At a station: the SCIDs that it wants, besides the default channel. */
  | { readonly type: 'wants'; readonly scids: readonly number[] }
  | { readonly type: 'tick' };

export type CdcpEffect =
  /** What LLDP sends from now on, at once; null: no CDCP TLV. */
  | { readonly type: 'advertise'; readonly tlv: CdcpTlv | null }
  /** At a station: the bridge has forgotten its channels, as after a restart. LLDP repeats what it says at once. */
  | { readonly type: 'repeat' }
  | { readonly type: 'channelUp'; readonly scid: number; readonly svid: number }
  | { readonly type: 'channelDown'; readonly scid: number; readonly svid: number }
  /** At a bridge: keep it over a restart; `CdcpBridgeOptions.remembered` gives it back. */
  | { readonly type: 'remember'; readonly assignment: CdcpAssignment }
  | { readonly type: 'refused'; readonly scid: number; readonly reason: CdcpRefusal };

export type CdcpRefusal =
  /** More channels than both sides support. */
  | 'tooManyChannels'
  | 'noSvidLeft'
  /** At a station: an SVID that cannot be, or that stands for another channel. */
  | 'svidInvalid';

export interface CdcpAssignment {
  /** MSAP id of the station. */
  readonly station: string;
  readonly scid: number;
  readonly svid: number;
}

/** `holding`: the neighbour is lost, its channels stay for the grace time. */
export type CdcpState = 'down' | 'notRunning' | 'running' | 'holding';

/** The grace time is longer than the interval of LLDP: a peer that restarted hears of its neighbour within it. */
export const CDCP_DEFAULTS = { stationBit: 1, peerRole: 'tolerant', channels: 167, graceMs: 60_000 } as const;
