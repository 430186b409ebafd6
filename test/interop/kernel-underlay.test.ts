// Linux's vxlan device as the remote NVE, over IPv6; and the TTL and ECN cases of the kernel's own vxlan_bridge_1d self-test, restated.
//
//   tenant ─ tap ═ engine ═ veth ─ kernel: vxlan device ─ tenant
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { NextHopOptions } from '#dataplane';
import type { IpAddr, MacAddr } from '#model';
import { Capture, TENANT_PORTS } from '../lib/capture.js';
import { PORT } from '../lib/chain.js';
import { obstacle } from '../lib/command.js';
import { withoutChatter } from '../lib/engine.js';
import { content, ETHERTYPE, ethernet, ipv4, udp, vxlan } from '../lib/frames.js';
import { attach, FAR, NEAR, unicast, V4, V6, VN, VNI, type World, world } from '../lib/kernel-nve.js';
import { Lab } from '../lib/lab.js';
import { ping } from '../lib/ping.js';
import { serveTransfers, transfer } from '../lib/transfer.js';

const [, TCP_PORT] = TENANT_PORTS;
const why = obstacle('ip', 'bridge', 'ethtool', 'ping', 'tcpdump', 'tshark', 'python3', 'nsenter', 'setpriv');

beforeEach((context) => {
  if (why !== undefined) context.skip(why);
});

describe.each([
  ['checksums both ways', '', {}],
  ['a zero checksum of the kernel, and leave to take it', 'udp6zerocsumtx', { zeroChecksum: true }],
])('over IPv6, with %s', (_name, flags, underlay) => {
  const lab = new Lab();
  let all: World;
  let capture: Capture;

  beforeAll(async () => {
    if (why !== undefined) return;
    all = await world(lab, V6, flags, { underlay });
    for (const mac of ['00:00:00:00:00:00', NEAR.mac])
      await all.remote.must(`bridge fdb append ${mac} dev vx dst ${V6.ours}`);
    await attach(all);
    await all.engine.resolved();
    for (const space of [all.near, all.far]) await serveTransfers(lab, space, TCP_PORT);
    capture = lab.add(await Capture.start(all.remote, 'under'));
  });
  afterAll(() => lab.close());

  it('ping of any size, both ways', async () => {
    for (const options of ['-s 56', '-s 1472 -M do', '-s 8000'])
      await Promise.all([ping(all.near, FAR.ip, options), ping(all.far, NEAR.ip, options)]);
  });

  it('TCP both ways at once, content verified', async () => {
    await Promise.all([transfer(all.near, all.far, FAR.ip, TCP_PORT), transfer(all.far, all.near, NEAR.ip, TCP_PORT)]);
  });

  it('our address answers neighbour solicitation and echo, nothing was dropped, and tshark finds nothing wrong', async () => {
    await all.remote.ip('-6 neigh flush all');
    await ping(all.remote, V6.ours);
    await ping(all.remote, V6.ours, '-s 1552 -M do');
    expect(withoutChatter(await all.engine.drops(), PORT.underlay)).toEqual({});
    await capture.stop();
    // tshark minds a checksum of zero over IPv6, which RFC 6935 allows.
    expect(await capture.wrong(flags === '' ? 'frame' : `ipv6.src == ${V6.ours}`)).toEqual([]);
    const rows = await capture.fields('vxlan', 'ipv6.src', 'udp.checksum');
    const zero = (source: string) => rows.filter(([from, sum]) => from === source && sum?.startsWith('0x0000')).length;
    expect(rows.filter(([from]) => from === V6.ours).length).toBeGreaterThan(100);
    expect(zero(V6.ours), 'ours are computed (RFC 8200, 8.1)').toBe(0);
    expect(zero(V6.theirs) > 0).toBe(flags !== '');
  });
});

it('a zero checksum over IPv6 without leave is dropped', async () => {
  const lab = new Lab();
  try {
    const all = await world(lab, V6, 'udp6zerocsumtx');
    for (const mac of ['00:00:00:00:00:00', NEAR.mac])
      await all.remote.must(`bridge fdb append ${mac} dev vx dst ${V6.ours}`);
    await attach(all);
    await all.engine.resolved();
    const { stdout } = await all.far.run(`ping -n -c 1 -W 1 ${NEAR.ip}`);
    expect(stdout).toContain('100% packet loss');
    expect(Object.keys(withoutChatter(await all.engine.drops(), PORT.underlay))).toEqual([
      `${PORT.underlay} outer_zero_checksum`,
    ]);
  } finally {
    await lab.close();
  }
});

