// The engine in plain TypeScript: one frame and the tables in, what leaves and what is counted out. Written from docs/engine.md, docs/drops.md
// and the RFCs, to be read and believed; it is the oracle that the real engine is compared with. Tenants' IPv6 is carried, the underlay is
// IPv4, and of options, access lists and pairs it knows nothing yet.

import { ipToBytes, macToBytes } from '#model';
import type { Command, Dest, Selector, TagPolicy, VapId } from '../types.js';
import {
  be16,
  bytes,
  checksum,
  claimedLength,
  ETHERNET,
  hexOf,
  isGroup,
  isLinkLocal,
  isStation,
  isTag,
  type Octets,
  tagsAt,
  u16,
  withChecksum,
} from './packet.js';
import type { State } from './state.js';
import { messageFor } from './too-big.js';

type Vap = Extract<Command, { op: 'VapSet' }>;
type Vn = Extract<Command, { op: 'VnSet' }>;

/** What the tables do not say. */
export interface Machine {
  readonly portMac: (port: number) => Octets;
  /** The longest frame of one packet buffer. */
  readonly buffer: number;
}

export interface Sent {
  readonly port: number;
  /** An encapsulated packet has source port 0 here: which one of its range it is, is the engine's choice for the flow. */
  readonly frame: Octets;
  readonly encapsulated: boolean;
}

export interface Fate {
  readonly outcome: 'sent' | 'replicated' | 'punted' | 'dropped';
  readonly detail: string | null;
  readonly sent: readonly Sent[];
  readonly drops: Readonly<Record<string, number>>;
  /** `VAP MAC` of `learned` events. */
  readonly learned: readonly string[];
}

/** A drop, unwinding to whoever asked for the frame's fate. `mtu`: the sender is to be told. */
class Drop {
  readonly reason: string;
  readonly mtu: number | null;
  constructor(reason: string, mtu: number | null = null) {
    this.reason = reason;
    this.mtu = mtu;
  }
}
class Punt {
  readonly kind: string;
  constructor(kind: string) {
    this.kind = kind;
  }
}

/** The drop reasons that the model knows: those of features that it has not learned yet are missing. */
export const REASONS: readonly string[] = [
  'truncated',
  'segmented',
  'untagged',
  'unknown_tag',
  'unexpected_stag',
  'tenant_tag',
  'source_invalid',
  'source_guard',
  'link_local',
  'same_vap',
  'unknown_unicast',
  'no_receiver',
  'vn_mtu',
  'split_horizon',
  'neighbour_unresolved',
  'underlay_mtu',
  'not_for_us',
  'outer_tag',
  'outer_invalid',
  'outer_options',
  'outer_fragment',
  'outer_checksum',
  'not_overlay',
  'vxlan_flags',
  'unknown_vni',
  'source_nve',
  'arp_invalid',
  'ecn',
  'next_hop_down',
];

/** Outer Ethernet, IPv4, UDP, VXLAN (RFC 7348, 5). */
const OVERHEAD = 50;

