// What an engine of a state says that it holds, for the reference model: docs/engine.md, "dump".

import type { DumpRows } from '../rows.js';
import { byAddress, isLiving, linksOf, pathTo } from './path.js';
import type { State } from './state.js';

/** How 60 places are shared out: one after the other goes to whoever has the fewest for its weight. */
function placesOf(living: readonly { nh: number; weight: number }[]): ReadonlyMap<number, number> {
  const places = new Map(living.map(({ nh }) => [nh, 0]));
  for (let place = 0; place < 60 && living.length > 0; place++) {
    const load = ({ nh, weight }: { nh: number; weight: number }) => (places.get(nh) ?? 0) / weight;
    const next = living.reduce((least, one) => (load(one) < load(least) ? one : least));
    places.set(next.nh, (places.get(next.nh) ?? 0) + 1);
  }
  return places;
}

/** What `dump` must say, without what only the machine knows (MACs of ports, links, neighbours that are being asked for, counters). */
export function dumps(state: State): {
  readonly [K in Exclude<
    keyof DumpRows,
    'neighbours' | 'acls' | 'police' | 'vap_counters' | 'memory' | 'routes' | 'exceptions' | 'mcasts'
  >]: readonly Partial<DumpRows[K]>[];
} {
  const sorted = <T>(map: ReadonlyMap<number, T>): T[] => [...map].sort(([a], [b]) => a - b).map(([, value]) => value);
  const { ports, underlays, vns, vaps, nextHops, groups, dead, rows, floods, sources, pairs } = state;
  const role = (port: number) => {
    if ([...underlays.values()].some((link) => link.port === port)) return 'underlay';
    return [...vaps.values()].some((vap) => vap.port === port) ? 'access' : 'unused';
  };
  const without = <T extends { op: string; options?: unknown }>({ op: _, options: __, ...rest }: T) => rest;
  return {
    ports: sorted(ports).map(({ port, name, mtu, kind }) => ({
      port,
      name,
      driver: kind.driver,
      mtu,
      role: role(port),
    })),
    vns: sorted(vns).map(({ vn, vni, mtu }) => ({
      vn,
      vni,
      mtu,
      vaps: [...vaps.values()].filter((vap) => vap.vn === vn).length,
      rows: [...rows.values()].filter((row) => row.vn === vn).length,
      flood: floods.get(vn) ?? [],
      sources: (sources.get(vn) ?? []) as DumpRows['vns']['sources'],
    })),
    vaps: sorted(vaps).map(without),
    underlays: linksOf(state).map(without),
    nexthops: sorted(nextHops).map((one) => {
      const path = pathTo(state, one.remote);
      const [port, neighbourMac] = [path?.link.port ?? -1, path?.mac ?? null];
      const life = dead.has(one.nh) ? 'dead' : neighbourMac === null ? 'unresolved' : 'living';
      return { ...without(one), port, neighbourMac, state: life } as const;
    }),
    groups: sorted(groups).map(({ group, members }) => {
      const share = placesOf(members.filter(({ nh }) => isLiving(state, nh)));
      return { group, members: members.map((member) => ({ ...member, places: share.get(member.nh) ?? 0 })) };
    }),
    pairs: [...pairs.values()].sort((a, b) => a.vn - b.vn || byAddress(a.ip, b.ip)).map(without),
    fdb: [...rows.values()]
      .sort((a, b) => a.vn - b.vn || (a.mac < b.mac ? -1 : 1))
      .map(({ op: _, ageS, ...row }) => ({ ...row, ageS: ageS ?? 0 })),
  };
}
