/**
 * What goes into and comes out of ECP on one access channel (`EcpChannel` in `ecp.ts`): a port, or one S-channel of it. The
 * role adds the channel's own MAC and its tags to what is transmitted. Times are milliseconds, possibly with fractions.
 */
import type { MacAddr, NveError } from '#model';
import type { EcpPdu } from '#wire';

/** Chosen by whoever sends; comes back in `acknowledged` or `failed`. Unique among the unfinished. */
export type EcpToken = number;

/** Operational values of EVB (`EvbOperational`); see IEEE 802.1Q clause 43. */
export interface EcpParameters {
  /** R, 0 to 7: how often a PDU is sent again after its first time. */
  readonly retries: number;
  /** RTE, 0 to 31: an acknowledgement is waited for 10 µs · 2^RTE. */
  readonly rte: number;
}

export type EcpResetReason = 'carrierLost' | 'neighbourChanged' | 'evbReinit';

export type EcpEvent =
  | { readonly type: 'received'; readonly src: MacAddr; readonly dst: MacAddr; readonly pdu: EcpPdu }
  /** `peer`: null at a station that does not know its bridge yet. */
  | {
      readonly type: 'send';
      readonly peer: MacAddr | null;
      readonly token: EcpToken;
      readonly subtype: number;
      readonly payload: Uint8Array;
    }
  /** `peer` null: of all that have none of their own. */
  | { readonly type: 'parameters'; readonly peer: MacAddr | null; readonly parameters: EcpParameters }
  /** The peer has none of its own any more. */
  | { readonly type: 'parametersGone'; readonly peer: MacAddr }
  /** At a station: the bridge is this one (its EVB TLV said so); frames of others are dropped. */
  | { readonly type: 'bind'; readonly peer: MacAddr }
  /** `peer` null: all. What a reset forgets is said at `EcpChannel`. */
  | { readonly type: 'reset'; readonly peer: MacAddr | null; readonly reason: EcpResetReason }
  | { readonly type: 'tick' };

export type EcpEffect =
  | { readonly type: 'transmit'; readonly dst: MacAddr; readonly pdu: EcpPdu }
  /** The payload of a request that was not seen before. */
  | { readonly type: 'deliver'; readonly peer: MacAddr; readonly subtype: number; readonly payload: Uint8Array }
  | { readonly type: 'acknowledged'; readonly peer: MacAddr | null; readonly token: EcpToken }
  /** The PDU will not arrive: never acknowledged, reset, or there was no room for it. */
  | { readonly type: 'failed'; readonly peer: MacAddr | null; readonly token: EcpToken; readonly error: NveError }
  | { readonly type: 'dropped'; readonly peer: MacAddr; readonly reason: EcpDropReason };

export type EcpDropReason =
  /** Already delivered, and acknowledged again. */
  | 'duplicate'
  | 'unknownSubtype'
  /** An acknowledgement of what is not outstanding. */
  | 'strayAck'
  /** At a station: not from its bridge. */
  | 'notOurPeer'
  | 'tooManyPeers';

export interface EcpOptions {
  readonly role: 'bridge' | 'station';
  /** Where requests go to as long as nothing else is known: a group address, or a configured unicast one. */
  readonly address: MacAddr;
  /**
   * Whether requests go to the peer's own address: `auto` does so where the peer itself does, and where a second peer is
   * on the channel, which would else take PDUs of the first for its own.
   */
  readonly unicast: 'auto' | 'always' | 'never';
  readonly parameters: EcpParameters;
  /** 1 to 65535, random: a peer that outlived us must not take our first PDU for the last one that it saw. */
  readonly firstSequence: number;
  /** Subtypes to deliver. */
  readonly subtypes: readonly number[];
  readonly maxPeers: number;
  /**
   * Whether the peer is in use, as a station with VSIs is. Where many MACs send, nobody else's place is safe: who is not in
   * use gives way to who speaks now, even with a PDU under way. Nobody is, if absent.
   */
  readonly isInUse?: (peer: MacAddr) => boolean;
  /** PDUs of one peer that wait for their turn. */
  readonly maxQueue: number;
}

/** What has been said with one peer since it was heard first. PDUs, not acknowledgements. */
export interface EcpPeerCounters {
  /** Each once, however often it was sent. */
  sent: number;
  /** Of these sent again, each time. */
  retried: number;
  /** Of these given up, as nobody acknowledged them (NVE-ECP-001). */
  timedOut: number;
  /** Each once. */
  received: number;
  /** What was received again, each time. */
  duplicates: number;
}

export interface EcpPeerStatus {
  /** null: a station's bridge that has not been heard. */
  readonly peer: MacAddr | null;
  readonly queued: number;
  readonly outstanding: number | null;
  readonly lastReceived: number | null;
}