export function fateOf(state: State, machine: Machine, port: number, frame: Octets): Fate {
  const learned: string[] = [];
  const drops: Record<string, number> = {};
  const count = (reason: string): void => {
    drops[reason] = (drops[reason] ?? 0) + 1;
  };
  const addresses = [...state.underlays.values()]
    .filter((one) => one.port === port)
    .map(({ ip }) => hexOf(ipToBytes(ip)));
  try {
    if (frame.length > machine.buffer) throw new Drop('segmented');
    if (frame.length < ETHERNET) throw new Drop('truncated');
    if (addresses.length > 0) {
      const inside = fromUnderlay(state, machine, port, addresses, frame);
      if (!('vn' in inside)) return { outcome: 'sent', detail: null, sent: [inside], drops, learned };
      return forward(inside, null);
    }
    const [vap, inner] = fromAccess(state, machine, port, frame, learned);
    try {
      return forward({ vn: vap.vn, frame: inner() }, vap);
    } catch (caught) {
      if (!(caught instanceof Drop) || caught.mtu === null) throw caught;
      return tooBig(vap, caught);
    }
  } catch (caught) {
    if (caught instanceof Punt) return { outcome: 'punted', detail: caught.kind, sent: [], drops, learned };
    if (!(caught instanceof Drop)) throw caught;
    count(caught.reason);
    return { outcome: 'dropped', detail: caught.reason, sent: [], drops, learned };
  }

  /** By destination MAC, inside the VN (RFC 8014, 3.1). `from` null: it came by tunnel, and does not leave by one (split horizon). */
  function forward(inside: { vn: number; frame: Octets }, from: Vap | null): Fate {
    const { vn, frame: inner } = inside;
    const destination = inner.subarray(0, 6);
    if (isGroup(destination)) {
      const vaps = [...state.vaps.values()].filter(
        (one) => one.vn === vn && (one.vap !== from?.vap || one.reflect === true),
      );
      const remote = from === null ? [] : (state.floods.get(vn) ?? []);
      const targets: Dest[] = [...vaps.map(({ vap }) => ({ kind: 'vap', vap }) as const), ...remote];
      if (targets.length === 0) throw new Drop('no_receiver');
      const sent = targets.flatMap((target) => {
        try {
          return [leave(target, inner)];
        } catch (caught) {
          if (!(caught instanceof Drop)) throw caught;
          count(caught.reason);
          return [];
        }
      });
      return { outcome: 'replicated', detail: null, sent, drops, learned };
    }
    const row = state.rows.get(`${vn} ${macText(destination)}`);
    const uplink = [...state.vaps.values()].find((one) => one.vn === vn && one.uplink);
    let to = row?.dest;
    if (to === undefined) {
      if (uplink === undefined || uplink.vap === from?.vap) throw new Drop('unknown_unicast');
      to = { kind: 'vap', vap: uplink.vap };
    } else if (to.kind === 'vap' && to.vap === from?.vap && from.reflect !== true) throw new Drop('same_vap');
    else if (to.kind !== 'vap' && from === null) throw new Drop('split_horizon');
    return { outcome: 'sent', detail: null, sent: [leave(to, inner)], drops, learned };
  }

  function leave(to: Dest, inner: Octets): Sent {
    // Which member a group takes is the engine's choice for the flow: no comparison reaches this with one.
    if (to.kind === 'group') throw new Error(`no model of how group ${to.group} chooses`);
    return to.kind === 'vap' ? toVap(state, machine, to.vap, inner) : toNextHop(state, machine, to.nh, inner);
  }

  /** docs/engine.md, "What does not fit". */
  function tooBig(vap: Vap, { reason, mtu }: Drop): Fate {
    count(reason);
    const sent: Sent[] = [];
    const message = messageFor(unselected(vap.selector, vap.tags, frame), reason, mtu ?? 0);
    if (message !== null)
      try {
        sent.push(toVap(state, machine, vap.vap, message));
      } catch (caught) {
        if (!(caught instanceof Drop)) throw caught;
        count(caught.reason);
      }
    return { outcome: 'dropped', detail: reason, sent, drops, learned };
  }
}

const macText = (mac: Octets): string => hexOf(mac).replace(/..(?=.)/g, '$&:');

/** The VAP of a frame, and the tenant's frame without the tags that selected the VAP or that it strips. */
function fromAccess(
  state: State,
  machine: Machine,
  port: number,
  frame: Octets,
  learned: string[],
): [Vap, () => Octets] {
  const vap = select(
    [...state.vaps.values()].filter((one) => one.port === port),
    machine.portMac(port),
    frame,
  );
  const inside = (): Octets => {
    const vn = state.vns.get(vap.vn) as Vn;
    const selecting = selectingLength(vap.selector, frame);
    const behind = bytes(frame.subarray(0, 12), frame.subarray(12 + selecting));
    const inner = underPolicy(vap.tags, behind);
    checkShape(behind, vn.mtu);
    const source = frame.subarray(6, 12);
    if (!isStation(source)) throw new Drop('source_invalid');
    if (vap.guard || vap.learn === true) {
      const row = state.rows.get(`${vap.vn} ${macText(source)}`);
      if (row?.dest.kind !== 'vap' || row.dest.vap !== vap.vap) {
        if (vap.learn === true) learned.push(`${vap.vap} ${macText(source)}`);
        if (vap.guard && (row !== undefined || vap.learn !== true)) throw new Drop('source_guard');
      }
    }
    return inner;
  };
  return [vap, inside];
}

