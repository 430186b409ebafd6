// What there is to read off an agent at one moment, for faces that watch it: plain values, no way to change anything. Tables that may be
// long are read page by page, so that no turn of the event loop is long, however many VAPs there are.

import type { DumpRows, Engine, EngineInfo, NeighbourState, PollerStats } from '#dataplane';
import type { ShowDropsRow, ShowPortsRow } from '#hypervisor';
import type { Tag, TsiState, VnName } from '#model';
import type { NvaStatus } from '#nva';
import { type ShowNames, showPorts } from '../engine/show.js';
import { eachRow } from '../engine/show-more.js';
import { tagOfSelector } from '../engine/tags.js';

export interface VnReading {
  readonly vn: VnName | null;
  readonly id: number;
  readonly vni: number | null;
  readonly vaps: number;
  readonly rows: number;
}

/** In: from the tenant. Out: to the tenant. */
export interface VapReading {
  readonly vap: number;
  readonly vn: VnName | null;
  readonly port: string;
  readonly tag: Tag | null;
  readonly inPackets: number;
  readonly inBytes: number;
  readonly outPackets: number;
  readonly outBytes: number;
  /** Its questions of ARP and of neighbour discovery that were answered here. */
  readonly suppressed: number;
}

export interface Readings {
  readonly engine: EngineInfo;
  readonly ports: readonly ShowPortsRow[];
  /** The engine's and the agent's own. */
  readonly drops: readonly ShowDropsRow[];
  readonly pollers: readonly PollerStats[];
  readonly vns: readonly VnReading[];
  readonly vaps: readonly VapReading[];
  readonly nextHops: number;
  readonly neighbours: ReadonlyMap<NeighbourState, number>;
  readonly tsis: ReadonlyMap<TsiState, number>;
  readonly nva: NvaStatus;
}

export interface ReadingsParts {
  readonly engine: Engine;
  readonly names: ShowNames;
  readonly drops: () => Promise<ShowDropsRow[]>;
  readonly tsis: () => ReadonlyMap<TsiState, number>;
  readonly nvaStatus: () => NvaStatus;
}

export async function readAgent({ engine, names, drops, tsis, nvaStatus }: ReadingsParts): Promise<Readings> {
  const [ports, allDrops, { pollers }] = await Promise.all([showPorts(engine, names), drops(), engine.stats()]);
  const vns: VnReading[] = [];
  await eachRow(engine, 'vns', ({ vn, vni, vaps, rows }) => {
    vns.push({ vn: names.vnName(vn), id: vn, vni, vaps, rows });
  });
  const counters = new Map<number, DumpRows['vap_counters']>();
  await eachRow(engine, 'vap_counters', (row) => counters.set(row.vap, row));
  const vaps: VapReading[] = [];
  await eachRow(engine, 'vaps', ({ vap, vn, port, selector }) => {
    const { inPackets = 0, inBytes = 0, outPackets = 0, outBytes = 0, suppressed = 0 } = counters.get(vap) ?? {};
    const place = { vap, vn: names.vnName(vn), port: names.ports.name(port), tag: tagOfSelector(selector) };
    vaps.push({ ...place, inPackets, inBytes, outPackets, outBytes, suppressed });
  });
  let nextHops = 0;
  await eachRow(engine, 'nexthops', () => nextHops++);
  const neighbours = new Map<NeighbourState, number>();
  await eachRow(engine, 'neighbours', ({ state }) => neighbours.set(state, (neighbours.get(state) ?? 0) + 1));
  const rest = { engine: engine.info(), tsis: tsis(), nva: nvaStatus() };
  return { ...rest, ports, drops: allDrops, pollers, vns, vaps, nextHops, neighbours };
}
