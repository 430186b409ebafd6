// Isolation at each kind of port that the demo uses (net_af_xdp as access link and as underlay, net_tap as tenant port): a frame that an
// NVE must not take is dropped, under exactly the reason named here, and nothing else moves; all others come out byte for byte.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { MacAddr, Vid, VnId } from '#model';
import { obstacle } from '../lib/command.js';
import { eventually } from '../lib/engine.js';
import { BROADCAST, content, ETHERTYPE, ethernet, fragments, hex, ipv4, onLink, tagged, udp } from '../lib/frames.js';
import { Lab } from '../lib/lab.js';
import { HERE, Nve, PEER, type PortName, THERE, VNS } from '../lib/nve.js';

/** Of blue and red, whose link takes jumbo frames; green, behind the tap, has 1500. */
const MTU = 1800;
/** The longest frame that a buffer takes from net_af_xdp, and from net_tap. */
const BUFFER = { xdp: 2432 - 384, tap: 2432 - 128 };

const why = obstacle('python3', 'ip', 'nsenter');
const lab = new Lab();
let nve: Nve;

beforeAll(async () => {
  if (why !== undefined) return;
  nve = await Nve.create(lab, { mtu: MTU, accessMtu: 1900, underlayMtu: 2000, engine: { mbufSize: 2432 } });
  // Above what the engine asked for, or the kernel would drop frames that are too long before the engine sees them.
  for (const iface of ['access', 'under']) await nve.engine.namespace.ip(`link set ${iface} mtu 3500`);
  await nve.outside.ip('link set tap0 mtu 9000');
});
afterAll(() => lab.close());
beforeEach((context) => {
  if (why !== undefined) context.skip(why);
});

const OTHER = '02:00:00:00:00:99';
const out = (label: string, length = 46, seed = 0) =>
  ethernet({ to: THERE, from: HERE }, ETHERTYPE.local, content(label, length, seed));
const back = (label: string, length = 46, seed = 0) =>
  ethernet({ to: HERE, from: THERE }, ETHERTYPE.local, content(label, length, seed));
const changed = (frame: Buffer, at: number, ...bytes: number[]) => {
  const copy = Buffer.from(frame);
  copy.set(bytes, at);
  return copy;
};
/** A frame with an IPv4 packet that claims to be longer than it is. */
const claiming = (addresses: { to: string; from: string }) => {
  const packet = ipv4({ from: '10.0.0.1', to: '10.0.0.2', protocol: 17 }, content('claim', 40));
  return ethernet(addresses, ETHERTYPE.ipv4, packet.subarray(0, 50));
};
const OUT = { to: THERE, from: HERE };
const BACK = { to: HERE, from: THERE };

type Case = [name: string, reason: string, frame: () => Buffer];

