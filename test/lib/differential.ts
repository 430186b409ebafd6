// Random tables and packets for the comparison of the engine with its reference model, and the comparison itself. Few ids and addresses, so
// that packets meet tables; headers that are nearly right, so that every check is the one that fails.
import fc from 'fast-check';
import type { Command, Trace } from '#dataplane';
import { type IpAddr, ipToBytes, type MacAddr, type Mtu, macToBytes, type Vid, type VnId, type Vni } from '#model';
import { type Fate, fateOf, type Machine, type State } from '../../ts/dataplane/sim/index.js';
import { be16, bytes, checksum, hexOf, type Octets, tagsAt, u16, withChecksum } from '../../ts/dataplane/sim/packet.js';

/** Access links, an underlay port, and a port that nobody uses. Their MTUs are of different size on purpose. */
export const PORTS: readonly Command[] = [1500, 2000, 1500, 1500].map((mtu, port) => ({
  op: 'PortAdd',
  port,
  name: `port ${port}`,
  mtu,
  kind: { driver: 'net_ring' },
}));
export const UNDERLAY = 2;
const US = '192.0.2.1' as IpAddr;
const NVES = ['192.0.2.2', '192.0.2.3', '192.0.2.4'] as IpAddr[];
const STATIONS = [1, 2, 3, 4].map((n) => `02:00:00:00:00:0${n}` as MacAddr);
const VIDS = [100, 200] as Vid[];

const pick = <T>(...items: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...items);
const vn = pick(1, 2) as fc.Arbitrary<VnId>;
const vap = fc.integer({ min: 0, max: 4 });
const nh = fc.integer({ min: 0, max: 3 });
const tag = pick(...VIDS);

const selector = fc.oneof(
  { weight: 4, arbitrary: tag.map((vid) => ({ kind: 'c-tag', vid }) as const) },
  fc.constant({ kind: 'untagged' } as const),
  fc.constant({ kind: 'port' } as const),
  tag.map((vid) => ({ kind: 's-tag', vid }) as const),
  fc.tuple(tag, tag).map(([sVid, cVid]) => ({ kind: 's-tag+c-tag', sVid, cVid }) as const),
);
const tags = fc.oneof(
  { weight: 2, arbitrary: fc.constant({ kind: 'refuse' } as const) },
  fc.constant({ kind: 'pass' } as const),
  fc.constant({ kind: 'strip' } as const),
  fc.uniqueArray(tag, { minLength: 1 }).map((vids) => ({ kind: 'list', vids }) as const),
);

export const anyCommand: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      op: fc.constant('VnSet' as const),
      vn,
      vni: pick(5001, 5002, null) as fc.Arbitrary<Vni | null>,
      mtu: pick(1500, 1500, 1400, 1000) as fc.Arbitrary<Mtu>,
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      op: fc.constant('VapSet' as const),
      vap,
      vn,
      port: pick(0, 0, 0, 1),
      selector,
      tags,
      guard: fc.boolean(),
      uplink: pick(false, false, false, true),
      reflect: pick(false, false, true),
      learn: pick(false, false, true),
    }),
  },
  {
    weight: 10,
    arbitrary: fc.record({
      op: fc.constant('FdbSet' as const),
      vn,
      mac: pick(...STATIONS),
      dest: fc.oneof(
        vap.map((vap) => ({ kind: 'vap', vap }) as const),
        nh.map((nh) => ({ kind: 'nh', nh }) as const),
      ),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      op: fc.constant('NextHopSet' as const),
      nh,
      remote: pick(...NVES),
      encap: fc.constant(1),
      contextId: pick(5001, 5002, 0xabcdef),
    }),
  },
  fc.record({
    op: fc.constant('FloodSet' as const),
    vn,
    dests: fc.array(
      nh.map((nh) => ({ kind: 'nh', nh }) as const),
      { maxLength: 3 },
    ),
  }),
  fc.record({ op: fc.constant('SourcesSet' as const), vn, ips: fc.array(pick(...NVES), { maxLength: 3 }) }),
  fc.record({
    op: fc.constant('NeighbourSet' as const),
    port: fc.constant(UNDERLAY),
    ip: pick(...NVES),
    mac: pick(...STATIONS.map((mac) => mac.replace('02:00', '02:ee') as MacAddr)),
  }),
  fc.record({ op: fc.constant('NextHopAlive' as const), nh, alive: pick(false, false, true) }),
  vap.map((vap) => ({ op: 'VapDel' as const, vap })),
  vn.map((vn) => ({ op: 'VnDel' as const, vn })),
  nh.map((nh) => ({ op: 'NextHopDel' as const, nh })),
  fc.record({ op: fc.constant('FdbDel' as const), vn, mac: pick(...STATIONS) }),
  fc.record({ op: fc.constant('NeighbourDel' as const), port: fc.constant(UNDERLAY), ip: pick(...NVES) }),
);

