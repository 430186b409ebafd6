/**
 * CDCP on one physical port, at either end: the LLDP agent on the nearest non-TPMR bridge's address, always untagged (IEEE
 * 802.1Q clause 42.4), and the machine that says which S-channels there are.
 */

import type { AgentDropReason, LinkName, MacAddr, NveError, Vid } from '#model';
import { type CdcpPair, GROUP_ADDRESSES } from '#wire';
import { CDCP_REFUSALS } from './access-drops.js';
import type { AccessFrame } from './access-frames.js';
import { AccessLldp } from './access-lldp.js';
import type { CdcpBridge } from './cdcp-bridge.js';
import type { CdcpAssignment, CdcpEffect, CdcpEvent } from './cdcp-events.js';
import type { CdcpStation } from './cdcp-station.js';
import { earliest } from './deadlines.js';

export interface AccessCdcpOptions {
  readonly link: LinkName;
  readonly mac: MacAddr;
  readonly node: string;
  readonly cdcp: CdcpBridge | CdcpStation;
}

/** The station knows it by its SCID, the bridge by its SVID. */
export interface SChannel {
  readonly scid: number;
  readonly svid: Vid;
  /** MSAP id of the other end; null: it is gone. */
  readonly peer: string | null;
}

export interface AccessCdcpOutputs {
  transmit(frame: AccessFrame): void;
  channel(channel: SChannel, isUp: boolean, now: number): void;
  /** At a bridge, to be kept, so that the SVID is the same after a restart. */
  remember(assignment: CdcpAssignment): void;
  dropped(reason: AgentDropReason, error: NveError | null): void;
}

/** The link is point to point: one station, and room for what else speaks LLDP. */
const MAX_NEIGHBOURS = 16;

export class AccessCdcp {
  readonly #outputs: AccessCdcpOutputs;
  readonly #lldp: AccessLldp;
  readonly #cdcp: CdcpBridge | CdcpStation;

  constructor({ node, link, mac, cdcp }: AccessCdcpOptions, outputs: AccessCdcpOutputs) {
    this.#outputs = outputs;
    const address = GROUP_ADDRESSES.nearestNonTpmrBridge;
    this.#cdcp = cdcp;
    const isInUse = ({ id }: { readonly id: string }): boolean => id === cdcp.peer;
    this.#lldp = new AccessLldp(
      { node, link, mac, svid: null, address, maxNeighbours: MAX_NEIGHBOURS, isInUse },
      {
        transmit: (frame) => outputs.transmit(frame),
        neighbour: (id, _, { cdcp }, now) => this.#toCdcp({ type: 'neighbour', id, cdcp }, now),
        neighbourGone: (id, now) => this.#toCdcp({ type: 'neighbourGone', id }, now),
        dropped: (reason, error) => outputs.dropped(reason, error),
      },
    );
  }

  up(now: number): void {
    this.#toCdcp({ type: 'up' }, now);
    this.#lldp.handle({ type: 'up' }, now);
  }

  down(now: number): void {
    this.#lldp.handle({ type: 'down' }, now);
    this.#toCdcp({ type: 'down' }, now);
  }

  /** At a bridge that begins: the channels that the station had before the restart. */
  restore(station: string, channels: readonly CdcpPair[], now: number): void {
    this.#toCdcp({ type: 'restored', station, channels }, now);
  }

  received({ src, pdu }: Extract<AccessFrame, { kind: 'lldp' }>, now: number): void {
    this.#lldp.handle({ type: 'received', src, pdu }, now);
  }

  /** At a station: the SCIDs that it wants from now on. */
  want(scids: readonly number[], now: number): void {
    this.#toCdcp({ type: 'wants', scids }, now);
  }

  tick(now: number): void {
    this.#lldp.handle({ type: 'tick' }, now);
    this.#toCdcp({ type: 'tick' }, now);
  }

  nextDeadline(): number | null {
    return earliest(this.#lldp.nextDeadline(), this.#cdcp.nextDeadline());
  }

  #toCdcp(event: CdcpEvent, now: number): void {
    for (const effect of this.#cdcp.handle(event, now)) this.#cdcpEffect(effect, now);
  }

  #cdcpEffect(effect: CdcpEffect, now: number): void {
    switch (effect.type) {
      case 'advertise':
        this.#lldp.advertise({ cdcp: effect.tlv }, now);
        break;
      case 'repeat':
        this.#lldp.handle({ type: 'repeat' }, now);
        break;
      case 'channelUp':
      case 'channelDown': {
        // The machines give 2 to 4094 only.
        const svid = effect.svid as Vid;
        const { peer } = this.#cdcp;
        this.#outputs.channel({ scid: effect.scid, svid, peer }, effect.type === 'channelUp', now);
        break;
      }
      case 'remember':
        this.#outputs.remember(effect.assignment);
        break;
      case 'refused':
        this.#outputs.dropped(CDCP_REFUSALS[effect.reason], null);
        break;
    }
  }
}
