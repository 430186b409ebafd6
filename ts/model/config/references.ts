// Rules between keys that no schema of one key can hold: names that must exist, names that must be unique. They work on the file as
// it was parsed, also when other keys of it are wrong, so that every mistake is told at once.

import type { Path } from './positions.js';
import { type Complaint, describe, formatPath, valueAt } from './problems.js';
import { closest } from './suggest.js';

/** Ethernet header and two VLAN tags: what a frame has on top of the port's MTU. */
const FRAME_OVERHEAD = 22;
/** RTE_PKTMBUF_HEADROOM of DPDK's default build. */
const HEADROOM = 128;

export type RoleName = 'agent' | 'tnve' | 'nva';

export function checkReferences(role: RoleName, root: unknown): Complaint[] {
  switch (role) {
    case 'agent':
      return [
        ...checkPorts(root),
        ...checkPortName(root, ['underlay', 'port']),
        ...checkAccess(root),
        ...checkClients(root),
      ];
    case 'tnve':
      return [...checkPorts(root), ...checkPortName(root, ['uplink', 'port'])];
    case 'nva':
      return [
        ...unique(root, 'vn', 'name'),
        ...unique(root, 'vn', 'vni'),
        ...unique(root, 'vn', 'id'),
        ...unique(root, 'nve', 'id'),
        ...checkAddresses(root),
      ];
  }
}

function list(root: unknown, section: string): unknown[] {
  const items = valueAt(root, [section]);
  return Array.isArray(items) ? items : [];
}

/** In `[[section]]`, no two may have the same `key`. */
function unique(root: unknown, section: string, key: string): Complaint[] {
  const first = new Map<unknown, number>();
  return list(root, section).flatMap((item, n) => {
    const value = valueAt(item, [key]);
    if (value === undefined) return [];
    const earlier = first.get(value);
    if (earlier !== undefined)
      return [complain([section, n, key], `another ${key} than that of ${section}[${earlier}]`, value)];
    first.set(value, n);
    return [];
  });
}

function complain(path: Path, expected: string, value: unknown, suggestion?: string): Complaint {
  return { path, expected, got: describe(value), suggestion: suggestion && `"${suggestion}"` };
}

function checkPorts(root: unknown): Complaint[] {
  const mbufSize = valueAt(root, ['engine', 'mbuf_size']) ?? 2176;
  const tooLarge = list(root, 'port').flatMap((item, n) => {
    const mtu = valueAt(item, ['mtu']);
    const room = typeof mbufSize === 'number' ? mbufSize - HEADROOM - FRAME_OVERHEAD : Number.POSITIVE_INFINITY;
    if (typeof mtu !== 'number' || mtu <= room) return [];
    return [
      complain(['port', n, 'mtu'], `at most ${room}, what an mbuf of ${mbufSize} bytes holds (engine.mbuf_size)`, mtu),
    ];
  });
  return [...unique(root, 'port', 'name'), ...unique(root, 'port', 'iface'), ...tooLarge];
}

function portNames(root: unknown): string[] {
  return list(root, 'port').flatMap((item) => {
    const name = valueAt(item, ['name']);
    return typeof name === 'string' ? [name] : [];
  });
}

/** The value at `path` names a `[[port]]`. */
function checkPortName(root: unknown, path: Path): Complaint[] {
  const name = valueAt(root, path);
  const known = portNames(root);
  if (typeof name !== 'string' || known.includes(name)) return [];
  return [
    complain(
      path,
      known.length === 0 ? 'the name of a [[port]]' : `the name of a [[port]]: ${known.join(', ')}`,
      name,
      closest(name, known),
    ),
  ];
}

function checkAccess(root: unknown): Complaint[] {
  const underlay = valueAt(root, ['underlay', 'port']);
  const links = list(root, 'access').flatMap((item, n) => {
    const path = ['access', n, 'port'];
    const name = valueAt(item, ['port']);
    if (name !== undefined && name === underlay)
      return [complain(path, `another port than ${formatPath(['underlay', 'port'])}`, name)];
    return checkPortName(root, path);
  });
  return [...links, ...unique(root, 'access', 'port')];
}

/** Of two rules for one client only the first would count. */
function checkClients(root: unknown): Complaint[] {
  const clients = valueAt(root, ['rpc', 'tls', 'client']);
  const names = (Array.isArray(clients) ? clients : []).map((client) => valueAt(client, ['name']));
  return names.flatMap((name, n) => {
    const earlier = names.indexOf(name);
    if (name === undefined || earlier === n) return [];
    return [
      complain(['rpc', 'tls', 'client', n, 'name'], `another name than that of rpc.tls.client[${earlier}]`, name),
    ];
  });
}

/** An underlay address belongs to one NVE. */
function checkAddresses(root: unknown): Complaint[] {
  const holder = new Map<unknown, number>();
  return list(root, 'nve').flatMap((item, n) => {
    const addresses = valueAt(item, ['addresses']);
    return (Array.isArray(addresses) ? addresses : []).flatMap((address, i) => {
      const earlier = holder.get(address);
      holder.set(address, n);
      return earlier === undefined
        ? []
        : [complain(['nve', n, 'addresses', i], `an address that nve[${earlier}] does not have`, address)];
    });
  });
}
