// Broadcast of a VN goes by copies of the sender or by a multicast group of the underlay, as the NVA says, and the NVA changes its mind while
// tenants talk: nothing is lost, nothing comes twice. Two agents and their NVA, the real programs; between them a bridge that asks who is in
// which group, and forwards by the answers only.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ShowFloodRow } from '#hypervisor';
import { Capture } from '../lib/capture.js';
import { obstacle } from '../lib/command.js';
import { ethernet } from '../lib/frames.js';
import { Lab } from '../lib/lab.js';
import type { Namespace } from '../lib/namespace.js';
import { ping } from '../lib/ping.js';
import type { RawSocket } from '../lib/raw.js';
import type { Role } from '../lib/role.js';
import { cTag } from '../lib/tag-relay.js';
import { FAR, TwoNves } from '../lib/two-nves.js';

const why = obstacle('ip', 'bridge', 'ethtool', 'ping', 'python3', 'tcpdump', 'tshark', 'nsenter', 'setpriv');
const NEAR = { ip: '10.0.0.1', mac: '02:00:00:00:00:01' };
const GROUPS = ['239.1.1.1', '239.1.1.2'] as const;
/** For experiments (IEEE 802). */
const ETHER_TYPE = 0x88b5;
const PERIOD_MS = 10;

beforeEach((context) => {
  if (why !== undefined) context.skip(why);
});

