// Random frames of tenants, for the comparison of the engine with its reference model: headers that are nearly right, so that every check is
// the one that fails.
import fc from 'fast-check';
import { ipToBytes, type MacAddr, macToBytes } from '#model';
import {
  be16,
  bytes,
  checksum,
  ipv6,
  type Octets,
  withChecksum,
  withPseudoHeader,
} from '../../../ts/dataplane/sim/packet.js';
import { addressOf, mac, pick, STATIONS, station } from './network.js';

const SPECIAL = [
  ...Array(4).fill('ff:ff:ff:ff:ff:ff'),
  '01:00:5e:00:00:01',
  '01:80:c2:00:00:00',
  '01:80:c2:00:00:0e',
  '00:00:00:00:00:00',
] as MacAddr[];
const anyMac = fc.oneof({ weight: 7, arbitrary: station }, pick(...SPECIAL));
/** Mostly another than who sends. */
const receiver = fc.oneof({ weight: 3, arbitrary: pick(...STATIONS.slice(1)) }, anyMac);

/** DSCP and ECN. */
const trafficClass = pick(0, 0, 0, 1, 2, 3, 0xb8, 0xbb);
const hops = pick(64, 64, 64, 1, 255, 0);
const lengths = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 8, max: 80 }) },
  // About every MTU: of the VNs, and of the underlay without the outer headers.
  fc
    .tuple(pick(1000, 1400, 1430, 1450, 1464, 1500, 2000), fc.integer({ min: -30, max: 6 }))
    .map(([mtu, more]) => mtu + more),
);

/** What a frame carries, by who sends it; and to whom it must go, if that matters. */
interface Content {
  readonly etherType: number;
  readonly packet: Octets;
  readonly to?: Octets;
}
type Payload = (from: Octets) => Content;

/** Whose an address is that a tenant uses: its own, mostly. */
const whose = fc.oneof(
  { weight: 4, arbitrary: fc.constant((from: Octets) => from) },
  station.map((other) => () => macToBytes(other)),
);
const NONE = { 4: new Uint8Array(4), 6: new Uint8Array(16) };

const ipv4: fc.Arbitrary<Payload> = fc
  .record({
    protocol: pick(6, 17, 17, 17, 1, 132, 2),
    length: lengths,
    fragment: pick(0x4000, 0x4000, 0x4000, 0, 0x2000, 0x2010, 1),
    flow: fc.integer({ min: 0, max: 3 }),
    tos: trafficClass,
    ttl: hops,
    whose,
    to: station,
    isDhcp: pick(false, false, false, false, false, true),
    words: pick(5, 5, 5, 5, 5, 6),
    isSnap: pick(...Array(12).fill(false), true) as fc.Arbitrary<boolean>,
  })
  .map((ip) => (from: Octets) => {
    const start = ip.protocol === 1 ? [8, 0, 0, 0] : ip.isDhcp ? [0, 68, 0, 67] : [ip.flow, 1, 0, 7];
    // Its last octets but one are the flags of TCP.
    const payload = bytes(start, new Uint8Array(9), [ip.flow], new Uint8Array(Math.max(0, ip.length - 34)));
    const cut = payload.subarray(0, Math.max(4, ip.length - 20));
    const source = ip.isDhcp ? NONE[4] : ipToBytes(addressOf(ip.whose(from), 4));
    const destination = ipToBytes(addressOf(macToBytes(ip.to), 4));
    const header = ip.words * 4;
    const head = bytes(
      [0x40 | ip.words, ip.tos],
      be16(header + cut.length),
      [0, 1],
      be16(ip.fragment),
      [ip.ttl, ip.protocol, 0, 0],
      source,
      destination,
      new Uint8Array(header - 20).fill(1),
    );
    const packet = bytes(withChecksum(head, 10), cut);
    if (!ip.isSnap) return { etherType: 0x0800, packet };
    const llc = [0xaa, 0xaa, 3, 0, 0, 0, 8, 0];
    return { etherType: Math.min(1500, packet.length + 8), packet: bytes(llc, packet) };
  });

