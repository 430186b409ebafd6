// Attach by port: a tenant interface has a port of the engine for itself, a TAP interface, a vhost-user socket or a PCI function. The
// port is plugged for the TSI, is its link and its VAP (tag kind `port`), and goes with it. What fails half-way is undone whole.

import { MAX_PORTS, type PortId, type PortKind } from '#dataplane';
import { linkOfPort, type NewPort, type TsiListRow } from '#hypervisor';
import { type LinkName, type Mtu, type NveError, nveError, type PortConfig, type TsiId, unwrap } from '#model';
import { portKey, stateOf } from '../engine/objects.js';
import type { PortNames } from '../engine/ports.js';
import type { Reconciler } from '../engine/reconciler.js';
import type { Kernel } from '../ports/kernel.js';
import { KeyedQueue } from '../queue.js';
import type { AgentLinks } from './links.js';

export interface PortLinksOptions {
  readonly reconciler: Reconciler;
  readonly links: AgentLinks;
  readonly ports: PortNames;
  readonly configured: readonly PortConfig[];
  readonly kernel: Kernel;
}

/** The steps of the TSI itself, on its link. */
export interface TsiSteps {
  associate(link: LinkName): Promise<TsiListRow>;
  activate(link: LinkName): Promise<TsiListRow>;
  deassociate(link: LinkName): Promise<unknown>;
}

interface Plugged {
  readonly link: LinkName;
  readonly port: PortId;
  readonly tsi: TsiId;
}

export class PortLinks {
  readonly #options: PortLinksOptions;
  /** By what is in use: an interface, a socket, a function. */
  readonly #plugged = new Map<string, Plugged>();
  readonly #queue = new KeyedQueue<string>();

  constructor(options: PortLinksOptions) {
    this.#options = options;
  }

  has(link: LinkName): boolean {
    return [...this.#plugged.values()].some((one) => one.link === link);
  }

  /** Rejects with NVE-RPC-017 if somebody else has the port, and with whatever refuses the port or the TSI. */
  attach(
    port: NewPort,
    tsi: TsiId,
    mac: string | undefined,
    steps: TsiSteps,
    signal: AbortSignal,
  ): Promise<TsiListRow> {
    const resource = resourceOf(port);
    const link = linkOfPort(port);
    return this.#queue.run(resource, async () => {
      signal.throwIfAborted();
      const plugged = this.#plugged.get(resource);
      const holder =
        plugged === undefined
          ? this.#configuredAs(resource)
          : plugged.tsi === tsi && plugged.link === link
            ? null
            : `TSI ${plugged.tsi}`;
      if (holder !== null) throw nveError('NVE-RPC-017', { port: resource, holder });
      if (plugged === undefined)
        return this.#attachNew(port, { link, tsi, port: this.#freePort() }, mac, steps, signal);
      await steps.associate(link);
      return steps.activate(link);
    });
  }

  async #attachNew(
    newPort: NewPort,
    plugged: Plugged,
    mac: string | undefined,
    steps: TsiSteps,
    signal: AbortSignal,
  ): Promise<TsiListRow> {
    const { reconciler, kernel } = this.#options;
    const { link, port } = plugged;
    if (newPort.kind === 'net_tap') kernel.check(newPort);
    this.#options.ports.set(link, port);
    const undo: (() => unknown)[] = [() => this.#unname(plugged)];
    try {
      unwrap(
        this.#options.links.add({
          name: link,
          port,
          tagging: { kind: 'port' },
          tenantTags: { kind: 'refuse' },
          maxVsis: 1,
        }),
      );
      undo.push(() => steps.deassociate(link));
      const { mtu } = await steps.associate(link);
      signal.throwIfAborted();
      undo.push(() => this.#removePort(plugged));
      const state = stateOf([{ op: 'PortAdd', port, name: link, mtu: mtu ?? 1500, kind: kindOf(newPort, mac) }]);
      await reconciler.set(scopeOf(plugged), state);
      throwIf(reconciler.firstCondition(state.keys()));
      if (newPort.kind === 'net_tap') await kernel.bringUp(newPort, (mtu ?? 1500) as Mtu);
      signal.throwIfAborted();
      const row = await steps.activate(link);
      this.#plugged.set(resourceOf(newPort), plugged);
      return row;
    } catch (error) {
      for (const step of undo.reverse()) await Promise.resolve(step()).catch(() => undefined);
      throw error;
    }
  }

  /** The TSI is gone: so is its port. Resolves when it is unplugged; at once if the link is none of these. */
  async unplug(link: LinkName): Promise<void> {
    const found = [...this.#plugged].find(([, one]) => one.link === link);
    if (found === undefined) return;
    const [resource, plugged] = found;
    await this.#queue.run(resource, async () => {
      if (this.#plugged.get(resource) !== plugged) return;
      this.#plugged.delete(resource);
      await this.#removePort(plugged).finally(() => this.#unname(plugged));
    });
  }

  async #removePort(plugged: Plugged): Promise<void> {
    const { reconciler } = this.#options;
    await reconciler.set(scopeOf(plugged), new Map());
    throwIf(reconciler.condition(portKey(plugged.port)));
  }

  #unname({ link, port }: Plugged): void {
    this.#options.links.remove(link);
    this.#options.ports.delete(port);
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

  #freePort(): PortId {
    const { ports, reconciler } = this.#options;
    const taken = new Set(ports.names().map((name) => ports.id(name)));
    for (let port = 0; port < MAX_PORTS; port++)
      if (!taken.has(port) && !reconciler.actual.has(portKey(port))) return port;
    throw nveError('NVE-RPC-008', { what: 'ports', limit: MAX_PORTS });
  }
}

const scopeOf = ({ link }: Plugged): string => `port ${link}`;

/** What only one can have. A TAP interface is made here before it goes to its namespace, so its name counts alone. */
function resourceOf(port: NewPort): string {
  return port.kind === 'net_tap' ? port.iface : port.kind === 'net_vhost' ? port.path : port.address;
}

function kindOf(port: NewPort, mac: string | undefined): PortKind {
  switch (port.kind) {
    case 'net_tap':
      return { driver: 'net_tap', iface: port.iface, mac: (mac ?? null) as never };
    case 'net_vhost':
      return { driver: 'net_vhost', path: port.path };
    case 'pci':
      return { driver: 'pci', address: port.address };
  }
}

function throwIf(error: NveError | undefined): void {
  if (error !== undefined) throw error;
}
