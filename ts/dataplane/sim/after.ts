// What a batch does to what an engine holds, written from docs/engine.md and from nothing else: the oracle of
// test/e2e/churn-model.test.ts. It works on whole states: a batch is taken if the state that it leads to is a good one (good.ts).

import type { Command, RemoteDest } from '../types.js';
import { changesFixed, inRange, isGood } from './good.js';
import { byAddress } from './path.js';
import { placeOf, routeOf, type State } from './state.js';

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

/** By the object's kind, the fields that name it. */
const NAMES: Readonly<Record<string, readonly string[]>> = {
  Port: ['port'],
  Vn: ['vn'],
  Vap: ['vap'],
  Underlay: ['port', 'ip'],
  NextHop: ['nh'],
  Fdb: ['vn', 'mac'],
  Flood: ['vn'],
  Sources: ['vn'],
  Neighbour: ['port', 'ip'],
  Group: ['group'],
  NextHopAlive: ['nh'],
  Route: ['prefix', 'prefixLen'],
  Acl: ['acl'],
  Pair: ['vn', 'ip'],
};
const names = new WeakMap<Command, string>();

/** The object that a command is about: a batch names each at most once. */
export function nameOf(command: Command): string {
  const known = names.get(command);
  if (known !== undefined) return known;
  const kind = command.op.replace(/Add|Set|Del/, '');
  const name = [kind, ...(NAMES[kind] ?? []).map((field) => (command as unknown as Record<string, unknown>)[field])];
  names.set(command, name.join(' '));
  return name.join(' ');
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
  if (command.op === 'RouteSet') state.routes.set(routeOf(command), command);
  if (command.op === 'AclSet') state.acls.set(command.acl, command);
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
  if (command.op === 'RouteDel') state.routes.delete(routeOf(command));
  if (command.op === 'AclDel') state.acls.delete(command.acl);
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

/** Next hops before groups, each by number. */
const rank = (dest: RemoteDest): number => (dest.kind === 'nh' ? dest.nh : 2 ** 32 + dest.group);
