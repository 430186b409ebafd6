// Frames about a link that nobody here takes, counted. The engine hands over all that bridges do not forward (802.1Q, 8.6.3), and LLDP and
// ECP; who serves a port takes these two, and for the rest there is nobody.

import type { Engine, PortId, Punt, Unsubscribe } from '#dataplane';
import type { ShowDropsRow } from '#hypervisor';
import type { AgentDropReason } from '#model';
import type { PortNames } from './ports.js';

const REASON: AgentDropReason = 'control_unheard';

export class Unheard {
  readonly #packets = new Map<PortId, number>();
  readonly #unsubscribe: Unsubscribe;

  /** `hears`: whether somebody takes LLDP and ECP of the port. */
  constructor(engine: Engine, hears: (port: PortId) => boolean) {
    this.#unsubscribe = engine.onPunt(({ port, class: kind }) => {
      if (!isNegotiation(kind) || !hears(port)) this.#packets.set(port, (this.#packets.get(port) ?? 0) + 1);
    });
  }

  rows(ports: PortNames): ShowDropsRow[] {
    return [...this.#packets].map(([port, packets]) => ({ port: ports.name(port), reason: REASON, packets }));
  }

  close(): void {
    this.#unsubscribe();
  }
}

/** Of the classes of punts those by which TSIs are negotiated. */
export function isNegotiation(kind: Punt['class']): boolean {
  return kind === 'lldp' || kind === 'ecp';
}
