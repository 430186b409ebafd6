// The configuration's ports and engine settings as the engine's commands and options.

import { type Command, type EngineOptions, MAX_PORTS, type PortId, type PortKind } from '#dataplane';
import { type EngineConfig, nveError, type PortConfig } from '#model';
import { portKey } from './objects.js';

type PortAdd = Extract<Command, { op: 'PortAdd' }>;

export function engineOptions(config: EngineConfig): EngineOptions {
  return {
    hugepages: config.hugepages,
    memoryMb: config.memory_mb,
    mbufs: config.mbufs,
    mbufSize: config.mbuf_size,
    pollers: config.pollers,
    poll: config.poll,
    fdbCapacity: config.fdb_capacity,
    cpus: config.cpus ?? null,
    extraEal: config.extra_eal,
  };
}

/** Ports get their numbers in the order of the file. */
export function portCommands(ports: readonly PortConfig[]): PortAdd[] {
  return ports.map(
    (port, n): PortAdd => ({ op: 'PortAdd', port: n, name: port.name, mtu: port.mtu, kind: kindOf(port) }),
  );
}

function kindOf(port: PortConfig): PortKind {
  switch (port.driver) {
    case 'net_af_xdp':
      return { driver: 'net_af_xdp', iface: port.iface };
    case 'net_tap':
      return { driver: 'net_tap', iface: port.iface, mac: port.mac ?? null };
    case 'net_pcap':
      return {
        driver: 'net_pcap',
        rxFile: port.rx_file ?? null,
        txFile: port.tx_file ?? null,
        infiniteRx: port.infinite_rx,
      };
    case 'net_null':
      return { driver: 'net_null', packetSize: port.packet_size, noRx: port.no_rx };
    case 'net_ring':
      return { driver: 'net_ring' };
    case 'net_vhost':
      return { driver: 'net_vhost', path: port.path };
    case 'pci':
      return { driver: 'pci', address: port.address };
    case 'devargs':
      return { driver: 'devargs', devargs: port.devargs };
  }
}

/** The ports of a role by their names; the numbers are the engine's. */
export class PortNames {
  readonly #ids = new Map<string, PortId>();
  readonly #names = new Map<PortId, string>();

  set(name: string, id: PortId): void {
    this.#ids.set(name, id);
    this.#names.set(id, name);
  }

  delete(id: PortId): void {
    this.#ids.delete(this.#names.get(id) ?? '');
    this.#names.delete(id);
  }

  id(name: string): PortId | undefined {
    return this.#ids.get(name);
  }

  name(id: PortId): string {
    return this.#names.get(id) ?? `${id}`;
  }

  /** The lowest number that has no name, and that the engine does not have: a removal may not be through. Throws if all are used. */
  free(actual: ReadonlyMap<string, unknown>): PortId {
    for (let port = 0; port < MAX_PORTS; port++) if (!this.#names.has(port) && !actual.has(portKey(port))) return port;
    throw nveError('NVE-RPC-008', { what: 'ports', limit: MAX_PORTS });
  }

  names(): string[] {
    return [...this.#ids.keys()];
  }
}

/** NVE-RPC-009 if there is no port of this name. */
export function portIdOf(ports: PortNames, name: string): PortId {
  const id = ports.id(name);
  if (id !== undefined) return id;
  throw nveError('NVE-RPC-009', { port: name, known: ports.names() });
}
