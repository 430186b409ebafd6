// Multicast groups of the underlay with Linux: its vxlan device sends broadcast to a group and hears it, and its bridge between both NVEs
// snoops, asks who is in which group, and forwards by the answers only.
//
//   tenant ─ tap ═ engine ═ veth ═ bridge, querier ═ veth ─ kernel: vxlan device ─ tenant
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { MembershipProtocol } from '#dataplane';
import type { IpAddr } from '#model';
import { Capture } from '../lib/capture.js';
import { PORT } from '../lib/chain.js';
import { obstacle } from '../lib/command.js';
import { eventually } from '../lib/engine.js';
import { attach, FAR, type Family, NEAR, V4, V6, VN, VNI, type World, world } from '../lib/kernel-nve.js';
import { Lab } from '../lib/lab.js';
import type { Namespace } from '../lib/namespace.js';
import { ping } from '../lib/ping.js';

const why = obstacle('ip', 'bridge', 'ethtool', 'ping', 'tcpdump', 'tshark', 'nsenter', 'setpriv');
const TO_GROUP = 2;

beforeEach((context) => {
  if (why !== undefined) context.skip(why);
});

interface Case {
  readonly family: Family;
  readonly group: IpAddr;
  readonly mac: string;
  /** Who sent it: tshark's field. */
  readonly source: string;
  /** tshark's filters: reports of the newest version and of an older one, a leave. */
  readonly report: string;
  readonly oldReport: string;
  readonly newest: MembershipProtocol;
  readonly older: MembershipProtocol;
  /** The bridge's setting of the version that it asks by: an older one, the newest. */
  readonly version: readonly [string, string];
  readonly fields: readonly [string, string, string];
}

const CASES: [string, Case][] = [
  [
    'IPv4',
    {
      family: V4,
      group: '239.129.1.1' as IpAddr,
      mac: '01:00:5e:01:01:01',
      source: 'ip.src',
      report: 'igmp.type == 0x22',
      oldReport: 'igmp.type == 0x16',
      newest: 'igmpv3',
      older: 'igmpv2',
      version: ['mcast_igmp_version 2', 'mcast_igmp_version 3'],
      fields: ['ip.dst', 'eth.dst', 'ip.ttl'],
    },
  ],
  [
    'IPv6',
    {
      family: V6,
      group: 'ff05::5:1' as IpAddr,
      mac: '33:33:00:05:00:01',
      source: 'ipv6.src',
      report: 'icmpv6.type == 143',
      oldReport: 'icmpv6.type == 131',
      newest: 'mldv2',
      older: 'mldv1',
      version: ['mcast_mld_version 1', 'mcast_mld_version 2'],
      fields: ['ipv6.dst', 'eth.dst', 'ipv6.hlim'],
    },
  ],
];

