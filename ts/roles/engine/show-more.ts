// What `show` tells of the ways to other NVEs and of the engine itself: nve, flood, neigh, acl, memory. Long tables are read page by page.

import type { AclRule, DumpKind, DumpRows, Engine, NextHopRow } from '#dataplane';
import type { ShowAclRow, ShowFloodRow, ShowMemoryRow, ShowNeighRow, ShowNveRow } from '#hypervisor';
import { ENCAP_VXLAN, isGroupIp, type NveId } from '#model';
import type { ShowNames } from './show.js';
import { tagOfSelector } from './tags.js';
import { nextHopsBehind } from './ways.js';

/** Rows of a page: about half a millisecond. */
const PAGE = 500;

/** All rows of a kind, with other work of the process between the pages. */
export async function eachRow<K extends DumpKind>(
  engine: Engine,
  kind: K,
  take: (row: DumpRows[K]) => void,
): Promise<void> {
  let cursor: unknown = null;
  do {
    const page = await engine.page(kind, cursor, PAGE);
    page.rows.forEach(take);
    cursor = page.cursor;
  } while (cursor !== null);
}

export function encapText(encap: number): string {
  return encap === ENCAP_VXLAN ? 'vxlan' : encap === 2 ? 'geneve' : `${encap}`;
}

export async function showNves(engine: Engine, names: ShowNames): Promise<ShowNveRow[]> {
  const known = new Map<string, { nve: NveId | null; vns: number }>();
  await eachRow(engine, 'vns', ({ vn, sources }) => {
    for (const ip of sources) {
      const { nve, vns } = known.get(ip) ?? { nve: null, vns: 0 };
      known.set(ip, { nve: nve ?? names.nveOf(vn, ip), vns: vns + 1 });
    }
  });
  const rows = new Map<string, ShowNveRow>();
  await eachRow(engine, 'nexthops', ({ remote, encap, port, neighbourMac }) => {
    if (isGroupIp(remote)) return;
    const key = `${remote} ${encap}`;
    const { nve = null, vns = 0 } = known.get(remote) ?? {};
    const before = rows.get(key)?.next_hops ?? 0;
    const place = { encap: encapText(encap), port: names.ports.name(port), neighbour: neighbourMac };
    rows.set(key, { nve, remote, ...place, next_hops: before + 1, vns });
  });
  return [...rows.values()];
}

export async function showFlood(engine: Engine, names: ShowNames): Promise<ShowFloodRow[]> {
  const nextHops: NextHopRow[] = [];
  await eachRow(engine, 'nexthops', (row) => nextHops.push(row));
  const nextHopOf = nextHopsBehind(nextHops, await engine.dump('groups'));
  const nowhere = { vap: null, port: null, tag: null, remote: null, encap: null, context_id: null, nve: null };
  const rows: ShowFloodRow[] = [];
  await eachRow(engine, 'vaps', ({ vap, vn, port, selector }) => {
    const place = { vap, port: names.ports.name(port), tag: tagOfSelector(selector) };
    rows.push({ ...nowhere, vn: names.vnName(vn), to: 'vap', ...place });
  });
  await eachRow(engine, 'vns', ({ vn, flood }) => {
    for (const dest of flood) {
      const row = nextHopOf(dest);
      if (row === undefined) continue;
      const { remote, encap, contextId: context_id } = row;
      const place = { remote, encap: encapText(encap), context_id };
      const to = isGroupIp(remote)
        ? ({ to: 'group', port: names.ports.name(row.port) } as const)
        : ({ to: 'nve', nve: names.nveOf(vn, remote) } as const);
      rows.push({ ...nowhere, vn: names.vnName(vn), ...place, ...to });
    }
  });
  return rows.sort((a, b) => (a.vn ?? '').localeCompare(b.vn ?? ''));
}

export async function showNeighbours(engine: Engine, { ports }: ShowNames): Promise<ShowNeighRow[]> {
  const rows: ShowNeighRow[] = [];
  await eachRow(engine, 'neighbours', ({ port, ip, mac, state }) => {
    rows.push({ port: ports.name(port), ip, mac, state });
  });
  return rows;
}

export async function showAcls(engine: Engine): Promise<ShowAclRow[]> {
  const rows: ShowAclRow[] = [];
  await eachRow(engine, 'acls', ({ acl, rule, match, packets }) => {
    rows.push({ acl, rule, action: match.action, match: ruleText(match), packets });
  });
  return rows;
}

/** What a rule asks for, as `name value` pairs. */
function ruleText({ action: _, ...match }: AclRule): string {
  return Object.entries(match)
    .map(([name, value]) => `${name} ${typeof value === 'object' ? Object.values(value).join('/') : value}`)
    .join(' ');
}

/** The engine's tables, and the heap of this process, which is the agent's. */
export async function showMemory(engine: Engine): Promise<ShowMemoryRow[]> {
  const rows: ShowMemoryRow[] = [];
  await eachRow(engine, 'memory', ({ table, entries, capacity, bytes }) => {
    const per = FIXED.has(table) ? (capacity ?? 0) : entries;
    rows.push({ table, entries, capacity, bytes, bytes_per_entry: per === 0 ? null : Math.round(bytes / per) });
  });
  const { heapUsed, rss } = process.memoryUsage();
  const rest = { capacity: null, bytes_per_entry: null };
  rows.push({ table: 'heap', entries: 0, bytes: heapUsed, ...rest });
  rows.push({ table: 'process', entries: 0, bytes: rss, ...rest });
  return rows;
}

/** Tables that have taken the memory of all that they may hold. */
const FIXED: ReadonlySet<string> = new Set(['fdb', 'contexts', 'sources', 'buffers']);
