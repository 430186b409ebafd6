/**
 * One physical access port's control plane below VDP, at either end: its channels, and CDCP, which says which S-channels there are. Octets
 * come in and go out here; the tag of a frame says which channel's it is. Sans-IO: what comes of an event is handed to the
 * outputs before the call returns, and time is an argument.
 *
 * ```
 *   frame ─► untagged, to the nearest non-TPMR bridge ─► AccessCdcp ─► which S-channels there are
 *            untagged ─────────────────────────────────► AccessChannel null, the default channel
 *            S-TAG of a channel ───────────────────────► AccessChannel SVID
 *            any other tag ────────────────────────────► dropped
 * ```
 */
import type { AgentDropReason, LinkName, MacAddr, NveError, Vid } from '#model';
import { type CdcpPair, type FilterFormats, GROUP_ADDRESSES, type VdpPdu } from '#wire';
import { AccessCdcp, type SChannel } from './access-cdcp.js';
import { AccessChannel, type AccessPeer, type PeerAddress } from './access-channel.js';
import { badReason } from './access-drops.js';
import { type AccessFrame, channelOf, decodeAccessFrame, encodeAccessFrame } from './access-frames.js';
import type { CdcpBridge } from './cdcp-bridge.js';
import type { CdcpAssignment } from './cdcp-events.js';
import type { CdcpStation } from './cdcp-station.js';
import { Deadlines } from './deadlines.js';
import type { EvbOperational, EvbParameters } from './evb-events.js';
import { channelText } from './vdp-events.js';

/** What happens because of a port; `svid` null: on the default channel. None of these may come back into the port before it has returned. */
export interface AccessPortOutputs {
  transmit(frame: Uint8Array): void;
  /** A VDP PDU of a peer: of a station, or of a station's bridge. */
  deliver(svid: Vid | null, peer: MacAddr, pdu: VdpPdu): void;
  /** What was sent with this token has arrived, or will not. */
  finished(token: number, delivered: boolean): void;
  /** What VDP's timers follow from; `peer` null: those of all peers without their own. Null: it has none of its own any more. */
  parameters(svid: Vid | null, peer: MacAddr | null, parameters: EvbOperational | null): void;
  /** The peer began anew, or is another one now: it may have forgotten what it knew. */
  renewed(svid: Vid | null, peer: MacAddr): void;
  /** At a bridge: frames of the channel go back to where they came from, or no longer. */
  reflectiveRelay(svid: Vid | null, on: boolean): void;
  /** An S-channel is there, or is gone for good. */
  channel(channel: SChannel, isUp: boolean): void;
  /** At a bridge, to be kept: `CdcpBridgeOptions.remembered` gives it back after a restart. */
  remember(assignment: CdcpAssignment): void;
  /** A frame, or what a machine wanted to send, is lost: the reason to count it under, and what is known. */
  dropped(reason: AgentDropReason, error: NveError | null): void;
}

export interface AccessPortOptions {
  /** A bridge serves many stations; a station has one bridge. */
  readonly role: 'bridge' | 'station';
  readonly name: LinkName;
  readonly mac: MacAddr;
  /** The node's name: by it neighbours know two ports for one node's. */
  readonly node: string;
  readonly evb: EvbParameters;
  /** The filter formats that VDP understands; absent: the standard's. */
  readonly formats?: FilterFormats | undefined;
  /** At a bridge: stations may have it when they ask; at a station: ask for it. */
  readonly reflectiveRelay: boolean;
  /** Where peers of the default channel are spoken to. Within an S-channel there is no bridge between. */
  readonly address: PeerAddress;
  /** Who says which S-channels there are; null: there are none. */
  readonly cdcp: CdcpBridge | CdcpStation | null;
  /** For each new channel another number, 1 to 65535, random. */
  readonly firstSequence: () => number;
  /** Whether the peer has VSIs: it keeps its place when others flood the channel. */
  readonly hasVsis: (svid: Vid | null, peer: MacAddr) => boolean;
}

const CDCP = 'cdcp';
const NEAREST_CUSTOMER_BRIDGE: PeerAddress = { group: GROUP_ADDRESSES.nearestCustomerBridge };

export class AccessPort {
  readonly #options: AccessPortOptions;
  readonly #outputs: AccessPortOutputs;
  readonly #cdcp: AccessCdcp | null;
  readonly #channels = new Map<Vid | null, AccessChannel>();
  readonly #deadlines = new Deadlines();
  #isUp = false;

  constructor(options: AccessPortOptions, outputs: AccessPortOutputs) {
    this.#options = options;
    this.#outputs = outputs;
    const { name: link, mac, node, cdcp, address } = options;
    this.#channels.set(null, this.#channel(null, address));
    const made = { link, mac, node };
    this.#cdcp =
      cdcp === null
        ? null
        : new AccessCdcp(
            { ...made, cdcp },
            {
              transmit: (frame) => this.#transmit(frame),
              channel: (channel, isUp, now) => this.#channelChanged(channel, isUp, now),
              remember: (assignment) => outputs.remember(assignment),
              dropped: (reason, error) => outputs.dropped(reason, error),
            },
          );
  }

  /** At a bridge, before all else: the channels that the station had before a restart. They are there at once, until it is heard. */
  restore(station: string, channels: readonly CdcpPair[], now: number): void {
    this.#toCdcp((cdcp) => cdcp.restore(station, channels, now));
  }

