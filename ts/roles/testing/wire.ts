// A wire between two fake engines: what one injects at its port the other punts from its own, as engines do with LLDP and ECP. Everything else
// (a test's own frames) goes nowhere.

import type { FakeEngine } from './fake-engine.js';

interface End {
  readonly engine: FakeEngine;
  readonly port: number;
}

function classOf(frame: Uint8Array): string | undefined {
  const word = (at: number): number => ((frame[at] ?? 0) << 8) | (frame[at + 1] ?? 0);
  // Within an S-channel.
  const type = word(12) === 0x88a8 ? word(16) : word(12);
  return type === 0x88cc ? 'lldp' : type === 0x8940 ? 'ecp' : undefined;
}

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
      const kind = classOf(frame);
      if (port !== from.port || kind === undefined || this.isCut) return;
      // As over a ring: never from inside the call that sent it.
      setImmediate(() => to.engine.punt({ port: to.port, vap: null, class: kind, timestampNs: 0n, frame }));
    };
  }
}
