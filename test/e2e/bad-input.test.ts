// The mistakes a person makes, made against the real programs: each gets a clear error with a remedy and its exit code, and
// leaves nothing half applied.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { RpcClient } from '#hypervisor';

const MAIN = new URL('../../dist/cli/main.js', import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), 'splitnve-bad-input-'));
const path = (name: string): string => join(folder, name);
const agentSocket = path('agent.sock');

const NVA = `
[node]
name = "nva"
[store]
path = "${path('nva-store')}"
[listen]
endpoints = ["unix:${path('nnp.sock')}"]
[[vn]]
name = "blue"
vni = 5001
mtu = 1500
[[vn]]
name = "red"
vni = 5002
mtu = 1500
[[vn]]
name = "wide"
vni = 5003
mtu = 9000
[[nve]]
id = "nve1"
addresses = ["192.0.2.1"]
[[tsi]]
vn = "blue"
tsi = "blue-1"
[[tsi]]
vn = "blue"
tsi = "blue-2"
[[tsi]]
vn = "red"
tsi = "red-1"
[[tsi]]
vn = "wide"
tsi = "wide-1"
[rpc]
socket = "${path('nva.sock')}"
`;

// Rings in place of links: what is tested here needs no root and no kernel. One tag on access0; two on access1, since one that was given back rests.
const AGENT = `
[node]
name = "nve1"
[engine]
hugepages = "off"
memory_mb = 128
mbufs = 4095
[[port]]
name = "access0"
driver = "net_ring"
mtu = 1500
[[port]]
name = "access1"
driver = "net_ring"
mtu = 1500
[[port]]
name = "fabric0"
driver = "net_ring"
mtu = 1600
[[underlay]]
port = "fabric0"
address = "192.0.2.1/24"
[[access]]
port = "access0"
vlan_pool = "2-2"
[[access]]
port = "access1"
vlan_pool = "3-4"
[nva]
endpoints = ["unix:${path('nnp.sock')}"]
[rpc]
socket = "${agentSocket}"
[store]
path = "${path('store')}"
`;

/** The configuration of an agent beside the one that runs. */
function elsewhere(config: string): string {
  return config.replace(agentSocket, path('other.sock')).replace(path('store'), path('other-store'));
}

const running: ChildProcess[] = [];

