// Two stations behind a bridge that runs STP: it keeps the bridge group address to itself, so both ends are configured to speak to another
// group (RFC 8394 requirement 1). Stations are the product's own, since lldpad knows no other address.
//
//   tenant a ┬ station a ═ bridge, STP ═ access0, near agent ═ VXLAN ═ far agent ═ … ─ far tenant
//   tenant b ┴ station b ═    │
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { Capture } from '../lib/capture.js';
import { obstacle } from '../lib/command.js';
import { eventually } from '../lib/engine.js';
import { Lab } from '../lib/lab.js';
import type { Namespace } from '../lib/namespace.js';
import { ping } from '../lib/ping.js';
import { Station, vsi, Wire } from '../lib/stations.js';
import { cTag } from '../lib/tag-relay.js';
import { FAR, TwoNves, VNS } from '../lib/two-nves.js';

const why = obstacle('ip', 'ethtool', 'ping', 'python3', 'tcpdump', 'tshark', 'nsenter', 'unshare', 'setpriv');

/** Of the locally administered ones: no bridge keeps it. */
const GROUP = '03:00:00:00:00:41';
const EVB = { retries: 3, rte: 14, rwd: 19, rka: 18 };
const SIDES = ['a', 'b'] as const;
type Side = (typeof SIDES)[number];
const TENANT = {
  a: { ip: '10.0.0.1', mac: '52:54:00:11:22:01', uuid: 'a1111111-2222-3333-4444-555555555555' },
  b: { ip: '10.0.0.2', mac: '52:54:00:11:22:02', uuid: 'b1111111-2222-3333-4444-555555555555' },
};

const lab = new Lab();
let nves: TwoNves;
let hosts: Namespace[];
let wire: Wire;
let stations: Station[];

const station = (end: number, group: string): Station => {
  const mac = `02:aa:00:00:00:0${end + 1}` as const;
  return lab.add(new Station(wire, end, mac, EVB, { group: group as never }));
};

beforeAll(async () => {
  if (why !== undefined) return;
  const evb = `evb = { rka = ${EVB.rka}, rwd = ${EVB.rwd}, rte = ${EVB.rte} }`;
  const access = `access = [{ port = "access0", vlan_pool = "100-199", ecp_address = "${GROUP}" }]`;
  nves = await TwoNves.create(lab, { near: `${access}\n${evb}` });
  const lan = await lab.namespace('bridge');
  // In hundredths of a second: ports forward after twice as long.
  await lan.ip('link add lan type bridge stp_state 1 forward_delay 200', 'link set lan up');
  await lab.veth(
    { namespace: nves.near.namespace, iface: 'access0' },
    { namespace: lan, iface: 'uplink', stack: true },
  );
  await lan.ip('link set uplink master lan');
  hosts = [];
  for (const side of SIDES) {
    const host = await lab.namespace(`host ${side}`);
    await lab.veth({ namespace: host, iface: 'v0' }, { namespace: lan, iface: `to-${side}` });
    await lan.ip(`link set to-${side} master lan`);
    hosts.push(host);
  }
  await nves.start();
  wire = lab.add(await Wire.open(hosts.map((namespace) => ({ namespace, iface: 'v0' }))));
  await eventually('the bridge forwards', async () => {
    const ports = await lan.must('bridge -d link show');
    return ports.match(/state forwarding/g)?.length === 3;
  });
});
afterAll(() => lab.close());
beforeEach((context) => {
  if (why !== undefined) context.skip(why);
});

it('at the bridge group address a station hears no NVE', async () => {
  const deaf = station(0, '01:80:c2:00:00:00');
  void deaf.start();
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  expect(deaf.port.bridge).toBeNull();
  await deaf.close();
});

it('at the configured one both negotiate, share the tag of the VN, and keep it', async () => {
  stations = SIDES.map((_, end) => station(end, GROUP));
  await Promise.all(stations.map((one) => one.start()));
  const answers = await Promise.all(
    SIDES.map((side, end) => stations[end]?.associate(vsi(TENANT[side].uuid, TENANT[side].mac, VNS.blue))),
  );
  const [vid] = answers[0]?.vids ?? [];
  expect(answers[1]?.vids).toEqual([vid]);
  // Two keep-alives.
  await new Promise((resolve) => setTimeout(resolve, 6_000));
  for (const one of stations) expect([...one.ended]).toEqual([]);
  const rows = await nves.near.tsis();
  expect(rows.map(({ state, tag }) => [state, tag])).toEqual(SIDES.map(() => ['activated', { kind: 'c-tag', vid }]));
});

it('their tenants reach the remote one and each other; nobody hears what he sent', async () => {
  const [row] = await nves.near.tsis();
  const vid = row?.tag?.kind === 'c-tag' ? row.tag.vid : 0;
  const far = await nves.farTenant('blue');
  const tenants: Namespace[] = [];
  for (const [end, side] of SIDES.entries())
    tenants.push(
      await nves.tenant(`tenant ${side}`, { namespace: hosts[end] as Namespace, iface: 'v0' }, TENANT[side], cTag(vid)),
    );
  const captures = await Promise.all(hosts.map((host) => Capture.start(host, 'v0', 'in')));
  for (const [end, side] of SIDES.entries()) {
    await ping(tenants[end] as Namespace, FAR.ip);
    await ping(far, TENANT[side].ip);
  }
  await ping(tenants[0] as Namespace, TENANT.b.ip);
  for (const [end, capture] of captures.entries()) {
    await lab.add(capture).stop();
    const other = TENANT[SIDES[1 - end] as Side].mac;
    const voices = new Set((await capture.fields('icmp || arp', 'eth.src')).map(([from]) => from));
    expect(voices).toEqual(new Set([FAR.mac, other]));
  }
});
