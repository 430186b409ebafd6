// What the engine holds, as values that can be compared: each object is the command that sets it, under a key. What an object names
// (its dependencies) and what must be unique among all objects follow from docs/engine.md.

import type { Command, Dest } from '#dataplane';
import type { IpAddr, MacAddr, VnId } from '#model';

type SetOp =
  | 'PortAdd'
  | 'PoliceSet'
  | 'AclSet'
  | 'PortAdmin'
  | 'UnderlaySet'
  | 'NeighbourSet'
  | 'RouteSet'
  | 'ExceptionSet'
  | 'VnSet'
  | 'McastSet'
  | 'VapSet'
  | 'NextHopSet'
  | 'NextHopAlive'
  | 'GroupSet'
  | 'FdbSet'
  | 'FloodSet'
  | 'SourcesSet'
  | 'PairSet';

/** An object of the engine. */
export type EngineObject = Extract<Command, { op: SetOp }>;

/** Names one object among all: `vap 9`, `fdb 7 02:00:00:00:00:0a`. */
export type ObjectKey = string;

/** Objects by their keys. */
export type EngineState = ReadonlyMap<ObjectKey, EngineObject>;

export function stateOf(objects: Iterable<EngineObject>): Map<ObjectKey, EngineObject> {
  const state = new Map<ObjectKey, EngineObject>();
  for (const object of objects) state.set(keyOf(object), object);
  return state;
}

export const portKey = (port: number): ObjectKey => `port ${port}`;
/** Of a port's link that is to be down: one that is up is no object. */
export const linkKey = (port: number): ObjectKey => `link ${port}`;
export const vnKey = (vn: VnId): ObjectKey => `vn ${vn}`;
export const vapKey = (vap: number): ObjectKey => `vap ${vap}`;
export const nhKey = (nh: number): ObjectKey => `nexthop ${nh}`;
export const aclKey = (acl: number): ObjectKey => `acl ${acl}`;
export const groupKey = (group: number): ObjectKey => `group ${group}`;
export const fdbKey = (vn: VnId, mac: MacAddr): ObjectKey => `fdb ${vn} ${mac}`;

export const pairKey = (vn: VnId, ip: IpAddr): ObjectKey => `pair ${vn} ${ip}`;

/** The MAC in a row's key. */
export const macOfKey = (key: ObjectKey): MacAddr => key.slice(key.lastIndexOf(' ') + 1) as MacAddr;

/** The key of the object that a command, setting or deleting, is about. */
export function keyOf(command: Command): ObjectKey {
  switch (command.op) {
    case 'PortAdd':
    case 'PortDel':
      return portKey(command.port);
    case 'PortAdmin':
      return linkKey(command.port);
    case 'UnderlaySet':
    case 'UnderlayDel':
      return `underlay ${command.port} ${command.ip}`;
    case 'RouteSet':
    case 'RouteDel':
      return `route ${command.prefix}/${command.prefixLen}`;
    case 'ExceptionSet':
      return `exception ${command.port}`;
    case 'VnSet':
    case 'VnDel':
      return vnKey(command.vn);
    case 'McastSet':
    case 'McastDel':
      return `mcast ${command.vn} ${command.group}`;
    case 'VapSet':
    case 'VapDel':
      return vapKey(command.vap);
    case 'NextHopSet':
    case 'NextHopDel':
      return nhKey(command.nh);
    case 'NextHopAlive':
      return `alive ${command.nh}`;
    case 'GroupSet':
    case 'GroupDel':
      return groupKey(command.group);
    case 'FdbSet':
    case 'FdbDel':
      return fdbKey(command.vn, command.mac);
    case 'FloodSet':
      return `flood ${command.vn}`;
    case 'SourcesSet':
      return `sources ${command.vn}`;
    case 'NeighbourSet':
    case 'NeighbourDel':
      return `neighbour ${command.port} ${command.ip}`;
    case 'AclSet':
    case 'AclDel':
      return aclKey(command.acl);
    case 'PoliceSet':
      return `police ${command.class}`;
    case 'PairSet':
    case 'PairDel':
      return pairKey(command.vn, command.ip);
  }
}

/** The key of what a row or a list names. */
export function destKey(dest: Dest): ObjectKey {
  switch (dest.kind) {
    case 'vap':
      return vapKey(dest.vap);
    case 'nh':
      return nhKey(dest.nh);
    case 'group':
      return groupKey(dest.group);
  }
}

/** The objects that must be there before this one. What the underlay address of a next hop, a gateway or a neighbour is follows from its own address, so
 * they name none. */
