// A wire between two fake engines: what one injects at its port the other punts from its own, as engines do with LLDP and ECP. Everything else
// (a test's own frames) goes nowhere.

import type { FakeEngine } from './fake-engine.js';

interface End {
  readonly engine: FakeEngine;
  readonly port: number;
}

const CLASSES: Readonly<Record<number, string>> = { 35020: 'lldp', 35136: 'ecp' };

export class Wire {
  /** Frames are lost, in both directions. */
  isCut = false;

  constructor(a: End, b: End) {
    this.#carry(a, b);
    this.#carry(b, a);
  }

  #carry(from: End, to: End): void {
    const inject = from.engine.inject.bind(from.engine);
    from.engine.inject = async (port, frame) => {
      await inject(port, frame);
      const kind = CLASSES[((frame[12] ?? 0) << 8) | (frame[13] ?? 0)];
      if (port !== from.port || kind === undefined || this.isCut) return;
      // As over a ring: never from inside the call that sent it.
      setImmediate(() => to.engine.punt({ port: to.port, vap: null, class: kind, timestampNs: 0n, frame }));
    };
  }
}