/** The most specific selector that the frame fits (RFC 8014, 3.2); what is about the link is nobody's. */
export function select(vaps: readonly Vap[], portMac: Octets, frame: Octets): Vap {
  const by = (kind: Selector['kind'], fits: (selector: never) => boolean = () => true) =>
    vaps.find(({ selector }) => selector.kind === kind && fits(selector as never));
  const whole = by('port');
  const orElse = (reason: string): Vap => {
    if (whole === undefined) throw new Drop(reason);
    return whole;
  };
  const destination = frame.subarray(0, 6);
  const outermost = u16(frame, 12);
  const aboutTheLink = (etherType: number): void => {
    const kind = { 35020: 'lldp', 35136: 'ecp' }[etherType];
    const ours = isGroup(destination) || hexOf(destination) === hexOf(portMac);
    if (kind !== undefined) {
      if (ours) throw new Punt(kind);
    } else if (isLinkLocal(destination)) throw new Punt('link_local');
  };
  if (outermost === 0x8100) {
    if (isLinkLocal(destination)) throw new Punt('link_local');
    if (frame.length < 18) throw new Drop('truncated');
    const vid = u16(frame, 14) & 0x0fff;
    if (vid === 0) return by('untagged') ?? orElse('untagged');
    return by('c-tag', (one: { vid: number }) => one.vid === vid) ?? orElse('unknown_tag');
  }
  if (outermost === 0x88a8) {
    if (frame.length < 18) throw new Drop('truncated');
    const [sVid, etherType] = [u16(frame, 14) & 0x0fff, u16(frame, 16)];
    aboutTheLink(etherType);
    const taking = vaps.filter(({ selector: { kind } }) => kind === 's-tag' || kind === 's-tag+c-tag');
    const both = vaps.filter(({ selector }) => selector.kind === 's-tag+c-tag' && selector.sVid === sVid);
    if (etherType === 0x8100 && both.length > 0) {
      if (frame.length < 22) throw new Drop('truncated');
      const cVid = u16(frame, 18) & 0x0fff;
      const found = both.find(({ selector }) => selector.kind === 's-tag+c-tag' && selector.cVid === cVid);
      if (found !== undefined) return found;
    }
    return (
      by('s-tag', (one: { vid: number }) => one.vid === sVid) ??
      orElse(taking.length > 0 ? 'unknown_tag' : 'unexpected_stag')
    );
  }
  aboutTheLink(outermost);
  return by('untagged') ?? orElse('untagged');
}

/** Octets of the tags that selected a VAP. A priority tag counts as none, and goes. */
function selectingLength(selector: Selector, frame: Octets): number {
  if (selector.kind === 's-tag+c-tag') return 8;
  if (selector.kind === 'untagged') return u16(frame, 12) === 0x8100 ? 4 : 0;
  return selector.kind === 'port' ? 0 : 4;
}

/** The tenant's frame by the VAP's policy for the tenant's own tags, in either direction (RFC 8014, 3.1.1). */
function underPolicy(policy: TagPolicy = { kind: 'refuse' }, frame: Octets): Octets {
  const tags = tagsAt(frame, 12);
  if (tags === null) throw new Drop('truncated');
  if (tags.length === 0 || policy.kind === 'pass') return frame;
  if (policy.kind === 'strip') return bytes(frame.subarray(0, 12), frame.subarray(12 + tags.length));
  if (policy.kind === 'list' && tags.tpid === 0x8100 && policy.vids.some((vid) => vid === tags.vid)) return frame;
  throw new Drop('tenant_tag');
}

function unselected(selector: Selector, policy: TagPolicy | undefined, frame: Octets): Octets {
  const behind = bytes(frame.subarray(0, 12), frame.subarray(12 + selectingLength(selector, frame)));
  return underPolicy(policy, behind);
}

