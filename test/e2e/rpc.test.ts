// Hypervisors without VDP, at a real agent and NVA: one in Python on the socket, one over TLS with a certificate, one that attaches a
// TAP interface.
//
//   rpc-client.py, splitnve tsi ─ RPC ─ agent ─ unix socket ─ NVA
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { TsiListRow } from '#hypervisor';
import { Authority } from '../lib/certificates.js';
import { must, obstacle, run } from '../lib/command.js';
import { Lab } from '../lib/lab.js';
import type { Namespace } from '../lib/namespace.js';
import { Program } from '../lib/program.js';
import { Role } from '../lib/role.js';

const CLI = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const PYTHON_CLIENT = fileURLToPath(new URL('../interop/rpc-client.py', import.meta.url));
/** Debian's, which has Debian's python3-msgpack. */
const PYTHON = '/usr/bin/python3';
const why = obstacle('python3', 'ip', 'nsenter', 'unshare', 'setpriv');

const folder = mkdtempSync(join(tmpdir(), 'splitnve-rpc-e2e-'));
const authority = new Authority(folder, 'ca');
const own = authority.issue('agent', { ips: ['127.0.0.1'] });
authority.issue('hv1', { cn: 'hv1' });
const stranger = new Authority(folder, 'other').issue('stranger', { cn: 'hv1' });

const NVA = `
listen.endpoints = ["unix:${folder}/nnp.sock"]
vn = [{ name = "blue", vni = 5001, mtu = 1450, gateway = "10.0.0.254" }]
nve = [{ id = "nve1", addresses = ["192.0.2.1"] }]
tsi = [{ vn = "blue", tsi = "*" }]
`;
const AGENT = `
nva.endpoints = ["unix:${folder}/nnp.sock"]
underlay = [{ port = "fabric0", address = "192.0.2.1/24" }]
engine = { hugepages = "off", memory_mb = 128 }
port = [
  { name = "fabric0", driver = "net_ring", mtu = 1600 },
  { name = "access0", driver = "net_null", no_rx = true },
  { name = "access1", driver = "net_null", no_rx = true },
]
access = [{ port = "access0", vlan_pool = "100-199", vdp = false }, { port = "access1", vdp = false }]
rpc.tls = { listen = "127.0.0.1:7891", ca = "${own.ca}", cert = "${own.cert}", key = "${own.key}", client = [
  { name = "hv1", links = ["access0"] },
] }
`;
const MAC = '02:00:00:00:00:01';
const ROW = { vn: 'blue', tsi: 'vm1', state: 'activated', mtu: 1450, gateway: '10.0.0.254', macs: [MAC] };

const lab = new Lab();
let node: Namespace;
let agent: Role;

beforeAll(async () => {
  if (why !== undefined) return;
  node = await lab.namespace('node');
  const nva = new Role(node, 'nva', 'nva', folder, NVA);
  agent = new Role(node, 'agent', 'nve1', folder, AGENT);
  lab.add(nva.program);
  await nva.start();
  lab.add(agent.program);
  await agent.start();
});
afterAll(async () => {
  await lab.close();
  rmSync(folder, { recursive: true });
});
beforeEach((context) => {
  if (why !== undefined) context.skip(why);
});

describe('a hypervisor in Python', () => {
  it('says hello, attaches, lists and detaches', async (context) => {
    if ((await run(PYTHON, ['-c', 'import msgpack'])).status !== 0) context.skip('python3-msgpack is not installed');
    const args = [PYTHON_CLIENT, agent.socket, 'blue', 'vm1', MAC, 'access0'];
    const lines = (await must(PYTHON, args)).trim().split('\n');
    const [hello, attached, list, detached] = lines.map((line) => JSON.parse(line) as unknown);
    expect(hello).toEqual({ version: 1, role: 'agent', name: 'nve1' });
    expect(attached).toMatchObject({ ...ROW, link: 'access0', tag: { kind: 'c-tag' } });
    expect(list).toEqual([attached]);
    expect(detached).toEqual({});
    expect(await agent.tsis()).toEqual([]);
    const unknown = await run(PYTHON, [PYTHON_CLIENT, agent.socket, 'green', 'vm1', MAC, 'access0']);
    expect(unknown.stderr).toMatch(/no VN green.*NVE-NVA-001\)\nfix: /);
  });
});

