/**
 * CDCP on the station's side (IEEE 802.1Q clause 42.4, role S): it lists the channels that it wants and takes the SVIDs
 * that the bridge supplies. A channel that is no longer wanted, or that the bridge lists with SVID 0, goes down; one that the
 * bridge no longer lists does so after the grace time.
 */
import type { CdcpPair, CdcpTlv } from '#wire';
import type { CdcpEffect, CdcpEvent, CdcpState } from './cdcp-events.js';
import { type CdcpChannels, CdcpPort, type CdcpPortOptions, DEFAULT_CHANNEL, SVID_MAX, SVID_MIN } from './cdcp-port.js';

export interface CdcpStationOptions extends CdcpPortOptions {
  /** SCIDs besides the default channel's 1. */
  readonly wants: readonly number[];
}

const SCID_MAX = 4095;

export class CdcpStation {
  readonly #options: CdcpStationOptions;
  readonly #port: CdcpPort;
  #wants: readonly number[];
  /** The last SVID of each channel: the suggestion of the next request. */
  readonly #last = new Map<number, number>();

  constructor(options: CdcpStationOptions) {
    this.#options = options;
    this.#wants = wantable(options.wants);
    this.#port = new CdcpPort(options, {
      role: 'station',
      // Only a bridge gives SVIDs to channels for which we had none; and it never asks with 0 before we ran.
      behaves: (peer, tlv) =>
        tlv !== null && peer.pairs.every(({ svid }) => svid !== 0) && peer.pairs.length > 0 && peer.role === tlv.role,
      running: (_, peer) => this.#running(peer),
    });
  }

  get state(): CdcpState {
    return this.#port.state;
  }

  /** The MSAP of the peer with which it runs. */
  get peer(): string | null {
    return this.#port.peer;
  }

  get channels(): readonly CdcpPair[] {
    return this.#port.channels;
  }

  handle(event: CdcpEvent, now: number): CdcpEffect[] {
    switch (event.type) {
      case 'up':
      case 'down':
      case 'neighbour':
      case 'neighbourGone':
      case 'tick':
        return this.#port.handle(event, now);
      case 'restored':
        // A station is told again by its bridge.
        return [];
      case 'wants':
        this.#wants = wantable(event.scids);
        this.#port.effects = [];
        this.#port.settle(now);
        return this.#port.effects;
    }
  }

  nextDeadline(): number | null {
    return this.#port.nextDeadline();
  }

  #running(peer: CdcpTlv): CdcpChannels {
    const { effects } = this.#port;
    // The default channel counts.
    const room = Math.max(0, Math.min(this.#options.channels, peer.channels) - 1);
    const wants = this.#wants.slice(0, room);
    for (const scid of this.#wants.slice(room)) effects.push({ type: 'refused', scid, reason: 'tooManyChannels' });
    const supplied = new Map<number, number>();
    const used = new Set<number>([DEFAULT_CHANNEL.svid]);
    for (const { scid, svid } of peer.pairs) {
      if (!wants.includes(scid) || supplied.has(scid)) continue;
      if (svid === 0) {
        // The bridge has none for it: what it was once is no longer good as a suggestion.
        this.#last.delete(scid);
        continue;
      }
      if (svid < SVID_MIN || svid > SVID_MAX || used.has(svid)) {
        effects.push({ type: 'refused', scid, reason: 'svidInvalid' });
        continue;
      }
      supplied.set(scid, svid);
      used.add(svid);
      this.#last.set(scid, svid);
    }
    return {
      channels: [...supplied].map(([scid, svid]) => ({ scid, svid })),
      pairs: wants.map((scid) => ({ scid, svid: supplied.get(scid) ?? this.#last.get(scid) ?? 0 })),
      // A restarting bridge does not list it yet; one with SVID 0 is refused.
      isHeld: (scid) => wants.includes(scid) && !peer.pairs.some((pair) => pair.scid === scid),
    };
  }
}

function wantable(scids: readonly number[]): number[] {
  return [...new Set(scids)].filter(
    (scid) => Number.isInteger(scid) && scid > DEFAULT_CHANNEL.scid && scid <= SCID_MAX,
  );
}