export function dependenciesOf(object: EngineObject): ObjectKey[] {
  switch (object.op) {
    case 'PortAdd':
    case 'PoliceSet':
    case 'AclSet':
      return [];
    case 'NextHopSet':
      return object.options?.port === undefined ? [] : [portKey(object.options.port)];
    case 'VnSet':
      return aclsOf(object.options);
    case 'PortAdmin':
    case 'UnderlaySet':
      return [portKey(object.port)];
    case 'NeighbourSet':
      return [portKey(object.port)];
    case 'RouteSet':
      return [];
    case 'ExceptionSet':
      return [portKey(object.port), ...(object.tap === null ? [] : [portKey(object.tap)])];
    case 'McastSet':
      return [vnKey(object.vn), portKey(object.port)];
    case 'VapSet':
      return [vnKey(object.vn), portKey(object.port), ...aclsOf(object.options)];
    case 'FdbSet':
      return [vnKey(object.vn), destKey(object.dest)];
    case 'NextHopAlive':
      return [nhKey(object.nh)];
    case 'GroupSet':
      return object.members.map(({ nh }) => nhKey(nh));
    case 'FloodSet':
      return [vnKey(object.vn), ...object.dests.map(destKey)];
    case 'SourcesSet':
    case 'PairSet':
      return [vnKey(object.vn)];
  }
}

function aclsOf(options: { readonly aclIn?: number; readonly aclOut?: number } = {}): ObjectKey[] {
  return [options.aclIn, options.aclOut].filter((acl) => acl !== undefined).map(aclKey);
}

/** What no two objects may have in common: a VN's VNI, a VAP's place on its port. Undefined: nothing. */
export function uniqueOf(object: EngineObject): string | undefined {
  switch (object.op) {
    case 'VnSet':
      return object.vni === null ? undefined : `vni ${object.vni}`;
    case 'VapSet':
      return `port ${object.port} ${Object.values(object.selector).join(' ')}`;
    default:
      return undefined;
  }
}

/** The command that takes an object away; of a list, the one that empties it; of a rate, the one that brings the default back. */
export function deletionOf(object: EngineObject): Command {
  switch (object.op) {
    case 'PortAdd':
      return { op: 'PortDel', port: object.port };
    case 'PortAdmin':
      return { op: 'PortAdmin', port: object.port, up: true };
    case 'UnderlaySet':
      return { op: 'UnderlayDel', port: object.port, ip: object.ip };
    case 'NeighbourSet':
      return { op: 'NeighbourDel', port: object.port, ip: object.ip };
    case 'RouteSet':
      return { op: 'RouteDel', prefix: object.prefix, prefixLen: object.prefixLen };
    case 'ExceptionSet':
      return { op: 'ExceptionSet', port: object.port, tap: null };
    case 'AclSet':
      return { op: 'AclDel', acl: object.acl };
    case 'PoliceSet':
      return { op: 'PoliceSet', class: object.class, rate: null };
    case 'VnSet':
      return { op: 'VnDel', vn: object.vn };
    case 'McastSet':
      return { op: 'McastDel', vn: object.vn, group: object.group };
    case 'VapSet':
      return { op: 'VapDel', vap: object.vap };
    case 'NextHopSet':
      return { op: 'NextHopDel', nh: object.nh };
    case 'NextHopAlive':
      return { op: 'NextHopAlive', nh: object.nh, alive: true };
    case 'GroupSet':
      return { op: 'GroupDel', group: object.group };
    case 'FdbSet':
      return { op: 'FdbDel', vn: object.vn, mac: object.mac };
    case 'FloodSet':
      return { op: 'FloodSet', vn: object.vn, dests: [] };
    case 'SourcesSet':
      return { op: 'SourcesSet', vn: object.vn, ips: [] };
    case 'PairSet':
      return { op: 'PairDel', vn: object.vn, ip: object.ip };
  }
}

/** Objects in this order never name a later one. */
const ORDER: Readonly<Record<SetOp, number>> = {
  PortAdd: 0,
  PoliceSet: 1,
  UnderlaySet: 2,
  NeighbourSet: 3,
  RouteSet: 4,
  ExceptionSet: 5,
  AclSet: 6,
  VnSet: 7,
  McastSet: 8,
  VapSet: 9,
  NextHopSet: 10,
  NextHopAlive: 11,
  GroupSet: 11,
  SourcesSet: 12,
  FdbSet: 13,
  FloodSet: 14,
  PairSet: 15,
  PortAdmin: 1,
};

export function inOrder(objects: EngineObject[]): EngineObject[] {
  return objects.sort((a, b) => ORDER[a.op] - ORDER[b.op]);
}

/** Whether two objects of one key are the same. They are flat but for a port's kind, a selector, a destination and lists. */
export function sameObject(a: EngineObject, b: EngineObject): boolean {
  return equal(a, b);
}

function equal(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  return keys.every((key) => equal((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]));
}
