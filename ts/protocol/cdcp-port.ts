/**
 * What the CDCP machines of both sides share (IEEE 802.1Q clause 42.4): when it runs and with whom, the grace time, and the
 * channels that are up. Which channels those are is each side's own business (`CdcpSide`).
 *
 * ```
 *           up                    peer of the other role with SComp
 *   down ────────► notRunning ────────────────────────────────────► running ◄──┐ other list
 *    ▲  ▲              ▲ ▲                                            │ │ └──────┘
 *    │  │              │ └──────── SComp = 0, equal roles ────────────┘ │ no TLV, TTL expired, down
 *    │  │ down         │ grace over                                     ▼
 *    │  └──────────────┴─────────────────────────────────────────── holding ──► running (the same peer is back)
 *    └── grace over without a carrier ────────────────────────────────┘
 * ```
 *
 * After a restart of ours a bridge begins in holding, with the channels that there were (`restored`).
 *
 * CDCP is for point-to-point links: the first peer that is heard is the peer, others wait until it is gone.
 *
 * A control plane that restarts begins with LLDP and no CDCP TLV, then with one that lists the default channel only. So both
 * a lost peer and a channel that is no longer listed are held for the grace time.
 */
import type { CdcpPair, CdcpTlv } from '#wire';
import type { CdcpEffect, CdcpEvent, CdcpRoleOptions, CdcpState } from './cdcp-events.js';

export interface CdcpPortOptions extends CdcpRoleOptions {
  /** ChnCap: how many channels we support, the default one included. */
  readonly channels: number;
  /** How long channels outlive their neighbour, so that a restart of its control plane does not cut them. */
  readonly graceMs: number;
}

/** The default channel: always there, untagged (clause 42). */
export const DEFAULT_CHANNEL: CdcpPair = { scid: 1, svid: 1 };
export const SVID_MIN = 2;
export const SVID_MAX = 4094;
/** A neighbour may be silent for as long as its TTL says, which a restart of ours has lost: by default four intervals (802.1AB clause 9.2). */
const SILENCE_MS = 121_000;

export interface CdcpSide {
  readonly role: 'bridge' | 'station';
  /** Whether what the peer lists shows that it is on the other side, whatever its Role bit says. */
  behaves(peer: CdcpTlv, tlv: CdcpTlv | null): boolean;
  /** What follows from the peer's list. `up`: the channels there are, those that are held included. */
  running(id: string, peer: CdcpTlv, up: ReadonlyMap<number, number>): CdcpChannels;
}

export interface CdcpChannels {
  /** That shall be. */
  readonly channels: readonly CdcpPair[];
  /** To advertise, without the default one. */
  readonly pairs: readonly CdcpPair[];
  /** A channel that shall not be, but was there: whether it is held for the grace time. */
  isHeld(scid: number): boolean;
}

interface Peer {
  /** Of its MSAP. */
  readonly id: string;
  /** Its Role bit; null: it has not been heard since our restart. */
  readonly bit: 0 | 1 | null;
  /** The Role bit that we send as long as it is our peer. */
  readonly own: 0 | 1;
}

export class CdcpPort {
  readonly #options: CdcpPortOptions;
  readonly #side: CdcpSide;
  /** Everybody who sends a CDCP TLV, the first one first. */
  readonly #heard = new Map<string, CdcpTlv>();
  /** SVID by SCID. */
  readonly #channels = new Map<number, number>();
  /** Those of them that are held, the first one first: until when. */
  readonly #held = new Map<number, number>();
  #carrier = false;
  #state: CdcpState = 'down';
  #peer: Peer | null = null;
  #until = 0;
  #advertised: CdcpTlv | null = null;
  effects: CdcpEffect[] = [];

  constructor(options: CdcpPortOptions, side: CdcpSide) {
    this.#options = options;
    this.#side = side;
  }

  get state(): CdcpState {
    return this.#state;
  }

  /** The MSAP of the peer with which it runs. */
  get peer(): string | null {
    return this.#peer?.id ?? null;
  }

