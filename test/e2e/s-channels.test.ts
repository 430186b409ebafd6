// S-channels end to end (IEEE 802.1Q clause 42): a station negotiates two by CDCP at a real agent, associates a VSI in each, with equal
// VIDs, and its tenants reach a remote tenant of their VN under S-TAG and C-TAG. The station is the product's machines over a raw socket
// (lldpad knows no CDCP); its tenants' frames are tagged and judged by programs that share no code with it.
//
//   tenant blue ─ S-TAG 500, C-TAG 100 ┐
//   tenant red ── S-TAG 501, C-TAG 100 ┼ v0 ═ access0, near agent ═ VXLAN ═ far agent ═ … ─ far tenants
//   station ───── control frames ──────┘
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { TsiListRow } from '#hypervisor';
import type { MacAddr, Vid } from '#model';
import type { StationVsi } from '#protocol';
import { ChannelStation } from '../lib/channel-station.js';
import { obstacle } from '../lib/command.js';
import { ETHERTYPE, mac, tagged } from '../lib/frames.js';
import { Lab } from '../lib/lab.js';
import type { Namespace } from '../lib/namespace.js';
import { ping } from '../lib/ping.js';
import type { RawSocket } from '../lib/raw.js';
import { cTag, sTag } from '../lib/tag-relay.js';
import { FAR, TwoNves, VNS, type VnName } from '../lib/two-nves.js';

const why = obstacle('ip', 'ethtool', 'ping', 'python3', 'nsenter', 'unshare', 'setpriv');

// RTE 15 is 0.33 s: the machine may be busy.
const NEAR = `
access = [{ port = "access0", vlan_pool = "100-199", scheme = "s-channel", channels = 3, svid_pool = "500-509" }]
evb = { rte = 15 }
cdcp = { hold_ms = 1500 }
`;
const STATION = '02:aa:00:00:00:01' as MacAddr;
const HOST = { blue: { ip: '10.0.0.1', mac: '02:00:00:00:01:01' }, red: { ip: '10.0.0.2', mac: '02:00:00:00:01:02' } };
const SOON = { timeout: 15_000, interval: 50 };

const lab = new Lab();
let nves: TwoNves;
let host: Namespace;
let socket: RawSocket;
let station: ChannelStation;
let tenants: Namespace[] = [];
let isOver = false;
let hearing: Promise<void> | undefined;

const tsis = async (): Promise<TsiListRow[]> => (await nves.near.tsis()).sort((a, b) => (a.link < b.link ? -1 : 1));
/** Whose NIC is in this VN; the same VSIID in each channel. */
const vsi = (vn: VnName): StationVsi => ({
  vsiidFormat: 5,
  vsiid: '11111111222233334444555555555555',
  managerId: `${'00'.repeat(15)}01`,
  typeId: 5,
  typeVersion: 1,
  filterFormat: 4,
  entries: [{ vid: 0, ps: false, pcp: 0, groupId: VNS[vn], mac: HOST[vn].mac as MacAddr, ip: null }],
  qualifiers: [],
});
const associated = async (svid: number | null, vn: VnName): Promise<number[]> => {
  const result = await station.associate(svid as Vid | null, vsi(vn));
  expect(result).toMatchObject({ ok: true });
  return result.ok ? [...(result.value?.vids ?? [])] : [];
};
const channels = (): unknown => Object.fromEntries(station.channels);

function newStation(scids: readonly number[]): ChannelStation {
  return new ChannelStation({
    mac: STATION,
    scids,
    transmit: (frame) => void socket.send([Buffer.from(frame)]).catch(() => undefined),
  });
}

/** Hands the station what the link brings, one frame after the other. */
async function hear(): Promise<void> {
  while (!isOver) {
    const frames = await socket.take({ count: 1, timeout: 500, quiet: 0 });
    for (const frame of frames) station.received(frame);
  }
}

beforeAll(async () => {
  if (why !== undefined) return;
  nves = await TwoNves.create(lab, { near: NEAR, nearMtu: 1504 });
  host = await lab.namespace('station');
  // A packet socket takes no frame with an S-TAG that is longer than the MTU.
  await lab.veth({ namespace: nves.near.namespace, iface: 'access0' }, { namespace: host, iface: 'v0', mtu: 1508 });
  await nves.start();
  socket = await lab.raw().socket(host, 'v0');
  station = newStation([2, 3]);
  station.start();
  hearing = hear();
});
afterAll(async () => {
  isOver = true;
  station?.close();
  await hearing;
  await lab.close();
});
beforeEach((context) => {
  if (why !== undefined) context.skip(why);
});

