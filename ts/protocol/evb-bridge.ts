/**
 * EVB on the bridge's side of one access channel (IEEE 802.1Q clauses 40 and D.2.12). Each station that sends an EVB TLV
 * has operational values of its own; who sends none is served with the local ones.
 *
 * ```
 *           up                  first station's EVB TLV
 *   down ────────► listening ───────────────────────────► negotiated
 *    ▲                 ▲                                   │  │ ▲ other TLV, other stations
 *    │                 └───────── last station gone ───────┘  └─┘
 *    └──────────────────────────── down ──────────────────────┘
 * ```
 */
import type { MacAddr } from '#model';
import type { EvbMode, EvbTlv } from '#wire';
import type { EvbEffect, EvbEvent, EvbOperational, EvbParameters } from './evb-events.js';
import { advertisedOf, NO_BRIDGE, NO_STATION, operationalOf, same } from './evb-tlv.js';

export interface EvbBridgeOptions {
  readonly parameters: EvbParameters;
  /** BGID: we can map GroupIDs to VNs. */
  readonly groupId: boolean;
  /** Whether reflective relay may be asked for (RRCAP). */
  readonly reflectiveRelay: boolean;
  /** EVB modes of a TLV that make its sender a station; `nvo3` is how 802.1Qcy seems to be meant. */
  readonly stationModes: readonly EvbMode[];
}

export const EVB_STATION_MODES: readonly EvbMode[] = ['station', 'nvo3'];

interface Station {
  readonly mac: MacAddr;
  readonly evb: EvbTlv;
  readonly value: EvbOperational;
}

export type EvbBridgeState = 'down' | 'listening' | 'negotiated';

type Neighbour = Extract<EvbEvent, { type: 'neighbour' }>;

export class EvbBridge {
  readonly #options: EvbBridgeOptions;
  /** By the id of their MSAP, the one that changed last at the end. */
  readonly #stations = new Map<string, Station>();
  #up = false;
  #capable: boolean;
  #relay = false;
  #advertised: EvbTlv | null = null;
  #effects: EvbEffect[] = [];

  constructor(options: EvbBridgeOptions) {
    this.#options = options;
    this.#capable = options.reflectiveRelay;
  }

  get state(): EvbBridgeState {
    if (!this.#up) return 'down';
    return this.#stations.size === 0 ? 'listening' : 'negotiated';
  }

  handle(event: EvbEvent, _now: number): EvbEffect[] {
    this.#effects = [];
    switch (event.type) {
      case 'up':
        if (this.#up) break;
        this.#up = true;
        this.#effects.push({ type: 'operational', peer: null, value: this.#localValue() });
        this.#settle();
        break;
      case 'down':
        if (!this.#up) break;
        for (const id of [...this.#stations.keys()]) this.#gone(id);
        this.#up = false;
        this.#settle();
        break;
      case 'neighbour':
        this.#neighbour(event);
        break;
      case 'neighbourGone':
        if (this.#gone(event.id)) this.#settle();
        break;
      case 'reflectiveRelay':
        this.#capable = event.on;
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

  /** What holds towards this peer. */
  operational(peer: MacAddr): EvbOperational {
    for (const { mac, value } of this.#stations.values()) if (mac === peer) return value;
    return this.#localValue();
  }

  #neighbour({ id, mac, evb }: Neighbour): void {
    if (!this.#up) return;
    if (evb === null || !this.#options.stationModes.includes(evb.mode)) {
      // It stopped to be a station, or never was one: another bridge's TLV is none of our business.
      if (this.#gone(id)) this.#settle();
      return;
    }
    const former = this.#stations.get(id);
    if (former !== undefined && former.mac !== mac) this.#gone(id);
    this.#stations.delete(id);
    const value = this.#value(evb);
    this.#stations.set(id, { mac, evb, value });
    if (former?.mac !== mac || !same(former.value, value))
      this.#effects.push({ type: 'operational', peer: mac, value });
    if (former?.mac !== mac) this.#effects.push({ type: 'ecpReset', peer: mac, reason: 'neighbourChanged' });
    // It had heard us and has not any more: its EVB began anew, and its ECP with it.
    else if (!same(former.evb.bridge, NO_BRIDGE) && same(evb.bridge, NO_BRIDGE))
      this.#effects.push({ type: 'ecpReset', peer: mac, reason: 'evbReinit' });
    this.#settle();
  }

  #gone(id: string): boolean {
    const station = this.#stations.get(id);
    if (station === undefined) return false;
    this.#stations.delete(id);
    this.#effects.push({ type: 'peerGone', peer: station.mac });
    this.#effects.push({ type: 'ecpReset', peer: station.mac, reason: 'neighbourChanged' });
    return true;
  }

  /** Reflective relay, what each station has of it, and what is advertised follow from the rest. */
  #settle(): void {
    // A station that switches by itself must not get back what it sent because another one wants so.
    const wanted = [...this.#stations.values()].every(({ evb }) => evb.station.reflectiveRelayRequest);
    const relay = this.#up && this.#capable && this.#stations.size > 0 && wanted;
    if (relay !== this.#relay) {
      this.#relay = relay;
      this.#effects.push({ type: 'reflectiveRelay', on: relay });
      this.#revalue();
    }
    const tlv = this.#up ? this.#tlv() : null;
    if (same(tlv, this.#advertised)) return;
    this.#advertised = tlv;
    this.#effects.push({ type: 'advertise', tlv });
  }

  #revalue(): void {
    for (const [id, station] of this.#stations) {
      const value = this.#value(station.evb);
      if (same(value, station.value)) continue;
      this.#stations.set(id, { ...station, value });
      // The newest word counts: an earlier one of this very event is replaced.
      const { mac } = station;
      const at = this.#effects.findIndex((one) => one.type === 'operational' && one.peer === mac);
      this.#effects.splice(at < 0 ? this.#effects.length : at, at < 0 ? 0 : 1, {
        type: 'operational',
        peer: mac,
        value,
      });
    }
  }

  #tlv(): EvbTlv {
    const stations = [...this.#stations.values()];
    const [only, second] = stations;
    // With several stations the mirror can only show one of them, the one heard last, and no remote's numbers.
    const remote = second === undefined ? (only?.evb ?? null) : null;
    return {
      bridge: {
        groupId: this.#options.groupId,
        reflectiveRelayCapable: this.#capable,
        reflectiveRelay: this.#relay,
        reserved: 0,
      },
      station: stations.at(-1)?.evb.station ?? NO_STATION,
      mode: 'bridge',
      ...advertisedOf(this.#options.parameters, remote),
    };
  }

  #value(evb: EvbTlv): EvbOperational {
    return {
      ...operationalOf(this.#options.parameters, evb),
      groupId: this.#options.groupId && evb.station.groupId,
      reflectiveRelay: this.#relay,
      source: 'negotiated',
    };
  }

  /** Of who has not said that it cannot: a station may begin VDP before its first EVB TLV. */
  #localValue(): EvbOperational {
    const { parameters, groupId } = this.#options;
    return { ...parameters, groupId, reflectiveRelay: false, source: 'local' };
  }
}
