/** One connection to an NVA, from dialling to its end: what was heard of it and when, and what is due. It decides nothing. */
import type { TunnelEnd } from '#model';
import type { NnpTiming } from './nnp-client-events.js';
import type { NnpEndpoint } from './nnp-endpoints.js';

/** Chosen by the machine with `dial`; never used again. */
export type LinkId = number;

/** What HELLO_ACK said. */
export interface Greeting {
  readonly nvaId: string;
  readonly epoch: string;
  readonly term: bigint;
}

export class NnpLink {
  readonly id: LinkId;
  readonly endpoint: NnpEndpoint;
  state: 'dialling' | 'greeting' | 'up' = 'dialling';
  /** When the state began. */
  since: number;
  heard: number;
  pinged: number;
  nonce = 0;
  /** How the NVE is reached, as the NVA was told last. */
  tunnels: readonly TunnelEnd[] = [];
  greeting: Greeting | null = null;
  /** The NVA has asked to leave it. */
  isLeaving = false;

  constructor(id: LinkId, endpoint: NnpEndpoint, now: number) {
    this.id = id;
    this.endpoint = endpoint;
    this.since = now;
    this.heard = now;
    this.pinged = now;
  }

  /** It can be used: HELLO says how the NVE is reached. */
  opened(tunnels: readonly TunnelEnd[], now: number): void {
    this.tunnels = tunnels;
    this.state = 'greeting';
    this.since = now;
  }

  greeted(greeting: Greeting, now: number): void {
    this.state = 'up';
    this.greeting = greeting;
    this.since = now;
    this.heard = now;
    this.pinged = now;
  }

  nextDeadline({ dialMs, helloMs, pingMs, deadMs }: NnpTiming): number {
    if (this.state === 'dialling') return this.since + dialMs;
    if (this.state === 'greeting') return this.since + helloMs;
    return Math.min(this.heard + deadMs, Math.max(this.heard, this.pinged) + pingMs);
  }
}