const access: Case[] = [
  ['an untagged frame', 'untagged', () => out('none')],
  ['a priority tag (VID 0): the same as untagged', 'untagged', () => tagged(out('none'), 0, { pcp: 5 })],
  ['a tag never negotiated', 'unknown_tag', () => tagged(out('300'), 300)],
  ['VID 1', 'unknown_tag', () => tagged(out('1'), 1)],
  ['the reserved VID 4095', 'unknown_tag', () => tagged(out('4095'), 4095)],
  ["an S-TAG with blue's VID", 'unexpected_stag', () => tagged(out('s'), 100, { ethertype: ETHERTYPE.sTag })],
  [
    "an S-TAG before blue's C-TAG",
    'unexpected_stag',
    () => tagged(tagged(out('sc'), 100), 7, { ethertype: ETHERTYPE.sTag }),
  ],
  ["red's C-TAG inside blue's", 'tenant_tag', () => tagged(tagged(out('cc'), 200), 100)],
  [
    "an S-TAG inside blue's C-TAG",
    'tenant_tag',
    () => tagged(tagged(out('cs'), 200, { ethertype: ETHERTYPE.sTag }), 100),
  ],
  ["a priority tag inside blue's C-TAG", 'tenant_tag', () => tagged(tagged(out('cp'), 0), 100)],
  [
    'a source that is no TSI of the VN',
    'source_guard',
    () => tagged(ethernet({ to: THERE, from: OTHER }, ETHERTYPE.local, content('spoof', 46)), 200),
  ],
  [
    "the source of the VN's remote TSI",
    'source_guard',
    () => tagged(ethernet({ to: THERE, from: THERE }, ETHERTYPE.local, content('spoof', 46)), 100),
  ],
  [
    'a broadcast from a spoofed source',
    'source_guard',
    () => tagged(ethernet({ to: BROADCAST, from: OTHER }, ETHERTYPE.local, content('spoof', 46)), 100),
  ],
  [
    'a group address as source',
    'source_invalid',
    () => tagged(ethernet({ to: THERE, from: BROADCAST }, ETHERTYPE.local, content('group', 46)), 100),
  ],
  [
    'no source',
    'source_invalid',
    () => tagged(ethernet({ to: THERE, from: '00:00:00:00:00:00' }, ETHERTYPE.local, content('zero', 46)), 100),
  ],
  [
    'a destination at the same VAP',
    'same_vap',
    () => tagged(ethernet({ to: HERE, from: HERE }, ETHERTYPE.local, content('self', 46)), 100),
  ],
  [
    'an unknown destination',
    'unknown_unicast',
    () => tagged(ethernet({ to: OTHER, from: HERE }, ETHERTYPE.local, content('who', 46)), 100),
  ],
  ['a runt that ends before its tag', 'truncated', () => tagged(out('runt'), 100).subarray(0, 14)],
  ['a runt that ends within its tag', 'truncated', () => tagged(out('runt'), 100).subarray(0, 15)],
  ['a runt that ends before the EtherType behind its tag', 'truncated', () => tagged(out('runt'), 100).subarray(0, 16)],
  ['a runt that ends within that EtherType', 'truncated', () => tagged(out('runt'), 100).subarray(0, 17)],
  ['an IPv4 header that is cut', 'truncated', () => tagged(claiming(OUT).subarray(0, 24), 100)],
  ['an IPv4 packet that claims to be longer', 'truncated', () => tagged(claiming(OUT), 100)],
  ["a frame longer than the VN's MTU", 'vn_mtu', () => tagged(out('jumbo', MTU + 1), 100)],
  ['a frame as long as a buffer', 'vn_mtu', () => tagged(out('jumbo', BUFFER.xdp - 18), 100)],
  ['a frame longer than a buffer', 'rx_missed', () => tagged(out('jumbo', BUFFER.xdp - 17), 100)],
  ['the longest frame that the link takes', 'rx_missed', () => tagged(out('jumbo', 3500), 100)],
];

const tap: Case[] = [
  ['a C-TAG', 'unknown_tag', () => tagged(out('c'), 100)],
  ['two C-TAGs', 'unknown_tag', () => tagged(tagged(out('cc'), 200), 100)],
  ['an S-TAG', 'unexpected_stag', () => tagged(out('s'), 100, { ethertype: ETHERTYPE.sTag })],
  ['an S-TAG with VID 0', 'unexpected_stag', () => tagged(out('s'), 0, { ethertype: ETHERTYPE.sTag })],
  [
    'an S-TAG before a C-TAG',
    'unexpected_stag',
    () => tagged(tagged(out('sc'), 100), 7, { ethertype: ETHERTYPE.sTag }),
  ],
  ['a C-TAG behind a priority tag', 'tenant_tag', () => tagged(tagged(out('pc'), 100), 0)],
  [
    'an S-TAG behind a priority tag',
    'tenant_tag',
    () => tagged(tagged(out('ps'), 100, { ethertype: ETHERTYPE.sTag }), 0),
  ],
  [
    'a source that is no TSI of the VN',
    'source_guard',
    () => ethernet({ to: THERE, from: OTHER }, ETHERTYPE.local, content('spoof', 46)),
  ],
  ['a runt that ends before its tag', 'truncated', () => tagged(out('runt'), 0).subarray(0, 14)],
  ['a runt that ends within its tag', 'truncated', () => tagged(out('runt'), 0).subarray(0, 17)],
  ['an IPv4 packet that claims to be longer', 'truncated', () => claiming(OUT)],
  ["a frame longer than the VN's MTU", 'vn_mtu', () => out('jumbo', 1501)],
  ['a frame as long as a buffer', 'vn_mtu', () => out('jumbo', BUFFER.tap - 14)],
  ['a frame longer than a buffer', 'rx_errors', () => out('jumbo', BUFFER.tap - 13)],
  ['a frame that would fill many buffers', 'rx_errors', () => out('jumbo', 9000)],
];

