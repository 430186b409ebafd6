// What an engine refuses, in the reference model, of docs/engine.md. Limits of ranges are left out, but for a few.

import { type IpAddr, ipFamily } from '#model';
import type { AclId, Command, RemoteDest } from '../types.js';
import { onLink, pathTo } from './path.js';
import { placeOf, type State } from './state.js';

export function inRange(command: Command): boolean {
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
export function changesFixed({ ports, vaps, underlays, nextHops }: State, command: Command): boolean {
  const fixed = (old: object | undefined, ...fields: string[]): boolean => {
    const part = (one: object) => text(fields.map((field) => (one as Record<string, unknown>)[field] ?? {}));
    return old !== undefined && part(old) !== part(command);
  };
  if (command.op === 'PortAdd') return fixed(ports.get(command.port), 'mtu', 'kind');
  if (command.op === 'VapSet') return fixed(vaps.get(command.vap), 'vn', 'port', 'selector');
  if (command.op === 'UnderlaySet') {
    const old = underlays.get(placeOf(command));
    return fixed(old, 'prefixLen') || (old !== undefined && old.options?.vlan !== command.options?.vlan);
  }
  if (command.op === 'NextHopSet') return fixed(nextHops.get(command.nh), 'remote', 'encap', 'contextId', 'options');
  return false;
}

/** The same for equal values, whatever the order of their keys. */
const text = (value: unknown): string =>
  JSON.stringify(value, (_, item) =>
    item?.constructor === Object ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1))) : item,
  );

/** Whether everything that is named is there, and nothing is given twice. */
export function isGood(state: State): boolean {
  const { ports, underlays, neighbours, vns, vaps, nextHops, groups, rows, floods, sources, pairs, routes, acls } =
    state;
  const isThere = (dest: RemoteDest) => (dest.kind === 'nh' ? nextHops.has(dest.nh) : groups.has(dest.group));
  const unique = (items: readonly unknown[]): boolean => new Set(items).size === items.length;
  const links = [...underlays.values()];
  const isOurs = (ip: string) => links.some((link) => link.ip === ip);
  const isNeighbour = (ip: IpAddr) => !isOurs(ip) && links.some((link) => onLink(link, ip));
  const listed = ({ options }: { options?: { aclIn?: AclId; aclOut?: AclId } }) =>
    [options?.aclIn, options?.aclOut].every((acl) => acl === undefined || acls.has(acl));
  const vapList = [...vaps.values()];
  return (
    unique([...vns.values()].flatMap(({ vni }) => vni ?? [])) &&
    unique(vapList.map(({ port, selector }) => `${port} ${JSON.stringify(selector)}`)) &&
    unique(vapList.filter(({ uplink }) => uplink).map(({ vn }) => vn)) &&
    vapList.every(({ vn, port, options }) => {
      const [itsVn, itsPort] = [vns.get(vn), ports.get(port)];
      return (
        itsVn !== undefined &&
        itsPort !== undefined &&
        itsVn.mtu <= itsPort.mtu &&
        // A policer takes at least the VN's longest frame.
        itsVn.mtu + 30 <= (options?.police?.[1] ?? Infinity) &&
        !links.some((link) => link.port === port)
      );
    }) &&
    [...vns.values(), ...vapList].every(listed) &&
    // Every link of IPv6 carries 1280 bytes (RFC 8200, 5).
    links.every(({ port, ip }) => (ports.get(port)?.mtu ?? 0) >= (ip.includes(':') ? 1280 : 68)) &&
    unique(links.map(({ ip }) => ip)) &&
    unique(
      [...new Set(links.map(({ port, options }) => `${port} ${options?.vlan}`))].map((one) => one.split(' ')[0]),
    ) &&
    [...neighbours.values()].every(({ port, ip }) => links.some((link) => link.port === port && onLink(link, ip))) &&
    ![...neighbours.values()].some(({ ip }) => isOurs(ip)) &&
    [...routes.values()].every(({ prefix, gateways }) =>
      gateways.every((gateway) => ipFamily(gateway) === ipFamily(prefix) && isNeighbour(gateway)),
    ) &&
    [...nextHops.values()].every(({ remote }) => pathTo(state, remote) !== null) &&
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
