// What an engine holds and refuses, written from docs/engine.md and from nothing else: the oracle of test/e2e/churn-model.test.ts, and the
// tables that forward.ts works with. It works on whole states: a batch is taken if the state that it leads to is a good one. Limits of
// ranges are left out, but for a few.

import { type IpAddr, ipToBytes } from '#model';
import type { DumpRows } from '../rows.js';
import type { Command, RemoteDest } from '../types.js';

type Of<Op extends Command['op']> = Extract<Command, { op: Op }>;

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
  };
}

/** The state after a batch, or undefined if the batch must be refused. */
export function after(before: State, batch: readonly Command[], fdbCapacity: number): State | undefined {
  const state = Object.fromEntries(
    Object.entries(before).map(([kind, map]) => [kind, new Map(map)]),
  ) as unknown as State;
  const named = new Set<string>();
  for (const command of batch) {
    const name = nameOf(command);
    if (named.has(name) || !inRange(command) || changesFixed(before, command)) return undefined;
    named.add(name);
  }
  // Objects before what names them, deletions after; a VN takes its rows, flood list, sources and pairs along.
  for (const command of batch) if (/Set|Add|Alive/.test(command.op)) put(state, command);
  for (const command of batch) if (command.op.endsWith('Del') && command.op !== 'VnDel') take(state, command);
  for (const command of batch) if (command.op === 'VnDel') take(state, command);
  // What a batch puts into a VN that it deletes has no VN.
  const deleted = new Set(batch.filter((command) => command.op === 'VnDel').map((command) => command.vn));
  const orphans = batch.some(
    (command) =>
      (command.op === 'FdbSet' ||
        command.op === 'FloodSet' ||
        command.op === 'SourcesSet' ||
        command.op === 'PairSet') &&
      deleted.has(command.vn),
  );
  // Nor can it say anything of a next hop that it deletes.
  if (batch.some((command) => command.op === 'NextHopAlive' && !state.nextHops.has(command.nh))) return undefined;
  return !orphans && isGood(state) && state.rows.size <= fdbCapacity ? state : undefined;
}

function nameOf(command: Command): string {
  const { op } = command;
  const kind = op.replace(/Add|Set|Del/, '');
  if (op === 'FdbSet' || op === 'FdbDel') return `${kind} ${command.vn} ${command.mac}`;
  if (kind === 'Neighbour' || kind === 'Underlay') return `${kind} ${placeOf(command as Of<'NeighbourDel'>)}`;
  if (op === 'PairSet' || op === 'PairDel') return `${kind} ${command.vn} ${command.ip}`;
  const ids = { Port: 'port', Vn: 'vn', Vap: 'vap', NextHop: 'nh', Flood: 'vn', Sources: 'vn' };
  const id = { ...ids, Group: 'group', NextHopAlive: 'nh' }[kind];
  return `${kind} ${(command as unknown as Record<string, unknown>)[`${id}`]}`;
}

function inRange(command: Command): boolean {
  if (command.op === 'VnSet') return command.mtu >= 68 && (command.vni === null || command.vni > 0);
  if (command.op === 'VapSet')
    return !('vid' in command.selector) || (command.selector.vid > 0 && command.selector.vid < 4095);
  if (command.op === 'GroupSet') {
    const { members } = command;
    const weights = members.every(({ weight }) => weight > 0);
    return weights && members.length > 0 && new Set(members.map(({ nh }) => nh)).size === members.length;
  }
  return true;
}

/** Whether it would change what an object has for its life. */
function changesFixed({ ports, vaps, underlays, nextHops }: State, command: Command): boolean {
  const fixed = (old: object | undefined, ...fields: string[]): boolean => {
    const part = (one: object) => JSON.stringify(fields.map((field) => (one as Record<string, unknown>)[field]));
    return old !== undefined && part(old) !== part(command);
  };
  if (command.op === 'PortAdd') return fixed(ports.get(command.port), 'mtu', 'kind');
  if (command.op === 'VapSet') return fixed(vaps.get(command.vap), 'vn', 'port', 'selector');
  if (command.op === 'UnderlaySet') return fixed(underlays.get(placeOf(command)), 'prefixLen');
  if (command.op === 'NextHopSet') return fixed(nextHops.get(command.nh), 'remote', 'contextId');
  return false;
}

