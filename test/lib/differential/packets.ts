// Random packets of the underlay, for the comparison of the engine with its reference model: tunnelled ones of both encapsulations and
// families, and what a host on the link sends. What the engine's own MAC is, is not known here: six zeros stand for it.
import fc from 'fast-check';
import { type IpAddr, ipToBytes, macToBytes } from '#model';
import {
  be16,
  bytes,
  checksum,
  ipv6,
  type Octets,
  tagOf,
  withChecksum,
  withPseudoHeader,
} from '../../../ts/dataplane/sim/packet.js';
import { mac, NVES, OURS, pick, station, UNDERLAYS, type UnderlayPort, VLAN } from './network.js';
import { anyTag, discovery, tenantFrame, untaggedFrame } from './tenants.js';

/** A frame that came in by a port. */
export interface Arrival {
  readonly port: number;
  readonly frame: Octets;
}

const SENDER = [2, 0xee, 0, 0, 0, 2];
const TO_US = new Uint8Array(6);

interface Ends {
  readonly port: UnderlayPort;
  readonly family: 4 | 6;
  readonly from: Octets;
  readonly to: Octets;
}
/** From somebody to this NVE, mostly. */
const ends: fc.Arbitrary<Ends> = fc
  .tuple(
    pick(...UNDERLAYS, ...UNDERLAYS, 2),
    pick(4, 4, 6) as fc.Arbitrary<4 | 6>,
    pick(...Array(10).fill(0), 1, 2, 3, 4) as fc.Arbitrary<number>,
    pick(true, true, true, true, true, true, true, true, true, false),
  )
  .map(([port, family, from, isOurs]) => ({
    port,
    family,
    from: ipToBytes(NVES[family][from] ?? NVES[family][0]!),
    to: ipToBytes(isOurs ? OURS[port][family] : NVES[family][2]!),
  }));

/** An Ethernet frame to `mac` in the port's VLAN. */
const framed = (port: UnderlayPort, to: Octets, etherType: number, packet: Octets, padding = 0): Arrival => ({
  port,
  frame: bytes(
    to,
    SENDER,
    VLAN[port] === 0 ? [] : tagOf(0x8100, VLAN[port]),
    be16(etherType),
    packet,
    new Uint8Array(padding),
  ),
});

/** `next`: protocol of IPv4, next header of IPv6; `options` octets of IPv4's. */
function outer(
  { port, family, from, to }: Ends,
  next: number,
  body: Octets,
  {
    padding = 0,
    tos = 0,
    options = 0,
  }: { readonly padding?: number; readonly tos?: number; readonly options?: number },
): Arrival {
  if (family === 4) {
    const length = 20 + options;
    const start = bytes([0x40 | (length / 4), tos], be16(length + body.length), [0, 0, 0x40, 0, 64, next, 0, 0]);
    const header = withChecksum(bytes(start, from, to, new Uint8Array(options).fill(1)), 10);
    return framed(port, TO_US, 0x0800, bytes(header, body), padding);
  }
  const packet = ipv6(next, 64, from, to, body);
  packet.set([0x60 | (tos >> 4), (tos & 15) << 4], 0);
  return framed(port, TO_US, 0x86dd, packet, padding);
}

const vni = (id: number): number[] => [id >> 16, (id >> 8) & 0xff, id & 0xff];
const id = pick(...Array(12).fill(5001), 5002, 5002, 7, 0) as fc.Arbitrary<number>;
const vxlan = fc
  .tuple(id, pick(0x08, 0x08, 0x08, 0x08, 0x08, 0x0c, 0xff, 0), pick(0, 0, 0, 0, 1))
  .map(([id, flags, last]) => ({ port: 4789, header: bytes([flags, 0, 0, 0], vni(id), [last]) }));
