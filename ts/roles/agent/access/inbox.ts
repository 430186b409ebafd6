// VDP's PDUs that ECP has acknowledged and nobody has looked at yet. One of each station is taken in turn, so that one that says much
// does not keep the others waiting; how many there may be is bounded.

import type { LinkName, MacAddr } from '#model';
import type { VdpBridgeEvent } from '#protocol';

export type ReceivedPdu = Extract<VdpBridgeEvent, { type: 'pdu' }>;

interface Waiting {
  readonly received: ReceivedPdu;
  readonly at: number;
}

/** PDUs of one station: each of thousands of VSIs may fill one. All together: some 12 MiB. */
const OF_ONE_MAX = 4_096;
const ALL_MAX = 8_192;

export class Inbox {
  readonly #stations = new Map<string, Waiting[]>();
  #size = 0;

  hasRoom(port: LinkName, station: MacAddr): boolean {
    const ofOne = this.#stations.get(`${port} ${station}`)?.length ?? 0;
    return ofOne < OF_ONE_MAX && this.#size < ALL_MAX;
  }

  put(received: ReceivedPdu, at: number): void {
    const { port, mac } = received.peer;
    const station = `${port} ${mac}`;
    const waiting = this.#stations.get(station);
    if (waiting === undefined) this.#stations.set(station, [{ received, at }]);
    else waiting.push({ received, at });
    this.#size++;
  }

  /** When the one that waits longest arrived; null: none waits. */
  oldest(): number | null {
    let oldest: number | null = null;
    for (const [first] of this.#stations.values())
      if (first !== undefined && (oldest === null || first.at < oldest)) oldest = first.at;
    return oldest;
  }

  take(): ReceivedPdu | undefined {
    for (const [station, waiting] of this.#stations) {
      const received = waiting.shift()?.received;
      this.#size--;
      this.#stations.delete(station);
      if (waiting.length > 0) this.#stations.set(station, waiting);
      return received;
    }
    return undefined;
  }

  /** The port has lost its carrier: its stations say everything again. */
  clear(port: LinkName): void {
    for (const [station, waiting] of this.#stations) {
      if (waiting[0]?.received.peer.port !== port) continue;
      this.#size -= waiting.length;
      this.#stations.delete(station);
    }
  }
}