/** An extension header of eight octets, or of twelve (AH), in front of `next`. */
const extension = (kind: number, next: number): number[] => {
  if (kind === 51) return [next, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1];
  return [next, 0, 0, kind === 44 ? 1 : 0, 0, 0, 0, 0];
};
const anyIpv6: fc.Arbitrary<Payload> = fc
  .record({
    size: fc.oneof(fc.integer({ min: 0, max: 60 }), lengths),
    trafficClass,
    hops,
    chain: fc.oneof(
      { weight: 3, arbitrary: fc.constant<number[]>([]) },
      fc.array<number>(pick(0, 43, 44, 51, 60), { maxLength: 2 }),
    ),
    isLater: pick(false, false, true),
    upper: pick(17, 17, 6, 58, 59),
    kind: pick(1, 128, 133, 136, 143),
    isNone: pick(false, false, false, true),
    whose,
    to: station,
  })
  .map((ip) => (from: Octets) => {
    const start = ip.upper === 58 ? [ip.kind, 0, 0, 0] : [0, 68, 0, 7];
    // About the same MTUs as IPv4, so that the message is asked for.
    const size = ip.size < 61 ? ip.size : ip.size - 40;
    const first = ip.chain[0] ?? ip.upper;
    const chain = ip.chain.flatMap((kind, at) => extension(kind, ip.chain[at + 1] ?? ip.upper));
    if (ip.isLater && first === 44) chain[3] = 9;
    const payload = bytes(chain, start, new Uint8Array(size)).subarray(0, size);
    const source = ip.isNone ? NONE[6] : ipToBytes(addressOf(ip.whose(from), 6));
    const destination = ipToBytes(addressOf(macToBytes(ip.to), 6));
    const packet = ipv6(first, ip.hops, source, destination, payload);
    packet.set([0x60 | (ip.trafficClass >> 4), (ip.trafficClass & 15) << 4], 0);
    return { etherType: 0x86dd, packet };
  });

const question = fc.record({
  whose,
  /** Whose MAC is told. */
  told: whose,
  target: station,
  isNone: pick(false, false, false, false, true),
  toOne: pick(false, false, false, true),
  padding: pick(0, 0, 18),
});
const arp: fc.Arbitrary<Payload> = fc
  .tuple(question, pick(1, 1, 1, 1, 2, 3))
  .map(([ask, operation]) => (from: Octets): Content => {
    const source = ask.isNone ? NONE[4] : ipToBytes(addressOf(ask.whose(from), 4));
    const packet = bytes(
      [0, 1, 8, 0, 6, 4, 0, operation],
      ask.told(from),
      source,
      new Uint8Array(6),
      ipToBytes(addressOf(macToBytes(ask.target), 4)),
      new Uint8Array(ask.padding),
    );
    return { etherType: 0x0806, packet, ...(ask.toOne ? {} : { to: macToBytes(mac('ff:ff:ff:ff:ff:ff')) }) };
  });

const solicitation: fc.Arbitrary<Payload> = fc
  .tuple(question, fc.nat(8), pick(255, 255, 255, 255, 64), pick(0, 0, 0, 0, 0, 1), pick(0, 0, 0, 0, 1))
  .map(([ask, option, hopLimit, code, wrong]) => (from: Octets): Content => {
    const told = ask.told(from);
    const link = [bytes([1, 1], told), bytes([1, 1], told), bytes([1, 1], told), bytes([1, 1], told)];
    const options = [
      ...link,
      new Uint8Array(0),
      bytes([2, 1], told),
      bytes([14, 1, 0, 0, 0, 0, 0, 0, 1, 1], told),
      bytes([1, 0], told),
      Uint8Array.of(1),
    ][option]!;
    const target = ipToBytes(addressOf(macToBytes(ask.target), 6));
    const source = ask.isNone ? NONE[6] : ipToBytes(addressOf(ask.whose(from), 6));
    const group = bytes([0xff, 2], new Uint8Array(9), [1, 0xff], target.subarray(13));
    const packet = discovery(hopLimit, source, group, bytes([135, code, 0, 0, 0, 0, 0, 0], target, options), wrong);
    const to = bytes([0x33, 0x33], group.subarray(12));
    return { etherType: 0x86dd, packet: bytes(packet, new Uint8Array(ask.padding)), ...(ask.toOne ? {} : { to }) };
  });