function put(state: State, command: Command): void {
  if (command.op === 'PortAdd') state.ports.set(command.port, command);
  if (command.op === 'UnderlaySet') state.underlays.set(placeOf(command), command);
  if (command.op === 'NeighbourSet') state.neighbours.set(placeOf(command), command);
  if (command.op === 'VnSet') state.vns.set(command.vn, command);
  if (command.op === 'VapSet') state.vaps.set(command.vap, command);
  if (command.op === 'NextHopSet') state.nextHops.set(command.nh, command);
  if (command.op === 'FdbSet') state.rows.set(`${command.vn} ${command.mac}`, command);
  if (command.op === 'FloodSet')
    state.floods.set(
      command.vn,
      [...new Map(command.dests.map((dest) => [rank(dest), dest]))].sort(([a], [b]) => a - b).map(([, dest]) => dest),
    );
  if (command.op === 'GroupSet')
    state.groups.set(command.group, { ...command, members: [...command.members].sort((a, b) => a.nh - b.nh) });
  if (command.op === 'NextHopAlive' && command.alive) state.dead.delete(command.nh);
  if (command.op === 'NextHopAlive' && !command.alive) state.dead.set(command.nh, true);
  if (command.op === 'PairSet') state.pairs.set(`${command.vn} ${command.ip}`, command);
  if (command.op === 'SourcesSet') state.sources.set(command.vn, [...new Set(command.ips)].sort(byAddress));
}

function take(state: State, command: Command): void {
  if (command.op === 'PortDel') state.ports.delete(command.port);
  if (command.op === 'UnderlayDel') state.underlays.delete(placeOf(command));
  if (command.op === 'NeighbourDel') state.neighbours.delete(placeOf(command));
  if (command.op === 'VapDel') state.vaps.delete(command.vap);
  if (command.op === 'NextHopDel') {
    state.nextHops.delete(command.nh);
    state.dead.delete(command.nh);
  }
  if (command.op === 'GroupDel') state.groups.delete(command.group);
  if (command.op === 'FdbDel') state.rows.delete(`${command.vn} ${command.mac}`);
  if (command.op === 'PairDel') state.pairs.delete(`${command.vn} ${command.ip}`);
  if (command.op !== 'VnDel') return;
  state.vns.delete(command.vn);
  state.floods.delete(command.vn);
  state.sources.delete(command.vn);
  for (const [key, row] of state.rows) if (row.vn === command.vn) state.rows.delete(key);
  for (const [key, pair] of state.pairs) if (pair.vn === command.vn) state.pairs.delete(key);
}

/** Whether everything that is named is there, and nothing is given twice. */
function isGood(state: State): boolean {
  const { ports, underlays, neighbours, vns, vaps, nextHops, groups, rows, floods, sources, pairs } = state;
  const isThere = (dest: RemoteDest) => (dest.kind === 'nh' ? nextHops.has(dest.nh) : groups.has(dest.group));
  const unique = (items: readonly unknown[]): boolean => new Set(items).size === items.length;
  const links = [...underlays.values()];
  const isOurs = (ip: string) => links.some((link) => link.ip === ip);
  const vapList = [...vaps.values()];
  return (
    unique([...vns.values()].flatMap(({ vni }) => vni ?? [])) &&
    unique(vapList.map(({ port, selector }) => `${port} ${JSON.stringify(selector)}`)) &&
    unique(vapList.filter(({ uplink }) => uplink).map(({ vn }) => vn)) &&
    vapList.every(({ vn, port }) => {
      const [itsVn, itsPort] = [vns.get(vn), ports.get(port)];
      return (
        itsVn !== undefined &&
        itsPort !== undefined &&
        itsVn.mtu <= itsPort.mtu &&
        !links.some((link) => link.port === port)
      );
    }) &&
    // Every link of IPv6 carries 1280 bytes (RFC 8200, 5).
    links.every(({ port, ip }) => (ports.get(port)?.mtu ?? 0) >= (ip.includes(':') ? 1280 : 68)) &&
    unique(links.map(({ ip }) => ip)) &&
    [...neighbours.values()].every(({ port, ip }) => links.some((link) => link.port === port && onLink(link, ip))) &&
    [...nextHops.values()].every(({ remote }) => links.some((link) => onLink(link, remote))) &&
    ![...neighbours.values()].some(({ ip }) => isOurs(ip)) &&
    ![...nextHops.values()].some(({ remote }) => isOurs(remote)) &&
    [...rows.values()].every(({ vn, dest }) =>
      dest.kind === 'vap' ? vaps.get(dest.vap)?.vn === vn : isThere(dest) && vns.has(vn),
    ) &&
    [...floods].every(([vn, dests]) => vns.has(vn as never) && dests.every(isThere)) &&
    [...groups.values()].every(({ members }) => members.every(({ nh }) => nextHops.has(nh))) &&
    [...groups.keys()].every((group) => vnsNaming(state, group).size <= 1) &&
    [...sources.keys(), ...[...pairs.values()].map(({ vn }) => vn)].every((vn) => vns.has(vn as never))
  );
}