const packet = (label: string) => nve.tunnelled('blue', back(label));
const underlay: Case[] = [
  ['a C-TAG before the outer header', 'outer_tag', () => tagged(packet('c'), 100)],
  ['an S-TAG before the outer header', 'outer_tag', () => tagged(packet('s'), 100, { ethertype: ETHERTYPE.sTag })],
  ["a tenant's C-TAG", 'tenant_tag', () => nve.tunnelled('blue', tagged(back('c'), 100))],
  [
    "a tenant's S-TAG",
    'tenant_tag',
    () => nve.tunnelled('blue', tagged(back('s'), 100, { ethertype: ETHERTYPE.sTag })),
  ],
  ["two tenant's tags", 'tenant_tag', () => nve.tunnelled('blue', tagged(tagged(back('cc'), 200), 100))],
  ['an unknown VNI', 'unknown_vni', () => nve.tunnelled('blue', back('vni'), { vni: 5999 })],
  ['VNI 0', 'unknown_vni', () => nve.tunnelled('blue', back('vni'), { vni: 0 })],
  [
    'a sender that is no NVE of the VN',
    'source_nve',
    () => nve.tunnelled('blue', back('nve'), { source: '192.0.2.66' }),
  ],
  ['the first fragment of an outer packet', 'outer_fragment', () => outerFragments()[0]!],
  ['the last fragment of an outer packet', 'outer_fragment', () => outerFragments()[1]!],
  ['VXLAN without its I flag', 'vxlan_flags', () => changed(packet('flags'), 42, 0)],
  ['a wrong UDP checksum', 'outer_checksum', () => changed(packet('udp'), 40, 1, 2)],
  ['a wrong IPv4 checksum', 'outer_invalid', () => changed(packet('ip'), 24, 1, 2)],
  ["another host's MAC", 'not_for_us', () => nve.tunnelled('blue', back('mac'), { to: OTHER })],
  ["another host's address", 'not_for_us', () => nve.tunnelled('blue', back('host'), { target: '192.0.2.66' })],
  [
    'another protocol',
    'not_overlay',
    () => ethernet({ to: nve.mac, from: PEER.mac }, ETHERTYPE.local, content('local', 46)),
  ],
  [
    'a destination behind another NVE',
    'split_horizon',
    () => nve.tunnelled('blue', ethernet({ to: THERE, from: OTHER }, ETHERTYPE.local, content('back', 46))),
  ],
  [
    'an unknown destination',
    'unknown_unicast',
    () => nve.tunnelled('blue', ethernet({ to: OTHER, from: THERE }, ETHERTYPE.local, content('who', 46))),
  ],
  [
    'a group address that bridges keep',
    'link_local',
    () =>
      nve.tunnelled('blue', ethernet({ to: '01:80:c2:00:00:0e', from: THERE }, ETHERTYPE.local, content('lldp', 46))),
  ],
  [
    'a group address as source',
    'source_invalid',
    () => nve.tunnelled('blue', ethernet({ to: HERE, from: BROADCAST }, ETHERTYPE.local, content('group', 46))),
  ],
  ['a runt that ends before the outer IPv4 header', 'truncated', () => packet('runt').subarray(0, 14)],
  ['a runt that ends within the outer IPv4 header', 'truncated', () => packet('runt').subarray(0, 33)],
  ['a packet that ends within the tunnelled frame', 'truncated', () => packet('runt').subarray(0, 100)],
  ['a tunnelled runt', 'truncated', () => nve.tunnelled('blue', back('runt').subarray(0, 13))],
  ['a tunnelled IPv4 packet that claims to be longer', 'truncated', () => nve.tunnelled('blue', claiming(BACK))],
  ["a tunnelled frame longer than the VN's MTU", 'vn_mtu', () => nve.tunnelled('blue', back('jumbo', MTU + 1))],
  ['a packet as long as a buffer', 'vn_mtu', () => nve.tunnelled('blue', back('jumbo', BUFFER.xdp - 64))],
  ['a packet longer than a buffer', 'rx_missed', () => nve.tunnelled('blue', back('jumbo', BUFFER.xdp - 63))],
];

function outerFragments(): Buffer[] {
  const whole = packet('fragment').subarray(34);
  const pieces = fragments({ from: PEER.ip, to: '192.0.2.1', id: 77 }, whole, 48);
  return pieces.map((piece) => ethernet({ to: nve.mac, from: PEER.mac }, ETHERTYPE.ipv4, piece));
}

/** Reasons of the driver rather than of the pipeline: such a frame does not count as received. */
const UNRECEIVED = ['rx_missed', 'rx_errors'];

