// A VN whose hosts the NVA does not push: the first frame to a remote tenant makes its NVE ask, and the next ones find it. While the NVA is
// away what was found serves on; when the tenant is gone, so is what is known of it.
//
//   near tenant ─ relay of tags ═ access0, near agent ═ VXLAN ═ far agent ═ … ─ far tenant
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { obstacle } from '../lib/command.js';
import { Lab } from '../lib/lab.js';
import type { Namespace } from '../lib/namespace.js';
import { ping } from '../lib/ping.js';
import { vidOf } from '../lib/role.js';
import { cTag } from '../lib/tag-relay.js';
import { FAR, TwoNves } from '../lib/two-nves.js';

const why = obstacle('ip', 'ping', 'python3', 'nsenter', 'unshare', 'setpriv');
const NEAR = { mac: '02:00:00:00:00:01', ip: '10.0.0.1' };
const NOBODY = { mac: '02:00:00:00:00:77', ip: '10.0.0.77' };
const PATIENCE = { timeout: 10_000, interval: 100 };

const lab = new Lab();
let nves: TwoNves;
let near: Namespace;

/** The remote MACs that the near NVE has. */
const known = async (): Promise<string[]> =>
  (await nves.near.fdb()).map(({ mac }) => `${mac}`).filter((mac) => mac !== NEAR.mac);

beforeAll(async () => {
  if (why !== undefined) return;
  nves = await TwoNves.create(lab, {
    near: 'access = [{ port = "access0", vlan_pool = "100-199", vdp = false }]',
    vns: { blue: 'unknown_unicast = "query"' },
  });
  const host = await lab.namespace('near host');
  const link = { namespace: host, iface: 'v0' };
  await lab.veth({ namespace: nves.near.namespace, iface: 'access0' }, link);
  await nves.start();
  await nves.near.cli(`tsi attach near --vn blue --mac ${NEAR.mac} --link access0`);
  near = await nves.tenant('near', link, NEAR, cTag(vidOf((await nves.near.tsis())[0]) ?? 0));
  await nves.farTenant('blue');
  // Their ARP would be a broadcast, which reaches all and teaches nobody anything here; without it every frame is unicast.
  await near.ip(
    `neigh add ${FAR.ip} lladdr ${FAR.mac} dev eth0`,
    `neigh add ${NOBODY.ip} lladdr ${NOBODY.mac} dev eth0`,
  );
});
afterAll(() => lab.close());
beforeEach((context) => {
  if (why !== undefined) context.skip(why);
});

it('no host is known before it is needed', async () => {
  expect(await known()).toEqual([]);
});

it('who is sent to is asked for, and found', async () => {
  await vi.waitFor(() => ping(near, FAR.ip), PATIENCE);
  expect(await known()).toEqual([FAR.mac]);
});

it('who is not there stays unknown', async () => {
  await near.run(`ping -c 3 -i 0.2 -W 1 ${NOBODY.ip}`);
  expect(await known()).toEqual([FAR.mac]);
  const status = JSON.parse(await nves.near.cli('show drops --json')) as { reason: string }[];
  expect(status.map(({ reason }) => reason)).toContain('unknown_unicast');
});

it('what was found serves on while the NVA is away', async () => {
  await nves.nva.program.stop('SIGKILL');
  await ping(near, FAR.ip);
  await nves.nva.start();
  await vi.waitFor(async () => expect(await nves.near.cli('show nva')).toContain('connected'), PATIENCE);
  await ping(near, FAR.ip);
  expect(await known()).toEqual([FAR.mac]);
});

it('who has gone is known to be gone, without being asked for', async () => {
  await nves.far.cli('tsi detach far-blue --link access0');
  await vi.waitFor(async () => expect(await known()).toEqual([]), PATIENCE);
});
