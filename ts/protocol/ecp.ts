/**
 * ECP on one access channel: a port, or one S-channel of it (IEEE 802.1Q clause 43), with a machine per peer MAC
 * (RFC 8394 requirement 2: several end devices behind one port). A bridge has as many peers as speak to it; a station has
 * one, its bridge, to which it may send before it knows the bridge's MAC.
 *
 * Sequence numbers come from one counter for all peers, so that what acknowledges one peer's PDU can never be taken for
 * another's, also where a bridge between floods the group address to all of them.
 *
 * What a reset forgets: the last sequence number that was received (a station that restarted begins with 1 again, which
 * would pass for a duplicate); with `carrierLost` also whatever waits, and the peer itself.
 */
import { isGroupMac, type MacAddr, nveError } from '#model';
import type { EcpPdu } from '#wire';
import type {
  EcpDropReason,
  EcpEffect,
  EcpEvent,
  EcpOptions,
  EcpParameters,
  EcpPeerCounters,
  EcpPeerStatus,
  EcpResetReason,
} from './ecp-events.js';
import { EcpPeer, type EcpPeerHost } from './ecp-peer.js';

export interface EcpCounters {
  /** Requests, each once however often it was sent. */
  sent: number;
  retransmitted: number;
  acknowledged: number;
  /** Given up. */
  failed: number;
  delivered: number;
  readonly dropped: Record<EcpDropReason, number>;
}

type Received = Extract<EcpEvent, { type: 'received' }>;
type Send = Extract<EcpEvent, { type: 'send' }>;

const SEQUENCE_MAX = 0xffff;
/** A station's bridge as long as its MAC is not known. */
const UNKNOWN = 'unknown';

export class EcpChannel {
  readonly #options: EcpOptions;
  /** EVB's, of single peers; they outlive the peer's own place here. */
  readonly #own = new Map<MacAddr, EcpParameters>();
  /** In the order in which they were heard last. */
  readonly #peers = new Map<MacAddr | typeof UNKNOWN, EcpPeer>();
  readonly #host: EcpPeerHost;
  #parameters: EcpParameters;
  #sequence: number;
  #effects: EcpEffect[] = [];
  readonly counters: EcpCounters = {
    sent: 0,
    retransmitted: 0,
    acknowledged: 0,
    failed: 0,
    delivered: 0,
    dropped: { duplicate: 0, unknownSubtype: 0, strayAck: 0, notOurPeer: 0, tooManyPeers: 0 },
  };

