/**
 * LLDP of one access channel, or of a port's CDCP: the machine with its frames, and of a neighbour what concerns the access
 * link, EVB and CDCP. The node shows itself alike everywhere: one chassis, a port id for each link.
 */
import type { AgentDropReason, LinkName, MacAddr, NveError, Vid } from '#model';
import { CHASSIS_ID_SUBTYPES, lldpText, PORT_ID_SUBTYPES } from '#wire';
import { badReason } from './access-drops.js';
import { type AccessFrame, type AccessTlvs, accessHeader, accessTlvs, accessTlvsOf } from './access-frames.js';
import { LldpAgent } from './lldp.js';
import { LLDP_TIMES, type LldpEffect, type LldpEvent, type LldpOptions } from './lldp-events.js';

type Tlvs = Pick<AccessTlvs, 'evb' | 'cdcp'>;

export interface AccessLldpOptions extends Required<Pick<LldpOptions, 'address' | 'maxNeighbours' | 'isInUse'>> {
  /** The node's name: by it neighbours know two ports for one bridge's. */
  readonly node: string;
  readonly link: LinkName;
  readonly mac: MacAddr;
  /** The S-channel that frames leave in; null: untagged. */
  readonly svid: Vid | null;
}

export interface AccessLldpOutputs {
  transmit(frame: AccessFrame): void;
  /** What the neighbour says now. */
  neighbour(id: string, mac: MacAddr, tlvs: Tlvs, now: number): void;
  neighbourGone(id: string, now: number): void;
  dropped(reason: AgentDropReason, error: NveError | null): void;
}

export class AccessLldp {
  readonly #mac: MacAddr;
  readonly #svid: Vid | null;
  readonly #outputs: AccessLldpOutputs;
  readonly #agent: LldpAgent;

  constructor({ node, link, mac, svid, ...options }: AccessLldpOptions, outputs: AccessLldpOutputs) {
    this.#mac = mac;
    this.#svid = svid;
    this.#outputs = outputs;
    this.#agent = new LldpAgent({
      ...LLDP_TIMES,
      ...options,
      chassisId: { subtype: CHASSIS_ID_SUBTYPES.local, octets: lldpText(node) },
      portId: { subtype: PORT_ID_SUBTYPES.local, octets: lldpText(link) },
    });
  }

  handle(event: LldpEvent, now: number): void {
    for (const effect of this.#agent.handle(event, now)) this.#effect(effect, now);
  }

  /** Says this from now on. */
  advertise(tlvs: Partial<Tlvs>, now: number): void {
    const encoded = accessTlvs(tlvs);
    if (encoded.ok) this.handle({ type: 'tlvs', tlvs: encoded.value }, now);
    else this.#outputs.dropped('unsendable', encoded.error);
  }

  nextDeadline(): number | null {
    return this.#agent.nextDeadline();
  }

  #effect(effect: LldpEffect, now: number): void {
    switch (effect.type) {
      case 'transmit':
        this.#outputs.transmit({ kind: 'lldp', ...accessHeader(this.#mac, effect.dst, this.#svid), pdu: effect.pdu });
        break;
      case 'neighbour': {
        const { problems, ...tlvs } = accessTlvsOf(effect.pdu);
        for (const problem of problems) this.#outputs.dropped(badReason(problem), problem);
        this.#outputs.neighbour(effect.id, effect.src, tlvs, now);
        break;
      }
      case 'neighbourGone':
        if (effect.reason === 'displaced') this.#outputs.dropped('lldp_neighbour_displaced', null);
        this.#outputs.neighbourGone(effect.id, now);
        break;
      case 'ignored':
        this.#outputs.dropped('lldp_too_many_neighbours', null);
        break;
    }
  }
}
