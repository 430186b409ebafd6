// An honest station behind an access port that others flood: bad ECP, LLDP and VDP, 4,000 frames a second from 400 MACs.
// It is answered within its time-out and keeps what it has; nobody else gets anything.
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { MacAddr, Vid } from '#model';
import { EVB_DEFAULTS, respWaitDelay } from '#protocol';
import { ChannelStation } from '../lib/channel-station.js';
import { obstacle } from '../lib/command.js';
import { ethernet } from '../lib/frames.js';
import { Lab } from '../lib/lab.js';
import { Raw, type RawSocket } from '../lib/raw.js';
import { TwoNves, VNS } from '../lib/two-nves.js';

const why = obstacle('ip', 'ethtool', 'python3', 'nsenter', 'unshare', 'setpriv');

// RKA 17 is 1.3 s: after 2 s of silence a VSI ends.
const NEAR = `
access = [{ port = "access0", vlan_pool = "100-199" }]
evb = { rte = 14, rka = 17 }
`;
const GROUP = '01:80:c2:00:00:00';
const STATION = '02:aa:00:00:00:01' as MacAddr;
const lab = new Lab();
let nves: TwoNves;
let flood: RawSocket;
let station: ChannelStation;
let isOver = false;
let hearing: Promise<void> | undefined;

const hex4 = (n: number): string => n.toString(16).padStart(4, '0');
const stranger = (n: number): string => `02:ee:00:00:${hex4(n).slice(0, 2)}:${hex4(n).slice(2)}`;
/** The last four octets of each are a number that counts up. */
const frames = Array.from({ length: 400 }, (_, n): Buffer => {
  const from = stranger(n);
  const manager = `0a10${'00'.repeat(15)}01`;
  const unknownVn = `0625000000010105${'ee'.repeat(14)}${hex4(n)}04000100001770${from.replaceAll(':', '')}0000`;
  const ecp = (payload: string): Buffer =>
    ethernet({ to: GROUP, from }, 0x8940, Buffer.from(`1001${hex4(n + 1)}${manager}${payload}000000000000`, 'hex'));
  switch (n % 4) {
    case 0:
      return ecp(unknownVn);
    case 1:
      // 65,535 entries are announced.
      return ecp(unknownVn.replace('040001', '04ffff'));
    case 2:
      return ecp('06ff00');
    default: {
      // EVB of a station that wants 7 retries, six hours apart.
      const id = hex4(n);
      const lldp = `020307${id}040307${id}0602fffffe090080c20d0008ff9f1f000000000000`;
      return ethernet({ to: GROUP, from }, 0x88cc, Buffer.from(lldp, 'hex'));
    }
  }
});

beforeAll(async () => {
  if (why !== undefined) return;
  nves = await TwoNves.create(lab, { near: NEAR });
  const host = await lab.namespace('station');
  await lab.veth({ namespace: nves.near.namespace, iface: 'access0' }, { namespace: host, iface: 'v0' });
  await nves.start();
  const socket = await lab.raw().socket(host, 'v0');
  // A process of its own: what it sends must not hold up the station.
  flood = await lab.add(new Raw()).socket(host, 'v0');
  await flood.tally(0, 6);
  station = new ChannelStation({
    mac: STATION,
    scids: [],
    transmit: (frame) => void socket.send([Buffer.from(frame)]).catch(() => undefined),
  });
  hearing = (async () => {
    while (!isOver)
      for (const frame of await socket.take({ count: 1, timeout: 500, quiet: 0 })) station.received(frame);
  })();
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

const vsi = (n: number) => ({
  vsiidFormat: 5,
  vsiid: '11'.repeat(15) + n.toString(16).padStart(2, '0'),
  managerId: `${'00'.repeat(15)}01`,
  typeId: 5,
  typeVersion: 1,
  filterFormat: 4,
  entries: [{ vid: 0, ps: false, pcp: 0, groupId: VNS.blue, mac: `02:00:00:00:01:0${n}` as MacAddr, ip: null }],
  qualifiers: [],
});

describe('an honest station on a flooded port', () => {
  it('is answered within its time-out, and keeps its VSIs', async () => {
    await flood.flow(frames, 100);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    station.start();
    await vi.waitFor(() => expect(station.hears(null as Vid | null)).toBe(true), { timeout: 15_000, interval: 20 });
    for (const n of [1, 2, 3]) {
      const asked = performance.now();
      expect(await station.associate(null, vsi(n))).toMatchObject({ ok: true, value: { vids: [100] } });
      expect(performance.now() - asked).toBeLessThan(respWaitDelay({ ...EVB_DEFAULTS, rte: 14 }));
    }
    await new Promise((resolve) => setTimeout(resolve, 6_000));
    const sent = await flood.halt();
    expect(sent).toBeGreaterThan(10_000);
    expect(station.ended).toEqual([]);
    const rows = await nves.near.tsis();
    expect(rows.map(({ macs, state }) => `${macs} ${state}`).sort()).toEqual(
      [1, 2, 3].map((n) => `02:00:00:00:01:0${n} activated`),
    );
    const reasons = (await nves.near.drops()).map(({ reason }) => reason);
    expect(reasons).toEqual(expect.arrayContaining(['bad_vdp', 'ecp_not_acknowledged', 'punt_policed']));
  });
});
