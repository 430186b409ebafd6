// What the tNVE knows of one tenant interface, and from all of them, by a pure function, what its engine shall hold: each VN is a
// small switch between the tenants' ports and the uplink, tagged there with what the NVE said.

import type { PortId, Selector, TagPolicy } from '#dataplane';
import type { TapPort, TsiListRow } from '#hypervisor';
import type { IpAddr, LinkName, MacAddr, Mtu, Tag, TsiId, TsiState, VnId, VnName } from '#model';
import { type EngineObject, type EngineState, stateOf } from '../engine/objects.js';
import { selectorOf } from '../engine/tags.js';

/** A tenant interface that somebody attached here. */
export interface TnveTsi {
  readonly tsi: TsiId;
  readonly vn: VnName;
  readonly macs: readonly MacAddr[];
  readonly ips: readonly IpAddr[];
  readonly newPort: TapPort;
  /** The engine's numbers of its port and of the VAP on it. */
  readonly port: PortId;
  readonly vap: number;
  /** What the port is called: its interface, or if that is another port's name, with its number. */
  readonly portName: string;
  state: TsiState;
  tag: Tag;
  /** The tenant's IP MTU. */
  mtu: Mtu;
  /** Of the VN's gateway; null: it has none, or nobody has told it. */
  gateway: IpAddr | null;
  /** Its VM does not run for a while. */
  suspended: boolean;
  /** The engine switches for it. */
  forwards: boolean;
  /** Its interface has a carrier. */
  carrier: boolean;
  /** Why it is not where it was asked to be. */
  cause: string | null;
  /** The NVE ended it and said that there is no point in asking again (it moved away). */
  ended: boolean;
}

export function rowOf(tsi: TnveTsi, link: LinkName): TsiListRow {
  const { vn, state, macs, ips, mtu, gateway, suspended, cause, newPort } = tsi;
  const tag = state === 'authorizing' ? null : tsi.tag;
  const { iface, netns } = newPort;
  const addresses = { macs: [...macs], ips: [...ips] };
  return { tsi: tsi.tsi, vn, link, state, tag, ...addresses, mtu, gateway, suspended, cause, iface, netns };
}

/** The port of a TSI. It has a scope of its own: it is there before the VN is, and after. */
export function portState({ port, portName, newPort, macs, mtu, carrier }: TnveTsi): EngineState {
  const { iface } = newPort;
  return stateOf([
    { op: 'PortAdd', port, name: portName, mtu, kind: { driver: 'net_tap', iface, mac: macs[0] ?? null } },
    ...(carrier ? [] : [{ op: 'PortAdmin' as const, port, up: false }]),
  ]);
}

/** One VN here: the engine's number of it, and its VAP on the uplink under the tag that the NVE named last. */
export interface TnveVn {
  readonly id: VnId;
  readonly uplinkPort: PortId;
  readonly uplinkVap: number;
  readonly tag: Tag;
  readonly mtu: Mtu;
}

/** What the engine holds of a VN: nothing while no TSI of it forwards. */
export function tnveVnState({ id, uplinkPort, uplinkVap, tag, mtu }: TnveVn, members: Iterable<TnveTsi>): EngineState {
  const objects: EngineObject[] = [];
  // Behind an S-TAG the tenant's own tags travel (RFC 8014 section 4.2.1).
  const carries = tag.kind === 's-tag';
  const selector: Selector = { kind: carries ? 'port' : 'untagged' };
  const tags: TagPolicy = { kind: carries ? 'pass' : 'refuse' };
  for (const { port, vap, macs, forwards } of members) {
    if (!forwards) continue;
    objects.push({ op: 'VapSet', vap, vn: id, port, selector, guard: true, uplink: false, tags });
    for (const mac of macs) objects.push({ op: 'FdbSet', vn: id, mac, dest: { kind: 'vap', vap } });
  }
  if (objects.length === 0) return new Map();
  objects.push({ op: 'VnSet', vn: id, vni: null, mtu });
  objects.push({
    op: 'VapSet',
    vap: uplinkVap,
    vn: id,
    port: uplinkPort,
    selector: selectorOf(tag),
    guard: false,
    uplink: true,
    tags,
  });
  return stateOf(objects);
}