/** A small network that mostly works, to which the random commands are added. */
export const BASE: readonly Command[] = [
  { op: 'UnderlaySet', port: UNDERLAY, ip: US, prefixLen: 24 },
  { op: 'NeighbourSet', port: UNDERLAY, ip: NVES[0]!, mac: '02:ee:00:00:00:02' as MacAddr },
  { op: 'NextHopSet', nh: 0, remote: NVES[0]!, encap: 1, contextId: 5001 },
  { op: 'NextHopSet', nh: 1, remote: NVES[1]!, encap: 1, contextId: 5001 },
  { op: 'VnSet', vn: 1 as VnId, vni: 5001 as Vni, mtu: 1500 as Mtu },
  { op: 'VnSet', vn: 2 as VnId, vni: 5002 as Vni, mtu: 1400 as Mtu },
  { op: 'SourcesSet', vn: 1 as VnId, ips: [NVES[0]!] },
];

/** Of these some are there, so that packets find a way more often than by chance. */
export const USUAL: readonly Command[] = [
  {
    op: 'VapSet',
    vap: 0,
    vn: 1 as VnId,
    port: 0,
    selector: { kind: 'c-tag', vid: 100 as Vid },
    tags: { kind: 'refuse' },
    guard: true,
    uplink: false,
  },
  {
    op: 'VapSet',
    vap: 1,
    vn: 1 as VnId,
    port: 1,
    selector: { kind: 'untagged' },
    tags: { kind: 'pass' },
    guard: false,
    uplink: false,
  },
  { op: 'FdbSet', vn: 1 as VnId, mac: STATIONS[0]!, dest: { kind: 'vap', vap: 0 } },
  { op: 'FdbSet', vn: 1 as VnId, mac: STATIONS[1]!, dest: { kind: 'nh', nh: 0 } },
  { op: 'FdbSet', vn: 1 as VnId, mac: STATIONS[2]!, dest: { kind: 'vap', vap: 1 } },
  {
    op: 'FloodSet',
    vn: 1 as VnId,
    dests: [
      { kind: 'nh', nh: 0 },
      { kind: 'nh', nh: 1 },
    ],
  },
];

// Packets

const mac = fc.oneof(
  { weight: 9, arbitrary: pick(...STATIONS) },
  pick(
    'ff:ff:ff:ff:ff:ff',
    '01:00:5e:00:00:01',
    '01:80:c2:00:00:00',
    '01:80:c2:00:00:0e',
    '00:00:00:00:00:00',
  ) as fc.Arbitrary<MacAddr>,
);
/** The field of ECN. */
const ecn = pick(0, 0, 0, 1, 2, 3);
const ipv4 = (protocol: number, payload: Octets, fragment: number, ecn: number): Octets =>
  withChecksum(
    bytes(
      [0x45, ecn],
      be16(20 + payload.length),
      [0, 1],
      be16(fragment),
      [64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2],
      payload,
    ),
    10,
  );
