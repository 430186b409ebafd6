// What tenants may send and get, through real agents: access lists, policer, storm limit and IP guard of an access link by the agent's
// configuration, an access list and answered ARP of a VN by the NVA's word; what is about the link never leaves it; several TSIs at one VAP.
//
//   (frames of the test) ═ access0, near agent ═ VXLAN ═ far agent, access0 ═ (frames of the test)
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ShowAclRow, ShowVapRow, ShowVnRow } from '#hypervisor';
import { obstacle } from '../lib/command.js';
import { grown } from '../lib/engine.js';
import { arp, BROADCAST, content, ETHERTYPE, ethernet, inner, ipv4, tagged, udp } from '../lib/frames.js';
import { Lab } from '../lib/lab.js';
import type { RawSocket } from '../lib/raw.js';
import { type Role, vidOf } from '../lib/role.js';
import { FAR, TwoNves, type VnName } from '../lib/two-nves.js';

const why = obstacle('ip', 'python3', 'nsenter', 'unshare', 'setpriv');

const ONE = { mac: '02:00:00:00:00:01', ip: '10.0.0.1' };
const TWO = { mac: '02:00:00:00:00:02', ip: '10.0.0.2' };
/** Frames at once, and the rates are low: what comes back meanwhile does not matter. */
const STORM = { per_second: 1, burst: 5 };
const POLICE = { bits_per_second: 8_000, burst_bytes: 20_000 };
const DENIED = { in: 7001, out: 7002, vn: 7003 } as const;
const ALLOWED = 7777;
const PATIENCE = { timeout: 10_000, interval: 50 };

const deny = (name: string, port: number): string =>
  `[[acl]]\nname = "${name}"\ndefault = "permit"\n[[acl.rule]]\naction = "deny"\nprotocol = "udp"\ndst_ports = "${port}"\n`;
const LINK = `{ port = "access0", vlan_pool = "100-199", vdp = false, guard_ip = true, acl_in = "in", acl_out = "out",
  storm = { packets_per_second = ${STORM.per_second}, burst = ${STORM.burst} },
  police = { bits_per_second = ${POLICE.bits_per_second}, burst_bytes = ${POLICE.burst_bytes} } }`.replaceAll('\n', '');

const lab = new Lab();
let nves: TwoNves;
let here: RawSocket;
let there: RawSocket;
/** What the far NVE sends on the underlay. */
let fabric: RawSocket;
const vids = {} as Record<'near' | 'far', Record<VnName, number>>;

async function attach(role: Role, tsi: string, vn: VnName, { mac, ip }: typeof ONE): Promise<number> {
  await role.cli(`tsi attach ${tsi} --vn ${vn} --mac ${mac} --ip ${ip} --link access0`);
  return vidOf((await role.tsis()).find((row) => row.tsi === tsi)) ?? 0;
}

beforeAll(async () => {
  if (why !== undefined) return;
  nves = await TwoNves.create(lab, {
    near: `access = [${LINK}]\n${deny('in', DENIED.in)}${deny('out', DENIED.out)}`,
    vns: { red: 'acl_in = "vn", suppress = true' },
    nva: deny('vn', DENIED.vn),
  });
  const host = await lab.namespace('near host');
  await lab.veth({ namespace: nves.near.namespace, iface: 'access0' }, { namespace: host, iface: 'v0' });
  await nves.start();
  vids.near = {
    blue: await attach(nves.near, 'one', 'blue', ONE),
    red: await attach(nves.near, 'one-red', 'red', ONE),
  };
  vids.far = { blue: await attach(nves.far, 'far', 'blue', FAR), red: await attach(nves.far, 'far-red', 'red', FAR) };
  const raw = lab.raw();
  here = await raw.socket(host, 'v0');
  there = await raw.socket(nves.farLink.namespace, nves.farLink.iface);
  fabric = await raw.socket(nves.fabric, 'far');
  const macs = async (role: Role) => (await role.fdb()).map(({ vn, mac }) => `${vn} ${mac}`).sort();
  const all = (['blue', 'red'] as const).flatMap((vn) => [ONE, FAR].map(({ mac }) => `${vn} ${mac}`));
  await vi.waitFor(async () => {
    for (const role of [nves.near, nves.far]) {
      expect(await macs(role)).toEqual(all);
      expect(await show(role, 'neigh')).toMatchObject([{ state: 'reachable' }]);
    }
  }, PATIENCE);
});
afterAll(() => lab.close());
beforeEach(async (context) => {
  if (why !== undefined) return context.skip(why);
  for (const socket of [here, there, fabric]) await socket.take();
});