describe('a VN whose broadcast goes by copies and by groups', () => {
  const lab = new Lab();
  let nves: TwoNves;
  let near: Namespace;
  let far: Namespace;
  const sockets: { readonly name: string; readonly mac: string; readonly socket: RawSocket }[] = [];

  const flood = async (role: Role): Promise<(string | null)[]> =>
    (JSON.parse(await role.cli('show flood --json')) as ShowFloodRow[])
      .filter(({ to }) => to !== 'vap')
      .map(({ remote }) => remote);

  /** The ports of the fabric behind which somebody is in a group. */
  async function members(group: string): Promise<string[]> {
    const [table] = JSON.parse(await nves.fabric.must('bridge -j mdb show dev fabric')) as {
      mdb: { grp: string; port: string }[];
    }[];
    return [...new Set((table?.mdb ?? []).filter(({ grp }) => grp === group).map(({ port }) => port))].sort();
  }

  /** The NVA begins anew with another delivery of blue. */
  async function deliver(delivery: string): Promise<void> {
    const file = join(nves.folder, 'nva.toml');
    const plain = readFileSync(file, 'utf8').replace(/, delivery = "[^"]*"/, '');
    writeFileSync(file, plain.replace('vni = 5001', `vni = 5001, delivery = "${delivery}"`));
    await nves.nva.restart('SIGTERM');
  }

  async function isDelivered(to: string): Promise<void> {
    const expected = to === 'head-end' ? [['192.0.2.2'], ['192.0.2.1']] : [[to], [to]];
    await vi.waitFor(async () => expect([await flood(nves.near), await flood(nves.far)]).toEqual(expected), {
      timeout: 60_000,
      interval: 100,
    });
  }

  beforeAll(async () => {
    if (why !== undefined) return;
    nves = await TwoNves.create(lab, { near: 'access = [{ port = "access0", vlan_pool = "100-199" }]' });
    await nves.fabric.ip(
      'link set fabric type bridge mcast_snooping 1 mcast_querier 1 mcast_query_interval 200 mcast_startup_query_interval 100 mcast_query_response_interval 100',
    );
    const host = await lab.namespace('near host');
    await lab.veth({ namespace: nves.near.namespace, iface: 'access0' }, { namespace: host, iface: 'v0' });
    await nves.start();
    far = await nves.farTenant('blue');
    await nves.near.cli(`tsi attach near-blue --vn blue --mac ${NEAR.mac} --link access0`);
    const tag = (await nves.near.tsis()).find(({ tsi }) => tsi === 'near-blue')?.tag;
    if (tag?.kind !== 'c-tag') throw new Error(`no C-TAG: ${JSON.stringify(tag)}`);
    near = await nves.tenant('near blue', { namespace: host, iface: 'v0' }, NEAR, cTag(tag.vid));
    await vi.waitFor(() => ping(near, FAR.ip), { timeout: 30_000, interval: 200 });
    for (const [name, mac, space] of [
      ['near', NEAR.mac, near],
      ['far', FAR.mac, far],
    ] as const)
      sockets.push({ name, mac, socket: await lab.raw().socket(space, 'eth0') });
  });
  afterAll(() => lab.close());

  it('loses nothing and doubles nothing while it changes', async () => {
    const marks = sockets.map(({ name }) => Buffer.from(name.padEnd(4)));
    for (const { socket } of sockets) await socket.tally(14, 4);
    for (const [n, { mac, socket }] of sockets.entries()) {
      const content = Buffer.concat([marks[n]!, Buffer.alloc(42)]);
      await socket.flow([ethernet({ to: 'ff:ff:ff:ff:ff:ff', from: mac }, ETHER_TYPE, content)], PERIOD_MS);
    }
    for (const delivery of [GROUPS[0], 'head-end', GROUPS[1]]) {
      await deliver(delivery);
      await isDelivered(delivery);
      if (delivery !== 'head-end') expect(await members(delivery)).toEqual(['far', 'near']);
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    const sent = [];
    for (const { socket } of sockets) sent.push(await socket.halt());
    await new Promise((resolve) => setTimeout(resolve, 500));
    for (const [n, { name }] of sockets.entries()) {
      const counts = await sockets[1 - n]!.socket.counts();
      expect([name, counts.get(marks[n]!.toString('latin1'))]).toEqual([
        name,
        { frames: sent[n], highest: sent[n], late: 0 },
      ]);
    }
  }, 180_000);

  it('leaves its groups when its last tenant goes, and joins the one that is wanted when one comes', async () => {
    await nves.far.cli('tsi detach far-blue --link access0');
    await vi.waitFor(async () => expect(await members(GROUPS[1])).toEqual(['near']), {
      timeout: 30_000,
      interval: 200,
    });
    // The old one was heard as long as the VN was there.
    await vi.waitFor(async () => expect(await members(GROUPS[0])).not.toContain('far'), { timeout: 30_000 });
    await nves.far.cli(`tsi attach far-blue --vn blue --mac ${FAR.mac} --link access0`);
    await vi.waitFor(async () => expect(await members(GROUPS[1])).toEqual(['far', 'near']), {
      timeout: 30_000,
      interval: 200,
    });
    expect(await members(GROUPS[0])).not.toContain('far');
  });

  it('shows the group, and sends broadcast there and unicast to the NVE', async () => {
    const capture = lab.add(await Capture.start(nves.fabric, 'near'));
    await near.ip('neigh flush all');
    await ping(near, FAR.ip);
    await capture.stop();
    expect(await capture.wrong()).toEqual([]);
    const outer = async (filter: string) => [
      ...new Set(
        (await capture.fields(`vxlan && ${filter}`, 'ip.dst', 'ip.ttl')).flat().map((text) => text.split(',')[0]),
      ),
    ];
    expect(await outer(`arp.opcode == 1 && eth.dst == ff:ff:ff:ff:ff:ff && ip.src == 192.0.2.1`)).toEqual([
      GROUPS[1],
      '1',
    ]);
    expect(await outer('icmp.type == 8 && ip.src == 192.0.2.1')).toEqual(['192.0.2.2', '64']);
    const rows = JSON.parse(await nves.near.cli('show flood --json')) as ShowFloodRow[];
    expect(rows.find(({ to }) => to === 'group')).toMatchObject({
      vn: 'blue',
      port: 'fabric0',
      remote: GROUPS[1],
      encap: 'vxlan',
      context_id: 5001,
      nve: null,
    });
  });
});
