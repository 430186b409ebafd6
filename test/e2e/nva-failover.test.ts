// The NVA falls while tenants talk: the agents go to the other one at once, and no packet is lost. Counted by ping's sequence numbers.
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { obstacle } from '../lib/command.js';
import { Lab } from '../lib/lab.js';
import type { Namespace } from '../lib/namespace.js';
import { vidOf } from '../lib/role.js';
import { cTag } from '../lib/tag-relay.js';
import { FAR, TwoNves } from '../lib/two-nves.js';

const why = obstacle('ip', 'ethtool', 'ping', 'python3', 'nsenter', 'unshare', 'setpriv');
const NEAR = { ip: '10.0.0.1', mac: '02:00:00:00:00:01' };

const lab = new Lab();
let nves: TwoNves;
let near: Namespace;

const endpointOf = async (role: TwoNves['near']): Promise<string> => {
  const [session] = JSON.parse(await role.cli('show nva --json')) as { state: string; endpoint: string }[];
  return `${session?.state} ${session?.endpoint?.split('/').at(-1)}`;
};

beforeAll(async () => {
  if (why !== undefined) return;
  nves = await TwoNves.create(lab, { near: 'access = [{ port = "access0", vlan_pool = "100-199" }]', twoNvas: true });
  const host = await lab.namespace('near host');
  const link = { namespace: host, iface: 'v0' };
  await lab.veth({ namespace: nves.near.namespace, iface: 'access0' }, link);
  await nves.start();
  await nves.farTenant('blue');
  await nves.near.cli(`tsi attach near-blue --vn blue --mac ${NEAR.mac} --link access0`);
  const row = (await nves.near.tsis()).find(({ tsi }) => tsi === 'near-blue');
  near = await nves.tenant('near tenant', link, NEAR, cTag(vidOf(row) ?? 0));
}, 120_000);
afterAll(() => lab.close());
beforeEach((context) => {
  if (why !== undefined) context.skip(why);
});

it('no packet is lost when the NVA is killed and the agents go to the other one', async () => {
  await near.must(`ping -c 2 -i 0.2 -w 20 ${FAR.ip}`);
  const traffic = near.must(`ping -c 400 -i 0.02 ${FAR.ip}`);
  await nves.nva.program.stop('SIGKILL');
  for (const role of [nves.near, nves.far])
    await vi.waitFor(async () => expect(await endpointOf(role)).toBe('connected nnp2.sock'), 10_000);
  expect(await traffic).toContain('400 packets transmitted, 400 received, 0% packet loss');
}, 60_000);
