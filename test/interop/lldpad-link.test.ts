// The real lldpad, and what its tenant then does with the tag that it got: the frames go under it to a tenant behind another NVE and
// back. And what becomes of all that when the link goes down and comes up again.
//
//   tenant ─ relay of tags ┐
//                   lldpad ┴ v0 ═ access0, near agent ═ VXLAN ═ far agent ═ … ─ far tenant
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { Capture } from '../lib/capture.js';
import { obstacle } from '../lib/command.js';
import { Lab } from '../lib/lab.js';
import { Lldpad } from '../lib/lldpad.js';
import type { Namespace } from '../lib/namespace.js';
import { noPing, ping } from '../lib/ping.js';
import { vidOf } from '../lib/role.js';
import { cTag } from '../lib/tag-relay.js';
import { FAR, TwoNves, VNS } from '../lib/two-nves.js';

const why = obstacle(
  ...['lldpad', 'lldptool', 'vdptool', 'ip', 'ethtool', 'ping', 'python3', 'tcpdump', 'tshark'],
  ...['nsenter', 'unshare', 'setpriv'],
);

// Keep-alives each 2.6 s; so long an association outlives its link's carrier, too.
const NEAR = `
access = [{ port = "access0", vlan_pool = "100-199" }]
evb = { rka = 18, rwd = 18, rte = 14 }
`;
const EXPONENTS = { vdprka: 18, vdprwd: 18 };
const UUID = '11111111-2222-3333-4444-555555555555';
const TENANT = { ip: '10.0.0.1', mac: '52:54:00:11:22:33' };

const lab = new Lab();
let nves: TwoNves;
let station: Namespace;
let lldpad: Lldpad;
let tenant: Namespace;
let far: Namespace;
let vid = 0;

const soon = (check: () => Promise<void>, timeout = 20_000): Promise<void> =>
  vi.waitFor(check, { timeout, interval: 200 });
/** The state and the VID of our VSI at the agent. */
const held = async (): Promise<[state: string, vid: number | undefined] | null> => {
  const row = (await nves.near.tsis()).find(({ tsi }) => tsi.startsWith(UUID));
  return row === undefined ? null : [row.state, vidOf(row)];
};
const link = (state: 'up' | 'down'): Promise<void> => station.ip(`link set v0 ${state}`);

beforeAll(async () => {
  if (why !== undefined) return;
  nves = await TwoNves.create(lab, { near: NEAR });
  station = await lab.namespace('station');
  await lab.veth({ namespace: nves.near.namespace, iface: 'access0' }, { namespace: station, iface: 'v0' });
  await nves.start();
  far = await nves.farTenant('blue');
  lldpad = lab.add(new Lldpad(station, 'v0', nves.folder));
  await lldpad.start(EXPONENTS);
  await lldpad.negotiated();
  [vid = 0] = await lldpad.associate({ mode: 'assoc', uuid: UUID, filters: [`0-${TENANT.mac}-${VNS.blue}`] });
  tenant = await nves.tenant('tenant', { namespace: station, iface: 'v0' }, TENANT, cTag(vid));
});
afterAll(() => lab.close());
beforeEach((context) => {
  if (why !== undefined) context.skip(why);
});

describe('a tenant behind lldpad', () => {
  it('reaches the remote tenant under the tag that was negotiated, and is reached', async () => {
    const access = lab.add(await Capture.start(station, 'v0'));
    const underlay = lab.add(await Capture.start(nves.fabric, 'near'));
    await ping(tenant, FAR.ip);
    await ping(far, TENANT.ip);
    await ping(tenant, FAR.ip, '-s', '1472', '-M', 'do');
    await Promise.all([access.stop(), underlay.stop()]);
    // On the link everything of the tenant is tagged; on the underlay nothing is.
    const tags = await access.fields('icmp || arp', 'vlan.id');
    expect(tags.length).toBeGreaterThanOrEqual(18);
    expect(new Set(tags.map(([tag]) => tag))).toEqual(new Set([`${vid}`]));
    const packets = await underlay.fields('icmp', 'vxlan.vni', 'vlan.id');
    expect(packets).toHaveLength(18);
    expect(new Set(packets.map((fields) => fields.join()))).toEqual(new Set([`${VNS.blue},`]));
    expect(await underlay.wrong()).toEqual([]);
  });

  it('gets nothing under another tag', async () => {
    const stray = await nves.tenant('stray', { namespace: station, iface: 'v0' }, TENANT, cTag(vid + 1));
    await noPing(stray, FAR.ip);
    await ping(tenant, FAR.ip);
  });
});

describe('the link goes down and comes up', () => {
  /** It may crash when the carrier goes (a fault of its own); then it is started again, and given the command again. */
  const lldpadAgain = async (): Promise<void> => {
    if (lldpad.program.isRunning) return;
    await lldpad.start(EXPONENTS);
    await lldpad.negotiated();
    await lldpad.associate({ mode: 'assoc', uuid: UUID, filters: [`0-${TENANT.mac}-${VNS.blue}`] });
  };

  it('shortly: nothing is forwarded meanwhile, the association is kept, and the VID with it', async () => {
    await link('down');
    await soon(async () => expect(await held()).toEqual(['associated', vid]));
    await noPing(far, TENANT.ip);
    await link('up');
    await soon(async () => expect(await held()).toEqual(['activated', vid]));
    await lldpadAgain();
    await soon(async () => expect(await lldpad.vids(UUID)).toEqual([vid]));
    await ping(tenant, FAR.ip);
    // It has told of itself again, or is alive again: two keep-alives later it is still there.
    await new Promise((resolve) => setTimeout(resolve, 6_000));
    await lldpadAgain();
    expect(await held()).toEqual(['activated', vid]);
    expect(await lldpad.vids(UUID)).toEqual([vid]);
  });

  it('for longer than a keep-alive: the association ends; lldpad associates anew, and gets the same VID', async () => {
    await link('down');
    await soon(async () => expect(await held()).toBeNull());
    expect(nves.near.program.output).toMatch(/"vsi":"11111111[^}]*"to":"init"/);
    await link('up');
    // It sends its association again by itself, with the VID that it had.
    await soon(async () => expect(lldpad.program.isRunning ? await held() : 'crashed').not.toBeNull());
    await lldpadAgain();
    await soon(async () => expect(await held()).toEqual(['activated', vid]));
    await soon(async () => expect(await lldpad.vids(UUID)).toEqual([vid]));
    await ping(tenant, FAR.ip);
    await ping(far, TENANT.ip);
  });
});
