// The configuration's underlay as the engine's objects, as the ends of tunnels that HELLO tells the NVA, and as what packets to another
// NVE are like. Pure functions.

import type { NextHopOptions, PortId } from '#dataplane';
import {
  type AgentConfig,
  ENCAP_GENEVE,
  ENCAPS,
  hexToBytes,
  type IpAddr,
  ipFamily,
  type LinkName,
  SENT_OPTIONS_MAX,
  type TunnelConfig,
  type TunnelEnd,
  type UnderlayConfig,
} from '#model';
import type { EngineObject } from '../engine/objects.js';

export function underlayObjects(config: AgentConfig, portOf: (name: LinkName) => PortId): EngineObject[] {
  const addresses = config.underlay.map(({ port, address: { ip, prefixLen }, vlan, zero_checksum }): EngineObject => {
    const options = { ...(vlan !== undefined && { vlan }), ...(zero_checksum && { zeroChecksum: true }) };
    return { op: 'UnderlaySet', port: portOf(port), ip, prefixLen, ...optional(options) };
  });
  const routes = config.route.map(({ prefix, gateways }): EngineObject => {
    return { op: 'RouteSet', prefix: prefix.ip, prefixLen: prefix.length, gateways };
  });
  return [...addresses, ...routes];
}

/** Where this NVE is reached, the most wanted end first; `isDown`: nothing arrives at that address now. */
export function ownEnds(config: AgentConfig, isDown: (address: UnderlayConfig) => boolean = () => false): TunnelEnd[] {
  return config.underlay.flatMap((address) => {
    const { ip } = address.address;
    const { encaps, checksum, geneve_options: options, weight } = address;
    const state = { ...(weight !== 1 && { weight }), ...(isDown(address) && { down: true }) };
    return encaps.map((name) => {
      const encap = ENCAPS[name];
      const hasOptions = options !== undefined && encap === ENCAP_GENEVE;
      return { encap, ip, ...(checksum !== undefined && { checksum }), ...(hasOptions && { options }), ...state };
    });
  });
}

/** How this NVE sends. */
export interface Sending {
  /** Families of its own addresses. */
  readonly families: ReadonlySet<4 | 6>;
  /** Encapsulations in order of preference. */
  readonly encaps: readonly number[];
  readonly tunnel: TunnelConfig;
  /** The port where groups of a family are joined and sent to: that of the first address. */
  readonly groupPorts: ReadonlyMap<4 | 6, PortId>;
}

export function sendingOf({ underlay, tunnel }: AgentConfig, portOf: (name: LinkName) => PortId): Sending {
  const ports = underlay.map(({ port, address }) => [ipFamily(address.ip), portOf(port)] as const);
  return {
    // Of several the first remains.
    groupPorts: new Map(ports.reverse()),
    families: new Set(underlay.map(({ address }) => ipFamily(address.ip))),
    encaps: tunnel.encaps.map((name) => ENCAPS[name]),
    tunnel,
  };
}

/** The ends of another NVE that this one can send to: of each address in its order one, by the encapsulation that this NVE prefers. */
export function usableEnds(ends: readonly TunnelEnd[], { families, encaps }: Sending): TunnelEnd[] {
  const byAddress = new Map<IpAddr, TunnelEnd>();
  for (const end of ends) {
    const isTooMuch = (end.options?.length ?? 0) > 2 * SENT_OPTIONS_MAX;
    if (!families.has(ipFamily(end.ip)) || !encaps.includes(end.encap) || isTooMuch) continue;
    const best = byAddress.get(end.ip);
    if (best === undefined || encaps.indexOf(end.encap) < encaps.indexOf(best.encap)) byAddress.set(end.ip, end);
  }
  return [...byAddress.values()];
}

/** What is not the engine's default: docs/engine.md, "next hop options". The receiver's wishes come before what is configured here. */
export function nextHopOptions(end: TunnelEnd, tunnel: TunnelConfig): NextHopOptions {
  const checksum = end.checksum ?? tunnel.checksum;
  const tlvs = end.encap === ENCAP_GENEVE ? (end.options ?? tunnel.geneve_options) : undefined;
  const [first, last] = tunnel.ports;
  return {
    ...(tunnel.ttl !== 64 && { ttl: tunnel.ttl }),
    ...(tunnel.df !== 'set' && { df: tunnel.df }),
    ...(tunnel.dscp !== 0 && { dscp: tunnel.dscp }),
    ...(tunnel.ecn !== 'standard' && { ecn: tunnel.ecn }),
    ...(tunnel.pcp !== 0 && { pcp: tunnel.pcp }),
    ...(checksum !== undefined && { checksum }),
    ...(tlvs !== undefined && { options: hexToBytes(tlvs) }),
    ...((first !== 49_152 || last !== 65_535) && { ports: [first, last] as const }),
    ...(tunnel.mtu !== undefined && { mtu: tunnel.mtu }),
  };
}

/** An `options` only if there is one. */
export function optional<T extends object>(options: T): { readonly options?: T } {
  return Object.keys(options).length === 0 ? {} : { options };
}
