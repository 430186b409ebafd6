// `splitnve agent --metrics`, asked with curl as Prometheus would: over TCP and over a Unix socket.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { obstacle } from '../lib/command.js';
import { Lab } from '../lib/lab.js';
import type { Namespace } from '../lib/namespace.js';
import { Role } from '../lib/role.js';

const why = obstacle('ip', 'nsenter', 'unshare', 'setpriv', 'curl');
const folder = mkdtempSync(join(tmpdir(), 'splitnve-metrics-e2e-'));
const SOCKET = join(folder, 'metrics.sock');

const NVA = `
listen.endpoints = ["unix:${folder}/nnp.sock"]
vn = [{ name = "blue", vni = 5001, mtu = 1450 }]
nve = [{ id = "nve1", addresses = ["192.0.2.1"] }, { id = "nve2", addresses = ["192.0.2.2"] }]
tsi = [{ vn = "blue", tsi = "*" }]
`;
const agentToml = (ip: string): string => `
nva.endpoints = ["unix:${folder}/nnp.sock"]
underlay = [{ port = "fabric0", address = "${ip}/24" }]
engine = { hugepages = "off", memory_mb = 128 }
port = [{ name = "fabric0", driver = "net_ring", mtu = 1600 }, { name = "access0", driver = "net_ring" }]
access = [{ port = "access0", vlan_pool = "100-199", vdp = false }]
`;

const lab = new Lab();
let node: Namespace;
let agent: Role;

beforeAll(async () => {
  if (why !== undefined) return;
  node = await lab.namespace('node');
  const nva = new Role(node, 'nva', 'nva', folder, NVA);
  lab.add(nva.program);
  await nva.start();
  const [first, second] = (['nve1', 'nve2'] as const).map((name, n) => {
    const where = n === 0 ? `unix:${SOCKET}` : '127.0.0.1:9464';
    return new Role(node, 'agent', name, folder, agentToml(`192.0.2.${n + 1}`), ['--metrics', where]);
  });
  agent = first as Role;
  for (const role of [first as Role, second as Role]) {
    lab.add(role.program);
    await role.start();
  }
  await agent.cli('tsi attach vm1 --vn blue --mac 02:00:00:00:00:01 --link access0');
});
afterAll(async () => {
  await lab.close();
  rmSync(folder, { recursive: true });
});
beforeEach((context) => {
  if (why !== undefined) context.skip(why);
});

const curl = async (args: string): Promise<string> => (await node.run(`curl -sS ${args}`)).stdout;

it('serves what the agent has and counts over a Unix socket', async () => {
  // Its only tag: a frame under another one is dropped and counted. The ring gives back what is sent.
  await agent.cli(`inject access0 ffffffffffff0200000000018100${'0fa0'}0800${'00'.repeat(46)}`);
  let text = '';
  await expect
    .poll(async () => {
      text = await curl(`--unix-socket ${SOCKET} http://agent/metrics`);
      return text;
    })
    .toContain('splitnve_drops_total{port="access0",reason="unknown_tag"} 1\n');
  expect(text).toMatch(
    /^# HELP splitnve_build_info .*\n# TYPE splitnve_build_info gauge\nsplitnve_build_info\{version="/,
  );
  for (const line of [
    'splitnve_port_up{port="access0"} 1',
    'splitnve_port_transmit_packets_total{port="access0"} 1',
    'splitnve_vap_packets_total{vap="1",vn="blue",port="access0",tag="c-tag 100",direction="in"} 0',
    'splitnve_vn_fdb_rows{vn="blue",id="5001",vni="5001"} 1',
    'splitnve_tsis{state="activated"} 1',
    'splitnve_nva_connected{nva="nva"} 1',
    'splitnve_nva_subscriptions 1',
  ])
    expect(text).toContain(`\n${line}\n`);
  expect(text).toMatch(/\nsplitnve_poller_polls_total\{poller="0"\} [1-9]/);
  expect(text).toMatch(/\nsplitnve_event_loop_delay_seconds\{quantile="1"\} 0/);
});

it('serves over TCP at the address, and nowhere else', async () => {
  expect(await curl('http://127.0.0.1:9464/metrics')).toContain('\nsplitnve_vaps 0\n');
  expect(await curl('-o /dev/null -w %{http_code} http://127.0.0.1:9464/')).toBe('404');
  expect(await curl('-o /dev/null -w %{http_code} -d x http://127.0.0.1:9464/metrics')).toBe('405');
  expect((await node.run('curl -sS http://127.0.0.2:9464/metrics')).status).toBe(7);
});

it('ends a start whose address is taken, with a message that names it', async () => {
  const role = new Role(node, 'agent', 'nve3', folder, agentToml('192.0.2.3'), ['--metrics', '127.0.0.1:9464']);
  lab.add(role.program);
  await expect(role.start()).rejects.toThrow('cannot listen on 127.0.0.1:9464');
});