describe.each<[PortName, string, Case[]]>([
  ['access', 'net_af_xdp as access link', access],
  ['tap', 'net_tap as tenant port', tap],
  ['underlay', 'net_af_xdp as underlay', underlay],
])('%s, which is %s, drops', (port, _driver, cases) => {
  beforeAll(() => nve?.settle());

  it.each(cases)('%s: %s', async (_name, reason, frame) => {
    const unreceived = UNRECEIVED.includes(reason);
    const effects = await nve.effects(unreceived ? 0 : 1, () => nve.sockets[port].send([frame()]));
    const received = unreceived ? {} : { [port]: 1 };
    expect(effects).toEqual({ received, sent: {}, drops: { [`${port} ${reason}`]: 1 } });
    for (const socket of Object.values(nve.sockets)) expect(await socket.take({ quiet: 0 })).toEqual([]);
  });
});

/** Fragments of two datagrams that differ in nothing but their content, in turns: a, b, a, b, … */
function interleaved(
  addresses: { to: string; from: string },
  reverse = false,
): { blue: Buffer[]; red: Buffer[]; mixed: Buffer[] } {
  const ends = { from: '10.0.0.1', to: '10.0.0.2' };
  const of = (label: string) => {
    const datagram = udp({ ...ends, source: 4000, target: 4001 }, content(label, 4000));
    const frames = fragments({ ...ends, id: 4242 }, datagram, 1480).map((piece) =>
      ethernet(addresses, ETHERTYPE.ipv4, piece),
    );
    return reverse ? frames.reverse() : frames;
  };
  const [blue, red] = [of('blue'), of('red')];
  return { blue, red, mixed: blue.flatMap((frame, i) => [tagged(frame, VNS.blue.vid), tagged(red[i]!, VNS.red.vid)]) };
}