const show = async <Row>(role: Role, table: string): Promise<Row[]> =>
  JSON.parse(await role.cli(`show ${table} --json`)) as Row[];
const dropsOf = async (role: Role): Promise<Record<string, number>> =>
  Object.fromEntries((await role.drops()).map(({ port, reason, packets }) => [`${port} ${reason}`, packets]));

type Party = { readonly mac: string; readonly ip: string };
/** A datagram from one to another, with room for a name of eight bytes. */
const datagram = (label: string, from: Party, to: Party, port = ALLOWED, length = 32): Buffer =>
  ethernet(
    { to: to.mac, from: from.mac },
    ETHERTYPE.ipv4,
    ipv4(
      { from: from.ip, to: to.ip, protocol: 17 },
      udp({ from: from.ip, to: to.ip, source: 50_000, target: port }, content(label.padEnd(8), length)),
    ),
  );
/** The names of the test's datagrams in these frames, which have one tag. */
const labels = (frames: readonly Buffer[]): string[] =>
  frames.filter((frame) => frame[27] === 17).map((frame) => frame.toString('latin1', 46, 54).trim());

/** What comes out at the other side of these frames, and what was dropped; a good frame behind them tells when they are through. */
async function outcome(side: 'near' | 'far', vn: VnName, ...frames: Buffer[]) {
  const [source, target, from, to] = side === 'near' ? [here, there, ONE, FAR] : [there, here, FAR, ONE];
  const before = await dropsOf(nves.near);
  await source.send([...frames, datagram('last', from, to)].map((frame) => tagged(frame, vids[side][vn])));
  const got: Buffer[] = [];
  await expect
    .poll(async () => {
      got.push(...(await target.take({ quiet: 20 })));
      return labels(got);
    }, PATIENCE)
    .toContain('last');
  return { got: labels(got), frames: got, drops: grown(before, await dropsOf(nves.near)) };
}

