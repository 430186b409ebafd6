// Attach by port: a tenant interface has a port of the engine for itself, a TAP interface, a vhost-user socket or a PCI function. The
// port is plugged for the TSI, is its link and its VAP (tag kind `port`), and goes with it. What fails half-way is undone whole. After
// a restart the ports are plugged again; a port that cannot be yet is tried until it can, or until its TSI is given up.

import type { Logger } from 'pino';
import type { PortId, PortKind } from '#dataplane';
import { linkOfPort, type NewPort, type TsiListRow } from '#hypervisor';
import {
  type LinkName,
  type MacAddr,
  type Mtu,
  type NveError,
  nveError,
  type PortConfig,
  type TsiId,
  type TsiKey,
  toNveError,
  unwrap,
} from '#model';
import type { Store } from '#store';
import { linkKey, portKey, stateOf } from '../engine/objects.js';
import type { PortNames } from '../engine/ports.js';
import type { Changes, Reconciler } from '../engine/reconciler.js';
import type { Kernel } from '../ports/kernel.js';
import { KeyedQueue } from '../queue.js';
import type { AgentLinks } from './links.js';
import { PortFacts, type WantedPort } from './port-facts.js';

export interface PortLinksOptions {
  readonly reconciler: Reconciler;
  readonly links: AgentLinks;
  readonly ports: PortNames;
  readonly configured: readonly PortConfig[];
  readonly kernel: Kernel;
  readonly log: Logger;
  readonly store: Store | undefined;
  /** There is a link of this name now, before anybody asks for a TSI on it. */
  readonly added: (link: LinkName) => void;
}

/** The steps of the TSI itself, on its link. */
export interface TsiSteps {
  associate(link: LinkName): Promise<TsiListRow>;
  activate(link: LinkName): Promise<TsiListRow>;
  deassociate(link: LinkName): Promise<unknown>;
}

interface Plugged extends WantedPort {
  readonly id: PortId;
}
type Undo = (() => unknown)[];

const RETRY_MS = 5_000;

export class PortLinks {
  readonly #options: PortLinksOptions;
  readonly #log: Logger;
  readonly #facts: PortFacts;
  /** By what is in use: an interface, a socket, a function. */
  readonly #plugged = new Map<string, Plugged>();
  /** Likewise: those of before a restart that are not plugged again yet. */
  readonly #awaited = new Map<string, WantedPort>();
  readonly #queue = new KeyedQueue<string>();
  readonly #timers = new Set<NodeJS.Timeout>();
  /** The other ends have a carrier. */
  #hasCarrier = true;

  constructor(options: PortLinksOptions) {
    this.#options = options;
    this.#log = options.log.child({ component: 'port' });
    this.#facts = new PortFacts(options.store);
  }