const geneve = fc
  .tuple(
    id,
    // Options: none, whole ones, a critical one, and two whose lengths lie.
    pick(
      ...[[], [], [], [1, 2, 3, 0], [1, 2, 3, 1, 9, 9, 9, 9], [1, 2, 0x83, 0], [1, 2, 3, 0, 1, 2, 0x84, 0]],
      ...[
        [1, 2, 3, 1],
        [1, 2, 3, 9, 0, 0, 0, 0],
      ],
    ),
    /** How many words more or fewer the header says. */
    pick(0, 0, 0, 0, 0, 0, 1, -1, 60),
    pick(0, 0, 0, 0, 0x40, 0x80, 1),
    pick(0x6558, 0x6558, 0x6558, 0x6558, 0x6558, 0x0800),
    pick(0, 0, 0, 0, 0, 0x40),
    pick(0, 0, 0, 0, 0, 1),
  )
  .map(([id, options, more, flags, protocol, version, last]) => {
    const words = Math.max(0, options.length / 4 + more);
    return {
      port: 6081,
      header: bytes([version | words, flags], be16(protocol), vni(id), [last], options),
    };
  });

const padding = pick(0, 0, 0, 5);
export const tunnelled: fc.Arbitrary<Arrival> = fc
  .record({
    ends,
    tunnel: fc.oneof({ weight: 3, arbitrary: vxlan }, { weight: 2, arbitrary: geneve }),
    inner: fc.oneof(tenantFrame, { weight: 3, arbitrary: untaggedFrame }),
    sum: pick(...Array(9).fill('good'), 'none', 'none', 'none', 'bad') as fc.Arbitrary<'good' | 'none' | 'bad'>,
    tos: pick(0, 0, 1, 2, 3, 0xb8, 0x2b),
    padding,
    // Fragments and extension headers, of IPv6 only.
    next: pick(...Array(14).fill(17), 44, 60, 0, 6) as fc.Arbitrary<number>,
    // Of IPv4 only.
    options: pick(...Array(30).fill(0), 4) as fc.Arbitrary<number>,
  })
  .map(({ ends, tunnel, inner, sum, tos, padding, next, options }) => {
    const udp = bytes(
      [0xc0, 1],
      be16(tunnel.port),
      be16(8 + tunnel.header.length + inner.length),
      [0, 0],
      tunnel.header,
      inner,
    );
    const right = checksum(withPseudoHeader(bytes(ends.from, ends.to), 17, udp)) || 0xffff;
    if (sum !== 'none') udp.set(be16(right ^ (sum === 'bad' ? 1 : 0)), 6);
    return outer(ends, ends.family === 4 ? 17 : next, udp, { padding, tos, options });
  });

/** One octet of an outer IPv4 header, and the header's checksum made right again: the check behind it must see it. */
export const mended: fc.Arbitrary<Arrival> = fc
  .tuple(tunnelled, fc.nat(19), fc.integer({ min: 1, max: 255 }))
  .map(([{ port, frame }, at, flip]) => {
    const start = VLAN[port as UnderlayPort] === 0 ? 14 : 18;
    const changed = Uint8Array.from(frame);
    changed[start + at] = (changed[start + at] ?? 0) ^ flip;
    changed.set([0, 0], start + 10);
    changed.set(be16(checksum(changed.subarray(start, start + 20))), start + 10);
    return { port, frame: changed };
  });

export const taggedOuter: fc.Arbitrary<Arrival> = fc
  .tuple(tunnelled, anyTag)
  .map(([{ port, frame }, tag]) => ({ port, frame: bytes(frame.subarray(0, 12), tag, frame.subarray(12)) }));

const echoRequest = fc
  .tuple(ends, pick(true, true, true, false), pick(0, 3), fc.nat(9), padding, pick(false, false, false, false, true))
  .map(([ends, isRequest, other, length, padding, fromGroup]) => {
    const from = fromGroup ? groupOf(ends.family) : ends.from;
    const kind = isRequest ? (ends.family === 4 ? 8 : 128) : other;
    const message = bytes([kind, 0, 0, 0, 1, 2, 3, 4], new Uint8Array(length).fill(7));
    if (ends.family === 4) return outer({ ...ends, from }, 1, withChecksum(message, 2), { padding });
    return framed(ends.port, TO_US, 0x86dd, discovery(64, from, ends.to, message, 0), padding);
  });