/** As long as its IP header says, and its payload not longer than the VN's MTU; tags do not count. */
function checkShape(frame: Octets, mtu: number): void {
  const tags = tagsAt(frame, 12);
  if (tags === null) throw new Drop('truncated');
  const payload = frame.subarray(ETHERNET + tags.length);
  if (claimedLength(tags.etherType, payload) > payload.length) throw new Drop('truncated');
  if (payload.length > mtu) throw new Drop('vn_mtu', mtu);
}

function toVap(state: State, machine: Machine, id: VapId, inner: Octets): Sent {
  const vap = state.vaps.get(id) as Vap;
  const { selector, port } = vap;
  const own = underPolicy(vap.tags, inner);
  const s = selector.kind === 's-tag' ? selector.vid : selector.kind === 's-tag+c-tag' ? selector.sVid : null;
  const c = selector.kind === 'c-tag' ? selector.vid : selector.kind === 's-tag+c-tag' ? selector.cVid : null;
  const tag = (tpid: number, vid: number | null) => (vid === null ? [] : [...be16(tpid), ...be16(vid)]);
  const frame = bytes(own.subarray(0, 12), tag(0x88a8, s), tag(0x8100, c), own.subarray(12));
  // On the link it must not look like another VAP's, nor like a frame about the link.
  const isTagged = isTag(u16(inner, 12));
  if (isTagged || selector.kind === 'port') {
    const looksLike = comesBackAs(state, machine, port, frame);
    if (looksLike === 'punt') throw new Drop('link_local');
    if (looksLike !== null && looksLike !== vap.vap) throw new Drop('tenant_tag');
  }
  return { port, frame: padded(frame), encapsulated: false };
}

/** 802.3, 3.2.8: 64 bytes, of which 4 are the FCS. */
function padded(frame: Octets): Octets {
  return frame.length < 60 ? bytes(frame, new Uint8Array(60 - frame.length)) : frame;
}

/** What a frame that leaves by a port would be if it came in there: a VAP's, about the link, or (null) nobody's. */
function comesBackAs(state: State, machine: Machine, port: number, frame: Octets): VapId | 'punt' | null {
  const vaps = [...state.vaps.values()].filter((one) => one.port === port);
  try {
    return select(vaps, machine.portMac(port), frame).vap;
  } catch (caught) {
    return caught instanceof Punt ? 'punt' : null;
  }
}

/** The ECN field of a tenant's packet, which the outer header has, too (RFC 6040, 4.1, normal mode). */
function ecnOf(frame: Octets): number {
  const tags = tagsAt(frame, 12);
  const packet = frame.subarray(ETHERNET + (tags?.length ?? 0));
  const version = (packet[0] ?? 0) >> 4;
  if (tags?.etherType === 0x0800 && version === 4) return (packet[1] ?? 0) & 3;
  if (tags?.etherType === 0x86dd && version === 6) return ((packet[1] ?? 0) >> 4) & 3;
  return 0;
}

/** VXLAN over IPv4 (RFC 7348, 5): DF, TTL 64, no UDP checksum, reserved bits zero. */
function toNextHop(state: State, machine: Machine, nh: number, inner: Octets): Sent {
  if (state.dead.has(nh)) throw new Drop('next_hop_down');
  const hop = state.nextHops.get(nh);
  const link = [...state.underlays.values()]
    .sort((a, b) => a.port - b.port)
    .find((one) => one.ip !== hop?.remote && sameLink(one.ip, hop?.remote ?? '', one.prefixLen));
  const mac = link === undefined ? undefined : state.neighbours.get(`${link.port} ${hop?.remote}`)?.mac;
  if (hop === undefined || link === undefined || mac === undefined) throw new Drop('neighbour_unresolved');
  const mtu = state.ports.get(link.port)?.mtu ?? 0;
  // The MTU counts from the outer IP header on.
  const longest = mtu - (OVERHEAD - ETHERNET);
  if (inner.length > longest) throw new Drop('underlay_mtu', longest);
  const udpLength = 16 + inner.length;
  const ip = withChecksum(
    bytes(
      [0x45, ecnOf(inner)],
      be16(20 + udpLength),
      [0, 0, 0x40, 0, 64, 17, 0, 0],
      ipToBytes(link.ip),
      ipToBytes(hop.remote),
    ),
    10,
  );
  const vni = [hop.contextId >> 16, (hop.contextId >> 8) & 0xff, hop.contextId & 0xff];
  return {
    port: link.port,
    encapsulated: true,
    frame: bytes(
      macToBytes(mac),
      machine.portMac(link.port),
      [0x08, 0x00],
      ip,
      [0, 0, ...be16(4789), ...be16(udpLength), 0, 0],
      [0x08, 0, 0, 0, ...vni, 0],
      inner,
    ),
  };
}

