// The underlay's own addresses as a host, in the reference model: ARP (RFC 826), echo (RFC 792; RFC 4443, 4) and neighbour discovery
// (RFC 4861, 7). All addresses are in use; that somebody else wants one is not known here.

import { Drop, Punt, type Sent } from './fate.js';
import {
  be16,
  bytes,
  C_TAG,
  checksum,
  ETHERNET,
  equal,
  IPV6,
  icmpv6,
  isHost,
  isStation,
  type Octets,
  tagOf,
  u16,
  withChecksum,
  withPseudoHeader,
} from './packet.js';
import { isArp } from './policy.js';
import { isItsGroup, linkOption } from './suppress.js';

export interface Host {
  readonly port: number;
  readonly mac: Octets;
  /** Its addresses at that port. */
  readonly ours: readonly Octets[];
  /** 0: none. */
  readonly vlan: number;
}

const NOBODY = new Uint8Array(16);
const ALL_NODES = bytes([0xff, 2], new Uint8Array(13), [1]);

const has = ({ ours }: Host, ip: Octets): boolean => ours.some((one) => equal(one, ip));

/** What leaves for `to`, in the link's VLAN; `rest` begins with its EtherType. */
function reply({ port, mac, vlan }: Host, to: Octets, ...rest: readonly (Octets | readonly number[])[]): Sent {
  return { port, frame: bytes(to, mac, vlan === 0 ? [] : tagOf(C_TAG, vlan), ...rest), ports: null };
}

/** Nobody else may claim our address, and what may tell of a neighbour is for the control thread. */
export function answerArp(host: Host, frame: Octets): Sent {
  const body = frame.subarray(ETHERNET);
  if (!isArp(body)) throw new Drop('arp_invalid');
  const [senderMac, sender, target] = [body.subarray(8, 14), body.subarray(14, 18), body.subarray(24, 28)];
  if (!isStation(senderMac) || has(host, sender)) throw new Drop('arp_invalid');
  if (!has(host, target)) {
    if (equal(target, sender)) throw new Punt('arp');
    throw new Drop('not_for_us');
  }
  if (u16(body, 6) === 2) throw new Punt('arp');
  const answer = bytes([0, 1, 8, 0, 6, 4, 0, 2], host.mac, target, senderMac, sender);
  return reply(host, senderMac, [8, 6], answer, body.subarray(28));
}

/** An echo request comes back as its reply, without Ethernet's padding; from whom nobody can be (RFC 1122, 3.2.1.3) it is none. */
export function answerEcho(host: Host, frame: Octets, packet: Octets): Sent {
  const message = packet.subarray(20);
  if (!isHost(packet.subarray(12, 16))) throw new Drop('not_overlay');
  if (message.length < 8 || checksum(message) !== 0 || message[0] !== 8 || message[1] !== 0)
    throw new Drop('not_overlay');
  const answer = withChecksum(bytes([0, 0, 0, 0], message.subarray(4)), 2);
  const addresses = bytes(packet.subarray(16, 20), packet.subarray(12, 16));
  const ip = withChecksum(bytes(packet.subarray(0, 8), [64, 1, 0, 0], addresses), 10);
  return reply(host, frame.subarray(6, 12), [8, 0], ip, answer);
}

/** `toUs`: it was sent to the port's own MAC. */
export function answerIcmpv6(host: Host, frame: Octets, packet: Octets, toUs: boolean): Sent {
  const [source, destination, message] = [packet.subarray(8, 24), packet.subarray(24, 40), packet.subarray(40)];
  const sender = frame.subarray(6, 12);
  if (checksum(withPseudoHeader(packet.subarray(8, 40), 58, message)) !== 0) throw new Drop('nd_invalid');
  const type = message[0] ?? 0;
  if (message.length > 0 && (type === 135 || type === 136)) return neighbour(host, sender, packet, message);
  if (!toUs || !has(host, destination)) throw new Drop('not_for_us');
  if (source[0] === 0xff || equal(source, NOBODY)) throw new Drop('nd_invalid');
  if (message.length < 8 || type !== 128 || message[1] !== 0) throw new Drop('not_overlay');
  const answer = icmpv6(64, destination, source, bytes([129, 0, 0, 0], message.subarray(4)));
  return reply(host, sender, be16(IPV6), packet.subarray(0, 4), answer.subarray(4));
}

/** RFC 4861, 7.1.1, 7.1.2, 7.2.4; nobody sends from a group (RFC 4291, 2.7). */
function neighbour(host: Host, sender: Octets, packet: Octets, message: Octets): Sent {
  const [source, destination, target] = [packet.subarray(8, 24), packet.subarray(24, 40), message.subarray(8, 24)];
  const isSolicitation = message[0] === 135;
  const mac = linkOption(message.subarray(24), isSolicitation ? 1 : 2);
  const isSound =
    message.length >= 24 && message[1] === 0 && packet[7] === 255 && target[0] !== 0xff && source[0] !== 0xff;
  if (!isSound || mac === null || !isStation(sender)) throw new Drop('nd_invalid');
  if (!isSolicitation) {
    const isAnswerToAll = destination[0] === 0xff && ((message[4] ?? 0) & 0x40) !== 0;
    if (isAnswerToAll || has(host, target) || (mac && !isStation(mac))) throw new Drop('nd_invalid');
    throw new Punt('nd');
  }
  const fromNobody = equal(source, NOBODY);
  if (fromNobody && (mac || !isItsGroup(destination, target))) throw new Drop('nd_invalid');
  if (!has(host, target)) throw new Drop('not_for_us');
  const to = mac ?? sender;
  if (has(host, source) || !isStation(to)) throw new Drop('nd_invalid');
  const flags = fromNobody ? 0x20 : 0x60;
  const body = bytes([136, 0, 0, 0, flags, 0, 0, 0], target, [2, 1], host.mac);
  const answer = icmpv6(255, target, fromNobody ? ALL_NODES : source, body);
  return reply(host, fromNobody ? Uint8Array.of(0x33, 0x33, 0, 0, 0, 1) : to, be16(IPV6), answer);
}
