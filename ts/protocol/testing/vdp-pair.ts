/**
 * A station and a bridge back to back: VDP over ECP over a wire that loses, doubles and delays frames, the bridge on a real
 * TSI life cycle whose NVA and engine answer after a while, or refuse. Time is virtual and chance comes from the seed, so a
 * run can be had again.
 */
import { err, type MacAddr, nveError, ok, unwrap, type VnInfo } from '#model';
import { decodeEcp, decodeVdp, ECP_SUBTYPES, type EcpPdu, encodeEcp, encodeVdp } from '#wire';
import { EcpChannel } from '../ecp.js';
import type { EcpEffect, EcpOptions } from '../ecp-events.js';
import type { EvbParameters } from '../evb-events.js';
import { TsiTable } from '../tsi.js';
import type { TsiEffect, TsiEvent } from '../tsi-events.js';
import { VdpBridge } from '../vdp-bridge.js';
import type { VdpBridgeEvent } from '../vdp-events.js';
import { vdpRules } from '../vdp-mapping.js';
import { VdpStation } from '../vdp-station.js';
import type { VdpStationEffect, VdpStationEvent } from '../vdp-station-events.js';
import { cTagLinks } from './tags.js';
import { peer } from './vdp-rig.js';

export interface Weather {
  /** Of each frame: lost, doubled; and by how many milliseconds at most it is delayed (so that they overtake each other). */
  readonly loss: number;
  readonly double: number;
  readonly delay: number;
  /** Of each question: refused by the NVA or by the engine. */
  readonly refuse: number;
}

export const FINE: Weather = { loss: 0, double: 0, delay: 1, refuse: 0 };

export const PAIR_PARAMETERS: EvbParameters = { retries: 3, rte: 10, rwd: 16, rka: 17 };
const STATION: MacAddr = peer().mac;
const BRIDGE = '02:bb:00:00:00:01' as MacAddr;
const GROUP = '01:80:c2:00:00:00' as MacAddr;

export class VdpPair {
  readonly bridge = new VdpBridge({ rules: vdpRules(), parameters: PAIR_PARAMETERS });
  readonly station: VdpStation;
  readonly table: TsiTable;
  /** What the station was told without having asked, and the answers to its commands. */
  readonly told: VdpStationEffect[] = [];
  readonly random: () => number;
  weather: Weather = FINE;
  now = 0;
  #later: { readonly at: number; readonly run: () => void }[] = [];
  readonly #ecp: { readonly bridge: EcpChannel; readonly station: EcpChannel };