const lengths = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 8, max: 80 }) },
  // About every MTU: of the VNs, and of the underlay without the outer headers.
  fc.tuple(pick(1000, 1400, 1450, 1464, 1500, 2000), fc.integer({ min: -30, max: 6 })).map(([mtu, more]) => mtu + more),
);
const payload: fc.Arbitrary<[etherType: number, packet: Octets]> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc
      .tuple(pick(6, 17, 17, 1), lengths, pick(0x4000, 0x4000, 0, 0x2000, 0x2010), fc.integer({ min: 0, max: 3 }), ecn)
      .map(([protocol, length, fragment, flow, ecn]): [number, Octets] => [
        0x0800,
        ipv4(protocol, bytes([flow, 1, 0, 7], new Uint8Array(Math.max(0, length - 24))), fragment, ecn),
      ]),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.oneof(fc.integer({ min: 0, max: 60 }), lengths), ecn, pick(17, 17, 58, 0, 44), pick(1, 128))
      .map(([size, ecn, next, kind]): [number, Octets] => {
        // About the same MTUs as IPv4, so that the message is asked for; an extension header of eight octets in front of ICMPv6.
        const payload = new Uint8Array(size < 61 ? size : size - 40);
        payload.set([next === 17 || next === 58 ? kind : 58, 0, 0, 0, 0, 0, 0, 0, kind].slice(0, payload.length));
        const addresses = new Uint8Array(32).fill(1);
        return [0x86dd, bytes([0x60, ecn << 4, 0, 0], be16(payload.length), [next, 64], addresses, payload)];
      }),
  },
  pick(0x88cc, 0x8940, 0x0806, 0x88b5).map((etherType): [number, Octets] => [etherType, new Uint8Array(46)]),
);
const anyTag = fc
  .tuple(pick(0x8100, 0x8100, 0x88a8), pick(100, 200, 100, 200, 0, 7), pick(0, 0, 0xe000))
  .map(([tpid, vid, priority]) => [...be16(tpid), ...be16(priority | vid)]);
const tenantFrame = fc
  .tuple(mac, mac, fc.array(anyTag, { maxLength: 3 }), payload)
  .map(([to, from, tags, [etherType, packet]]) =>
    bytes(macToBytes(to), macToBytes(from), tags.flat(), be16(etherType), packet),
  );
/** With these VIDs in front; mostly from the first station, which is where `USUAL` says. */
const frameWith = (vids: fc.Arbitrary<readonly number[]>): fc.Arbitrary<Octets> =>
  fc
    .tuple(
      vids,
      mac,
      fc.oneof({ weight: 2, arbitrary: fc.constant(STATIONS[0]!) }, mac),
      payload,
      pick([], [], [], [], [], [[0x81, 0, 0, 100]], [[0x88, 0xa8, 0, 7]]),
    )
    .map(([vids, to, from, [etherType, packet], tags]) =>
      bytes(
        macToBytes(to),
        macToBytes(from),
        vids.flatMap((vid) => [0x81, 0, ...be16(vid)]),
        tags.flat(),
        be16(etherType),
        packet,
      ),
    );
const accessFrame = frameWith(pick([100], [100], [100], [100], [200], []));
const untaggedFrame = frameWith(fc.constant([]));

/** An IPv4 packet to or nearly to the NVE; `portMac` stands at its front as zeros until the machine is known. */
const outerPacket = (protocol: number, source: IpAddr, to: IpAddr, body: Octets, padding: number, ecn = 0): Octets =>
  bytes(
    new Uint8Array(6),
    [2, 0xee, 0, 0, 0, 2, 8, 0],
    withChecksum(
      bytes([0x45, ecn], be16(20 + body.length), [0, 0, 0x40, 0, 64, protocol, 0, 0], ipToBytes(source), ipToBytes(to)),
      10,
    ),
    body,
    new Uint8Array(padding),
  );