function sameLink(a: string, b: string, prefix: number): boolean {
  const network = (ip: string) =>
    Math.floor(ip.split('.').reduce((sum, part) => sum * 256 + Number(part), 0) / 2 ** (32 - prefix));
  return network(a) === network(b);
}

/** The tenant's frame of a tunnelled packet and its VN, or an answer of the underlay address itself. */
function fromUnderlay(
  state: State,
  machine: Machine,
  port: number,
  ours: readonly string[],
  arrived: Octets,
): { vn: number; frame: Octets } | Sent {
  const mac = machine.portMac(port);
  const frame = inNoVlan(arrived);
  const destination = frame.subarray(0, 6);
  const toUs = hexOf(destination) === hexOf(mac);
  const etherType = u16(frame, 12);
  const broadcast = destination.every((octet) => octet === 0xff);
  if (etherType === 0x0806 && (toUs || broadcast)) return arp(port, mac, ours, frame);
  if (!toUs) throw new Drop('not_for_us');
  if (etherType !== 0x0800) throw new Drop('not_overlay');

  const packet = frame.subarray(ETHERNET);
  if (packet.length < 20) throw new Drop('truncated');
  const [version, words] = [(packet[0] ?? 0) >> 4, (packet[0] ?? 0) & 0x0f];
  if (version !== 4 || words < 5) throw new Drop('outer_invalid');
  if (words > 5) throw new Drop('outer_options');
  const total = u16(packet, 2);
  if (total > packet.length) throw new Drop('truncated');
  if (total < 20 || checksum(packet.subarray(0, 20)) !== 0) throw new Drop('outer_invalid');
  if (!ours.includes(hexOf(packet.subarray(16, 20)))) throw new Drop('not_for_us');
  if ((u16(packet, 6) & 0x3fff) !== 0) throw new Drop('outer_fragment');
  const datagram = packet.subarray(20, total);
  if (packet[9] === 1) return echo(port, mac, frame, packet.subarray(0, total));
  if (packet[9] !== 17) throw new Drop('not_overlay');
  if (datagram.length < 8) throw new Drop('truncated');
  if (u16(datagram, 2) !== 4789) throw new Drop('not_overlay');
  const length = u16(datagram, 4);
  if (length > datagram.length || length < 8 + 8 + ETHERNET) throw new Drop('truncated');
  const udp = datagram.subarray(0, length);
  const pseudo = bytes(packet.subarray(12, 20), [0, 17], be16(length), udp);
  if (u16(udp, 6) !== 0 && checksum(pseudo) !== 0) throw new Drop('outer_checksum');
  if (((udp[8] ?? 0) & 0x08) === 0) throw new Drop('vxlan_flags');
  const vni = (udp[12] ?? 0) * 65_536 + u16(udp, 13);
  const vn = [...state.vns.values()].find((one) => one.vni === vni);
  if (vn === undefined) throw new Drop('unknown_vni');
  const sender = hexOf(packet.subarray(12, 16));
  if (!(state.sources.get(vn.vn) ?? []).some((ip) => hexOf(ipToBytes(ip)) === sender)) throw new Drop('source_nve');

  const inner = udp.subarray(16);
  if (isLinkLocal(inner.subarray(0, 6))) throw new Drop('link_local');
  if (!isStation(inner.subarray(6, 12))) throw new Drop('source_invalid');
  checkShape(inner, vn.mtu);
  return { vn: vn.vn, frame: withEcn(inner, (packet[1] ?? 0) & 3) };
}