  constructor(seed: number, packs = true) {
    this.random = mulberry32(seed);
    this.station = new VdpStation({ parameters: PAIR_PARAMETERS, packs });
    this.table = new TsiTable({ tags: cTagLinks([peer().port], 100, 199) });
    const options: Omit<EcpOptions, 'role'> = {
      address: GROUP,
      unicast: 'auto',
      parameters: PAIR_PARAMETERS,
      firstSequence: 1,
      subtypes: [ECP_SUBTYPES.vdp],
      maxPeers: 4,
      maxQueue: 2,
    };
    this.#ecp = {
      bridge: new EcpChannel({ ...options, role: 'bridge' }),
      station: new EcpChannel({ ...options, role: 'station' }),
    };
  }

  command(event: VdpStationEvent | readonly VdpStationEvent[]): void {
    for (const effect of this.station.handle(event, this.now)) {
      if (effect.type === 'send') {
        const payload = unwrap(encodeVdp(effect.pdu));
        const { token } = effect;
        this.#fromEcp(
          'station',
          this.#ecp.station.handle({ type: 'send', peer: null, token, subtype: 1, payload }, this.now),
        );
      } else if (effect.type !== 'log') {
        this.told.push(effect);
      }
    }
  }

  nve(event: VdpBridgeEvent): void {
    for (const effect of this.bridge.handle(event, this.now)) {
      if (effect.type === 'send') {
        const payload = unwrap(encodeVdp(effect.pdu));
        const send = { type: 'send', peer: effect.peer.mac, token: effect.token, subtype: 1, payload } as const;
        this.#fromEcp('bridge', this.#ecp.bridge.handle(send, this.now));
      } else if (effect.type === 'tsi') {
        this.tsi(effect.command);
      }
    }
  }

  tsi(event: TsiEvent): void {
    for (const effect of this.table.handle(event, this.now)) this.#execute(effect);
  }

  /** Lets virtual time pass. */
  run(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      const due = [
        this.bridge.nextDeadline(),
        this.station.nextDeadline(),
        this.#ecp.bridge.nextDeadline(),
        this.#ecp.station.nextDeadline(),
        ...this.#later.map(({ at }) => at),
      ].filter((at) => at !== null);
      const next = Math.min(...due, end);
      if (next >= end) break;
      this.now = Math.max(this.now, next);
      this.#turn();
    }
    this.now = end;
  }

  #turn(): void {
    const { now } = this;
    const due = this.#later.filter(({ at }) => at <= now);
    this.#later = this.#later.filter(({ at }) => at > now);
    for (const { run } of due) run();
    for (const side of ['bridge', 'station'] as const)
      this.#fromEcp(side, this.#ecp[side].handle({ type: 'tick' }, now));
    this.nve({ type: 'tick' });
    this.command({ type: 'tick' });
  }

  #fromEcp(side: 'bridge' | 'station', effects: readonly EcpEffect[]): void {
    for (const effect of [...effects]) {
      switch (effect.type) {
        case 'transmit':
          this.#wire(side, effect.dst, unwrap(encodeEcp(effect.pdu)));
          break;
        case 'deliver': {
          const pdu = unwrap(decodeVdp(effect.payload));
          if (side === 'bridge') this.nve({ type: 'pdu', peer: peer(), pdu });
          else this.command({ type: 'pdu', pdu });
          break;
        }
        case 'failed':
        case 'acknowledged': {
          const type = effect.type === 'failed' ? 'undelivered' : 'delivered';
          if (side === 'station') this.command({ type, token: effect.token });
          else this.nve({ type, token: effect.token });
          break;
        }
        case 'dropped':
          break;
      }
    }
  }

  #wire(from: 'bridge' | 'station', dst: MacAddr, octets: Uint8Array): void {
    const to = from === 'bridge' ? 'station' : 'bridge';
    const src = from === 'bridge' ? BRIDGE : STATION;
    const { loss, double, delay } = this.weather;
    const copies = this.random() < loss ? 0 : this.random() < double ? 2 : 1;
    for (let i = 0; i < copies; i++) {
      this.#after(delay, () => {
        const pdu: EcpPdu = unwrap(decodeEcp(octets));
        this.#fromEcp(to, this.#ecp[to].handle({ type: 'received', src, dst, pdu }, this.now));
      });
    }
  }

  #execute(effect: TsiEffect): void {
    switch (effect.type) {
      case 'askAuth': {
        const { key, ask, vn } = effect;
        const info = { vn: Number(vn), name: `vn${vn}`, vni: vn, mtu: 1450, gateway: null } as unknown as VnInfo;
        const result = this.#refuses()
          ? err(nveError('NVE-NVA-002', { tsi: key.tsi, vn, reason: 'bad weather' }))
          : ok(info);
        this.#after(20, () => this.tsi({ type: 'auth', key, ask, result: named(info, result) }));
        break;
      }
      case 'reserve':
      case 'program':
      case 'unprogram':
      case 'release': {
        const { key, op } = effect;
        const result = this.#refuses() ? err(nveError('NVE-ENG-000', { reason: 'bad weather' })) : ok(null);
        this.#after(5, () => this.tsi({ type: 'engine', key, op, result }));
        break;
      }
      case 'answer': {
        const { request, result } = effect;
        this.#after(0, () => this.nve({ type: 'tsiAnswer', request, result }));
        break;
      }
      case 'ended': {
        const { key, error } = effect;
        this.#after(0, () => this.nve({ type: 'tsiEnded', key, error }));
        break;
      }
      case 'connectVn':
      case 'disconnectVn':
      case 'report':
      case 'remember':
      case 'rememberTags':
        break;
    }
  }

  #refuses(): boolean {
    return this.random() < this.weather.refuse;
  }

  /** Within so many milliseconds; with 0 next, and in order. */
  #after(ms: number, run: () => void): void {
    this.#later.push({ at: this.now + (ms === 0 ? 0 : this.random() * ms), run });
  }
}

/** A VN that was asked for by name again keeps its number. */
function named<T>(info: VnInfo, result: T): T | { readonly ok: true; readonly value: VnInfo } {
  const number = Number(String(info.vni).replace(/^vn/, ''));
  const value = { ...info, vn: number, name: `vn${number}`, vni: number } as unknown as VnInfo;
  return (result as { ok: boolean }).ok ? { ok: true, value } : result;
}

/** A small generator of numbers in [0, 1). */
export function mulberry32(seed: number): () => number {
  let a = seed | 0;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
