// What the tenants see on their interfaces: one tcpdump in each namespace, its text in a file. Only echo requests and replies, and
// frames of an EtherType that nobody else uses.

import { nveError } from '#model';
import { ETHERTYPE } from './frames.js';
import type { Processes } from './processes.js';
import { TENANTS } from './tenants.js';
import { until } from './wait.js';

const READY_MS = 5_000;

export class Captures {
  readonly #processes: Processes;

  private constructor(processes: Processes) {
    this.#processes = processes;
  }

  /** Resolves when all of them listen. */
  static async start(processes: Processes): Promise<Captures> {
    for (const { place } of TENANTS) {
      const filter = `icmp or ether proto 0x${ETHERTYPE.toString(16)}`;
      processes.start(nameOf(place), `ip netns exec ${place} tcpdump -i ${place} --immediate-mode -lntA '${filter}'`);
    }
    for (const { place } of TENANTS) {
      const text = await until(
        async () => processes.output(nameOf(place)),
        (output) => output.includes('listening on') || !processes.isRunning(nameOf(place)),
        READY_MS,
        20,
      );
      if (!text.includes('listening on')) throw nveError('NVE-SYS-004', { command: 'tcpdump', reason: text.trim() });
    }
    return new Captures(processes);
  }

  /** How often a pattern has been seen at a tenant. */
  count(place: string, pattern: RegExp): number {
    return [...this.#processes.output(nameOf(place)).matchAll(pattern)].length;
  }

  stop(): void {
    for (const { place } of TENANTS) this.#processes.stop(nameOf(place));
  }
}

function nameOf(place: string): string {
  return `tcpdump-${place}`;
}