describe('TTL and ECN', () => {
  const lab = new Lab();
  let all: World;

  beforeAll(async () => {
    if (why !== undefined) return;
    all = await world(lab, V4, 'ttl 99 tos inherit');
    for (const mac of ['00:00:00:00:00:00', NEAR.mac])
      await all.remote.must(`bridge fdb append ${mac} dev vx dst ${V4.ours}`);
    await attach(all);
    await all.engine.resolved();
    await ping(all.near, FAR.ip);
  });
  afterAll(() => lab.close());

  /** The outer TTL and TOS of our echo requests with these options of ping, through a next hop with those options. */
  async function outer(options: NextHopOptions, ...pings: string[]): Promise<string[][]> {
    const nh = 10;
    await all.engine.must(
      { op: 'NextHopSet', nh, remote: V4.theirs as IpAddr, encap: 1, contextId: VNI, options },
      { op: 'FdbSet', vn: VN, mac: FAR.mac as MacAddr, dest: { kind: 'nh', nh } },
    );
    const capture = await Capture.start(all.remote, 'under');
    for (const words of pings) await ping(all.near, FAR.ip, words);
    await capture.stop();
    const rows = await capture.fields(`vxlan && icmp.type == 8 && ip.src == ${V4.ours}`, 'ip.ttl', 'ip.dsfield');
    await capture.close();
    await all.engine.must(...unicast(V4), { op: 'NextHopDel', nh });
    return [...new Set(rows.map(([ttl, tos]) => `${ttl?.split(',')[0]} ${Number(tos?.split(',')[0])}`))].map((row) =>
      row.split(' '),
    );
  }

  it('the outer TTL is fixed or the tenant’s, and the tenant’s own arrives untouched', async () => {
    expect(await outer({}, '-t 33')).toEqual([['64', '0']]);
    expect(await outer({ ttl: 99 }, '-t 33')).toEqual([['99', '0']]);
    expect(await outer({ ttl: 'inherit' }, '-t 33')).toEqual([['33', '0']]);
    const capture = await Capture.start(all.far, 'vx');
    await ping(all.near, FAR.ip, '-t 33');
    await capture.stop();
    const rows = await capture.fields(`icmp.type == 8`, 'ip.ttl');
    expect([...new Set(rows.flat())]).toEqual(['33']);
    await capture.close();
  });

  it('the outer ECN follows RFC 6040, or the kernel’s way, or nothing', async () => {
    const pings = [0, 1, 2, 3].map((ecn) => `-Q ${ecn}`);
    const classes = async (options: NextHopOptions) => (await outer(options, ...pings)).map(([, tos]) => Number(tos));
    expect(await classes({})).toEqual([0, 1, 2, 3]);
    expect(await classes({ ecn: 'kernel' })).toEqual([0, 1, 2]);
    expect(await classes({ ecn: 'off' })).toEqual([0]);
  });

  it('the outer DSCP is fixed or the tenant’s', async () => {
    expect(await outer({ dscp: 46 }, '-Q 32')).toEqual([['64', '184']]);
    expect(await outer({ dscp: 'inherit' }, '-Q 32', '-Q 64')).toEqual([
      ['64', '32'],
      ['64', '64'],
    ]);
  });

  it('what arrives has the ECN of RFC 6040 in all 16 cells, and the kernel takes ours as it stands', async () => {
    const [mine] = await all.engine.dump('underlays');
    const under = await lab.raw().socket(all.remote, 'under');
    const tenant = await lab.raw().socket(all.near, 'eth0');
    const their = (await all.remote.must('cat /sys/class/net/under/address')).trim();
    // Rows: the inner field; columns: the outer one. RFC 6040, 4.2.
    const table = [
      [0, 0, 0, null],
      [1, 1, 1, 3],
      [2, 1, 2, 3],
      [3, 3, 3, 3],
    ];
    const before = (await all.engine.drops())[`${PORT.underlay} ecn`] ?? 0;
    for (const [innerEcn, row] of table.entries())
      for (const [outerEcn, expected] of row.entries()) {
        await tenant.take();
        const datagram = udp({ from: FAR.ip, to: NEAR.ip, source: 9, target: 9 }, content('ecn', 40));
        const packet = ipv4({ from: FAR.ip, to: NEAR.ip, protocol: 17, tos: innerEcn }, datagram);
        const frame = ethernet({ to: NEAR.mac, from: FAR.mac }, ETHERTYPE.ipv4, packet);
        const tunnel = { to: `${mine?.mac}`, from: their, source: V4.theirs, target: V4.ours, vni: VNI, tos: outerEcn };
        await under.send([vxlan(tunnel, frame)]);
        const got = (await tenant.take({ count: 1, timeout: expected === null ? 200 : 2_000 })).filter(
          (bytes) => bytes.readUInt16BE(12) === ETHERTYPE.ipv4 && bytes[23] === 17,
        );
        expect([innerEcn, outerEcn, got.map((bytes) => bytes[15])]).toEqual([
          innerEcn,
          outerEcn,
          expected === null ? [] : [expected],
        ]);
      }
    expect(((await all.engine.drops())[`${PORT.underlay} ecn`] ?? 0) - before).toBe(1);
  });
});