/** Starts a role and waits until its log says that it is ready. */
async function start(role: string, config: string): Promise<ChildProcess> {
  writeFileSync(path(`${role}.toml`), config);
  const child = spawn(process.execPath, [MAIN, role, '-c', path(`${role}.toml`)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.push(child);
  child.stdout?.resume();
  const log: string[] = [];
  for await (const line of createInterface({ input: child.stderr as NodeJS.ReadableStream })) {
    log.push(line);
    const said = (text: string): boolean => log.some((one) => one.includes(`"msg":"${text}`));
    if (said('ready') && (role !== 'agent' || said('connected to the NVA'))) {
      child.stderr?.resume();
      return child;
    }
  }
  throw new Error(`${role} ended: ${log.join('\n')}`);
}

function splitnve(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const env = { ...process.env, SPLITNVE_SOCKET: agentSocket };
  return spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8', env, timeout: 30_000 });
}

function attach(tsi: string, vn: string, mac: string, link: string): ReturnType<typeof splitnve> {
  return splitnve('tsi', 'attach', tsi, '--vn', vn, '--mac', mac, '--link', link);
}

let rpc: RpcClient;

/** Everything the agent and its engine hold. */
function picture(): Promise<unknown[]> {
  const methods = ['tsi.list', 'show.vn', 'show.vap', 'show.fdb'] as const;
  return Promise.all(methods.map((method) => rpc.request(method, {})));
}

beforeAll(async () => {
  await start('nva', NVA);
  await start('agent', AGENT);
  rpc = await RpcClient.connect({ socket: agentSocket, client: 'bad-input test' });
  expect(attach('blue-1', 'blue', '02:00:00:00:00:01', 'access0')).toMatchObject({ status: 0, stderr: '' });
});

afterAll(async () => {
  rpc?.close();
  for (const child of running) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  rmSync(folder, { recursive: true });
});

test.each([
  ['a VN the NVA does not know', ['green-1', 'green', '02:00:00:00:00:07', 'access1'], 3, 'NVE-NVA-001', 'green'],
  ['a TSI that may not join', ['blue-2', 'red', '02:00:00:00:00:07', 'access1'], 1, 'NVE-NVA-002', 'blue-2'],
  ['a MAC of another TSI', ['blue-2', 'blue', '02:00:00:00:00:01', 'access0'], 1, 'NVE-TSI-003', 'blue-1'],
  ['the same on another link', ['blue-2', 'blue', '02:00:00:00:00:01', 'access1'], 1, 'NVE-', 'blue-1'],
  ['an exhausted pool', ['red-1', 'red', '02:00:00:00:00:01', 'access0'], 1, 'NVE-TAG-001', 'access0'],
  ['no such link', ['blue-2', 'blue', '02:00:00:00:00:02', 'nolink'], 3, 'NVE-TSI-004', 'access0'],
  ['a malformed MAC', ['blue-2', 'blue', '02:00:00:00:00:0z', 'access0'], 2, 'NVE-RPC-003', '02:00:00:00:00:0z'],
  ['a group MAC', ['blue-2', 'blue', '01:00:5e:00:00:01', 'access0'], 2, 'NVE-RPC-003', '01:00:5e:00:00:01'],
  ['a VN wider than the link', ['wide-1', 'wide', '02:00:00:00:00:02', 'access1'], 1, 'NVE-', '9000'],
  ['a second VN for a TSI', ['blue-1', 'red', '02:00:00:00:00:01', 'access0'], 1, 'NVE-TSI-002', 'blue'],
])('attach: %s', async (_, [tsi, vn, mac, link], status, code, named) => {
  const before = await picture();
  const result = attach(tsi ?? '', vn ?? '', mac ?? '', link ?? '');
  expect(result).toMatchObject({ status, stdout: '' });
  expect(result.stderr).toContain(code);
  expect(result.stderr).toContain(named);
  expect(result.stderr).toMatch(/^fix: \S/m);
  expect(result.stderr).not.toMatch(/^\s+at /m);
  expect(await picture()).toEqual(before);
});

test('the same TSI on a second link is a move, not an error', () => {
  expect(attach('blue-1', 'blue', '02:00:00:00:00:01', 'access1')).toMatchObject({ status: 0, stderr: '' });
  expect(splitnve('tsi', 'detach', 'blue-1', '--link', 'access1')).toMatchObject({ status: 0, stderr: '' });
});

test.each([
  ['an unknown command', ['shwo'], 2, /Did you mean show/],
  ['an unknown option', ['show', 'vn', '--jsno'], 2, /--json/],
  ['nobody at the socket', ['show', 'vn', '--socket', '/nonexistent/agent.sock'], 69, /NVE-RPC-001/],
  ['a port that is not there', ['inject', 'nowhere0', '00'.repeat(60)], 3, /NVE-RPC-009/],
  ['no hexadecimal frame', ['inject', 'access0', 'xyz'], 2, /frame/i],
  ['a TSI that is not there', ['tsi', 'detach', 'ghost', '--link', 'access0'], 0, /^$/],
])('command line: %s', (_, args, status, text) => {
  const result = splitnve(...args);
  expect(result.status).toBe(status);
  expect(result.stderr).toMatch(text);
  expect(result.stderr).not.toMatch(/^\s+at /m);
});

test('every mistake of a configuration is told at once, with file, line, path, expected and got', () => {
  const config = AGENT.replace('mtu = 1600', 'mtu = 16').replace('[rpc]', '[rcp]').replace('"2-2"', '"0-4095"');
  writeFileSync(path('wrong.toml'), config);
  const result = splitnve('agent', '-c', path('wrong.toml'));
  expect(result.status).toBe(78);
  for (const part of ['wrong.toml:19', 'mtu', '16', 'rcp', 'rpc', 'vlan_pool', '0-4095'])
    expect(result.stderr).toContain(part);
});

test.each([
  ['an interface that is not there', 'net_af_xdp', 'nothere0', 'NVE-DPDK-002', 'nothere0'],
  ['a device that DPDK does not have', 'devargs', 'net_fish0', 'NVE-DPDK-002', 'net_fish0'],
])('an agent with %s does not start and names it', (_, driver, name, code, named) => {
  const key = driver === 'devargs' ? 'devargs' : 'iface';
  const port = `name = "access0"\ndriver = "${driver}"\n${key} = "${name}"`;
  writeFileSync(path('port.toml'), elsewhere(AGENT.replace('name = "access0"\ndriver = "net_ring"', port)));
  const result = splitnve('agent', '-c', path('port.toml'));
  expect(result.status).not.toBe(0);
  expect(result.stderr).toContain(code);
  expect(result.stderr).toContain(named);
});

test('an EAL that refuses is named with the reason', () => {
  const config = AGENT.replace('mbufs = 4095', 'mbufs = 4095\nextra_eal = ["--no-such-option"]');
  writeFileSync(path('eal.toml'), elsewhere(config));
  const result = splitnve('agent', '-c', path('eal.toml'));
  expect(result.status).toBe(78);
  expect(result.stderr).toMatch(/NVE-EAL-002/);
  expect(result.stderr).toContain('--no-such-option');
});

test.each([
  ['socket', elsewhere(AGENT).replace(path('other.sock'), agentSocket), 1, 'NVE-SYS-009', agentSocket],
  ['store', AGENT.replace(agentSocket, path('other.sock')), 75, 'NVE-STO-004', path('store')],
])('a second agent on the same %s is refused, and the first goes on', (_, config, status, code, named) => {
  writeFileSync(path('second.toml'), config);
  const result = splitnve('agent', '-c', path('second.toml'));
  expect(result.status).toBe(status);
  expect(result.stderr).toContain(code);
  expect(result.stderr).toContain(named);
  expect(splitnve('tsi', 'list').status).toBe(0);
});

test('with the NVA away nothing new is attached, and what is attached stays', async () => {
  running[0]?.kill('SIGKILL');
  if (running[0] !== undefined) await once(running[0], 'exit');
  await expect.poll(() => splitnve('show', 'nva').stdout).toContain('waiting');
  const before = await picture();
  const result = attach('blue-2', 'blue', '02:00:00:00:00:02', 'access0');
  expect(result.status).toBe(69);
  expect(result.stderr).toContain('NVE-NNP-001');
  expect(await picture()).toEqual(before);
});