describe.each(CASES)('over %s', (_name, one) => {
  const lab = new Lab();
  const { family, group } = one;
  let all: World;
  let bridge: Namespace;
  let capture: Capture;
  /** Where our reports come from: over IPv6 the link-local address. */
  let reporter: string;

  /** Both ends on a bridge that asks every second, and before long of a group that was left. */
  async function snooping(_lab: Lab, nve: Namespace, remote: Namespace): Promise<void> {
    bridge = await lab.namespace('bridge');
    const timers = 'mcast_query_interval 100 mcast_query_response_interval 50 mcast_last_member_interval 50';
    await bridge.ip(
      `link add br0 type bridge mcast_snooping 1 mcast_querier 1 mcast_startup_query_interval 100 ${timers} ${one.version[1]}`,
    );
    await bridge.must('sysctl -q -w net.ipv6.conf.br0.disable_ipv6=0');
    for (const [iface, namespace] of [
      ['ours', nve],
      ['theirs', remote],
    ] as const) {
      await lab.veth(
        { namespace, iface: 'under', mtu: 1600, stack: namespace === remote },
        { namespace: bridge, iface, mtu: 1600, stack: true },
      );
      await bridge.ip(`link set ${iface} master br0`);
    }
    await bridge.ip('link set br0 mtu 1600 up');
  }

  /** The ports of the bridge behind which somebody is in the group. */
  async function members(): Promise<string[]> {
    const [table] = JSON.parse(await bridge.must('bridge -j mdb show dev br0')) as { mdb: MdbRow[] }[];
    const rows = (table?.mdb ?? []).filter((row) => row.grp === group && row.port !== 'br0');
    return [...new Set(rows.map((row) => row.port))].sort();
  }

  const ours = (filter: string) => capture.fields(`${filter} && ${one.source} == ${reporter}`, 'frame.number');
  const row = async () => (await all.engine.dump('mcasts')).find((each) => each.group === group);

  beforeAll(async () => {
    if (why !== undefined) return;
    all = await world(lab, family, `group ${group}`, { link: snooping });
    await all.remote.must(`bridge fdb append ${NEAR.mac} dev vx dst ${family.ours}`);
    await attach(all);
    await all.engine.resolved();
    const isReporter = (ip: string) => (family === V6 ? ip.startsWith('fe80:') : ip === family.ours);
    reporter = (await all.engine.dump('underlays')).find(({ ip }) => isReporter(ip))!.ip;
    capture = lab.add(await Capture.start(bridge, 'ours'));
    await all.engine.must(
      {
        op: 'NextHopSet',
        nh: TO_GROUP,
        remote: group,
        encap: 1,
        contextId: VNI,
        options: { port: PORT.underlay },
      },
      { op: 'McastSet', vn: VN, port: PORT.underlay, group },
      { op: 'FloodSet', vn: VN, dests: [{ kind: 'nh', nh: TO_GROUP }] },
    );
  });
  afterAll(() => lab.close());

  it('the bridge hears that both NVEs are in the group, and the next hop lives unasked', async () => {
    await eventually('both members', async () => (await members()).join() === 'ours,theirs');
    expect((await all.engine.dump('nexthops')).find(({ nh }) => nh === TO_GROUP)).toMatchObject({
      remote: group,
      neighbourMac: one.mac,
      state: 'living',
    });
  });

  it('ARP finds the tenant through the group, both ways, and ping the rest', async () => {
    for (const [from, to] of [
      [all.near, FAR.ip],
      [all.far, NEAR.ip],
    ] as const) {
      await from.ip('neigh flush all');
      await ping(from, to);
    }
  });

  it('the querier is answered, and the bridge’s row never runs out', async () => {
    const before = (await row())!;
    await eventually('further queries', async () => (await row())!.queries >= before.queries + 3, 20_000);
    expect((await row())!).toMatchObject({ vns: [VN], protocol: one.newest });
    expect((await row())!.reports).toBeGreaterThan(before.reports);
    expect(await members()).toEqual(['ours', 'theirs']);
  });

  it('a querier of an older version is answered by it', async () => {
    await bridge.ip(`link set br0 type bridge ${one.version[0]}`);
    await eventually('the older version', async () => (await row())!.protocol === one.older, 20_000);
    await eventually('an old report', async () => (await ours(one.oldReport)).length > 0, 20_000);
    expect(await members()).toEqual(['ours', 'theirs']);
  });

  it('who has left gets nothing more', async () => {
    await all.engine.must(
      { op: 'FloodSet', vn: VN, dests: [{ kind: 'nh', nh: 1 }] },
      { op: 'McastDel', vn: VN, group },
      { op: 'NextHopDel', nh: TO_GROUP },
    );
    expect(await row()).toBeUndefined();
    await eventually('one member', async () => (await members()).join() === 'theirs', 20_000);
  });

  it('tshark finds nothing wrong with what we said and sent', async () => {
    await capture.stop();
    expect(await capture.wrong(`${one.source} == ${reporter} || ${one.source} == ${family.ours}`)).toEqual([]);
    expect((await ours(one.report)).length).toBeGreaterThan(2);
    const sent = await capture.fields(`vxlan && arp && ${one.source} == ${family.ours}`, ...one.fields);
    expect(sent[0]?.map((field) => field.split(',')[0])).toEqual([group, one.mac, '1']);
    const bad = Object.keys(await all.engine.drops()).filter((key) => /membership|outer_|source_nve/.test(key));
    expect(bad).toEqual([]);
  });
});

interface MdbRow {
  readonly grp: string;
  readonly port: string;
}