/** ICMPv6 with its checksum, or one that is wrong by `wrong`. */
export function discovery(hopLimit: number, from: Octets, to: Octets, message: Octets, wrong: number): Octets {
  const sum = checksum(withPseudoHeader(bytes(from, to), 58, message)) ^ wrong;
  return ipv6(58, hopLimit, from, to, bytes(message.subarray(0, 2), be16(sum), message.subarray(4)));
}

const NEAREST_BRIDGE = macToBytes(mac('01:80:c2:00:00:0e'));
/** What is about the link, mostly to the group that it goes to, and what nobody knows. */
const other: fc.Arbitrary<Payload> = fc
  .tuple(pick(0x88cc, 0x8940, 0x0806, 0x88b5, 60), pick(true, true, false))
  .map(([etherType, toBridge]) => (): Content => {
    const isAboutLink = toBridge && [0x88cc, 0x8940].includes(etherType);
    return { etherType, packet: new Uint8Array(46), ...(isAboutLink ? { to: NEAREST_BRIDGE } : {}) };
  });

const payload: fc.Arbitrary<Payload> = fc.oneof(
  { weight: 10, arbitrary: ipv4 },
  { weight: 5, arbitrary: anyIpv6 },
  { weight: 3, arbitrary: arp },
  { weight: 3, arbitrary: solicitation },
  { weight: 2, arbitrary: other },
);

/** Any tag: C-TAGs mostly, of VIDs that are known, some of none, with and without priority. */
export const anyTag = fc
  .tuple(pick(0x8100, 0x8100, 0x88a8), pick(100, 200, 100, 200, 0, 7), pick(0, 0, 0xe000))
  .map(([tpid, vid, priority]) => [...be16(tpid), ...be16(priority | vid)]);

const frameOf = (to: MacAddr, from: MacAddr, tags: readonly number[], of: Payload): Octets => {
  const source = macToBytes(from);
  const { etherType, packet, to: must } = of(source);
  return bytes(must ?? macToBytes(to), source, tags, be16(etherType), packet);
};

/** Whatever a tenant may send. */
export const tenantFrame = fc
  .tuple(anyMac, anyMac, fc.array(anyTag, { maxLength: 3 }), payload)
  .map(([to, from, tags, of]) => frameOf(to, from, tags.flat(), of));

/** With these VIDs in front; mostly from the first station, which is where the base network says. */
const frameWith = (vids: fc.Arbitrary<readonly number[]>): fc.Arbitrary<Octets> =>
  fc
    .tuple(
      vids,
      receiver,
      fc.oneof({ weight: 5, arbitrary: fc.constant(STATIONS[0]!) }, anyMac),
      payload,
      pick(...Array(10).fill([]), [0x81, 0, 0, 100], [0x88, 0xa8, 0, 7]) as fc.Arbitrary<number[]>,
      pick(0, 0, 0xa0),
    )
    .map(([vids, to, from, of, tags, priority]) => {
      const selecting = vids.flatMap((vid) => [0x81, 0, priority, vid]);
      return frameOf(to, from, [...selecting, ...tags], of);
    });
export const accessFrame = frameWith(pick(...Array(8).fill([100]), [200], []) as fc.Arbitrary<number[]>);
export const untaggedFrame = frameWith(fc.constant([]));
