/**
 * CDCP on one physical port, at either end: the LLDP agent on the nearest non-TPMR bridge's address, always untagged (IEEE
 * 802.1Q clause 42.4), and the machine that says which S-channels there are.
 */
import type { AgentDropReason, LinkName, MacAddr, NveError, Vid } from '#model';
import { type CdcpPair, GROUP_ADDRESSES } from '#wire';
import { badReason, CDCP_REFUSALS } from './access-drops.js';
import { type AccessFrame, accessHeader, accessTlvs, accessTlvsOf } from './access-frames.js';
import { accessLldp } from './access-lldp.js';
import type { CdcpBridge } from './cdcp-bridge.js';
import type { CdcpAssignment, CdcpEffect, CdcpEvent } from './cdcp-events.js';
import type { CdcpStation } from './cdcp-station.js';
import type { LldpAgent } from './lldp.js';
import type { LldpEffect, LldpEvent } from './lldp-events.js';

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
  readonly #options: AccessCdcpOptions;
  readonly #outputs: AccessCdcpOutputs;
  readonly #lldp: LldpAgent;
  readonly #cdcp: CdcpBridge | CdcpStation;

  constructor(options: AccessCdcpOptions, outputs: AccessCdcpOutputs) {
    this.#options = options;
    this.#outputs = outputs;
    const { node, link, cdcp } = options;
    const address = GROUP_ADDRESSES.nearestNonTpmrBridge;
    this.#cdcp = cdcp;
    const isInUse = ({ id }: { readonly id: string }): boolean => id === cdcp.peer;
    this.#lldp = accessLldp({ node, link, address, maxNeighbours: MAX_NEIGHBOURS, isInUse });
  }

  up(now: number): void {
    this.#toCdcp({ type: 'up' }, now);
    this.#toLldp({ type: 'up' }, now);
  }

  down(now: number): void {
    this.#toLldp({ type: 'down' }, now);
    this.#toCdcp({ type: 'down' }, now);
  }

  /** At a bridge that begins: the channels that the station had before the restart. */
  restore(station: string, channels: readonly CdcpPair[], now: number): void {
    this.#toCdcp({ type: 'restored', station, channels }, now);
  }

  received({ src, pdu }: Extract<AccessFrame, { kind: 'lldp' }>, now: number): void {
    this.#toLldp({ type: 'received', src, pdu }, now);
  }

  /** At a station: the SCIDs that it wants from now on. */
  want(scids: readonly number[], now: number): void {
    this.#toCdcp({ type: 'wants', scids }, now);
  }

  tick(now: number): void {
    this.#toLldp({ type: 'tick' }, now);
    this.#toCdcp({ type: 'tick' }, now);
  }

  nextDeadline(): number | null {
    const times = [this.#lldp.nextDeadline(), this.#cdcp.nextDeadline()].filter((at) => at !== null);
    return times.length === 0 ? null : Math.min(...times);
  }

  #toLldp(event: LldpEvent, now: number): void {
    for (const effect of this.#lldp.handle(event, now)) this.#lldpEffect(effect, now);
  }

  #lldpEffect(effect: LldpEffect, now: number): void {
    switch (effect.type) {
      case 'transmit':
        this.#outputs.transmit({
          kind: 'lldp',
          ...accessHeader(this.#options.mac, effect.dst, null),
          pdu: effect.pdu,
        });
        break;
      case 'neighbour': {
        const { cdcp, problems } = accessTlvsOf(effect.pdu);
        for (const problem of problems) this.#outputs.dropped(badReason(problem), problem);
        this.#toCdcp({ type: 'neighbour', id: effect.id, cdcp }, now);
        break;
      }
      case 'neighbourGone':
        if (effect.reason === 'displaced') this.#outputs.dropped('lldp_neighbour_displaced', null);
        this.#toCdcp({ type: 'neighbourGone', id: effect.id }, now);
        break;
      case 'ignored':
        this.#outputs.dropped('lldp_too_many_neighbours', null);
        break;
    }
  }

  #toCdcp(event: CdcpEvent, now: number): void {
    for (const effect of this.#cdcp.handle(event, now)) this.#cdcpEffect(effect, now);
  }

  #cdcpEffect(effect: CdcpEffect, now: number): void {
    switch (effect.type) {
      case 'advertise': {
        const tlvs = accessTlvs({ cdcp: effect.tlv });
        if (tlvs.ok) this.#toLldp({ type: 'tlvs', tlvs: tlvs.value }, now);
        else this.#outputs.dropped('unsendable', tlvs.error);
        break;
      }
      case 'repeat':
        this.#toLldp({ type: 'repeat' }, now);
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