  /** The channels besides the default one, those that are held included. */
  get channels(): readonly CdcpPair[] {
    return [...this.#channels].map(([scid, svid]) => ({ scid, svid }));
  }

  nextDeadline(): number | null {
    if (this.#state === 'holding') return this.#until;
    const [first] = this.#held.values();
    return first ?? null;
  }

  handle(event: Exclude<CdcpEvent, { type: 'wants' }>, now: number): CdcpEffect[] {
    this.effects = [];
    switch (event.type) {
      case 'up':
        this.#carrier = true;
        if (this.#state === 'down') this.#state = 'notRunning';
        this.settle(now);
        break;
      case 'down':
        this.#carrier = false;
        this.#heard.clear();
        this.settle(now);
        break;
      case 'restored':
        if (this.#state === 'down' && event.channels.length > 0) this.#restore(event.station, event.channels, now);
        break;
      case 'neighbour':
        if (!this.#carrier) break;
        if (event.cdcp === null) this.#heard.delete(event.id);
        else this.#heard.set(event.id, event.cdcp);
        this.settle(now);
        break;
      case 'neighbourGone':
        this.#heard.delete(event.id);
        this.settle(now);
        break;
      case 'tick':
        if (this.#state === 'holding' && now >= this.#until) this.#end();
        this.settle(now);
        break;
    }
    return this.effects;
  }

  #restore(id: string, channels: readonly CdcpPair[], now: number): void {
    this.#state = 'holding';
    this.#peer = { id, bit: null, own: this.#bit };
    this.#until = now + SILENCE_MS + this.#options.graceMs;
    this.#become(channels);
  }

  /** Everything that follows from who is heard and what is wanted. */
  settle(now: number): void {
    let pairs: readonly CdcpPair[] | null = null;
    switch (this.#state) {
      case 'down':
        break;
      case 'notRunning':
        if (!this.#carrier) this.#state = 'down';
        else pairs = this.#begin(now);
        break;
      case 'running':
      case 'holding':
        pairs = this.#goOn(now);
        break;
    }
    this.#advertise(pairs ?? this.channels);
  }

  #begin(now: number): readonly CdcpPair[] | null {
    const [first] = this.#heard;
    if (first === undefined || !this.#accepts(first[1])) return null;
    const [id, tlv] = first;
    return this.#run(chosen({ id, bit: null, own: this.#bit }, tlv), tlv, now);
  }

  #goOn(now: number): readonly CdcpPair[] | null {
    const peer = this.#peer;
    const tlv = peer === null ? undefined : this.#heard.get(peer.id);
    if (peer === null || tlv === undefined) {
      if (this.#state === 'running') {
        this.#state = 'holding';
        this.#held.clear();
        this.#until = now + this.#options.graceMs;
      }
      return null;
    }
    // Once taken for what it is, a peer stays so as long as its bit does; with SVIDs assigned it asks for none any more.
    const isKnown = tlv.role === peer.bit || peer.bit === null;
    if (tlv.sComponent && (isKnown || this.#accepts(tlv))) return this.#run(chosen(peer, tlv), tlv, now);
    this.#end();
    return this.#carrier ? this.#begin(now) : null;
  }

  #run(peer: Peer, tlv: CdcpTlv, now: number): readonly CdcpPair[] {
    this.#state = 'running';
    this.#peer = peer;
    const { channels, pairs, isHeld } = this.#side.running(peer.id, tlv, this.#channels);
    const wanted = new Set(channels.map(({ scid }) => scid));
    let isForgotten = false;
    for (const scid of this.#channels.keys()) {
      if (wanted.has(scid) || !isHeld(scid)) this.#held.delete(scid);
      else if (!this.#held.has(scid)) {
        this.#held.set(scid, now + this.#options.graceMs);
        isForgotten = true;
      }
    }
    // Nothing of ours has changed, so LLDP would say it at its next interval only.
    if (isForgotten && this.#side.role === 'station') this.effects.push({ type: 'repeat' });
    for (const [scid, until] of this.#held) if (now >= until) this.#held.delete(scid);
    // The default channel counts. What is wanted now goes before what is held.
    let excess = 1 + channels.length + this.#held.size - this.#options.channels;
    for (const scid of this.#held.keys()) if (excess-- > 0) this.#held.delete(scid);
    this.#become(channels);
    return pairs;
  }

  #end(): void {
    this.#held.clear();
    this.#become([]);
    this.#peer = null;
    this.#state = this.#carrier ? 'notRunning' : 'down';
  }

  /** Downs before ups: an SVID may change hands. */
  #become(channels: readonly CdcpPair[]): void {
    const wanted = new Map(channels.map(({ scid, svid }) => [scid, svid]));
    for (const [scid, svid] of this.#channels) {
      if (wanted.get(scid) === svid || this.#held.has(scid)) continue;
      this.#channels.delete(scid);
      this.effects.push({ type: 'channelDown', scid, svid });
    }
    for (const [scid, svid] of wanted) {
      if (this.#channels.has(scid)) continue;
      this.#channels.set(scid, svid);
      this.effects.push({ type: 'channelUp', scid, svid });
    }
  }

  #accepts(tlv: CdcpTlv): boolean {
    if (!tlv.sComponent) return false;
    const other = this.#side.role === 'bridge' ? this.#options.stationBit : 1 - this.#options.stationBit;
    switch (this.#options.peerRole) {
      case 'bit':
        return tlv.role === other;
      case 'tolerant':
        return tlv.role === other || this.#side.behaves(tlv, this.#advertised);
      case 'assume':
        return true;
    }
  }

  #advertise(pairs: readonly CdcpPair[]): void {
    const tlv = this.#carrier ? this.#tlv(pairs) : null;
    if (JSON.stringify(tlv) === JSON.stringify(this.#advertised)) return;
    this.#advertised = tlv;
    this.effects.push({ type: 'advertise', tlv });
  }

  /** The Role bit that we send until we have a peer. */
  get #bit(): 0 | 1 {
    const { stationBit } = this.#options;
    if (this.#side.role === 'station') return stationBit;
    return stationBit === 1 ? 0 : 1;
  }

  #tlv(pairs: readonly CdcpPair[]): CdcpTlv {
    const running = this.#state === 'running' || this.#state === 'holding';
    return {
      role: this.#peer?.own ?? this.#bit,
      sComponent: true,
      channels: this.#options.channels,
      pairs: [DEFAULT_CHANNEL, ...(running ? pairs : [])],
      reserved1: 0,
      reserved2: 0,
    };
  }
}

/**
 * The peer with the bit that it sends now. One that reads the bit the other way round would take equal bits for equal roles, so ours is
 * the other one; chosen once: two ends that each follow the other would never come to rest.
 */
function chosen(peer: Peer, { role: bit }: CdcpTlv): Peer {
  return { ...peer, bit, own: peer.bit === null ? (bit === 1 ? 0 : 1) : peer.own };
}
