// Everything that a test makes, taken apart in the reverse order at its end.
import type { EngineOptions } from '#dataplane';
import { EngineProcess } from './engine.js';
import { Namespace } from './namespace.js';
import { Raw } from './raw.js';

export interface VethEnd {
  readonly namespace: Namespace;
  readonly iface: string;
  readonly mtu?: number;
  /**
   * The kernel itself sends at this end, its stack or a bridge: it must finish its checksums and put its VLAN tags into the frames,
   * since AF_XDP at the other end sees frames as they are.
   */
  readonly stack?: boolean;
}

export class Lab {
  readonly #parts: { close(): Promise<unknown> }[] = [];
  #raw: Raw | undefined;

  async namespace(name: string): Promise<Namespace> {
    return this.add(await Namespace.create(name));
  }

  async engine(name: string, namespace: Namespace, options?: Partial<EngineOptions>): Promise<EngineProcess> {
    return this.add(await EngineProcess.open(name, namespace, options));
  }

  /** One process for all raw sockets. */
  raw(): Raw {
    this.#raw ??= this.add(new Raw());
    return this.#raw;
  }

  /** A veth pair, both ends up. */
  async veth(a: VethEnd, b: VethEnd): Promise<void> {
    await a.namespace.ip(`link add ${a.iface} type veth peer name ${b.iface} netns ${b.namespace.pid}`);
    for (const { namespace, iface, mtu, stack } of [a, b]) {
      if (mtu !== undefined) await namespace.ip(`link set ${iface} mtu ${mtu}`);
      if (stack) await namespace.must(`ethtool -K ${iface} tx off txvlan off tx-vlan-stag-hw-insert off`);
      await namespace.ip(`link set ${iface} up`);
    }
  }

  add<T extends { close(): Promise<unknown> }>(part: T): T {
    this.#parts.push(part);
    return part;
  }

  async close(): Promise<void> {
    for (const part of this.#parts.splice(0).reverse()) await part.close();
  }
}