  /** Rejects with NVE-RPC-017 if somebody else has the port, and with whatever refuses the port or the TSI. */
  attach(port: NewPort, tsi: TsiId, mac: MacAddr, steps: TsiSteps, signal: AbortSignal): Promise<TsiListRow> {
    const resource = resourceOf(port);
    const wanted: WantedPort = { port, link: linkOfPort(port), tsi, mac };
    return this.#queue.run(resource, async () => {
      signal.throwIfAborted();
      const owner = this.#plugged.get(resource) ?? this.#awaited.get(resource);
      const holder =
        owner === undefined
          ? this.#configuredAs(resource)
          : owner.tsi === tsi && owner.link === wanted.link
            ? null
            : `TSI ${owner.tsi}`;
      if (holder !== null) throw nveError('NVE-RPC-017', { port: resource, holder });
      if (!this.#plugged.has(resource)) return this.#attachNew(wanted, steps, signal);
      await steps.associate(wanted.link);
      return steps.activate(wanted.link);
    });
  }

  async #attachNew(wanted: WantedPort, steps: TsiSteps, signal: AbortSignal): Promise<TsiListRow> {
    const { link } = wanted;
    const undo: Undo = [() => this.#forget(wanted)];
    try {
      const plugged = await this.#plug(wanted, undo, async () => {
        undo.push(() => steps.deassociate(link));
        const { mtu } = await steps.associate(link);
        signal.throwIfAborted();
        return mtu;
      });
      signal.throwIfAborted();
      this.#facts.put(wanted);
      const row = await steps.activate(link);
      this.#awaited.delete(resourceOf(wanted.port));
      this.#plugged.set(resourceOf(wanted.port), plugged);
      return row;
    } catch (error) {
      await undoAll(undo);
      throw error;
    }
  }

  /** Makes the link, and then the port; `mtuOf` is asked between them. What is done is in `undo`. */
  async #plug(wanted: WantedPort, undo: Undo, mtuOf: () => Promise<Mtu | null>): Promise<Plugged> {
    const { reconciler, kernel, links, ports } = this.#options;
    const { port, link, mac } = wanted;
    if (port.kind === 'net_tap') kernel.check(port);
    const plugged = { ...wanted, id: ports.free(reconciler.actual) };
    const { id } = plugged;
    ports.set(link, id);
    undo.push(() => this.#unname(plugged));
    const settings = {
      tagging: { kind: 'port' },
      tenantTags: { kind: 'refuse' },
      maxVsis: 1,
      multihomed: false,
      policy: {},
    } as const;
    unwrap(links.add({ name: link, port: id, ...settings }));
    this.#options.added(link);
    const mtu = (await mtuOf()) ?? (1500 as Mtu);
    undo.push(() => this.#removePort(plugged));
    const state = stateOf([{ op: 'PortAdd', port: id, name: link, mtu, kind: kindOf(port, mac) }]);
    for (const [key, object] of this.#carrierOf(plugged)) if (object !== null) state.set(key, object);
    await reconciler.set(scopeOf(plugged), state);
    throwIf(reconciler.firstCondition(state.keys()));
    if (port.kind === 'net_tap') await kernel.bringUp(port, mtu);
    return plugged;
  }

  /**
   * Plugs again what was there before a restart, and tells `plugged` of each. `mtuOf`: of the VN that a TSI was in; null: there is no
   * such TSI.
   */
  restore(mtuOf: (key: TsiKey) => Mtu | null, plugged: (link: LinkName) => void): void {
    for (const wanted of this.#facts.all()) {
      const mtu = mtuOf(wanted);
      if (mtu === null) {
        this.#facts.forget(wanted.link);
        continue;
      }
      this.#awaited.set(resourceOf(wanted.port), wanted);
      void this.#plugAgain(wanted, mtu, plugged, null);
    }
  }

  /** `said`: why it could not be the last time. */
  #plugAgain(wanted: WantedPort, mtu: Mtu, plugged: (link: LinkName) => void, said: string | null): Promise<void> {
    const resource = resourceOf(wanted.port);
    const { link, tsi } = wanted;
    return this.#queue.run(resource, async () => {
      if (this.#awaited.get(resource) !== wanted) return;
      const undo: Undo = [];
      try {
        const holder = this.#configuredAs(resource);
        if (holder !== null) throw nveError('NVE-RPC-017', { port: resource, holder });
        const again = await this.#plug(wanted, undo, async () => mtu);
        this.#awaited.delete(resource);
        this.#plugged.set(resource, again);
        this.#log.info({ port: link, tsi }, `port ${link} of TSI ${tsi} is plugged again`);
        plugged(link);
      } catch (caught) {
        await undoAll(undo);
        const { code, message, hint } = toNveError(caught);
        if (message !== said)
          this.#log.warn({ port: link, tsi, cause: code, hint }, `TSI ${tsi} waits for its port ${link}: ${message}`);
        const timer = setTimeout(() => {
          this.#timers.delete(timer);
          void this.#plugAgain(wanted, mtu, plugged, message);
        }, RETRY_MS);
        timer.unref();
        this.#timers.add(timer);
      }
    });
  }

  /** The interfaces at the other ends lose their carriers, or have them back. */
  setCarrier(hasCarrier: boolean): void {
    this.#hasCarrier = hasCarrier;
    for (const plugged of this.#plugged.values())
      void this.#options.reconciler.patch(scopeOf(plugged), this.#carrierOf(plugged)).catch(() => undefined);
  }

  /** A guest behind vhost-user has no way to be told. */
  #carrierOf({ id, port }: Plugged): Changes {
    if (port.kind === 'net_vhost') return new Map();
    return new Map([[linkKey(id), this.#hasCarrier ? null : { op: 'PortAdmin', port: id, up: false }]]);
  }

  /** Plugs nothing again any more. */
  stop(): void {
    this.#awaited.clear();
    for (const timer of this.#timers) clearTimeout(timer);
  }

  /** The TSI is gone: so is its port. Resolves when it is unplugged; at once if the link is none of these. */
  async unplug(link: LinkName): Promise<void> {
    const found = [...this.#awaited, ...this.#plugged].find(([, one]) => one.link === link);
    if (found === undefined) return;
    const [resource] = found;
    await this.#queue.run(resource, async () => {
      const awaited = this.#awaited.get(resource);
      if (awaited?.link === link) this.#forget(awaited);
      const plugged = this.#plugged.get(resource);
      if (plugged?.link !== link) return;
      this.#plugged.delete(resource);
      this.#forget(plugged);
      await this.#removePort(plugged).finally(() => this.#unname(plugged));
    });
  }

  async #removePort(plugged: Plugged): Promise<void> {
    const { reconciler } = this.#options;
    await reconciler.set(scopeOf(plugged), new Map());
    throwIf(reconciler.condition(portKey(plugged.id)));
  }

  #unname({ link, id }: Plugged): void {
    this.#options.links.remove(link);
    this.#options.ports.delete(id);
  }

  /** It is not to be plugged again. */
  #forget({ port, link }: WantedPort): void {
    this.#awaited.delete(resourceOf(port));
    this.#facts.forget(link);
  }

  #configuredAs(resource: string): string | null {
    const port = this.#options.configured.find(
      (one) =>
        ('iface' in one && one.iface === resource) ||
        ('path' in one && one.path === resource) ||
        ('address' in one && one.address === resource),
    );
    return port === undefined ? null : `port ${port.name} of the configuration`;
  }
}

async function undoAll(undo: Undo): Promise<void> {
  for (const step of undo.reverse()) await Promise.resolve(step()).catch(() => undefined);
}

const scopeOf = ({ link }: Plugged): string => `port ${link}`;

/** What only one can have. A TAP interface is made here before it goes to its namespace, so its name counts alone. */
function resourceOf(port: NewPort): string {
  return port.kind === 'net_tap' ? port.iface : port.kind === 'net_vhost' ? port.path : port.address;
}

function kindOf(port: NewPort, mac: MacAddr): PortKind {
  switch (port.kind) {
    case 'net_tap':
      return { driver: 'net_tap', iface: port.iface, mac };
    case 'net_vhost':
      return { driver: 'net_vhost', path: port.path };
    case 'pci':
      return { driver: 'pci', address: port.address };
  }
}

function throwIf(error: NveError | undefined): void {
  if (error !== undefined) throw error;
}