  constructor(options: EcpOptions) {
    this.#options = options;
    this.#parameters = options.parameters;
    this.#sequence = options.firstSequence;
    this.#host = {
      nextSequence: () => {
        const sequence = this.#sequence;
        // 0 is skipped, as lldpad does.
        this.#sequence = sequence === SEQUENCE_MAX ? 1 : sequence + 1;
        this.counters.sent++;
        return sequence;
      },
      transmit: (peer, pdu) => this.#effects.push({ type: 'transmit', dst: this.#destination(peer), pdu }),
      deliver: (peer, pdu) => this.#deliver(peer, pdu),
      duplicate: (peer) => this.#dropped(peer.mac, 'duplicate'),
      acknowledged: ({ mac }, token) => {
        this.counters.acknowledged++;
        this.#effects.push({ type: 'acknowledged', peer: mac, token });
      },
      failed: ({ mac }, token, error) => {
        this.counters.failed++;
        this.#effects.push({ type: 'failed', peer: mac, token, error });
      },
    };
  }

  handle(event: EcpEvent, now: number): EcpEffect[] {
    this.#effects = [];
    switch (event.type) {
      case 'received':
        this.#received(event, now);
        break;
      case 'send':
        this.#send(event, now);
        break;
      case 'parameters':
        // They hold from the next transmission on (clause 43).
        if (event.peer === null) this.#parameters = event.parameters;
        else this.#own.set(event.peer, event.parameters);
        break;
      case 'parametersGone':
        this.#own.delete(event.peer);
        break;
      case 'bind':
        this.#bind(event.peer, now);
        break;
      case 'reset':
        this.#reset(event.peer, event.reason);
        break;
      case 'tick':
        for (const peer of this.#peers.values()) {
          const { outstanding } = peer.status();
          const before = this.#effects.length;
          peer.tick(this.#of(peer), now);
          if (outstanding !== null && peer.status().outstanding === outstanding)
            this.counters.retransmitted += this.#effects.length - before;
        }
        break;
    }
    return this.#effects;
  }

  /** When `tick` is due; null: never. */
  nextDeadline(): number | null {
    let next: number | null = null;
    for (const { deadline } of this.#peers.values())
      if (deadline !== null && (next === null || deadline < next)) next = deadline;
    return next;
  }

  status(): {
    readonly sequence: number;
    readonly parameters: EcpParameters;
    readonly peers: readonly EcpPeerStatus[];
  } {
    return {
      sequence: this.#sequence,
      parameters: this.#parameters,
      peers: [...this.#peers.values()].map((peer) => peer.status()),
    };
  }

  /** Of peers that have been heard; a copy. */
  peers(): { readonly mac: MacAddr; readonly lastHeard: number; readonly counters: EcpPeerCounters }[] {
    return [...this.#peers.values()].flatMap(({ mac, lastHeard, counters }) =>
      mac === null ? [] : [{ mac, lastHeard, counters: { ...counters } }],
    );
  }

  #received({ src, dst, pdu }: Received, now: number): void {
    const peer = this.#peerOf(src, pdu, now);
    if (peer === null) return;
    peer.heardOn = dst;
    peer.lastHeard = now;
    switch (pdu.operation) {
      case 'ack':
        if (!peer.ack(pdu, this.#of(peer), now)) this.#dropped(src, 'strayAck');
        break;
      case 'request':
        // Clause 43: a subtype without a user is not acknowledged.
        if (this.#options.subtypes.includes(pdu.subtype)) peer.request(pdu);
        else this.#dropped(src, 'unknownSubtype');
        break;
    }
  }

  /** The peer that sent this; null: dropped. */
  #peerOf(src: MacAddr, pdu: EcpPdu, now: number): EcpPeer | null {
    const known = this.#peers.get(src);
    if (known !== undefined) return this.#touch(src, known);
    switch (this.#options.role) {
      case 'station': {
        // Without an EVB TLV the bridge is who acknowledges what we sent.
        const unknown = this.#peers.get(UNKNOWN);
        if (pdu.operation === 'ack' && unknown?.status().outstanding === pdu.sequence) {
          this.#bind(src, now);
          return this.#peers.get(src) ?? null;
        }
        this.#dropped(src, 'notOurPeer');
        return null;
      }
      case 'bridge': {
        // Nothing can be outstanding towards somebody unknown; an acknowledgement makes no peer.
        if (pdu.operation === 'ack') {
          this.#dropped(src, 'strayAck');
          return null;
        }
        if (!this.#options.subtypes.includes(pdu.subtype)) {
          this.#dropped(src, 'unknownSubtype');
          return null;
        }
        const made = this.#room(src, now);
        if (made === null) this.#dropped(src, 'tooManyPeers');
        return made;
      }
    }
  }

  #send({ peer: mac, token, subtype, payload }: Send, now: number): void {
    const peer = this.#target(mac, now);
    if (peer !== null) {
      peer.send({ token, subtype, payload }, this.#of(peer), now);
      return;
    }
    this.counters.failed++;
    const error = nveError('NVE-ECP-004', { peer: mac ?? 'the bridge', limit: this.#options.maxPeers });
    this.#effects.push({ type: 'failed', peer: mac, token, error });
  }

  #target(mac: MacAddr | null, now: number): EcpPeer | null {
    if (mac !== null) return this.#peers.get(mac) ?? this.#room(mac, now);
    // A station's only peer, bound or not.
    const [only] = this.#peers.values();
    return only ?? this.#room(null, now);
  }

  /** A new peer, if need be in the place of another; null: all are in use, and busy. */
  #room(mac: MacAddr | null, now: number): EcpPeer | null {
    const limit = this.#options.role === 'station' ? 1 : this.#options.maxPeers;
    if (this.#peers.size >= limit && !this.#displace()) return null;
    const peer = new EcpPeer(mac, this.#options, this.#host, now);
    this.#peers.set(mac ?? UNKNOWN, peer);
    return peer;
  }

  /** Forgets the peer that can best be spared, of equals the one that was heard longest ago. */
  #displace(): boolean {
    let worst = Number.POSITIVE_INFINITY;
    let found: EcpPeer | null = null;
    for (const peer of this.#peers.values()) {
      const rank = this.#rank(peer);
      if (rank >= worst) continue;
      worst = rank;
      found = peer;
      if (rank === 0) break;
    }
    if (found === null) return false;
    found.abandon(nveError('NVE-ECP-002', { peer: found.mac ?? 'the bridge', reason: 'its place went to another' }));
    this.#peers.delete(found.mac ?? UNKNOWN);
    return true;
  }

  /** The lowest goes first; infinite: never. */
  #rank({ mac, idle }: EcpPeer): number {
    const isInUse = mac !== null && (this.#options.isInUse?.(mac) ?? false);
    if (isInUse) return idle ? 3 : Number.POSITIVE_INFINITY;
    if (!idle) return this.#options.role === 'bridge' ? 2 : Number.POSITIVE_INFINITY;
    // Who has parameters of its own was heard by EVB.
    return mac !== null && this.#own.has(mac) ? 1 : 0;
  }

  #touch(mac: MacAddr, peer: EcpPeer): EcpPeer {
    this.#peers.delete(mac);
    this.#peers.set(mac, peer);
    return peer;
  }

  /** The station's bridge is this one. What was sent before it was known goes on; a former bridge is forgotten. */
  #bind(mac: MacAddr, now: number): void {
    if (this.#options.role !== 'station' || this.#peers.has(mac)) return;
    const unknown = this.#peers.get(UNKNOWN);
    for (const peer of this.#peers.values()) if (peer !== unknown) peer.reset('carrierLost');
    this.#peers.clear();
    const peer = unknown ?? new EcpPeer(mac, this.#options, this.#host, now);
    peer.mac = mac;
    this.#peers.set(mac, peer);
  }

  #reset(mac: MacAddr | null, reason: EcpResetReason): void {
    const peers = [...this.#peers].filter(([, peer]) => mac === null || peer.mac === mac);
    for (const [key, peer] of peers) {
      peer.reset(reason);
      if (reason === 'carrierLost') this.#peers.delete(key);
    }
  }

  #deliver({ mac }: EcpPeer, { subtype, payload }: EcpPdu): void {
    // Only a station's unknown bridge has no MAC, and nothing is received from it as such.
    if (mac === null) return;
    this.counters.delivered++;
    this.#effects.push({ type: 'deliver', peer: mac, subtype, payload });
  }

  #dropped(mac: MacAddr | null, reason: EcpDropReason): void {
    this.counters.dropped[reason]++;
    if (mac !== null) this.#effects.push({ type: 'dropped', peer: mac, reason });
  }

  #of({ mac }: EcpPeer): EcpParameters {
    return (mac === null ? undefined : this.#own.get(mac)) ?? this.#parameters;
  }

  /** 802.1Qcy permits other addresses than the nearest customer bridge's; RFC 8394 requirement 1 needs them. */
  #destination({ mac, heardOn }: EcpPeer): MacAddr {
    const { address, unicast } = this.#options;
    const group = heardOn !== null && isGroupMac(heardOn) ? heardOn : address;
    if (mac === null) return address;
    switch (unicast) {
      case 'always':
        return mac;
      case 'never':
        return group;
      case 'auto':
        return this.#peers.size > 1 || (heardOn !== null && !isGroupMac(heardOn)) ? mac : group;
    }
  }
}
