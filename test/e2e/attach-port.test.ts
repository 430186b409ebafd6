// Attach by port with real traffic: tenants whose port is made for them at the near agent, and their peer behind another NVE. A TAP
// interface in a tenant's namespace, and a vhost-user socket with DPDK's own virtio-user device in `dpdk-testpmd`, the nearest thing to a
// virtual machine; what the tenant sends is encapsulated, what is sent to it comes, over `kill -9` of either side.
//
//   tap tenant ─ net_tap ┐
//                        ├ near agent ═ VXLAN ═ far agent ═ access link ─ relay of tags ─ far tenants
//   testpmd ── net_vhost ┘
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { Capture } from '../lib/capture.js';
import { obstacle } from '../lib/command.js';
import { Lab } from '../lib/lab.js';
import type { Namespace } from '../lib/namespace.js';
import { ping } from '../lib/ping.js';
import { Program } from '../lib/program.js';
import { FAR, GATEWAY, TwoNves } from '../lib/two-nves.js';

const why = obstacle(
  ...['ip', 'ethtool', 'ping', 'python3', 'tcpdump', 'tshark', 'dpdk-testpmd'],
  ...['nsenter', 'unshare', 'setpriv', 'mount'],
);

const TAP = { ip: '10.0.0.1', mac: '52:54:00:11:22:33', link: 'net_tap:vm1@vm1' };
const GUEST = { ip: '10.0.0.2', mac: '52:54:00:11:22:44' };

const lab = new Lab();
let nves: TwoNves;
let tenant: Namespace;
let farBlue: Namespace;

const soon = (check: () => Promise<void>, timeout = 20_000): Promise<void> =>
  vi.waitFor(check, { timeout, interval: 200 });
/** What the NVA knows of the near NVE's tenants. */
const atNva = async (): Promise<string[]> => {
  const vns = JSON.parse(await nves.nva.cli('vn list --json')) as { hosts: { mac: string; nve: string }[] }[];
  return vns.flatMap(({ hosts }) => hosts.flatMap(({ mac, nve }) => (nve === 'near' ? [mac] : []))).sort();
};
const ports = async (): Promise<string[]> =>
  (JSON.parse(await nves.near.cli('show ports --json')) as { port: string }[]).map(({ port }) => port).sort();

beforeAll(async () => {
  if (why !== undefined) return;
  nves = await TwoNves.create(lab, { near: 'access = [{ port = "access0", vdp = false }]' });
  const near = nves.near.namespace;
  const idle = await lab.namespace('idle station');
  await lab.veth({ namespace: near, iface: 'access0' }, { namespace: idle, iface: 'v0' });
  tenant = await lab.namespace('tap tenant');
  // A name for `ip netns`, in the NVE's own /run.
  await near.must('mkdir -p /run/netns');
  await near.must('mount -t tmpfs tmpfs /run/netns');
  await near.ip(`netns attach vm1 ${tenant.pid}`);
  await nves.start();
  farBlue = await nves.farTenant('blue');
});
afterAll(() => lab.close());
beforeEach((context) => {
  if (why !== undefined) context.skip(why);
});

describe('a TAP interface in a namespace of its tenant', () => {
  const address = (): Promise<void> => tenant.ip(`addr add ${TAP.ip}/24 dev vm1`);

  it('is in its VN with tag, MTU and gateway in the answer, and reaches the remote tenant', async () => {
    const attach = `tsi attach vm1 --vn blue --mac ${TAP.mac} --tap vm1 --netns vm1 --json`;
    const row = { link: TAP.link, tag: { kind: 'port' }, mtu: 1500, gateway: GATEWAY, state: 'activated' };
    expect(JSON.parse(await nves.near.cli(attach))).toMatchObject([row]);
    expect(await tenant.must('ip link show vm1')).toMatch(/UP.* mtu 1500 /);
    await address();
    const capture = lab.add(await Capture.start(nves.fabric, 'near'));
    await ping(tenant, FAR.ip);
    await ping(tenant, FAR.ip, '-s 1472 -M do');
    await ping(farBlue, TAP.ip);
    await capture.stop();
    // Of a port that is the VN's as a whole frames are encapsulated as they are, without a tag.
    const sent = `vxlan.vni == 5001 && eth.src == ${TAP.mac} && icmp.type == 8`;
    expect((await capture.fields(`${sent} && ip.src == 192.0.2.1`, 'frame.number')).length).toBe(6);
    expect(await capture.fields('vxlan && vlan', 'frame.number')).toEqual([]);
    expect(await capture.wrong()).toEqual([]);
  });

  it('is there again after kill -9 of the agent, in its namespace, and the NVA keeps its row', async () => {
    await nves.near.restart('SIGKILL');
    await soon(async () => expect(await nves.near.tsis()).toMatchObject([{ link: TAP.link, state: 'activated' }]));
    // The interface is a new one: what the tenant had configured on the old one went with it.
    await address();
    await soon(() => ping(tenant, FAR.ip));
    expect(await atNva()).toEqual([TAP.mac]);
  });

  it('goes with its TSI', async () => {
    await nves.near.cli(`tsi detach vm1 --link ${TAP.link}`);
    expect((await tenant.run('ip link show vm1')).status).not.toBe(0);
    expect(await ports()).toEqual(['access0', 'fabric0']);
    expect(await atNva()).toEqual([]);
    await nves.near.restart('SIGKILL');
    expect(await ports()).toEqual(['access0', 'fabric0']);
  });
});

