/**
 * The control plane below VDP of one access channel, at either end: a port's default channel, or one S-channel of it (IEEE
 * 802.1Q clause 42). LLDP and EVB with the neighbours, ECP with each of them, VDP's codec. What ECP has carried goes to VDP,
 * and what EVB has negotiated to ECP and VDP. Of other channels and of CDCP it knows nothing. Sans-IO: what comes of an event
 * is handed to the outputs before the call returns, and time is an argument.
 */

import type { AgentDropReason, LinkName, MacAddr, NveError, Vid } from '#model';
import { decodeVdp, ECP_SUBTYPES, encodeVdp, type FilterFormats, GROUP_ADDRESSES, type VdpPdu } from '#wire';
import { badReason, ECP_DROPS } from './access-drops.js';
import { type AccessFrame, accessHeader } from './access-frames.js';
import { AccessLldp } from './access-lldp.js';
import { earliest } from './deadlines.js';
import { EcpChannel } from './ecp.js';
import type { EcpEffect, EcpEvent, EcpPeerCounters } from './ecp-events.js';
import { EVB_STATION_MODES, EvbBridge } from './evb-bridge.js';
import type { EvbEffect, EvbEvent, EvbOperational, EvbParameters } from './evb-events.js';
import { EVB_BRIDGE_MODES, EvbStation } from './evb-station.js';

/** Where peers are spoken to: at a group address, or each at its own. */
export type PeerAddress = { readonly group: MacAddr } | 'unicast';

export interface AccessChannelOptions {
  /** A bridge serves many stations; a station has one bridge. */
  readonly role: 'bridge' | 'station';
  /** The access link: the port, or `PORT.SVID`. */
  readonly link: LinkName;
  /** Null: the default channel, untagged. */
  readonly svid: Vid | null;
  readonly mac: MacAddr;
  /** The node's name. */
  readonly node: string;
  readonly evb: EvbParameters;
  /** The filter formats that VDP understands; absent: the standard's. */
  readonly formats?: FilterFormats | undefined;
  /** At a bridge: stations may have it when they ask; at a station: ask for it. */
  readonly reflectiveRelay: boolean;
  readonly address: PeerAddress;
  /** 1 to 65535, random. */
  readonly firstSequence: number;
  /** Whether the peer has VSIs here: it keeps its place when others flood the channel. */
  readonly hasVsis: (peer: MacAddr) => boolean;
}

/** What happens because of a channel. None of these may come back into the channel before it has returned. */
export interface AccessChannelOutputs {
  transmit(frame: AccessFrame): void;
  /** A VDP PDU of a peer: of a station, or of a station's bridge. */
  deliver(peer: MacAddr, pdu: VdpPdu): void;
  /** What was sent with this token has arrived, or will not. */
  finished(token: number, delivered: boolean): void;
  /** What VDP's timers follow from; `peer` null: those of all peers without their own. Null: it has none of its own any more. */
  parameters(peer: MacAddr | null, parameters: EvbOperational | null): void;
  /** The peer began anew, or is another one now: it may have forgotten what it knew. */
  renewed(peer: MacAddr): void;
  /** At a bridge: frames go back to where they came from, or no longer. */
  reflectiveRelay(on: boolean): void;
  /** A frame, or what a machine wanted to send, is lost: the reason to count it under, and what is known. */
  dropped(reason: AgentDropReason, error: NveError | null): void;
}

/** What is known of a peer below VDP. */
export interface AccessPeer {
  readonly mac: MacAddr;
  /** What EVB has agreed with it; null: it sends no EVB TLV, or none any more. */
  readonly evb: EvbOperational | null;
  /** Null: it has not spoken ECP, or so long ago that its place went to another. */
  readonly ecp: EcpPeerCounters | null;
  /** When it spoke ECP last, in milliseconds; null as `ecp`. */
  readonly heardAt: number | null;
}

/** Stations on one channel that are served at a time. */
const MAX_STATIONS = 256;
/** PDUs of one station that may wait: VDP has one under way. */
const MAX_QUEUE = 4;

/** Under which reason a PDU is counted that ECP could not deliver. */
const FAILURES: Readonly<Record<string, AgentDropReason>> = {
  'NVE-ECP-001': 'ecp_not_acknowledged',
  'NVE-ECP-002': 'ecp_reset',
  'NVE-ECP-003': 'ecp_queue_full',
  'NVE-ECP-004': 'ecp_too_many_peers',
};

export class AccessChannel {
  readonly #options: AccessChannelOptions;
  readonly #outputs: AccessChannelOutputs;
  readonly #address: MacAddr;
  readonly #lldp: AccessLldp;
  readonly #evb: EvbBridge | EvbStation;
  readonly #ecp: EcpChannel;
  /** Of peers that EVB knows. */
  readonly #operational = new Map<MacAddr, EvbOperational>();

