// ARP and neighbour discovery of tenants, answered from a VN's pairs, in the reference model: docs/engine.md, option `suppress` of a VN;
// RFC 9161, 3.3.

import { macToBytes } from '#model';
import type { Vap } from './classify.js';
import {
  ARP,
  bytes,
  checksum,
  ETHERNET,
  equal,
  hexOf,
  IPV6,
  icmpv6,
  type Octets,
  tagsAt,
  u16,
  withPseudoHeader,
} from './packet.js';
import { isArp, ownerOf } from './policy.js';
import type { State } from './state.js';

/** The answer to a tenant's frame to a group, if it is a question that has one here. */
export function answerTo(state: State, vap: Vap, inner: Octets): Octets | null {
  const tags = tagsAt(inner, 12);
  if (tags === null || state.vns.get(vap.vn)?.options?.suppress !== true) return null;
  const at = ETHERNET + tags.length;
  const [asker, payload] = [inner.subarray(6, 12), inner.subarray(at)];
  const read = tags.etherType === ARP ? arpQuestion : tags.etherType === IPV6 ? solicitation : () => null;
  const question = read(asker, payload);
  const owner = question && ownerOf(state, vap.vn, question.target);
  if (question === null || owner === undefined || owner === null) return null;
  const mac = macToBytes(owner as never);
  const place = state.rows.get(`${vap.vn} ${owner}`)?.dest;
  if (equal(mac, asker) || (place?.kind === 'vap' && place.vap === vap.vap)) return null;
  return bytes(asker, mac, inner.subarray(12, at), question.answer(mac));
}

interface Question {
  readonly target: Octets;
  readonly answer: (owner: Octets) => Octets;
}

/** RFC 826; a probe (RFC 5227, 2.1.1) has no sender's address, an announcement asks for it. */
function arpQuestion(asker: Octets, arp: Octets): Question | null {
  const [mac, from, target] = [arp.subarray(8, 14), arp.subarray(14, 18), arp.subarray(24, 28)];
  if (!isArp(arp) || u16(arp, 6) !== 1 || !equal(mac, asker)) return null;
  if (from.every((octet) => octet === 0) || equal(from, target)) return null;
  const answer = (owner: Octets) => bytes([0, 1, 8, 0, 6, 4, 0, 2], owner, target, asker, from, arp.subarray(28));
  return { target, answer };
}

/** RFC 4861, 4.3 and 7.1.1; who makes sure that nobody has an address (RFC 4862, 5.4.2) tells no MAC. */
function solicitation(asker: Octets, packet: Octets): Question | null {
  const end = 40 + u16(packet, 4);
  const isIcmp = packet.length >= 40 && (packet[0] ?? 0) >> 4 === 6 && end <= packet.length && packet[6] === 58;
  const message = packet.subarray(40, end);
  const [from, target] = [packet.subarray(8, 24), message.subarray(8, 24)];
  if (!isIcmp || message.length < 24 || message[0] !== 135 || message[1] !== 0 || packet[7] !== 255) return null;
  if (target[0] === 0xff || checksum(withPseudoHeader(packet.subarray(8, 40), 58, message)) !== 0) return null;
  const mac = linkOption(message.subarray(24), 1);
  if (!mac || !equal(mac, asker) || from[0] === 0xff || from.every((octet) => octet === 0)) return null;
  const answer = (owner: Octets) =>
    icmpv6(255, target, from, bytes([136, 0, 0, 0, 0x60, 0, 0, 0], target, [2, 1], owner));
  return { target, answer };
}

/** The MAC of the last option of this type (RFC 4861, 4.6.1); undefined without one, null if the options are not whole. */
export function linkOption(options: Octets, type: number): Octets | null | undefined {
  let found: Octets | undefined;
  for (let at = 0; at < options.length; at += (options[at + 1] ?? 0) * 8) {
    const length = (options[at + 1] ?? 0) * 8;
    if (length === 0 || at + length > options.length) return null;
    if (options[at] === type && length === 8) found = options.subarray(at + 2, at + 8);
  }
  return found;
}

/** The solicited-node group of an address (RFC 4291, 2.7.1). */
export const isItsGroup = (group: Octets, address: Octets): boolean =>
  hexOf(group) === `ff0200000000000000000001ff${hexOf(address.subarray(13))}`;
