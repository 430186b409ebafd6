// Access side of the reference model: whose a frame is, and whether it may have come from there.

import type { Command, Selector, TagPolicy } from '../types.js';
import { Drop, type Machine, type Notes, Punt } from './fate.js';
import {
  bytes,
  C_TAG,
  claimedLength,
  ETHERNET,
  equal,
  isGroup,
  isLinkLocal,
  isStation,
  macText,
  type Octets,
  S_TAG,
  tagsAt,
  u16,
} from './packet.js';
import type { State } from './state.js';

export type Vap = Extract<Command, { op: 'VapSet' }>;
export type Vn = Extract<Command, { op: 'VnSet' }>;

/** The VAP of a frame that came in by an access port. */
export function vapOf(state: State, machine: Machine, port: number, frame: Octets, notes: Notes): Vap {
  const vaps = [...state.vaps.values()].filter((one) => one.port === port);
  const vap = select(vaps, machine.portMac(port), frame);
  notes.count(vap.vap, 'in');
  return vap;
}

/** The tenant's frame without the tags that selected the VAP or that it strips. */
export function fromTenant(state: State, vap: Vap, frame: Octets, notes: Notes): Octets {
  const behind = bytes(frame.subarray(0, 12), frame.subarray(12 + selectingLength(vap.selector, frame)));
  const inner = underPolicy(vap.tags, behind);
  checkShape(behind, (state.vns.get(vap.vn) as Vn).mtu);
  if (!isStation(frame.subarray(6, 12))) throw new Drop('source_invalid');
  guard(state, vap, macText(frame.subarray(6, 12)), notes);
  return inner;
}

/** docs/engine.md: flags *guard* and *learn* of a VAP. */
function guard(state: State, vap: Vap, source: string, notes: Notes): void {
  const row = state.rows.get(`${vap.vn} ${source}`);
  if (row?.dest.kind === 'vap' && row.dest.vap === vap.vap) return;
  if (vap.learn === true) notes.learned.push(`${vap.vap} ${source}`);
  if (vap.guard && (row !== undefined || vap.learn !== true)) throw new Drop('source_guard');
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
    const ours = isGroup(destination) || equal(destination, portMac);
    if (kind !== undefined) {
      if (ours) throw new Punt(kind);
    } else if (isLinkLocal(destination)) throw new Punt('link_local');
  };
  if (outermost === C_TAG) {
    if (isLinkLocal(destination)) throw new Punt('link_local');
    if (frame.length < 18) throw new Drop('truncated');
    const vid = u16(frame, 14) & 0x0fff;
    if (vid === 0) return by('untagged') ?? orElse('untagged');
    return by('c-tag', (one: { vid: number }) => one.vid === vid) ?? orElse('unknown_tag');
  }
  if (outermost === S_TAG) {
    if (frame.length < 18) throw new Drop('truncated');
    const [sVid, etherType] = [u16(frame, 14) & 0x0fff, u16(frame, 16)];
    aboutTheLink(etherType);
    const taking = vaps.filter(({ selector: { kind } }) => kind === 's-tag' || kind === 's-tag+c-tag');
    const both = vaps.filter(({ selector }) => selector.kind === 's-tag+c-tag' && selector.sVid === sVid);
    if (etherType === C_TAG && both.length > 0) {
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
  if (selector.kind === 'untagged') return u16(frame, 12) === C_TAG ? 4 : 0;
  return selector.kind === 'port' ? 0 : 4;
}

/** The tenant's frame by the VAP's policy for the tenant's own tags, in either direction (RFC 8014, 3.1.1). */
export function underPolicy(policy: TagPolicy = { kind: 'refuse' }, frame: Octets): Octets {
  const tags = tagsAt(frame, 12);
  if (tags === null) throw new Drop('truncated');
  if (tags.length === 0 || policy.kind === 'pass') return frame;
  if (policy.kind === 'strip') return bytes(frame.subarray(0, 12), frame.subarray(12 + tags.length));
  if (policy.kind === 'list' && tags.tpid === C_TAG && policy.vids.some((vid) => vid === tags.vid)) return frame;
  throw new Drop('tenant_tag');
}

export function unselected({ selector, tags }: Vap, frame: Octets): Octets {
  const behind = bytes(frame.subarray(0, 12), frame.subarray(12 + selectingLength(selector, frame)));
  return underPolicy(tags, behind);
}

/** As long as its IP header says, and its payload not longer than the VN's MTU; tags do not count. */
export function checkShape(frame: Octets, mtu: number): void {
  const tags = tagsAt(frame, 12);
  if (tags === null) throw new Drop('truncated');
  const payload = frame.subarray(ETHERNET + tags.length);
  if (claimedLength(tags.etherType, payload) > payload.length) throw new Drop('truncated');
  if (payload.length > mtu) throw new Drop('vn_mtu', mtu);
}
