// What an engine holds, in the reference model: the tables that forward.ts works with.

import type { IpAddr } from '#model';
import type { Command, RemoteDest } from '../types.js';

export type Of<Op extends Command['op']> = Extract<Command, { op: Op }>;

/** Each object under its key, as the command that made it. */
export interface State {
  readonly ports: Map<number, Of<'PortAdd'>>;
  readonly underlays: Map<string, Of<'UnderlaySet'>>;
  readonly neighbours: Map<string, Of<'NeighbourSet'>>;
  readonly vns: Map<number, Of<'VnSet'>>;
  readonly vaps: Map<number, Of<'VapSet'>>;
  readonly nextHops: Map<number, Of<'NextHopSet'>>;
  readonly rows: Map<string, Of<'FdbSet'>>;
  readonly groups: Map<number, Of<'GroupSet'>>;
  /** Next hops that were said to be dead. */
  readonly dead: Map<number, true>;
  readonly floods: Map<number, readonly RemoteDest[]>;
  readonly sources: Map<number, readonly IpAddr[]>;
  readonly pairs: Map<string, Of<'PairSet'>>;
  readonly routes: Map<string, Of<'RouteSet'>>;
  readonly acls: Map<number, Of<'AclSet'>>;
}

export function emptyState(): State {
  return {
    ports: new Map(),
    underlays: new Map(),
    neighbours: new Map(),
    vns: new Map(),
    vaps: new Map(),
    nextHops: new Map(),
    groups: new Map(),
    dead: new Map(),
    rows: new Map(),
    floods: new Map(),
    sources: new Map(),
    pairs: new Map(),
    routes: new Map(),
    acls: new Map(),
  };
}

export const placeOf = ({ port, ip }: { readonly port: number; readonly ip: IpAddr }): string => `${port} ${ip}`;
export const routeOf = ({ prefix, prefixLen }: Pick<Of<'RouteSet'>, 'prefix' | 'prefixLen'>): string =>
  `${prefix}/${prefixLen}`;