const ours = pick(US, US, US, US, US, US, NVES[2]!);
const source = pick(NVES[0]!, NVES[0]!, NVES[0]!, NVES[1]!, '198.51.100.9' as IpAddr);
const padding = pick(0, 0, 0, 5);
const tunnelled = fc
  .tuple(
    source,
    ours,
    pick(5001, 5001, 5001, 5002, 7, 0),
    fc.oneof(tenantFrame, { weight: 3, arbitrary: untaggedFrame }),
    padding,
    pick(0x08, 0x08, 0x08, 0x08, 0xff, 0),
    pick('none', 'none', 'none', 'good', 'good', 'bad'),
    ecn,
  )
  .map(([from, to, vni, inner, padding, flags, sum, ecn]) => {
    const vxlan = [flags, 0, 0, 0, vni >> 16, (vni >> 8) & 0xff, vni & 0xff, 0];
    const udp = bytes([0xc0, 1], be16(4789), be16(16 + inner.length), [0, 0], vxlan, inner);
    const pseudo = bytes(ipToBytes(from), ipToBytes(to), [0, 17], be16(udp.length));
    if (sum !== 'none') udp.set(be16((checksum(bytes(pseudo, udp)) || 0xffff) ^ (sum === 'bad' ? 1 : 0)), 6);
    return outerPacket(17, from, to, udp, padding, ecn);
  });
const echoRequest = fc
  .tuple(source, ours, pick(8, 8, 8, 0, 3), fc.integer({ min: 0, max: 9 }), padding)
  .map(([from, to, kind, length, padding]) =>
    outerPacket(
      1,
      from,
      to,
      withChecksum(bytes([kind, 0, 0, 0, 1, 2, 3, 4], new Uint8Array(length).fill(7)), 2),
      padding,
    ),
  );
const arpPacket = fc
  .tuple(pick(1, 1, 2, 3), source, fc.oneof(ours, source), pick(true, false), mac, padding)
  .map(([operation, sender, target, broadcast, from, padding]) =>
    bytes(
      new Uint8Array(6).fill(broadcast ? 0xff : 0),
      [2, 0xee, 0, 0, 0, 2, 8, 6, 0, 1, 8, 0, 6, 4],
      be16(operation),
      macToBytes(from),
      ipToBytes(sender),
      new Uint8Array(6),
      ipToBytes(target),
      new Uint8Array(padding),
    ),
  );
const otherUnderlay = fc
  .tuple(pick(17, 6, 17), source, pick(4789, 53), pick(0, 8, 29))
  .map(([protocol, from, to, length]) =>
    outerPacket(protocol, from, US, bytes([0xc0, 1], be16(to), be16(8 + length), [0, 0], new Uint8Array(length)), 0),
  );

/** What is done to a packet that was right: an octet changed, the end cut off, or more than a buffer of it. */
const mutation = fc.oneof(
  { weight: 16, arbitrary: fc.constant((frame: Octets) => frame) },
  {
    weight: 5,
    arbitrary: fc.tuple(fc.nat(99), fc.integer({ min: 1, max: 255 })).map(([at, flip]) => (frame: Octets) => {
      const changed = Uint8Array.from(frame);
      if (at < changed.length) changed[at] = (changed[at] ?? 0) ^ flip;
      return changed;
    }),
  },
  { weight: 2, arbitrary: fc.nat(80).map((length) => (frame: Octets) => frame.subarray(0, length)) },
  { weight: 1, arbitrary: fc.constant((frame: Octets) => bytes(frame, new Uint8Array(2400))) },
);
/** One octet of an outer header, and the header's checksum made right again: the check behind it must see it. */
const mended = fc
  .tuple(tunnelled, fc.integer({ min: 14, max: 33 }), fc.integer({ min: 1, max: 255 }))
  .map(([frame, at, flip]) => {
    const changed = Uint8Array.from(frame);
    changed[at] = (changed[at] ?? 0) ^ flip;
    changed.set([0, 0], 24);
    changed.set(be16(checksum(changed.subarray(14, 34))), 24);
    return changed;
  });

const taggedOuter = fc
  .tuple(tunnelled, anyTag)
  .map(([frame, tag]) => bytes(frame.subarray(0, 12), tag, frame.subarray(12)));