describe('the example of docs/rpc.md', () => {
  it('runs as it stands there', async () => {
    const file = fileURLToPath(new URL('../interop/hypervisor-example.ts', import.meta.url));
    const text = readFileSync(file, 'utf8');
    expect(readFileSync(new URL('../../docs/rpc.md', import.meta.url), 'utf8')).toContain(`\`\`\`ts\n${text}\`\`\``);
    // Without types it is JavaScript, but for the directory that the package is found from.
    const copy = fileURLToPath(new URL('../../dist/hypervisor-example.mjs', import.meta.url));
    writeFileSync(copy, text);
    const out = await must(process.execPath, [copy, agent.socket]).finally(() => rmSync(copy));
    expect(out).toMatch(/^connected to nve1$/m);
    expect(out).toContain('{"tag":{"kind":"c-tag","vid":');
    expect(await agent.tsis()).toEqual([]);
  });
});

describe('a hypervisor elsewhere', () => {
  const tls = (who: string, line: string) => {
    const files = `--tls 127.0.0.1:7891 --ca ${own.ca} --cert ${folder}/${who}.crt --key ${folder}/${who}.key`;
    return node.run(`${process.execPath} ${CLI} ${line} ${files}`);
  };

  it('attaches over TLS at its own link, and nowhere else', async () => {
    const attach = `tsi attach vm1 --vn blue --mac ${MAC} --json`;
    const attached = await tls('hv1', `${attach} --link access0`);
    expect(attached.stderr).toBe('');
    expect(JSON.parse(attached.stdout)).toMatchObject([{ ...ROW, link: 'access0' }]);
    const refused = await tls('hv1', `${attach} --link access1`);
    expect(refused).toMatchObject({ status: 77, stderr: expect.stringContaining('hv1 may not use link access1') });
    const foreign = await tls('stranger', `${attach} --link access0`);
    expect(foreign).toMatchObject({ status: 77, stderr: expect.stringContaining('NVE-RPC-016') });
    expect(await agent.tsis()).toMatchObject([{ tsi: 'vm1', link: 'access0' }]);
    expect(await tls('hv1', 'tsi detach vm1 --link access0')).toMatchObject({ status: 0 });
    expect((await agent.drops()).find(({ reason }) => reason === 'rpc_client')).toMatchObject({
      port: 'rpc',
      packets: 1,
    });
    expect(stranger.cert).toContain('stranger');
  });
});

describe('a TAP interface at the agent', () => {
  it('is made, brought up with the MTU of the VN, and taken away', async () => {
    const args = `tsi attach vm1 --vn blue --mac ${MAC} --tap rpctap0 --json`;
    expect(JSON.parse(await agent.cli(args))).toMatchObject([
      { ...ROW, link: 'net_tap:rpctap0', tag: { kind: 'port' } },
    ]);
    expect(await node.must('ip link show rpctap0')).toMatch(/UP.* mtu 1450 [\s\S]*02:00:00:00:00:01/);
    expect(await agent.fdb()).toMatchObject([{ mac: MAC, to: 'vap', port: 'net_tap:rpctap0' }]);
    await agent.cli('tsi detach vm1 --link net_tap:rpctap0');
    expect((await node.run('ip link show rpctap0')).status).not.toBe(0);
    expect(await agent.tsis()).toEqual([]);
  });
});

describe('splitnve tsi watch', () => {
  it('prints what happens, also after the agent came back', async () => {
    const watch = new Program(node, process.execPath, CLI, 'tsi', 'watch', '--json', '--socket', agent.socket);
    lab.add(watch);
    await watch.start();
    const transitions = (): string[] =>
      watch.output
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line) as { topic: string; from: string; to: string })
        .filter(({ topic }) => topic === 'transition')
        .map(({ from, to }) => `${from} ${to}`);
    const attach = `tsi attach vm1 --vn blue --mac ${MAC} --link access0`;
    // It may not be connected yet: until it sees one.
    await vi.waitFor(
      async () => {
        await agent.cli(attach);
        await agent.cli('tsi detach vm1 --link access0');
        expect(transitions()).toContain('activating activated');
      },
      { timeout: 15_000, interval: 200 },
    );
    await agent.restart('SIGKILL');
    await vi.waitFor(() => expect(watch.output).toContain('connected to nve1'), { timeout: 15_000, interval: 100 });
    const before = transitions().length;
    await agent.cli(attach);
    await vi.waitFor(() => expect(transitions().length).toBeGreaterThan(before), { timeout: 10_000, interval: 100 });
    const rows: TsiListRow[] = await agent.tsis();
    expect(rows).toMatchObject([{ state: 'activated' }]);
  });
});