describe('unmixed and unchanged', () => {
  beforeAll(() => nve?.settle());

  it.each([
    ['in order', false],
    ['last fragment first', true],
  ])('fragments of blue and red with the same addresses and identification, %s', async (_name, reverse) => {
    const outward = interleaved(OUT, reverse);
    const effects = await nve.effects(6, () => nve.sockets.access.send(outward.mixed));
    expect(effects).toEqual({ received: { access: 6 }, sent: { underlay: 6 }, drops: {} });
    const carried = await nve.encapsulated({ count: 6, quiet: 10 });
    const of = (vni: number) => carried.filter((packet) => packet.vni === vni).map(({ frame }) => frame);
    expect(hex(of(VNS.blue.vni))).toEqual(hex(outward.blue));
    expect(hex(of(VNS.red.vni))).toEqual(hex(outward.red));
    expect(carried).toHaveLength(6);

    const inward = interleaved(BACK, reverse);
    const packets = inward.blue.flatMap((frame, i) => [
      nve.tunnelled('blue', frame),
      nve.tunnelled('red', inward.red[i]!),
    ]);
    const inwards = await nve.effects(6, () => nve.sockets.underlay.send(packets));
    expect(inwards).toEqual({ received: { underlay: 6 }, sent: { access: 6 }, drops: {} });
    expect(hex(await nve.sockets.access.take({ count: 6, quiet: 10 }))).toEqual(hex(inward.mixed));
    expect(await nve.sockets.tap.take({ quiet: 0 })).toEqual([]);
  });

  it('every length from an empty frame to the MTU, on every port', async () => {
    const lengths = [0, 1, 17, 45, 46, 47, 64, 255, 256, 1000, 1499, 1500];
    const jumbo = [...lengths, 1501, 1799, 1800];
    for (const [port, vn, sizes] of [
      ['tap', 'green', lengths],
      ['access', 'red', jumbo],
    ] as const) {
      const tag = (frame: Buffer) => (port === 'access' ? tagged(frame, VNS.red.vid) : frame);
      const outward = sizes.map((size) => out(vn, size, size));
      const gone = await nve.effects(sizes.length, () => nve.sockets[port].send(outward.map(tag)));
      expect(gone).toEqual({ received: { [port]: sizes.length }, sent: { underlay: sizes.length }, drops: {} });
      const carried = await nve.encapsulated({ count: sizes.length, quiet: 10 });
      expect(hex(carried.map(({ frame }) => frame))).toEqual(hex(outward));
      expect(new Set(carried.map(({ vni }) => vni))).toEqual(new Set([VNS[vn].vni]));

      const inward = sizes.map((size) => back(vn, size, size));
      const come = await nve.effects(sizes.length, () =>
        nve.sockets.underlay.send(inward.map((frame) => nve.tunnelled(vn, frame))),
      );
      expect(come).toEqual({ received: { underlay: sizes.length }, sent: { [port]: sizes.length }, drops: {} });
      const heard = inward.map(tag).map(onLink);
      expect(hex(await nve.sockets[port].take({ count: heard.length, quiet: 10 }))).toEqual(hex(heard));
    }
  });

  it('a broadcast stays in its VN, both ways', async () => {
    const frame = ethernet({ to: BROADCAST, from: HERE }, ETHERTYPE.local, content('blue', 46));
    const effects = await nve.effects(1, () => nve.sockets.access.send([tagged(frame, VNS.blue.vid)]));
    expect(effects).toEqual({ received: { access: 1 }, sent: { underlay: 1 }, drops: {} });
    expect(await nve.encapsulated({ count: 1, quiet: 10 })).toEqual([{ vni: VNS.blue.vni, frame }]);
    const answer = ethernet({ to: BROADCAST, from: THERE }, ETHERTYPE.local, content('green', 46));
    const back = await nve.effects(1, () => nve.sockets.underlay.send([nve.tunnelled('green', answer)]));
    expect(back).toEqual({ received: { underlay: 1 }, sent: { tap: 1 }, drops: {} });
    expect(await nve.sockets.tap.take({ count: 1, quiet: 10 })).toEqual([answer]);
    expect(await nve.sockets.access.take({ quiet: 0 })).toEqual([]);
  });

  it('a priority tag alone is taken off: the frame counts as untagged (802.1Q, 6.9.1)', async () => {
    const effects = await nve.effects(1, () => nve.sockets.tap.send([tagged(out('priority'), 0, { pcp: 5 })]));
    expect(effects).toEqual({ received: { tap: 1 }, sent: { underlay: 1 }, drops: {} });
    expect(await nve.encapsulated({ count: 1, quiet: 10 })).toEqual([{ vni: VNS.green.vni, frame: out('priority') }]);
  });

  it('LLDP goes to the control plane as it is, and nowhere else', async () => {
    const frames = [out('lldp'), tagged(out('lldp'), 100)].map((frame) => changed(frame, 0, 1, 0x80, 0xc2, 0, 0, 0x0e));
    const effects = await nve.effects(2, () => nve.sockets.access.send(frames));
    expect(effects).toEqual({ received: { access: 2 }, sent: {}, drops: {} });
    await eventually('two punts', () => nve.engine.punts.length >= 2);
    expect(nve.engine.punts.map((punt) => Buffer.from(punt.frame))).toEqual(frames);
    for (const socket of Object.values(nve.sockets)) expect(await socket.take({ quiet: 10 })).toEqual([]);
  });

  it('between two VAPs of a VN on this NVE: directly, without encapsulation (RFC 8014, 3.2), and only in that VN', async () => {
    const [vn, vap, vid] = [VNS.green.id as number as VnId, 9, 300 as Vid];
    const addresses = { mac: OTHER as MacAddr, vn };
    await nve.engine.must(
      { op: 'VapSet', vap, vn, port: 0, selector: { kind: 'c-tag', vid }, guard: true, uplink: false },
      { op: 'FdbSet', ...addresses, dest: { kind: 'vap', vap } },
    );
    const there = ethernet({ to: OTHER, from: HERE }, ETHERTYPE.local, content('green', 46));
    const here = ethernet({ to: HERE, from: OTHER }, ETHERTYPE.local, content('green', 46));
    const effects = await nve.effects(2, async () => {
      await nve.sockets.tap.send([there]);
      await nve.sockets.access.send([tagged(here, 300)]);
    });
    expect(effects).toEqual({ received: { access: 1, tap: 1 }, sent: { access: 1, tap: 1 }, drops: {} });
    expect(hex(await nve.sockets.access.take({ count: 1, quiet: 10 }))).toEqual(hex([tagged(there, 300)]));
    expect(hex(await nve.sockets.tap.take({ count: 1, quiet: 10 }))).toEqual(hex([here]));

    // The same destination from another VN of the same link is as unknown as before.
    const stranger = await nve.effects(1, () => nve.sockets.access.send([tagged(there, VNS.red.vid)]));
    expect(stranger).toEqual({ received: { access: 1 }, sent: {}, drops: { 'access unknown_unicast': 1 } });
    await nve.engine.must({ op: 'FdbDel', ...addresses }, { op: 'VapDel', vap });
  });
});
