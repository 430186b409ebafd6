// A TSI whose VDP filter names no MAC (format 3): what shows up at its VAP is learned, reported, and reached from another NVE. The station is
// the product's own on a raw socket; behind it is one interface, which takes one MAC after another.
//
//   tenant ─ relay of tags ─ access0, near agent ═ VXLAN ═ far agent ─ relay of tags ─ far tenant
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { obstacle } from '../lib/command.js';
import { Lab } from '../lib/lab.js';
import type { Namespace } from '../lib/namespace.js';
import { noPing, ping } from '../lib/ping.js';
import { Station, vsi, Wire } from '../lib/stations.js';
import { cTag, type RelayEnd } from '../lib/tag-relay.js';
import { FAR, TwoNves, VNS } from '../lib/two-nves.js';

const why = obstacle('ip', 'ethtool', 'ping', 'python3', 'nsenter', 'unshare', 'setpriv');

const EVB = { retries: 3, rte: 14, rwd: 19, rka: 18 };
const LEARNER = 'a1111111-2222-3333-4444-555555555555';
const NAMED = 'b1111111-2222-3333-4444-555555555555';
/** Nobody names its MAC. */
const NOMAD = { ip: '10.0.0.1', mac: '52:54:00:11:22:01' };
const OWNER = { ip: '10.0.0.2', mac: '52:54:00:11:22:02' };
/** Has taken the far tenant's MAC. */
const THIEF = { ip: '10.0.0.3', mac: FAR.mac };

const lab = new Lab();
let nves: TwoNves;
let station: Station;
let link: RelayEnd;
let vid: number;
let far: Namespace;
let tenant: Namespace;

const filter3 = { ...vsi(LEARNER, NOMAD.mac, VNS.blue), filterFormat: 3 };
const learner = { ...filter3, entries: filter3.entries.map((entry) => ({ ...entry, mac: null })) };
const rowsAt = async (role: TwoNves['near']) => (await role.fdb()).map(({ mac, tsi, to }) => [mac, tsi, to]);
const soon = (check: () => Promise<void>): Promise<void> => vi.waitFor(check, { timeout: 10_000, interval: 100 });
const TSI = `${LEARNER}/${VNS.blue}`;

/** From now on the tenant is this one. */
const become = ({ ip, mac }: typeof NOMAD): Promise<void> =>
  tenant.ip(`link set eth0 address ${mac}`, 'addr flush dev eth0', `addr add ${ip}/24 dev eth0`);

beforeAll(async () => {
  if (why !== undefined) return;
  const access = 'access = [{ port = "access0", vlan_pool = "100-199" }]';
  nves = await TwoNves.create(lab, {
    near: `${access}\nevb = { rka = ${EVB.rka}, rwd = ${EVB.rwd}, rte = ${EVB.rte} }`,
  });
  const host = await lab.namespace('near host');
  link = { namespace: host, iface: 'v0' };
  await lab.veth({ namespace: nves.near.namespace, iface: 'access0' }, link);
  await nves.start();
  const wire = lab.add(await Wire.open([link]));
  station = lab.add(new Station(wire, 0, '02:aa:00:00:00:01', EVB));
  await station.start();
  far = await nves.farTenant('blue');
});
afterAll(() => lab.close());
beforeEach((context) => {
  if (why !== undefined) context.skip(why);
});

it('a tenant whose MAC nobody named reaches one at another NVE', async () => {
  const granted = await station.associate(learner);
  vid = granted?.vids[0] ?? 0;
  expect(vid).toBe(100);
  expect(await nves.near.tsis()).toMatchObject([{ tsi: TSI, state: 'activated', macs: [] }]);
  tenant = await nves.tenant('tenant', link, NOMAD, cTag(vid));
  // The first frames may be ahead of the report.
  await tenant.run(`ping -c 1 -W 3 ${FAR.ip}`);
  await ping(tenant, FAR.ip);
});

it('and is reached from there; its MAC is in the tables of both', async () => {
  expect(await rowsAt(nves.near)).toContainEqual([NOMAD.mac, TSI, 'vap']);
  expect(await rowsAt(nves.far)).toContainEqual([NOMAD.mac, TSI, 'nve']);
  await far.must('ip neigh flush dev eth0');
  await ping(far, NOMAD.ip);
});

it('a MAC that a TSI at another NVE has is neither learned nor forwarded; one that is named here is its TSI’s', async () => {
  await station.associate(vsi(NAMED, OWNER.mac, VNS.blue));
  // On the VAP that learns a named MAC has its row, so it passes.
  await become(OWNER);
  await ping(tenant, FAR.ip);
  const before = await rowsAt(nves.near);
  expect(before).toContainEqual([OWNER.mac, `${NAMED}/${VNS.blue}`, 'vap']);
  const dropped = async (): Promise<number> =>
    (await nves.near.drops())
      .filter(({ port, reason }) => port === 'access0' && reason === 'source_guard')
      .reduce((sum, { packets }) => sum + packets, 0);
  const drops = await dropped();
  await become(THIEF);
  await noPing(tenant, FAR.ip);
  expect(await dropped()).toBeGreaterThan(drops);
  expect(await rowsAt(nves.near)).toEqual(before);
  await soon(async () => expect(nves.near.program.output).toContain('the NVA refused it'));
  expect(await nves.near.tsis()).toMatchObject([{ state: 'activated' }, { state: 'activated' }]);
  await become(NOMAD);
  await ping(tenant, FAR.ip);
});

it('when the TSI goes, what was learned behind it goes, here and there', async () => {
  await station.deAssociate(learner);
  await soon(async () => {
    expect((await rowsAt(nves.near)).map(([mac]) => mac)).not.toContain(NOMAD.mac);
    expect((await rowsAt(nves.far)).map(([mac]) => mac)).not.toContain(NOMAD.mac);
  });
  // The VAP is there for the other TSI, and guards itself again.
  await noPing(tenant, FAR.ip);
});
