// How another NVE is reached, in the reference model: docs/engine.md, "A frame to another NVE goes to it directly …". Every link is up here,
// every address is in use, and none is link-local; and no neighbour has been asked for in vain, so that every gateway counts as living.

import type { IpAddr, MacAddr } from '#model';
import type { Command } from '../types.js';
import { octetsOf } from './packet.js';
import { hasPrefix } from './policy.js';
import type { State } from './state.js';

export type Link = Extract<Command, { op: 'UnderlaySet' }>;

export interface Path {
  readonly link: Link;
  /** Of the NVE, or of the gateway to it; null if nobody has said. */
  readonly mac: MacAddr | null;
}

type Ways = Pick<State, 'underlays' | 'routes' | 'neighbours'>;

export const onLink = ({ ip, prefixLen }: Link, other: IpAddr): boolean =>
  ip !== other && hasPrefix(octetsOf(other), ip, prefixLen);

/** Underlay addresses by port, IPv4 before IPv6, each by number. */
export const linksOf = ({ underlays }: Pick<State, 'underlays'>): Link[] =>
  [...underlays.values()].sort((a, b) => a.port - b.port || byAddress(a.ip, b.ip));

export function byAddress(a: IpAddr, b: IpAddr): number {
  const [x, y] = [octetsOf(a), octetsOf(b)];
  return x.length - y.length || Buffer.compare(x, y);
}

function neighbour(state: Ways, ip: IpAddr): Path | null {
  const links = linksOf(state);
  if (links.some((link) => link.ip === ip)) return null;
  const paths = links
    .filter((link) => onLink(link, ip))
    .map((link) => ({ link, mac: state.neighbours.get(`${link.port} ${ip}`)?.mac ?? null }));
  return paths[0] ?? null;
}

/** Null if nothing leads there. */
export function pathTo(state: Ways, remote: IpAddr): Path | null {
  if ([...state.underlays.values()].some((link) => link.ip === remote)) return null;
  const direct = neighbour(state, remote);
  if (direct !== null) return direct;
  const routes = [...state.routes.values()].filter((one) => hasPrefix(octetsOf(remote), one.prefix, one.prefixLen));
  const [longest] = routes.sort((a, b) => b.prefixLen - a.prefixLen);
  const ways = (longest?.gateways ?? []).flatMap((gateway) => neighbour(state, gateway) ?? []);
  return ways[0] ?? null;
}

/** Whether a next hop can be sent to. */
export function isLiving(state: State, nh: number): boolean {
  const hop = state.nextHops.get(nh);
  return hop !== undefined && !state.dead.has(nh) && (pathTo(state, hop.remote)?.mac ?? null) !== null;
}