/** A frame of a link without a VLAN: a priority tag counts as none (802.1Q, 6.9.1). */
function inNoVlan(frame: Octets): Octets {
  if (!isTag(u16(frame, 12))) return frame;
  if (u16(frame, 12) === 0x8100 && frame.length < 18) throw new Drop('truncated');
  const isPriority = u16(frame, 12) === 0x8100 && (u16(frame, 14) & 0x0fff) === 0;
  if (!isPriority || isTag(u16(frame, 16))) throw new Drop('outer_tag');
  return bytes(frame.subarray(0, 12), frame.subarray(16));
}

/** RFC 6040, 4.2, figure 4: by the tenant's field, what it becomes under an outer Not-ECT, ECT(1), ECT(0) and CE; null is a drop. */
const FIGURE_4: readonly (readonly (number | null)[])[] = [
  [0, 0, 0, null],
  [1, 1, 1, 3],
  [2, 1, 2, 3],
  [3, 3, 3, 3],
];

/** The tenant's frame as it leaves a tunnel whose outer header had the ECN field `outer`. */
function withEcn(frame: Octets, outer: number): Octets {
  const { etherType, length } = tagsAt(frame, 12) ?? { etherType: 0, length: 0 };
  const at = ETHERNET + length;
  const version = (frame[at] ?? 0) >> 4;
  if (!(etherType === 0x0800 && version === 4) && !(etherType === 0x86dd && version === 6)) return frame;
  const before = ecnOf(frame);
  const ecn = FIGURE_4[before]?.[outer];
  if (typeof ecn !== 'number') throw new Drop('ecn');
  const changed = Uint8Array.from(frame);
  changed[at + 1] = (frame[at + 1] ?? 0) + (ecn - before) * (version === 4 ? 1 : 16);
  // RFC 1624, 3: a checksum that was wrong stays so.
  const field = at + 10;
  const sum = (~u16(frame, field) & 0xffff) + (~u16(frame, at) & 0xffff) + u16(changed, at);
  const folded = (sum & 0xffff) + (sum >> 16);
  if (version === 4 && ecn !== before) changed.set(be16(~folded & 0xffff), field);
  return changed;
}

/** RFC 826. Nobody else may claim our address, and what may tell of a neighbour is for the control thread. */
function arp(port: number, mac: Octets, ours: readonly string[], frame: Octets): Sent {
  const body = frame.subarray(ETHERNET);
  const operation = u16(body, 6);
  const sound = hexOf(body.subarray(0, 6)) === '000108000604' && (operation === 1 || operation === 2);
  if (body.length < 28 || !sound) throw new Drop('arp_invalid');
  const [senderMac, sender, target] = [body.subarray(8, 14), body.subarray(14, 18), body.subarray(24, 28)];
  if (!isStation(senderMac) || ours.includes(hexOf(sender))) throw new Drop('arp_invalid');
  if (!ours.includes(hexOf(target))) {
    if (hexOf(target) === hexOf(sender)) throw new Punt('arp');
    throw new Drop('not_for_us');
  }
  if (operation === 2) throw new Punt('arp');
  const reply = bytes([0, 1, 8, 0, 6, 4, 0, 2], mac, target, senderMac, sender);
  return { port, frame: bytes(senderMac, mac, [8, 6], reply, body.subarray(28)), encapsulated: false };
}

/** RFC 792: an echo request comes back as its reply, without Ethernet's padding. */
function echo(port: number, mac: Octets, frame: Octets, packet: Octets): Sent {
  const message = packet.subarray(20);
  if (message.length < 8 || checksum(message) !== 0 || message[0] !== 8 || message[1] !== 0)
    throw new Drop('not_overlay');
  const reply = withChecksum(bytes([0, 0, 0, 0], message.subarray(4)), 2);
  const ip = withChecksum(
    bytes(packet.subarray(0, 8), [64, 1, 0, 0], packet.subarray(16, 20), packet.subarray(12, 16)),
    10,
  );
  return { port, frame: bytes(frame.subarray(6, 12), mac, [8, 0], ip, reply), encapsulated: false };
}