export interface Arrival {
  readonly port: number;
  readonly frame: Octets;
}
export const anyArrival: fc.Arbitrary<Arrival> = fc.oneof(
  {
    weight: 7,
    arbitrary: fc
      .tuple(
        fc.oneof(
          { weight: 4, arbitrary: fc.tuple(fc.constant(0), accessFrame) },
          { weight: 2, arbitrary: fc.tuple(fc.constant(1), untaggedFrame) },
          fc.tuple(pick(0, 0, 1, 3), tenantFrame),
        ),
        mutation,
      )
      .map(([[port, frame], mutate]) => ({ port, frame: mutate(frame) })),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      port: fc.constant(UNDERLAY),
      frame: fc
        .tuple(
          fc.oneof(
            { weight: 6, arbitrary: tunnelled },
            { weight: 2, arbitrary: mended },
            taggedOuter,
            echoRequest,
            arpPacket,
            otherUnderlay,
          ),
          mutation,
        )
        .map(([frame, mutate]) => mutate(frame)),
    }),
  },
);

/** The frame with the port's own MAC where the generator left its place. */
export function addressed({ port, frame }: Arrival, machine: Machine): Arrival {
  if (port !== UNDERLAY || frame.length < 6 || frame.subarray(0, 6).some((octet) => octet !== 0))
    return { port, frame };
  return { port, frame: bytes(machine.portMac(port), frame.subarray(6)) };
}

/** An engine's answer in the model's terms: source ports of encapsulated packets are checked by their range and their flow, and cleared. */
export class Flows {
  readonly #ports = new Map<string, number>();

  normal({ outcome, detail, frames, drops, learned }: Trace): unknown {
    return {
      outcome,
      detail,
      sent: frames
        .map(({ port, frame }) => `${port} ${hexOf(port === UNDERLAY ? this.#cleared(frame) : frame)}`)
        .sort(),
      drops: Object.fromEntries(drops.map(({ reason, packets }) => [reason, packets])),
      learned: learned.map(({ vap, mac }) => `${vap} ${mac}`),
    };
  }

  #cleared(frame: Octets): Octets {
    if (u16(frame, 12) !== 0x0800 || frame[23] !== 17) return frame;
    const port = u16(frame, 34);
    if (port < 49_152) throw new Error(`source port ${port} of ${hexOf(frame)}`);
    const flow = flowOf(frame.subarray(50));
    const before = this.#ports.get(flow) ?? port;
    if (before !== port) throw new Error(`flow ${flow} left by source port ${before}, and now by ${port}`);
    this.#ports.set(flow, port);
    const cleared = Uint8Array.from(frame);
    cleared.set([0, 0], 34);
    return cleared;
  }
}

/** MACs, and of IPv4 addresses, protocol, and ports unless fragmented: what RFC 7348, 5 calls the inner flow. Of others the whole frame. */
function flowOf(inner: Octets): string {
  const tags = tagsAt(inner, 12);
  const packet = inner.subarray(14 + (tags?.length ?? 0));
  if (tags?.etherType !== 0x0800 || packet[0] !== 0x45) return hexOf(inner);
  const whole = (u16(packet, 6) & 0x3fff) === 0 && (packet[9] === 6 || packet[9] === 17);
  return [inner.subarray(0, 12), packet.subarray(9, 10), packet.subarray(12, 20), packet.subarray(20, whole ? 24 : 20)]
    .map(hexOf)
    .join(' ');
}

export function expected(
  state: State,
  machine: Machine,
  { port, frame }: Arrival,
  model: typeof fateOf = fateOf,
): unknown {
  const { outcome, detail, sent, drops, learned }: Fate = model(state, machine, port, frame);
  return { outcome, detail, sent: sent.map(({ port, frame }) => `${port} ${hexOf(frame)}`).sort(), drops, learned };
}

/** Commands that take all but the ports and the underlay away. */
export function away(state: State): Command[] {
  return [
    ...[...state.rows.values()].map(({ vn, mac }): Command => ({ op: 'FdbDel', vn, mac })),
    ...[...state.vaps.keys()].map((vap): Command => ({ op: 'VapDel', vap })),
    ...[...state.vns.keys()].map((vn): Command => ({ op: 'VnDel', vn: vn as VnId })),
    ...[...state.nextHops.keys()].map((nh): Command => ({ op: 'NextHopDel', nh })),
    ...[...state.neighbours.values()].map(({ port, ip }): Command => ({ op: 'NeighbourDel', port, ip })),
  ];
}
