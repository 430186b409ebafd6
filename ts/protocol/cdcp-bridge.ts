/**
 * CDCP on the bridge's side (IEEE 802.1Q clause 42.4, role B): it takes the channels that the station lists and supplies
 * their SVIDs. A channel keeps its SVID as long as the station lists it, and gets the same one afterwards while it is
 * free: (station, SCID) → SVID is remembered, and the role keeps it over a restart.
 */
import type { CdcpPair, CdcpTlv } from '#wire';
import type { CdcpAssignment, CdcpEffect, CdcpEvent, CdcpState } from './cdcp-events.js';
import { type CdcpChannels, CdcpPort, type CdcpPortOptions, DEFAULT_CHANNEL, SVID_MAX, SVID_MIN } from './cdcp-port.js';

export interface CdcpBridgeOptions extends CdcpPortOptions {
  /** Inclusive (AdminCDCPSVIDPoolLow, -High). 0, 1 and 4095 are never assigned, whatever it says. */
  readonly svidPool: { readonly low: number; readonly high: number };
  /** SVIDs of the pool that other services of the port use. */
  readonly reserved: readonly number[];
  readonly remembered: readonly CdcpAssignment[];
}

/** Assignments that are remembered; the ones used longest ago are forgotten first. */
const REMEMBERED_MAX = 4096;

export class CdcpBridge {
  readonly #options: CdcpBridgeOptions;
  readonly #reserved: ReadonlySet<number>;
  readonly #port: CdcpPort;
  readonly #remembered = new Map<string, CdcpAssignment>();

  constructor(options: CdcpBridgeOptions) {
    this.#options = options;
    this.#reserved = new Set(options.reserved);
    for (const assignment of options.remembered) this.#remember(assignment);
    this.#port = new CdcpPort(options, {
      role: 'bridge',
      // A bridge lists only what a station has asked it for, and we ask for nothing.
      behaves: (peer) => peer.pairs.some(({ scid }) => scid > DEFAULT_CHANNEL.scid),
      running: (id, peer, up) => this.#running(id, peer, up),
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
      case 'restored':
      case 'neighbour':
      case 'neighbourGone':
      case 'tick':
        return this.#port.handle(event, now);
      case 'wants':
        // A bridge wants no channels of its own (clause 42.4: only role S has AdminSVIDWants).
        return [];
    }
  }

  nextDeadline(): number | null {
    return this.#port.nextDeadline();
  }

  #running(station: string, peer: CdcpTlv, up: ReadonlyMap<number, number>): CdcpChannels {
    const asked = new Map<number, number>();
    for (const { scid, svid } of peer.pairs) if (scid > DEFAULT_CHANNEL.scid && !asked.has(scid)) asked.set(scid, svid);
    // The default channel counts.
    const room = Math.max(0, Math.min(this.#options.channels, peer.channels) - 1);
    const scids = [...asked.keys()];
    const taken = scids.slice(0, room);
    for (const scid of scids.slice(room)) this.#port.effects.push({ type: 'refused', scid, reason: 'tooManyChannels' });

    const assigned = new Map<number, number>();
    for (const scid of taken) {
      const svid = up.get(scid);
      if (svid !== undefined) assigned.set(scid, svid);
    }
    // Also those of the channels that are held.
    const used = new Set(up.values());
    const held = new Set([...up].filter(([scid]) => !assigned.has(scid)).map(([, svid]) => svid));
    // First what was remembered for each channel, then what each asks for, then any: nobody takes another one's, but what is only
    // held goes rather than what is wanted.
    for (const choose of [
      (scid: number) => this.#remembered.get(keyOf(station, scid))?.svid,
      (scid: number) => asked.get(scid),
      () => this.#lowest(used) ?? held.values().next().value,
    ])
      for (const scid of taken) {
        if (assigned.has(scid)) continue;
        const svid = choose(scid);
        if (svid === undefined || !this.#inPool(svid) || (used.has(svid) && !held.delete(svid))) continue;
        assigned.set(scid, svid);
        used.add(svid);
      }
    for (const scid of taken) {
      const svid = assigned.get(scid);
      if (svid === undefined) this.#port.effects.push({ type: 'refused', scid, reason: 'noSvidLeft' });
      else if (this.#remember({ station, scid, svid }))
        this.#port.effects.push({ type: 'remember', assignment: { station, scid, svid } });
    }
    return {
      channels: [...assigned].map(([scid, svid]) => ({ scid, svid })),
      // In the station's order; 0: none could be supplied.
      pairs: taken.map((scid) => ({ scid, svid: assigned.get(scid) ?? 0 })),
      // A restarting station lists nothing at first.
      isHeld: (scid) => held.has(up.get(scid) ?? 0),
    };
  }

  /** The lowest free SVID, if possible one that nobody had before. */
  #lowest(used: ReadonlySet<number>): number | undefined {
    const had = new Set([...this.#remembered.values()].map(({ svid }) => svid));
    const { low, high } = this.#options.svidPool;
    let any: number | undefined;
    for (let svid = Math.max(low, SVID_MIN); svid <= Math.min(high, SVID_MAX); svid++) {
      if (!this.#inPool(svid) || used.has(svid)) continue;
      if (!had.has(svid)) return svid;
      any ??= svid;
    }
    return any;
  }

  #inPool(svid: number): boolean {
    const { low, high } = this.#options.svidPool;
    return svid >= Math.max(low, SVID_MIN) && svid <= Math.min(high, SVID_MAX) && !this.#reserved.has(svid);
  }

  /** True: it was not so before. */
  #remember(assignment: CdcpAssignment): boolean {
    const key = keyOf(assignment.station, assignment.scid);
    const before = this.#remembered.get(key);
    this.#remembered.delete(key);
    this.#remembered.set(key, assignment);
    const [oldest] = this.#remembered.keys();
    if (this.#remembered.size > REMEMBERED_MAX && oldest !== undefined) this.#remembered.delete(oldest);
    return before?.svid !== assignment.svid;
  }
}

function keyOf(station: string, scid: number): string {
  return `${scid} ${station}`;
}