/** The VNs of which a row or the flood list names a group. */
function vnsNaming({ rows, floods }: State, group: number): ReadonlySet<number> {
  const names = (dest: { kind: string; group?: number }) => dest.kind === 'group' && dest.group === group;
  const inRows = [...rows.values()].filter(({ dest }) => names(dest)).map(({ vn }) => vn as number);
  return new Set([...inRows, ...[...floods].filter(([, dests]) => dests.some(names)).map(([vn]) => vn)]);
}

/** Next hops before groups, each by number. */
const rank = (dest: RemoteDest): number => (dest.kind === 'nh' ? dest.nh : 2 ** 32 + dest.group);

const placeOf = ({ port, ip }: { readonly port: number; readonly ip: IpAddr }): string => `${port} ${ip}`;
const bits = (ip: IpAddr): string => [...ipToBytes(ip)].map((byte) => byte.toString(2).padStart(8, '0')).join('');
/** IPv4 before IPv6, each by number. */
const byAddress = (a: IpAddr, b: IpAddr): number =>
  bits(a).length - bits(b).length || (bits(a) < bits(b) ? -1 : Number(a !== b));

function onLink({ ip, prefixLen }: Of<'UnderlaySet'>, other: IpAddr): boolean {
  const [ours, theirs] = [bits(ip), bits(other)];
  return ip !== other && ours.length === theirs.length && ours.slice(0, prefixLen) === theirs.slice(0, prefixLen);
}

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
  const { ports, underlays, vns, vaps, nextHops, groups, dead, rows, floods, sources, neighbours, pairs } = state;
  const links = [...underlays.values()].sort((a, b) => a.port - b.port || byAddress(a.ip, b.ip));
  const linkOf = (ip: IpAddr) => links.find((link) => onLink(link, ip))?.port ?? -1;
  const role = (port: number) => {
    if (links.some((link) => link.port === port)) return 'underlay';
    return [...vaps.values()].some((vap) => vap.port === port) ? 'access' : 'unused';
  };
  const without = <T extends { op: string }>({ op: _, ...rest }: T) => rest;
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
    underlays: links.map(without),
    nexthops: sorted(nextHops).map((one) => {
      const port = linkOf(one.remote);
      const neighbourMac = neighbours.get(`${port} ${one.remote}`)?.mac ?? null;
      const state = dead.has(one.nh) ? 'dead' : neighbourMac === null ? 'unresolved' : 'living';
      return { ...without(one), port, neighbourMac, state } as const;
    }),
    groups: sorted(groups).map(({ group, members }) => {
      const living = (nh: number) => {
        const remote = nextHops.get(nh)?.remote;
        return remote !== undefined && !dead.has(nh) && neighbours.has(`${linkOf(remote)} ${remote}`);
      };
      const share = placesOf(members.filter(({ nh }) => living(nh)));
      return { group, members: members.map((member) => ({ ...member, places: share.get(member.nh) ?? 0 })) };
    }),
    pairs: [...pairs.values()].sort((a, b) => a.vn - b.vn || byAddress(a.ip, b.ip)).map(without),
    fdb: [...rows.values()]
      .sort((a, b) => a.vn - b.vn || (a.mac < b.mac ? -1 : 1))
      .map(({ op: _, ageS, ...row }) => ({ ...row, ageS: ageS ?? 0 })),
  };
}