describe('of an access link, by configuration', () => {
  it('what acl_in denies does not get in', async () => {
    const denied = datagram('denied', ONE, FAR, DENIED.in);
    const { got, drops } = await outcome('near', 'blue', denied, datagram('first', ONE, FAR));
    expect({ got, drops }).toEqual({ got: ['first', 'last'], drops: { 'access0 acl_in': 1 } });
  });

  it('what acl_out denies does not get out', async () => {
    const denied = datagram('denied', FAR, ONE, DENIED.out);
    const { got, drops } = await outcome('far', 'blue', denied, datagram('first', FAR, ONE));
    expect({ got, drops }).toEqual({ got: ['first', 'last'], drops: { 'fabric0 acl_out': 1 } });
  });

  it('an address that is not the TSI’s does not pass, in IP or in ARP', async () => {
    const stolen = { ...ONE, ip: TWO.ip };
    const { got, drops } = await outcome('near', 'blue', datagram('stolen', stolen, FAR), arp('request', stolen, FAR));
    expect({ got, drops }).toEqual({ got: ['last'], drops: { 'access0 ip_guard': 2 } });
  });

  it('are shown, and what each rule decided', async () => {
    const vaps = await show<ShowVapRow>(nves.near, 'vap');
    const rows = await show<ShowAclRow>(nves.near, 'acl');
    const listOf = (port: number) => rows.find(({ match }) => match.includes(`${port}`))?.acl;
    expect(vaps.find(({ vn }) => vn === 'blue')).toMatchObject({
      ...{ guard: true, guard_ip: true, acl_in: listOf(DENIED.in), acl_out: listOf(DENIED.out) },
      police: { bits_per_s: POLICE.bits_per_second, burst_bytes: POLICE.burst_bytes },
      storm: { packets_per_s: STORM.per_second, burst: STORM.burst },
    });
    expect(rows.find(({ acl, rule }) => acl === listOf(DENIED.in) && rule === 0)).toMatchObject({
      ...{ action: 'deny', packets: 1 },
    });
    expect(await nves.near.cli('show vap')).toMatch(/ guard-ip,police=8000\/20000,storm=1\/5,acl-in=\d+,acl-out=\d+$/m);
  });

  it('of a storm a burst passes, and unicast beside it', async () => {
    const noise = Array.from({ length: 40 }, (_, n) => datagram(`noise${n}`, ONE, { ...FAR, mac: BROADCAST }));
    const { got, drops } = await outcome('near', 'blue', ...noise);
    const passed = got.length - 1;
    // How long the frames take to come in is the machine's.
    expect(passed).toBeGreaterThanOrEqual(STORM.burst);
    expect(passed).toBeLessThan(20);
    expect(drops).toEqual({ 'access0 storm': noise.length - passed });
  });

  it('of too much a burst passes', async () => {
    const before = await dropsOf(nves.near);
    const many = Array.from({ length: 60 }, (_, n) => datagram(`${n}`, ONE, FAR, ALLOWED, 958));
    await here.send(many.map((frame) => tagged(frame, vids.near.blue)));
    const got: Buffer[] = [];
    await expect
      .poll(async () => {
        got.push(...(await there.take({ quiet: 20 })));
        return labels(got).length + (grown(before, await dropsOf(nves.near))['access0 policed'] ?? 0);
      }, PATIENCE)
      .toBe(many.length);
    // The burst is 20 of them, less what the tests before have used; one more passes each second.
    expect(got.length).toBeGreaterThan(10);
    expect(got.length).toBeLessThan(40);
    expect(grown(before, await dropsOf(nves.near))).toEqual({ 'access0 policed': many.length - got.length });
  });
});

describe('of a VN, by the NVA', () => {
  it('what its list denies does not get in, nor what the link’s denies', async () => {
    const denied = [DENIED.vn, DENIED.in].map((port) => datagram(`${port}`, ONE, FAR, port));
    const { got, drops } = await outcome('near', 'red', ...denied);
    expect({ got, drops }).toEqual({ got: ['last'], drops: { 'access0 acl_in': 2 } });
  });

  it('what it denies is nothing to another VN', async () => {
    // The policer has been exhausted by then: from the other side.
    const { got, drops } = await outcome('far', 'blue', datagram('free', FAR, ONE, DENIED.vn));
    expect({ got, drops }).toEqual({ got: ['free', 'last'], drops: {} });
  });

  it('an ARP request for a known address is answered by the NVE, and nobody else hears it', async () => {
    const ask = arp('request', ONE, { mac: '00:00:00:00:00:00', ip: FAR.ip });
    await here.send([tagged(ask, vids.near.red)]);
    const [answer] = await here.take({ count: 1, timeout: 5_000 });
    expect(answer?.toString('hex')).toContain(
      tagged(arp('reply', FAR, ONE), vids.near.red)
        .toString('hex')
        .slice(0, 92),
    );
    const { got, frames } = await outcome('near', 'red');
    expect([got, frames.length]).toEqual([['last'], 1]);
    expect(await show<ShowVapRow>(nves.near, 'vap')).toContainEqual(
      expect.objectContaining({ vn: 'red', suppressed: 1 }),
    );
    expect(await show<ShowVnRow>(nves.near, 'vn')).toContainEqual(
      expect.objectContaining({ vn: 'red', suppress: true, acl_in: expect.any(Number), acl_out: null }),
    );
    expect(await nves.near.cli('show vn')).toMatch(/^red .* suppress,acl-in=\d+$/m);
  });
});

