/**
 * EVB on the station's side of one access channel (IEEE 802.1Q clauses 40 and D.2.12). It has one bridge, the first whose
 * EVB TLV it hears; another one is taken when the first is gone.
 *
 * ```
 *           up                  a bridge's EVB TLV
 *   down ────────► listening ───────────────────────► negotiated
 *    ▲                 ▲                                │  │ ▲ other TLV of this bridge
 *    │                 └────────── bridge gone ─────────┘  └─┘
 *    └──────────────────────────── down ────────────────────┘
 * ```
 */
import type { MacAddr } from '#model';
import type { EvbMode, EvbTlv } from '#wire';
import type { EvbEffect, EvbEvent, EvbOperational, EvbParameters } from './evb-events.js';
import { advertisedOf, NO_BRIDGE, NO_STATION, operationalOf, same } from './evb-tlv.js';

export interface EvbStationOptions {
  readonly parameters: EvbParameters;
  /** SGID: we use GroupIDs if the bridge can. */
  readonly groupId: boolean;
  /** Whether GroupIDs are used towards a bridge that sends no EVB TLV. lldpad does not. */
  readonly assumeGroupId: boolean;
  /** RRREQ at the start. */
  readonly reflectiveRelay: boolean;
  readonly bridgeModes: readonly EvbMode[];
}

export const EVB_BRIDGE_MODES: readonly EvbMode[] = ['bridge', 'nvo3'];

export type EvbStationState = 'down' | 'listening' | 'negotiated';

interface Bridge {
  readonly id: string;
  readonly mac: MacAddr;
  readonly evb: EvbTlv;
}

type Neighbour = Extract<EvbEvent, { type: 'neighbour' }>;

export class EvbStation {
  readonly #options: EvbStationOptions;
  /** All bridges that are heard, by the id of their MSAP, the first one first: that is ours. */
  readonly #bridges = new Map<string, Bridge>();
  #up = false;
  #bridge: Bridge | null = null;
  #request: boolean;
  #value: EvbOperational | null = null;
  #advertised: EvbTlv | null = null;
  #effects: EvbEffect[] = [];

  constructor(options: EvbStationOptions) {
    this.#options = options;
    this.#request = options.reflectiveRelay;
  }

  get state(): EvbStationState {
    if (!this.#up) return 'down';
    return this.#bridge === null ? 'listening' : 'negotiated';
  }

  handle(event: EvbEvent, _now: number): EvbEffect[] {
    this.#effects = [];
    switch (event.type) {
      case 'up':
        this.#up = true;
        this.#settle();
        break;
      case 'down':
        this.#up = false;
        this.#bridges.clear();
        this.#choose();
        break;
      case 'neighbour':
        this.#neighbour(event);
        break;
      case 'neighbourGone':
        if (this.#bridges.delete(event.id)) this.#choose();
        break;
      case 'reflectiveRelay':
        this.#request = event.on;
        this.#settle();
        break;
      case 'tick':
        // Nothing here is timed: LLDP ages the neighbours.
        break;
    }
    return this.#effects;
  }

  nextDeadline(): null {
    return null;
  }

  /** The bridge's MAC, and what holds towards it; null while down. */
  operational(): { readonly bridge: MacAddr | null; readonly value: EvbOperational } | null {
    return this.#value === null ? null : { bridge: this.#bridge?.mac ?? null, value: this.#value };
  }

  #neighbour({ id, mac, evb }: Neighbour): void {
    if (!this.#up) return;
    if (evb !== null && this.#options.bridgeModes.includes(evb.mode)) this.#bridges.set(id, { id, mac, evb });
    else this.#bridges.delete(id);
    this.#choose();
  }

  /** Our bridge is the first of those that are heard. */
  #choose(): void {
    const former = this.#bridge;
    const [next = null] = this.#bridges.values();
    this.#bridge = next;
    const other = former?.id !== next?.id || former?.mac !== next?.mac;
    if (other) this.#value = null;
    if (other && former !== null) {
      this.#effects.push({ type: 'peerGone', peer: former.mac });
      this.#effects.push({ type: 'ecpReset', peer: former.mac, reason: 'neighbourChanged' });
    }
    this.#settle();
    if (next === null) return;
    if (other) this.#effects.push({ type: 'ecpReset', peer: next.mac, reason: 'neighbourChanged' });
    // It had heard us and has not any more: it began anew.
    else if (former !== null && !same(former.evb.station, NO_STATION) && same(next.evb.station, NO_STATION))
      this.#effects.push({ type: 'ecpReset', peer: next.mac, reason: 'evbReinit' });
  }

  #settle(): void {
    const value = this.#up ? this.#operational() : null;
    if (value !== null && !same(value, this.#value))
      this.#effects.push({ type: 'operational', peer: this.#bridge?.mac ?? null, value });
    this.#value = value;
    const tlv = this.#up ? this.#tlv() : null;
    if (same(tlv, this.#advertised)) return;
    this.#advertised = tlv;
    this.#effects.push({ type: 'advertise', tlv });
  }

  #operational(): EvbOperational {
    const { parameters, groupId, assumeGroupId } = this.#options;
    const evb = this.#bridge?.evb ?? null;
    return {
      ...operationalOf(parameters, evb),
      groupId: groupId && (evb === null ? assumeGroupId : evb.bridge.groupId),
      reflectiveRelay: evb?.bridge.reflectiveRelay ?? false,
      source: evb === null ? 'local' : 'negotiated',
    };
  }

  #tlv(): EvbTlv {
    const evb = this.#bridge?.evb ?? null;
    // RRSTAT: 3 is "not known" until the bridge has said something.
    const status = evb === null ? 3 : evb.bridge.reflectiveRelay ? 1 : 0;
    return {
      bridge: evb?.bridge ?? NO_BRIDGE,
      station: {
        groupId: this.#options.groupId,
        reflectiveRelayRequest: this.#request,
        reflectiveRelayStatus: status,
        reserved: 0,
      },
      mode: 'station',
      ...advertisedOf(this.#options.parameters, evb),
    };
  }
}
