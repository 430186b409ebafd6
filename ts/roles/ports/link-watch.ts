// Whether any of some ports has a link. What loses its link is given a while to get it back: a short flap does nothing. It must not know
// what the ports are for.

import type { PortId } from '#dataplane';

export interface LinkWatchOptions {
  readonly ports: Iterable<PortId>;
  /** How long all links may be down until that is told. */
  readonly holdMs: number;
  readonly changed: (isUp: boolean) => void;
}

export class LinkWatch {
  readonly #options: LinkWatchOptions;
  /** Until the engine has told it, a port has a link. */
  readonly #up: Map<PortId, boolean>;
  #isUp = true;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: LinkWatchOptions) {
    this.#options = options;
    this.#up = new Map([...options.ports].map((port) => [port, true]));
  }

  /** As `changed` was told last; at first true. */
  get isUp(): boolean {
    return this.#isUp;
  }

  /** What the engine says of a port; ports that are not watched are ignored. */
  linkChanged(port: PortId, up: boolean): void {
    if (!this.#up.has(port)) return;
    this.#up.set(port, up);
    if ([...this.#up.values()].includes(true)) {
      this.stop();
      this.#set(true);
    } else if (this.#isUp && this.#timer === undefined) {
      this.#timer = setTimeout(() => this.#set(false), this.#options.holdMs);
      this.#timer.unref();
    }
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #set(isUp: boolean): void {
    this.#timer = undefined;
    if (isUp === this.#isUp) return;
    this.#isUp = isUp;
    this.#options.changed(isUp);
  }
}