  /** The port has a carrier. Telling it again does nothing. */
  up(now: number): void {
    this.#isUp = true;
    this.#toCdcp((cdcp) => cdcp.up(now));
    for (const svid of [...this.#channels.keys()]) this.#toChannel(svid, (channel) => channel.up(now));
  }

  /** S-channels outlive the carrier for a while (`CdcpBridgeOptions.graceMs`). */
  down(now: number): void {
    this.#isUp = false;
    this.#toCdcp((cdcp) => cdcp.down(now));
    for (const svid of [...this.#channels.keys()]) this.#toChannel(svid, (channel) => channel.down(now));
  }

  received(octets: Uint8Array, now: number): void {
    const frame = decodeAccessFrame(octets);
    if (!frame.ok) {
      this.#outputs.dropped(badReason(frame.error), frame.error);
      return;
    }
    const svid = channelOf(frame.value) as Vid | null | undefined;
    if (svid === undefined || (svid !== null && this.#cdcp === null)) {
      // A tenant's tag.
      this.#outputs.dropped('control_tagged', null);
    } else if (!this.#channels.has(svid)) {
      this.#outputs.dropped('control_unknown_channel', null);
    } else if (this.#cdcp !== null && isCdcp(frame.value)) {
      const { value } = frame;
      this.#toCdcp((cdcp) => cdcp.received(value, now));
    } else {
      this.#toChannel(svid, (channel) => channel.received(frame.value, now));
    }
  }

  /** A VDP PDU for a peer; `finished` follows. */
  send(svid: Vid | null, peer: MacAddr, token: number, pdu: VdpPdu, now: number): void {
    if (this.#channels.has(svid)) {
      this.#toChannel(svid, (channel) => channel.send(peer, token, pdu, now));
      return;
    }
    this.#outputs.dropped('channel_gone', null);
    this.#outputs.finished(token, false);
  }

  /** At a station: the S-channels that it wants from now on, by their SCIDs. */
  want(scids: readonly number[], now: number): void {
    this.#toCdcp((cdcp) => cdcp.want(scids, now));
  }

  tick(now: number): void {
    for (const key of this.#deadlines.take(now)) {
      if (key === CDCP) this.#toCdcp((cdcp) => cdcp.tick(now));
      else this.#toChannel(svidOf(key), (channel) => channel.tick(now));
    }
  }

  nextDeadline(): number | null {
    return this.#deadlines.next();
  }

  /** Of all channels. */
  peers(): (AccessPeer & { readonly svid: Vid | null })[] {
    return [...this.#channels].flatMap(([svid, channel]) => channel.peers().map((peer) => ({ ...peer, svid })));
  }

  #channelChanged(changed: SChannel, isUp: boolean, now: number): void {
    const { svid } = changed;
    if (isUp) {
      this.#channels.set(svid, this.#channel(svid, NEAREST_CUSTOMER_BRIDGE));
      this.#outputs.channel(changed, true);
      if (this.#isUp) this.#toChannel(svid, (channel) => channel.up(now));
    } else {
      this.#toChannel(svid, (channel) => channel.down(now));
      this.#channels.delete(svid);
      this.#deadlines.set(keyOf(svid), null);
      this.#outputs.channel(changed, false);
    }
  }

  #channel(svid: Vid | null, address: PeerAddress): AccessChannel {
    const { role, name, mac, node, evb, formats, reflectiveRelay, firstSequence, hasVsis } = this.#options;
    const outputs = this.#outputs;
    const link = channelText({ port: name, svid }) as LinkName;
    return new AccessChannel(
      {
        role,
        link,
        svid,
        mac,
        node,
        evb,
        formats,
        reflectiveRelay,
        address,
        firstSequence: firstSequence(),
        hasVsis: (peer) => hasVsis(svid, peer),
      },
      {
        transmit: (frame) => this.#transmit(frame),
        deliver: (peer, pdu) => outputs.deliver(svid, peer, pdu),
        finished: (token, delivered) => outputs.finished(token, delivered),
        parameters: (peer, parameters) => outputs.parameters(svid, peer, parameters),
        renewed: (peer) => outputs.renewed(svid, peer),
        reflectiveRelay: (on) => outputs.reflectiveRelay(svid, on),
        dropped: (reason, error) => outputs.dropped(reason, error),
      },
    );
  }

  #toCdcp(work: (cdcp: AccessCdcp) => void): void {
    const cdcp = this.#cdcp;
    if (cdcp === null) return;
    work(cdcp);
    this.#deadlines.set(CDCP, cdcp.nextDeadline());
  }

  #toChannel(svid: Vid | null, work: (channel: AccessChannel) => void): void {
    const channel = this.#channels.get(svid);
    if (channel === undefined) return;
    work(channel);
    this.#deadlines.set(keyOf(svid), channel.nextDeadline());
  }

  #transmit(frame: AccessFrame): void {
    const octets = encodeAccessFrame(frame);
    if (octets.ok) this.#outputs.transmit(octets.value);
    else this.#outputs.dropped('unsendable', octets.error);
  }
}

function isCdcp(frame: AccessFrame): frame is Extract<AccessFrame, { kind: 'lldp' }> {
  return frame.kind === 'lldp' && frame.tags.length === 0 && frame.dst === GROUP_ADDRESSES.nearestNonTpmrBridge;
}

function keyOf(svid: Vid | null): string {
  return `${svid ?? 'default'}`;
}

function svidOf(key: string): Vid | null {
  return key === 'default' ? null : (Number(key) as Vid);
}