describe('a vhost-user socket', () => {
  let guest: Program;
  const socket = (): string => join(nves.folder, 'vm2.sock');
  const link = (): string => `net_vhost:${socket()}`;
  const detach = (): Promise<string> => nves.near.cli(`tsi detach vm2 --link ${link()}`);
  const attach = (): Promise<string> =>
    nves.near.cli(`tsi attach vm2 --vn blue --mac ${GUEST.mac} --ip ${GUEST.ip} --vhost ${socket()} --json`);

  /** It answers ARP and ICMP echo requests for whatever address they ask (`icmpecho`). Without huge pages: its memory is a file's. */
  async function startGuest(): Promise<void> {
    const device = `net_virtio_user0,path=${socket()},queues=1,mac=${GUEST.mac}`;
    const eal = '-l 0,1 -m 128 --no-huge --no-shconf --no-telemetry --no-pci --iova-mode=va';
    const test = '--auto-start --forward-mode=icmpecho --total-num-mbufs=2048 --no-lsc-interrupt --stats-period=3600';
    const words = `${eal} --vdev ${device} -- ${test}`.split(' ');
    guest = lab.add(new Program(nves.near.namespace, 'dpdk-testpmd', ...words));
    await guest.start('Port statistics');
  }
  const echoes = (): Promise<void> => soon(() => ping(farBlue, GUEST.ip));

  it('takes a guest whose frames leave encapsulated and which gets what is sent to it', async () => {
    expect(JSON.parse(await attach())).toMatchObject([
      { link: link(), tag: { kind: 'port' }, mtu: 1500, gateway: GATEWAY, state: 'activated' },
    ]);
    await startGuest();
    await echoes();
    const capture = lab.add(await Capture.start(nves.fabric, 'near'));
    await ping(farBlue, GUEST.ip);
    await ping(farBlue, GUEST.ip, '-s 1400');
    await capture.stop();
    const sent = `vxlan.vni == 5001 && eth.src == ${GUEST.mac} && icmp.type == 0 && ip.src == 192.0.2.1`;
    expect((await capture.fields(sent, 'frame.number')).length).toBe(6);
    expect(await capture.wrong()).toEqual([]);
  });

  it('takes the guest again that was killed', async () => {
    await guest.stop('SIGKILL');
    expect(await nves.near.tsis()).toMatchObject([{ link: link(), state: 'activated' }]);
    await startGuest();
    await echoes();
  });

  it('is there again after kill -9 of the agent, for a guest that comes anew', async () => {
    await nves.near.restart('SIGKILL');
    await soon(async () => expect(await nves.near.tsis()).toMatchObject([{ link: link(), state: 'activated' }]));
    await guest.stop('SIGKILL');
    await startGuest();
    await echoes();
  });

  it('goes by detach while the guest is connected, and the next attach has it again', async () => {
    await detach();
    expect(existsSync(socket())).toBe(false);
    expect(await ports()).toEqual(['access0', 'fabric0']);
    await attach();
    await guest.stop('SIGKILL');
    await startGuest();
    await echoes();
    await detach();
    expect(readdirSync(nves.folder)).not.toContain('vm2.sock');
  });
});
