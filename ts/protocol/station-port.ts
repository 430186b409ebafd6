/**
 * The station's end of one access link: LLDP, EVB and ECP (`AccessPort`) with VDP's station side on top, on the default channel or within
 * one S-channel that CDCP asks for. Commands and frames go in, frames and answers come out. VDP talks while a bridge is heard: what was held before is told to one that is new or
 * began anew, since it may have forgotten it. Sans-IO: what comes of an event is handed to the outputs before the call
 * returns, and time is an argument.
 */

import type { AgentDropReason, LinkName, MacAddr, NveError, Result, TsiHints, Vid } from '#model';
import { GROUP_ADDRESSES } from '#wire';
import type { PeerAddress } from './access-channel.js';
import { AccessPort } from './access-port.js';
import { CDCP_DEFAULTS } from './cdcp-events.js';
import { CdcpStation } from './cdcp-station.js';
import { earliest } from './deadlines.js';
import type { EvbParameters } from './evb-events.js';
import type { RequestId } from './tsi-events.js';
import type { VsiId } from './vdp-events.js';
import { type StationRow, VdpStation } from './vdp-station.js';
import type {
  StationAssociation,
  StationCommand,
  StationVsi,
  VdpStationEffect,
  VdpStationEvent,
} from './vdp-station-events.js';

/** The bridge whose EVB TLV is heard. */
export interface StationBridge {
  readonly mac: MacAddr;
  /** It takes GroupIDs, which name VNs. */
  readonly groupId: boolean;
  /** The S-channel in which it is; null: the default channel. */
  readonly svid: Vid | null;
}

/** What happens because of a port. None of these may come back into the port before it has returned. */
export interface StationPortOutputs {
  transmit(frame: Uint8Array): void;
  /** The command is done; null after a de-association. */
  answer(request: RequestId, result: Result<StationAssociation | null>): void;
  /** An association ended without a command. `retry`: asking again may help. */
  ended(vsi: VsiId, error: NveError, retry: boolean): void;
  /** A bridge is heard, another one, or one that began anew; null: none any more. */
  bridge(bridge: StationBridge | null): void;
  /** A VSI's state changed (RFC 8394 section 6). */
  log(effect: Extract<VdpStationEffect, { type: 'log' }>): void;
  /** A frame, or what a machine wanted to send, is lost: the reason to count it under, and what is known. */
  dropped(reason: AgentDropReason, error: NveError | null): void;
}

export interface StationPortOptions {
  readonly name: LinkName;
  readonly mac: MacAddr;
  /** The node's name. */
  readonly node: string;
  readonly evb: EvbParameters;
  /** Ask for an S-channel, and talk within it; by default on the default channel. */
  readonly sChannel?: boolean;
  /** 1 to 65535, random. */
  readonly firstSequence: number;
  /** By default at the nearest customer bridge address. */
  readonly address?: PeerAddress;
}

/** The first one after the default channel's (IEEE 802.1Q clause 42). */
const SCID = 2;

export class StationPort {
  readonly #outputs: StationPortOutputs;
  readonly #access: AccessPort;
  readonly #vdp: VdpStation;
  /** For VDP: effects are executed in their order before the next event. */
  readonly #events: VdpStationEvent[] = [];
  /** Our channel; undefined: an S-channel that CDCP has not got. */
  #svid: Vid | null | undefined;
  #bridge: StationBridge | null = null;
  #isBusy = false;

