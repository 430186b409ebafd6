// Which of the NVE's underlay addresses can be used: those whose link is up and that no other host has. What is so of each is told to the
// NVA (docs/nnp.md, ENDS), so that others do not send where nothing arrives; that none is left is another matter (`LinkWatch`).

import type { EngineEvent, PortId } from '#dataplane';
import type { LinkName, UnderlayConfig } from '#model';

export interface UnderlayStateParts {
  readonly addresses: readonly UnderlayConfig[];
  readonly portOf: (name: LinkName) => PortId;
  /** The first is the address's place in the list. As it is now. */
  readonly changed: (address: number, isUsable: boolean) => void;
  /** `isDown` has another answer for some of them. */
  readonly endsChanged: () => void;
}

/** A link that comes and goes is not told to everybody each time: it has to stay so long. */
const BACK_MS = 1_000;

interface Address {
  readonly config: UnderlayConfig;
  readonly port: PortId;
  isTaken: boolean;
  isUsable: boolean;
  isDown: boolean;
  timer: NodeJS.Timeout | undefined;
}

export class UnderlayState {
  readonly #parts: UnderlayStateParts;
  readonly #addresses: Address[];
  /** Until the engine has told it, a port has a link. */
  readonly #links = new Map<PortId, boolean>();

  constructor(parts: UnderlayStateParts) {
    this.#parts = parts;
    this.#addresses = parts.addresses.map((config) => {
      const port = parts.portOf(config.port);
      return { config, port, isTaken: false, isUsable: true, isDown: false, timer: undefined };
    });
  }

  /** Whether nothing arrives there, as it was told last. */
  isDown(config: UnderlayConfig): boolean {
    return this.#addresses.find((address) => address.config === config)?.isDown === true;
  }

  event(event: EngineEvent): void {
    if (event.kind === 'link') this.#links.set(event.port, event.up);
    else if (event.kind === 'address')
      for (const address of this.#addresses) {
        if (address.port === event.port && address.config.address.ip === event.ip)
          address.isTaken = event.state === 'duplicate';
      }
    else return;
    let isNews = false;
    for (const [n, address] of this.#addresses.entries()) isNews = this.#look(n, address) || isNews;
    if (isNews) this.#parts.endsChanged();
  }

  stop(): void {
    for (const { timer } of this.#addresses) clearTimeout(timer);
  }

  /** True if it has gone down. */
  #look(n: number, address: Address): boolean {
    const isUsable = this.#links.get(address.port) !== false && !address.isTaken;
    if (isUsable === address.isUsable) return false;
    address.isUsable = isUsable;
    this.#parts.changed(n, isUsable);
    clearTimeout(address.timer);
    if (isUsable && address.isDown) {
      address.timer = setTimeout(() => {
        address.isDown = false;
        this.#parts.endsChanged();
      }, BACK_MS);
      address.timer.unref();
    }
    if (isUsable || address.isDown) return false;
    address.isDown = true;
    return true;
  }
}
