// Whether any of some ports, or addresses, has a link. What loses its link is given a while to get it back: a short flap does nothing. It must
// not know what they are for.

export interface LinkWatchOptions {
  /** Ports or addresses, by numbers. */
  readonly of: Iterable<number>;
  /** How long all links may be down until that is told. */
  readonly holdMs: number;
  readonly changed: (isUp: boolean) => void;
}

export class LinkWatch {
  readonly #options: LinkWatchOptions;
  /** Until it is told, each has a link. */
  readonly #up: Map<number, boolean>;
  #isUp = true;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: LinkWatchOptions) {
    this.#options = options;
    this.#up = new Map([...options.of].map((one) => [one, true]));
  }

  /** As `changed` was told last; at first true. */
  get isUp(): boolean {
    return this.#isUp;
  }

  /** What is not watched is ignored. */
  linkChanged(one: number, up: boolean): void {
    if (!this.#up.has(one)) return;
    this.#up.set(one, up);
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