  constructor(options: StationPortOptions, outputs: StationPortOutputs) {
    this.#outputs = outputs;
    this.#vdp = new VdpStation({ parameters: options.evb });
    const { sChannel = false } = options;
    if (!sChannel) this.#svid = null;
    this.#access = new AccessPort(
      {
        role: 'station',
        ...options,
        firstSequence: () => options.firstSequence,
        reflectiveRelay: false,
        address: options.address ?? { group: GROUP_ADDRESSES.nearestCustomerBridge },
        cdcp: sChannel ? new CdcpStation({ ...CDCP_DEFAULTS, wants: [SCID] }) : null,
        hasVsis: (svid, mac) => svid === this.#svid && mac === this.#bridge?.mac,
      },
      {
        transmit: (frame) => outputs.transmit(frame),
        deliver: (svid, mac, pdu) => {
          if (svid === this.#svid && mac === this.#bridge?.mac) this.#events.push({ type: 'pdu', pdu });
          else outputs.dropped('vdp_not_our_bridge', null);
        },
        finished: (token, delivered) => this.#events.push({ type: delivered ? 'delivered' : 'undelivered', token }),
        parameters: (svid, mac, parameters) => {
          if (mac === null || svid !== this.#svid) return;
          if (parameters === null) {
            this.#setBridge(null);
            return;
          }
          this.#events.push({ type: 'parameters', parameters });
          const { groupId } = parameters;
          const before = this.#bridge;
          this.#bridge = { mac, groupId, svid };
          // Of another one EVB tells that it is new, when it has told everything else.
          if (before?.mac === mac && before.groupId !== groupId) this.#setBridge(this.#bridge);
        },
        renewed: (svid, mac) => {
          if (svid === this.#svid && mac === this.#bridge?.mac) this.#setBridge(this.#bridge);
        },
        reflectiveRelay: () => undefined,
        channel: ({ svid }, isUp) => {
          if (isUp) this.#svid = svid;
          else if (svid === this.#svid) this.#svid = undefined;
        },
        remember: () => undefined,
        dropped: (reason, error) => outputs.dropped(reason, error),
      },
    );
    // Until a bridge is heard.
    this.#vdp.handle({ type: 'down' }, 0);
  }

  get bridge(): StationBridge | null {
    return this.#bridge;
  }

  rows(): StationRow[] {
    return this.#vdp.rows();
  }

  /** The port has a carrier. Telling it again does nothing. */
  up(now: number): void {
    this.#access.up(now);
    this.#drain(now);
  }

  down(now: number): void {
    this.#access.down(now);
    this.#drain(now);
  }

  received(octets: Uint8Array, now: number): void {
    this.#access.received(octets, now);
    this.#drain(now);
  }

  /** `answer` follows. */
  associate(request: RequestId, command: StationCommand, vsi: StationVsi, hints: TsiHints, now: number): void {
    this.#events.push({ type: 'associate', request, command, vsi, hints });
    this.#drain(now);
  }

  /** `answer` follows. */
  deAssociate(request: RequestId, vsi: VsiId, now: number): void {
    this.#events.push({ type: 'deAssociate', request, vsi });
    this.#drain(now);
  }

  tick(now: number): void {
    this.#access.tick(now);
    this.#events.push({ type: 'tick' });
    this.#drain(now);
  }

  nextDeadline(): number | null {
    return earliest(this.#access.nextDeadline(), this.#vdp.nextDeadline());
  }

  #setBridge(bridge: StationBridge | null): void {
    this.#bridge = bridge;
    this.#events.push({ type: bridge === null ? 'down' : 'up' });
    this.#outputs.bridge(bridge);
  }

  #drain(now: number): void {
    if (this.#isBusy) return;
    this.#isBusy = true;
    try {
      for (let event = this.#events.shift(); event !== undefined; event = this.#events.shift())
        for (const effect of this.#vdp.handle(event, now)) this.#effect(effect, now);
    } finally {
      this.#isBusy = false;
    }
  }

  #effect(effect: VdpStationEffect, now: number): void {
    switch (effect.type) {
      case 'send':
        if (this.#bridge === null) this.#events.push({ type: 'undelivered', token: effect.token });
        else this.#access.send(this.#bridge.svid, this.#bridge.mac, effect.token, effect.pdu, now);
        break;
      case 'answer':
        this.#outputs.answer(effect.request, effect.result);
        break;
      case 'ended':
        this.#outputs.ended(effect.vsi, effect.error, effect.retry);
        break;
      case 'log':
        this.#outputs.log(effect);
        break;
    }
  }
}