  constructor(options: AccessChannelOptions, outputs: AccessChannelOutputs) {
    this.#options = options;
    this.#outputs = outputs;
    const { role, node, link, mac, svid, evb: parameters, address, firstSequence, reflectiveRelay, hasVsis } = options;
    this.#address = address === 'unicast' ? GROUP_ADDRESSES.nearestCustomerBridge : address.group;
    const isInUse = ({ src }: { readonly src: MacAddr }): boolean => hasVsis(src);
    this.#lldp = new AccessLldp(
      { node, link, mac, svid, address: this.#address, maxNeighbours: MAX_STATIONS, isInUse },
      {
        transmit: (frame) => outputs.transmit(frame),
        neighbour: (id, mac, { evb }, now) => this.#toEvb({ type: 'neighbour', id, mac, evb }, now),
        neighbourGone: (id, now) => this.#toEvb({ type: 'neighbourGone', id }, now),
        dropped: (reason, error) => outputs.dropped(reason, error),
      },
    );
    const offer = { parameters, groupId: true, reflectiveRelay };
    this.#evb =
      role === 'bridge'
        ? new EvbBridge({ ...offer, stationModes: EVB_STATION_MODES })
        : new EvbStation({ ...offer, assumeGroupId: false, bridgeModes: EVB_BRIDGE_MODES });
    this.#ecp = new EcpChannel({
      role,
      address: this.#address,
      unicast: address === 'unicast' ? 'always' : 'auto',
      parameters,
      firstSequence,
      subtypes: [ECP_SUBTYPES.vdp],
      maxPeers: MAX_STATIONS,
      isInUse: hasVsis,
      maxQueue: MAX_QUEUE,
    });
  }

  /** The channel has a carrier. Telling it again does nothing. */
  up(now: number): void {
    this.#toEvb({ type: 'up' }, now);
    this.#lldp.handle({ type: 'up' }, now);
  }

  down(now: number): void {
    this.#lldp.handle({ type: 'down' }, now);
    this.#toEvb({ type: 'down' }, now);
    this.#toEcp({ type: 'reset', peer: null, reason: 'carrierLost' }, now);
    this.#outputs.parameters(null, null);
  }

  received(frame: AccessFrame, now: number): void {
    const { kind, src, dst } = frame;
    switch (kind) {
      case 'lldp':
        // Each group address has an agent of its own (802.1AB clause 7.1); this one's neighbours speak EVB.
        if (dst === this.#address || dst === this.#options.mac)
          this.#lldp.handle({ type: 'received', src, pdu: frame.pdu }, now);
        break;
      case 'ecp':
        this.#toEcp({ type: 'received', src, dst, pdu: frame.pdu }, now);
        break;
    }
  }

  /** A VDP PDU for a peer; `finished` follows. */
  send(peer: MacAddr, token: number, pdu: VdpPdu, now: number): void {
    const payload = encodeVdp(pdu, this.#options.formats);
    if (!payload.ok) {
      this.#outputs.dropped('unsendable', payload.error);
      this.#outputs.finished(token, false);
      return;
    }
    const { vdp: subtype } = ECP_SUBTYPES;
    this.#toEcp({ type: 'send', peer, token, subtype, payload: payload.value }, now);
  }

  tick(now: number): void {
    this.#lldp.handle({ type: 'tick' }, now);
    this.#toEcp({ type: 'tick' }, now);
  }

  nextDeadline(): number | null {
    return earliest(this.#lldp.nextDeadline(), this.#ecp.nextDeadline());
  }

  peers(): AccessPeer[] {
    const byMac = new Map<MacAddr, AccessPeer>();
    for (const [mac, evb] of this.#operational) byMac.set(mac, { mac, evb, ecp: null, heardAt: null });
    for (const { mac, lastHeard: heardAt, counters: ecp } of this.#ecp.peers())
      byMac.set(mac, { mac, evb: this.#operational.get(mac) ?? null, ecp, heardAt });
    return [...byMac.values()];
  }

  #toEvb(event: EvbEvent, now: number): void {
    for (const effect of this.#evb.handle(event, now)) this.#evbEffect(effect, now);
  }

  #evbEffect(effect: EvbEffect, now: number): void {
    switch (effect.type) {
      case 'advertise':
        this.#lldp.advertise({ evb: effect.tlv }, now);
        break;
      case 'operational':
        if (effect.peer !== null && this.#options.role === 'station')
          this.#toEcp({ type: 'bind', peer: effect.peer }, now);
        if (effect.peer !== null) this.#operational.set(effect.peer, effect.value);
        this.#toEcp({ type: 'parameters', peer: effect.peer, parameters: effect.value }, now);
        this.#outputs.parameters(effect.peer, effect.value);
        break;
      case 'peerGone':
        this.#operational.delete(effect.peer);
        // ECP may still speak to the peer, with the local ones.
        this.#toEcp({ type: 'parametersGone', peer: effect.peer }, now);
        this.#outputs.parameters(effect.peer, null);
        break;
      case 'ecpReset':
        this.#toEcp({ type: 'reset', peer: effect.peer, reason: effect.reason }, now);
        this.#outputs.renewed(effect.peer);
        break;
      case 'reflectiveRelay':
        this.#outputs.reflectiveRelay(effect.on);
        break;
    }
  }

  #toEcp(event: EcpEvent, now: number): void {
    for (const effect of this.#ecp.handle(event, now)) this.#ecpEffect(effect);
  }

  #ecpEffect(effect: EcpEffect): void {
    switch (effect.type) {
      case 'transmit':
        this.#outputs.transmit({ kind: 'ecp', ...this.#header(effect.dst), pdu: effect.pdu });
        break;
      case 'deliver':
        this.#deliver(effect.peer, effect.payload);
        break;
      case 'failed':
        this.#outputs.dropped(FAILURES[effect.error.code] ?? 'ecp_failed', effect.error);
        this.#outputs.finished(effect.token, false);
        break;
      case 'dropped':
        this.#outputs.dropped(ECP_DROPS[effect.reason], null);
        break;
      case 'acknowledged':
        this.#outputs.finished(effect.token, true);
        break;
    }
  }

  #deliver(peer: MacAddr, payload: Uint8Array): void {
    const pdu = decodeVdp(payload, this.#options.formats);
    if (pdu.ok) this.#outputs.deliver(peer, pdu.value);
    else this.#outputs.dropped(badReason(pdu.error), pdu.error);
  }

  #header(dst: MacAddr): ReturnType<typeof accessHeader> {
    return accessHeader(this.#options.mac, dst, this.#options.svid);
  }
}