const groupOf = (family: 4 | 6): Octets =>
  family === 4 ? Uint8Array.of(224, 0, 0, 9) : bytes([0xff, 2], new Uint8Array(13), [1]);

const arpPacket = fc
  .tuple(
    pick(...UNDERLAYS),
    pick(1, 1, 2, 3),
    fc.nat(5),
    pick<'us' | 'sender' | 'other'>('us', 'us', 'sender', 'other'),
    fc.boolean(),
    fc.oneof({ weight: 5, arbitrary: station }, pick(mac('01:00:5e:00:00:01'), mac('00:00:00:00:00:00'))),
    padding,
    pick(false, false, false, false, true),
  )
  .map(([port, operation, sender, target, broadcast, from, padding, claimsUs]) => {
    const ours = ipToBytes(OURS[port][4]);
    const ip = claimsUs ? ours : ipToBytes(NVES[4][sender % NVES[4].length]!);
    const asked = { us: ours, sender: ip, other: ipToBytes(NVES[4][2]!) }[target];
    const packet = bytes([0, 1, 8, 0, 6, 4], be16(operation), macToBytes(from), ip, new Uint8Array(6), asked);
    return framed(port, broadcast ? new Uint8Array(6).fill(0xff) : TO_US, 0x0806, packet, padding);
  });

/** Solicitations and advertisements: from a neighbour, from nobody, from a group, from who claims to be us. */
const neighbourDiscovery = fc
  .record({
    port: pick(...UNDERLAYS),
    kind: pick(135, 135, 136),
    source: pick<IpAddr>(...NVES[6], ...NVES[6], '::' as IpAddr, 'ff02::1' as IpAddr, OURS[2][6]),
    target: pick<'us' | 'other' | 'group'>('us', 'us', 'us', 'other', 'group'),
    to: pick<'group' | 'us' | 'all'>('group', 'group', 'us', 'all'),
    option: fc.nat(7),
    flags: pick(0, 0x20, 0x60),
    hopLimit: pick(255, 255, 255, 255, 255, 64),
    code: pick(0, 0, 0, 0, 0, 1),
    wrong: pick(0, 0, 0, 0, 0, 1),
    padding,
  })
  .map((nd) => {
    const us = ipToBytes(OURS[nd.port][6]);
    const group = { us, other: ipToBytes(NVES[6][0]!), group: groupOf(6) }[nd.target];
    const solicited = bytes([0xff, 2], new Uint8Array(9), [1, 0xff], group.subarray(13));
    const to = { group: solicited, us, all: groupOf(6) }[nd.to];
    const link = nd.kind - 134;
    const options = [
      ...[bytes([link, 1], SENDER), bytes([link, 1], SENDER), bytes([link, 1], SENDER), new Uint8Array(0)],
      bytes([link, 1, 1, 0, 0, 0, 0, 9]),
      bytes([link, 0], SENDER),
      bytes([14, 1, 0, 0, 0, 0, 0, 0]),
      Uint8Array.of(link, 9),
    ][nd.option]!;
    const message = bytes([nd.kind, nd.code, 0, 0, nd.flags, 0, 0, 0], group, options);
    const packet = discovery(nd.hopLimit, ipToBytes(nd.source), to, message, nd.wrong);
    const destination = to[0] === 0xff ? bytes([0x33, 0x33], to.subarray(12)) : TO_US;
    return framed(nd.port, destination, 0x86dd, packet, nd.padding);
  });

const otherUnderlay = fc
  .tuple(ends, pick(17, 6, 17), pick(4789, 6081, 53), pick(0, 8, 29))
  .map(([ends, protocol, to, length]) =>
    outer(ends, protocol, bytes([0xc0, 1], be16(to), be16(8 + length), [0, 0], new Uint8Array(length)), {}),
  );

export const hostPacket: fc.Arbitrary<Arrival> = fc.oneof(echoRequest, arpPacket, neighbourDiscovery, otherUnderlay);