describe('S-channels', () => {
  it('are granted by CDCP, and have EVB in each', async () => {
    await vi.waitFor(() => expect(channels()).toEqual({ 2: 500, 3: 501 }), SOON);
    await vi.waitFor(
      () => expect([500, 501, null].map((svid) => station.hears(svid as Vid | null))).not.toContain(false),
      SOON,
    );
  });

  it('carry a VSI each, with equal VIDs', async () => {
    expect(await associated(500, 'blue')).toEqual([100]);
    expect(await associated(501, 'red')).toEqual([100]);
    expect(await tsis()).toMatchObject([
      { vn: 'blue', link: 'access0.500', state: 'activated', tag: { kind: 's-tag+c-tag', s_vid: 500, c_vid: 100 } },
      { vn: 'red', link: 'access0.501', state: 'activated', tag: { kind: 's-tag+c-tag', s_vid: 501, c_vid: 100 } },
    ]);
  });

  it('carry tenant frames under S-TAG and C-TAG to the remote NVE, each to its own VN', async () => {
    const end = { namespace: host, iface: 'v0' };
    const blue = await nves.tenant('blue', end, HOST.blue, sTag(500), cTag(100));
    const red = await nves.tenant('red', end, HOST.red, sTag(501), cTag(100));
    tenants = [blue, red];
    const [farBlue, farRed] = [await nves.farTenant('blue'), await nves.farTenant('red')];
    await ping(blue, FAR.ip);
    await ping(red, FAR.ip);
    // 1,500 octets and two tags: net_af_xdp has room for one of them above the port's MTU.
    await ping(blue, FAR.ip, '-s', '1472', '-M', 'do');
    // Each far tenant has seen its own host alone.
    expect(await farBlue.must('ip neigh')).toContain(HOST.blue.mac);
    expect(await farBlue.must('ip neigh')).not.toContain(HOST.red.mac);
    expect(await farRed.must('ip neigh')).toContain(HOST.red.mac);
  });

  it('let a VSI be deactivated and activated again (Assoc to Pre-Assoc)', async () => {
    expect(await station.associate(501 as Vid, vsi('red'), 'preAssociate')).toMatchObject({ ok: true });
    expect((await tsis())[1]).toMatchObject({ link: 'access0.501', state: 'associated' });
    expect(await associated(501, 'red')).toEqual([100]);
    expect((await tsis())[1]).toMatchObject({ link: 'access0.501', state: 'activated' });
  });

  it('end with their VSIs when the station no longer wants them, and come back as they were', async () => {
    station.want([2]);
    await vi.waitFor(
      async () => expect(await tsis()).toMatchObject([{ link: 'access0.500', state: 'activated' }]),
      SOON,
    );
    station.want([2, 3]);
    await vi.waitFor(() => expect(channels()).toEqual({ 2: 500, 3: 501 }), SOON);
    await vi.waitFor(() => expect(station.hears(501 as Vid)).toBe(true), SOON);
    expect(await associated(501, 'red')).toEqual([100]);
  });

  it('outlive a restart of the station, whose control plane begins with nothing', async () => {
    station.close();
    station = newStation([2, 3]);
    station.start();
    await vi.waitFor(() => expect(channels()).toEqual({ 2: 500, 3: 501 }), SOON);
    await vi.waitFor(() => expect(station.hears(500 as Vid)).toBe(true), SOON);
    expect(await associated(500, 'blue')).toEqual([100]);
    expect(await associated(501, 'red')).toEqual([100]);
    expect(nves.near.program.output.match(/S-channel access0\.500 is gone/g)).toBeNull();
    expect((await tsis()).map(({ link, state }) => `${link} ${state}`)).toEqual([
      'access0.500 activated',
      'access0.501 activated',
    ]);
  });

  it.each(['SIGTERM', 'SIGKILL'] as const)('are as they were after a restart of the agent (%s)', async (signal) => {
    const before = await tsis();
    await nves.near.restart(signal);
    await vi.waitFor(async () => expect(await tsis()).toMatchObject(before), SOON);
    expect(channels()).toEqual({ 2: 500, 3: 501 });
  });

  it('are there, and forward, after kill -9 of the agent while the station is silent', async () => {
    const [blue, red] = tenants;
    if (blue === undefined || red === undefined) throw new Error('no tenants');
    const before = await tsis();
    station.close();
    const traffic = [blue, red].map((tenant) => tenant.run(`ping -q -i 0.05 -w 8 ${FAR.ip}`, 30_000));
    await nves.near.restart('SIGKILL');
    await vi.waitFor(async () => expect(await tsis()).toMatchObject(before), SOON);
    // The far NVE has given the near one up meanwhile, and finds it again.
    for (const tenant of [blue, red]) await vi.waitFor(() => ping(tenant, FAR.ip), SOON);
    await Promise.all(traffic);
    expect(nves.near.program.output).not.toMatch(/there is no link access0\.50/);
    station = newStation([2, 3]);
    station.start();
    await vi.waitFor(() => expect(channels()).toEqual({ 2: 500, 3: 501 }), SOON);
    await vi.waitFor(() => expect(station.hears(500 as Vid) && station.hears(501 as Vid)).toBe(true), SOON);
    expect(await associated(500, 'blue')).toEqual([100]);
    expect(await associated(501, 'red')).toEqual([100]);
    expect(await tsis()).toMatchObject(before);
  });

  it('drop frames of channels that are not there, and say so', async () => {
    const frame = Buffer.concat([mac('01:80:c2:00:00:00'), mac(STATION), Buffer.from('894010010001', 'hex')]);
    await socket.send([tagged(frame, 509, { ethertype: ETHERTYPE.sTag })]);
    await vi.waitFor(
      async () =>
        expect(await nves.near.drops()).toContainEqual({
          port: 'access0',
          reason: 'control_unknown_channel',
          packets: 1,
        }),
      SOON,
    );
    const bad = (await nves.near.drops()).filter(({ reason }) => /^bad_|unsendable|not_sent|channel_gone/.test(reason));
    expect(bad).toEqual([]);
  });
});