describe('group addresses', () => {
  const group = (last: number): string => `01:80:c2:00:00:${last.toString(16).padStart(2, '0')}`;
  const frame = (to: string): Buffer => ethernet({ to, from: FAR.mac }, ETHERTYPE.local, content('group', 46));

  it('that bridges do not forward never leave the link, and are counted', async () => {
    const all = Array.from({ length: 16 }, (_, n) => frame(group(n)));
    const { near: _, far } = vids;
    const before = await dropsOf(nves.far);
    const { got } = await outcome('far', 'blue', ...all);
    await there.send([...all.slice(0, 4), tagged(frame(group(0)), far.red)]);
    await expect
      .poll(async () => grown(before, await dropsOf(nves.far)), PATIENCE)
      .toEqual({ 'access0 control_unheard': 21 });
    expect(got).toEqual(['last']);
    const left = (await fabric.take()).flatMap((packet) => inner(packet)?.frame ?? []);
    expect(left.map((one) => one.toString('latin1', 42, 50).trim())).toEqual(['last']);
  });

  it('that only IP keeps on the link go to the whole VN', async () => {
    // 224.0.0.251: a router keeps it on the link, and the VN is one link (RFC 4541, 2.1.2: flooded).
    const mdns = { mac: '01:00:5e:00:00:fb', ip: '224.0.0.251' };
    const { got, drops } = await outcome('far', 'blue', datagram('mdns', FAR, mdns));
    expect({ got, drops }).toEqual({ got: ['mdns', 'last'], drops: {} });
  });
});

describe('two TSIs at one VAP', () => {
  const reached = async (): Promise<string[]> => {
    await there.send([ONE, TWO].map((one) => tagged(datagram(one.mac.slice(-2), FAR, one), vids.far.blue)));
    return labels(await here.take({ count: 2, timeout: 2_000 })).sort();
  };
  const remoteMacs = async () =>
    (await nves.far.fdb()).filter(({ vn, to }) => vn === 'blue' && to === 'nve').map(({ mac }) => mac);

  it('share it, and both are reached', async () => {
    expect(await attach(nves.near, 'two', 'blue', TWO)).toBe(vids.near.blue);
    expect((await show<ShowVapRow>(nves.near, 'vap')).map(({ vn }) => vn).sort()).toEqual(['blue', 'red']);
    await expect.poll(remoteMacs, PATIENCE).toEqual([ONE.mac, TWO.mac]);
    expect(await reached()).toEqual(['01', '02']);
  });

  it('each may send from its own address only', async () => {
    const before = await dropsOf(nves.near);
    await here.send([tagged(datagram('mixed', { ...TWO, ip: ONE.ip }, FAR), vids.near.blue)]);
    await expect.poll(async () => grown(before, await dropsOf(nves.near)), PATIENCE).toEqual({ 'access0 ip_guard': 1 });
  });

  it('one leaves, and the other stays', async () => {
    await nves.near.cli('tsi detach one --link access0');
    await expect.poll(remoteMacs, PATIENCE).toEqual([TWO.mac]);
    const before = await dropsOf(nves.far);
    expect(await reached()).toEqual(['02']);
    expect(grown(before, await dropsOf(nves.far))).toEqual({ 'access0 unknown_unicast': 1 });
    const guarded = await dropsOf(nves.near);
    await here.send([tagged(datagram('gone', ONE, FAR), vids.near.blue)]);
    await expect
      .poll(async () => grown(guarded, await dropsOf(nves.near)), PATIENCE)
      .toEqual({ 'access0 source_guard': 1 });
  });
});
