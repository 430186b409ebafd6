import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { HypervisorClient } from '#hypervisor';
import {
  type AgentConfig,
  err,
  type HostInfo,
  isVn,
  nveError,
  ok,
  parseConfig,
  unwrap,
  type VnId,
  type VnInfo,
} from '#model';
import type { MemberView } from '#nva';
import { Authority } from '../../../test/lib/certificates.js';
import { FakeEngine } from '../testing/fake-engine.js';
import { FakeNva } from '../testing/fake-nva.js';
import { type LogLine, silentLog } from '../testing/silent.js';
import { Agent, type AgentParts } from './agent.js';

const eventually = (check: () => unknown): Promise<unknown> => vi.waitFor(check, 5_000);

const CONFIG = `
node.name = "nve1"
rpc.socket = "SOCKET"
nva.endpoints = ["tcp:198.51.100.1:7890"]
underlay = [{ port = "fabric0", address = "192.0.2.1/24" }]
[[port]]
name = "fabric0"
driver = "net_ring"
mtu = 1600
[[port]]
name = "access0"
driver = "net_ring"
[[port]]
name = "access1"
driver = "net_ring"
[[access]]
port = "access0"
vlan_pool = "100-101"
vdp = false
[[access]]
port = "access1"
vdp = false
`;

const blue = { vn: 1, name: 'blue', vni: 5001, mtu: 1500, gateway: null } as unknown as VnInfo;
const red = { vn: 2, name: 'red', vni: 5002, mtu: 1400, gateway: null } as unknown as VnInfo;
const green = { vn: 3, name: 'green', vni: 5003, mtu: 1500, gateway: null } as unknown as VnInfo;
const VN = blue.vn;
const nve2 = { nveId: 'nve2', contextId: 5001, tunnels: [{ encap: 1, ip: '192.0.2.2' }] } as unknown as MemberView;
const MAC1 = '02:00:00:00:00:01';
const MAC2 = '02:00:00:00:00:02';
const host = (mac: string, tsi: string, nveId: string, mobilitySeq = 0): HostInfo =>
  ({ vn: VN, mac, tsi, nveId, ips: [], mobilitySeq }) as unknown as HostInfo;
const ATTACH = { vn: 'blue', tsi: 'blue-1', macs: [MAC1], ips: ['10.0.0.1'], link: 'access0' };
const KEY = { tsi: 'blue-1', link: 'access0' };

let directory = '';
let engine: FakeEngine;
let nva: FakeNva;
let agent: Agent;
let client: HypervisorClient;
let lines: LogLine[];
let failures: unknown[];

async function startAgent(more: Partial<AgentParts> = {}, edit = (config: string) => config): Promise<void> {
  const text = edit(CONFIG).replace('SOCKET', join(directory, 'agent.sock'));
  const config: AgentConfig = unwrap(parseConfig('agent', text, 'test.toml'));
  const made = silentLog();
  lines = made.lines;
  failures = [];
  agent = await Agent.start({
    config,
    engine,
    log: made.log,
    makeNvaClient: (_, handlers) => {
      nva = new FakeNva(handlers);
      nva.verdict = ({ vn: asked }) => {
        const vn = [blue, red, green].find((one) => isVn(one, asked));
        return vn === undefined ? err(nveError('NVE-NVA-001', { vn: asked })) : ok(vn);
      };
      return nva;
    },
    onFailure: (error) => failures.push(error),
    ...more,
  });
  client = new HypervisorClient({ socket: join(directory, 'agent.sock') });
}

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'splitnve-agent-'));
  engine = new FakeEngine();
});
afterEach(async () => {
  client?.close();
  await agent?.close();
  rmSync(directory, { recursive: true });
});

const objects = (): string[] => [...engine.objects.keys()].sort();
const BASE = ['port 0', 'port 1', 'port 2', 'underlay 0 192.0.2.1'];
const settled = () => new Promise((resolve) => setTimeout(resolve, 20));

describe('reload', () => {
  it('reads the certificates of the RPC again, or says which file is wrong and goes on', async () => {
    const { ca, cert, key } = new Authority(directory, 'ca').issue('agent', { cn: 'agent' });
    const tls = `[rpc.tls]\nlisten = "127.0.0.1:PORT"\nca = "${ca}"\ncert = "${cert}"\nkey = "${key}"`;
    const port = await freePort();
    await startAgent({}, (config) => `${config}\n${tls.replace('PORT', `${port}`)}`);
    agent.reload();
    expect(lines.at(-1)).toMatchObject({ level: 30, msg: 'certificates read again', cert });
    rmSync(key);
    agent.reload();
    expect(lines.at(-1)).toMatchObject({
      level: 40,
      cause: 'NVE-TLS-001',
      msg: expect.stringMatching(
        /of before stay in use: cannot use .*agent\.key as key: ENOENT.*Name a readable PEM file/,
      ),
    });
  });

  it('has nothing to do without TLS', async () => {
    await startAgent();
    agent.reload();
    expect(lines.at(-1)).toMatchObject({ level: 30, msg: 'nothing to read again without [rpc.tls]' });
  });
});

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });

describe('start', () => {
  it('makes the ports and the underlay', async () => {
    await startAgent();
    expect(objects()).toEqual(BASE);
    expect(engine.objects.get('underlay 0 192.0.2.1')).toMatchObject({ ip: '192.0.2.1', prefixLen: 24 });
    expect(nva.calls).toEqual(['start']);
    expect(lines.at(-1)).toMatchObject({ msg: 'ready', component: 'agent' });
  });

  it('fails with the reason if a port cannot be made', async () => {
    engine.refuse = (command) => (command.op === 'PortAdd' && command.name === 'access0' ? 'NVE-DPDK-004' : undefined);
    await expect(startAgent()).rejects.toMatchObject({ code: 'NVE-DPDK-004' });
  });
});

describe('attach', () => {
  it('asks the NVA, allocates a tag, programs the engine, reports, and answers, in this order', async () => {
    await startAgent();
    nva.reportResult = new Promise((resolve) => setTimeout(() => resolve(ok(null)), 30));
    const order: string[] = [];
    const apply = engine.apply.bind(engine);
    engine.apply = async (commands) => {
      const result = await apply(commands);
      order.push(...commands.map(({ op }) => op));
      return result;
    };
    const report = nva.report.bind(nva);
    nva.report = async (...args) => {
      order.push('report');
      const result = await report(...args);
      order.push('reported');
      return result;
    };
    const row = await client.attach(ATTACH);
    order.push('answer');
    expect(row).toMatchObject({ state: 'activated', tag: { kind: 'c-tag', vid: 100 }, mtu: 1500, cause: null });
    expect(order).toEqual(['VnSet', 'VapSet', 'FdbSet', 'report', 'reported', 'answer']);
    expect(objects()).toEqual([...BASE, 'fdb 1 02:00:00:00:00:01', 'vap 1', 'vn 1'].sort());
    expect(engine.objects.get('vap 1')).toMatchObject({
      port: 1,
      selector: { kind: 'c-tag', vid: 100 },
      guard: true,
      uplink: false,
    });
    expect(nva.reports).toEqual([
      { change: 'attach', attachment: { vn: 1, tsi: 'blue-1', port: 'access0', macs: [MAC1], ips: ['10.0.0.1'] } },
    ]);
    expect(
      lines.filter(({ component }) => component === 'tsi').map(({ from, to, cause }) => [from, to, cause]),
    ).toEqual([
      ['init', 'authorizing', 'tsi.attach'],
      ['authorizing', 'reserving', 'the verdict of the NVA'],
      ['reserving', 'activating', 'the engine'],
      ['activating', 'activated', 'the engine'],
    ]);
  });

  it('in two steps forwards nothing before the second', async () => {
    await startAgent();
    await expect(client.associate(ATTACH)).resolves.toMatchObject({ state: 'associated', tag: { vid: 100 } });
    expect(objects()).toEqual([...BASE, 'vn 1']);
    expect(nva.reports).toEqual([]);
    await expect(client.activate(KEY)).resolves.toMatchObject({ state: 'activated' });
    expect(objects()).toContain('fdb 1 02:00:00:00:00:01');
    await expect(client.deactivate(KEY)).resolves.toMatchObject({ state: 'associated' });
    expect(objects()).toEqual([...BASE, 'vn 1']);
    expect(nva.reports.map(({ change }) => change)).toEqual(['attach', 'detach']);
  });

  it('is idempotent', async () => {
    await startAgent();
    const first = await client.attach(ATTACH);
    await expect(client.attach(ATTACH)).resolves.toEqual(first);
    expect(nva.reports).toHaveLength(1);
    await client.detach(KEY);
    await client.detach(KEY);
    expect(await client.list()).toEqual([]);
  });

  it('shares VAP and tag among the TSIs of a VN on a link', async () => {
    await startAgent();
    const rows = await Promise.all([client.attach(ATTACH), client.attach({ ...ATTACH, tsi: 'blue-2', macs: [MAC2] })]);
    expect(rows.map(({ tag }) => tag)).toMatchObject([{ vid: 100 }, { vid: 100 }]);
    expect(objects().filter((key) => key.startsWith('vap'))).toEqual(['vap 1']);
    await client.detach(KEY);
    expect(objects()).toContain('vap 1');
    await client.detach({ tsi: 'blue-2', link: 'access0' });
    await settled();
    expect(objects()).toEqual(BASE);
    expect(nva.calls.at(-1)).toBe('unsubscribe 1');
  });

  it('is denied by the NVA with its code, and leaves nothing', async () => {
    await startAgent();
    await expect(client.attach({ ...ATTACH, vn: 'nowhere' })).rejects.toMatchObject({ code: 'NVE-NVA-001' });
    expect(objects()).toEqual(BASE);
    expect(await client.list()).toEqual([]);
  });

  it('is refused when the pool of the link is empty', async () => {
    await startAgent();
    await client.attach(ATTACH);
    await client.attach({ vn: 'red', tsi: 'red-1', macs: [MAC1], link: 'access0' });
    await expect(client.attach({ vn: 'green', tsi: 'green-1', macs: [MAC1], link: 'access0' })).rejects.toMatchObject({
      code: 'NVE-TAG-001',
    });
  });

  it.each([
    ['scheme = "s-tag"', { kind: 's-tag', vid: 100 }, { kind: 'pass' }],
    ['tenant_tags = "strip"', { kind: 'c-tag', vid: 100 }, { kind: 'strip' }],
    ['tenant_tags = [7, 9]', { kind: 'c-tag', vid: 100 }, { kind: 'list', vids: [7, 9] }],
    ['scheme = "s-tag"\ntenant_tags = "refuse"', { kind: 's-tag', vid: 100 }, { kind: 'refuse' }],
  ])('makes VAPs as the link says: %s', async (lines, tag, tags) => {
    await startAgent({}, (config) => config.replace('vlan_pool = "100-101"', (pool) => `${pool}\n${lines}`));
    await expect(client.attach(ATTACH)).resolves.toMatchObject({ tag });
    expect(engine.objects.get('vap 1')).toMatchObject({ port: 1, selector: tag, tags });
  });

  it('links of one access domain share the tag of a VN', async () => {
    await startAgent({}, (config) =>
      config
        .replace('vlan_pool = "100-101"', 'domain = "rack1"')
        .replace('port = "access1"\nvdp', 'port = "access1"\ndomain = "rack1"\nvdp')
        .concat('[[access_domain]]\nname = "rack1"\nvlan_pool = "300-301"\nreserve = [{ vn = 5001, vid = 4000 }]\n'),
    );
    await expect(client.attach({ ...ATTACH, vn: 'red', tsi: 'red-1' })).resolves.toMatchObject({ tag: { vid: 300 } });
    const tag = { kind: 'c-tag', vid: 4000 };
    await expect(client.attach(ATTACH)).resolves.toMatchObject({ tag });
    const there = { ...ATTACH, tsi: 'blue-2', macs: [MAC2], link: 'access1' };
    await expect(client.attach(there)).resolves.toMatchObject({ tag });
  });

  it('is refused on a link that is none', async () => {
    await startAgent();
    await expect(client.attach({ ...ATTACH, link: 'fabric0' })).rejects.toMatchObject({ code: 'NVE-TSI-004' });
  });

  it.each(['VnSet', 'VapSet', 'FdbSet'])(
    'that the engine refuses (%s) changes nothing, and works later',
    async (op) => {
      await startAgent();
      engine.refuse = (command) => (command.op === op ? 'NVE-ENG-077' : undefined);
      await expect(client.attach(ATTACH)).rejects.toMatchObject({ code: 'NVE-ENG-077' });
      await settled();
      expect(objects()).toEqual(BASE);
      expect(nva.reports).toEqual([]);
      engine.refuse = () => undefined;
      await expect(client.attach(ATTACH)).resolves.toMatchObject({ state: 'activated' });
    },
  );

  it('that the NVA refuses to take is undone, and the refusal is the answer', async () => {
    await startAgent();
    nva.reportResult = err(nveError('NVE-NVA-003', { mac: MAC1, vn: 'blue', holder: 'blue-9', nve: 'nve2' }));
    await expect(client.attach(ATTACH)).rejects.toMatchObject({ code: 'NVE-NVA-003' });
    await eventually(() => expect(objects()).toEqual(BASE));
  });

  it('goes on while the NVA is away: it gets its report later', async () => {
    await startAgent();
    nva.reportResult = err(nveError('NVE-NNP-001', { endpoints: 'x', reason: 'y' }));
    await expect(client.attach(ATTACH)).resolves.toMatchObject({ state: 'activated' });
  });

  it('whose deadline passes while the NVA thinks is rolled back', async () => {
    await startAgent();
    nva.verdict = () => new Promise(() => undefined);
    await expect(client.attach(ATTACH, { deadlineMs: 30 })).rejects.toMatchObject({ code: 'NVE-RPC-004' });
    expect(await client.list()).toEqual([]);
    expect(nva.calls).toEqual(['start', 'authorize blue-1', 'call off blue-1']);
  });

  it('that asks for something else while the NVA thinks calls the first question off, and not the second', async () => {
    await startAgent();
    nva.verdict = () => new Promise(() => undefined);
    const first = client.attach(ATTACH).catch((error: unknown) => error);
    await eventually(() => expect(nva.calls).toContain('authorize blue-1'));
    nva.verdict = () => new Promise((resolve) => setTimeout(() => resolve(ok(blue)), 30));
    await expect(client.attach({ ...ATTACH, macs: [MAC2] })).resolves.toMatchObject({ state: 'activated' });
    expect(await first).toMatchObject({ code: 'NVE-TSI-006' });
    await client.detach(KEY);
    const asked = nva.calls.filter((call) => /authorize|call off/.test(call));
    expect(asked).toEqual(['authorize blue-1', 'call off blue-1', 'authorize blue-1']);
  });
});

describe('mappings', () => {
  const attached = async (more: Partial<AgentParts> = {}): Promise<void> => {
    await startAgent(more);
    await client.attach(ATTACH);
    nva.push(VN, { members: [nve2], hosts: [host(MAC1, 'blue-1', 'nve1'), host(MAC2, 'blue-2', 'nve2')] });
    await settled();
  };

  it('become next hops, rows, flood list and sources', async () => {
    await attached();
    const nextHop = [...engine.objects.values()].find(({ op }) => op === 'NextHopSet');
    expect(nextHop).toMatchObject({ remote: '192.0.2.2', encap: 1, contextId: 5001 });
    const nh = nextHop?.op === 'NextHopSet' ? nextHop.nh : 0;
    expect(engine.objects.get(`fdb 1 ${MAC2}`)).toMatchObject({ dest: { kind: 'nh', nh } });
    expect(engine.objects.get('flood 1')).toMatchObject({ dests: [{ kind: 'nh', nh }] });
    expect(engine.objects.get('sources 1')).toMatchObject({ ips: ['192.0.2.2'] });
    expect(nva.acked).toEqual([{ vn: 1, revision: 1n }]);
    nva.push(VN, { removedHosts: [MAC2 as never], removedMembers: ['nve2' as never] });
    await settled();
    expect(objects()).toEqual([...BASE, `fdb 1 ${MAC1}`, 'vap 1', 'vn 1'].sort());
  });

  it('name the VNI under which this NVE receives', async () => {
    await attached();
    nva.push(VN, { members: [{ nveId: 'nve1', contextId: 7001, tunnels: [] } as unknown as MemberView] });
    await settled();
    expect(engine.objects.get('vn 1')).toMatchObject({ vni: 7001 });
  });

  it('that nobody knows are asked for', async () => {
    await attached();
    engine.emit({ kind: 'unknown', vn: VN, mac: MAC2 as never });
    expect(nva.calls.at(-1)).toBe(`missed ${VN} ${MAC2}`);
  });

  it('that the engine refuses are told to the NVA, and retried with the next change', async () => {
    await attached();
    engine.refuse = ({ op }) => (op === 'NextHopSet' ? 'NVE-ENG-077' : undefined);
    nva.push(VN, {
      members: [{ nveId: 'nve3', contextId: 5001, tunnels: [{ encap: 1, ip: '192.0.3.9' }] } as unknown as MemberView],
    });
    await settled();
    expect(nva.acked.at(-1)).toEqual({ vn: 1, revision: 2n, refused: 'NVE-ENG-077' });
    expect(
      lines.some(
        ({ component, object, cause }) =>
          component === 'engine' && String(object).startsWith('nexthop') && cause === 'NVE-ENG-077',
      ),
    ).toBe(true);
    engine.refuse = () => undefined;
    nva.push(VN, {});
    await settled();
    expect(nva.acked.at(-1)).toEqual({ vn: 1, revision: 3n });
    expect(engine.objects.get('flood 1')).toMatchObject({
      dests: [
        { kind: 'nh', nh: expect.any(Number) },
        { kind: 'nh', nh: expect.any(Number) },
      ],
    });
  });

  it('do not override an attachment that is newer', async () => {
    await startAgent();
    nva.views.set(VN, {
      info: blue,
      members: new Map([[nve2.nveId, nve2]]),
      nves: new Map(),
      homes: new Map(),
      hosts: new Map([[MAC1 as never, host(MAC1, 'blue-1', 'nve2', 4)]]),
      live: true,
      revision: 9n,
    });
    await client.attach(ATTACH);
    nva.push(VN, {});
    await settled();
    expect(engine.objects.get(`fdb 1 ${MAC1}`)).toMatchObject({ dest: { kind: 'vap' } });
    nva.push(VN, { hosts: [host(MAC1, 'blue-1', 'nve1', 5)] });
    await settled();
    expect(await client.list()).toMatchObject([{ state: 'activated' }]);
  });

  it('that say the TSI moved to another NVE win: it is de-associated here, and its hypervisor told', async () => {
    await attached();
    const heard: unknown[] = [];
    client.on('tsi', (data) => heard.push(data));
    // Requests are handled in their order, and to listen is one.
    await client.list();
    await client.hello();
    nva.push(VN, { hosts: [host(MAC1, 'blue-1', 'nve2', 1)] });
    await eventually(() => expect(objects()).toEqual(BASE));
    expect(await client.list()).toEqual([]);
    expect(heard).toEqual([
      {
        tsi: 'blue-1',
        link: 'access0',
        state: null,
        cause: expect.stringContaining('moved to NVE nve2'),
        retry: false,
      },
    ]);
  });

  it('send frames to the new place at once, if another TSI of the VN stays here', async () => {
    await attached();
    await client.attach({ ...ATTACH, tsi: 'blue-3', macs: ['02:00:00:00:00:03'] });
    nva.push(VN, { hosts: [host(MAC1, 'blue-1', 'nve2', 1)] });
    await settled();
    expect(engine.objects.get(`fdb 1 ${MAC1}`)).toMatchObject({ dest: { kind: 'nh' } });
    expect(engine.objects.get('fdb 1 02:00:00:00:00:03')).toMatchObject({ dest: { kind: 'vap' } });
  });

  it('that count anew after another NVA took over are believed again', async () => {
    await attached();
    nva.push(VN, { hosts: [host(MAC1, 'blue-1', 'nve1', 7)] });
    const session = {
      nvaId: 'nva',
      endpoint: { address: { kind: 'unix', path: '/x' }, priority: 0, weight: 1 },
    } as const;
    nva.handlers.onConnected?.({ ...session, epoch: 'e1' });
    nva.handlers.onConnected?.({ ...session, epoch: 'e2' });
    nva.push(VN, { hosts: [host(MAC1, 'blue-1', 'nve1', 0)] });
    nva.push(VN, { hosts: [host(MAC1, 'blue-1', 'nve2', 1)] });
    await eventually(() => expect(objects()).toEqual(BASE));
  });

  it('send under another Context ID if a test asks for the fault', async () => {
    await attached({ fault: 'wrong-vni' });
    const nextHop = [...engine.objects.values()].find(({ op }) => op === 'NextHopSet');
    expect(nextHop).toMatchObject({ contextId: 5002 });
    expect(engine.objects.get('vn 1')).toMatchObject({ vni: 5001 });
  });
});

describe('a VN deleted at the NVA', () => {
  it('is swept with all its TSIs, and their hypervisors told', async () => {
    await startAgent();
    await client.attach(ATTACH);
    await client.attach({ ...ATTACH, link: 'access1', tsi: 'blue-2', macs: [MAC2] });
    await client.attach({ vn: 'red', tsi: 'red-1', macs: [MAC1], link: 'access0' });
    const heard: string[] = [];
    client.on('tsi', ({ tsi, state, cause }) => heard.push(`${tsi} ${state} ${cause}`));
    // Requests are handled in their order, and to listen is one.
    await client.list();
    nva.push(VN, { info: null });
    await eventually(() => expect(heard).toHaveLength(2));
    expect(heard[0]).toMatch(/^blue-\d null .*VN blue was deleted at the NVA/);
    await eventually(() =>
      expect(
        objects().filter((key) => / 1( |$)/.test(key) && !key.startsWith('port') && !key.startsWith('vap')),
      ).toEqual([]),
    );
    expect((await client.list()).map(({ tsi }) => tsi)).toEqual(['red-1']);
  });

  it('and made again under the same VNI and another id serves again', async () => {
    await startAgent();
    await client.attach(ATTACH);
    nva.push(VN, { info: null });
    const again = { ...blue, vn: 9 as VnId };
    nva.verdict = () => ok(again);
    await expect(client.attach(ATTACH)).resolves.toMatchObject({ state: 'activated' });
    await settled();
    expect(engine.objects.get('vn 9')).toMatchObject({ vni: 5001 });
    expect(engine.objects.has('vn 1')).toBe(false);
  });
});

describe('a link that goes down', () => {
  it('takes its TSIs back to associated, and up again', async () => {
    await startAgent();
    await client.attach(ATTACH);
    const heard: string[] = [];
    client.on('tsi', ({ tsi, state }) => heard.push(`${tsi} ${state}`));
    // Requests are handled in their order, and to listen is one.
    await client.list();
    engine.emit({ kind: 'link', port: 1, up: false });
    await eventually(async () => expect(await client.list()).toMatchObject([{ state: 'associated' }]));
    expect(objects()).not.toContain('vap 1');
    await expect(client.attach({ ...ATTACH, tsi: 'x', macs: [MAC2] })).rejects.toMatchObject({ code: 'NVE-TSI-005' });
    engine.emit({ kind: 'link', port: 1, up: true });
    await eventually(async () => expect(await client.list()).toMatchObject([{ state: 'activated' }]));
    expect(objects()).toContain('vap 1');
    expect(nva.reports.map(({ change }) => change)).toEqual(['attach', 'detach', 'attach']);
  });
});

describe('show', () => {
  it('puts names to the numbers', async () => {
    await startAgent();
    await client.attach(ATTACH);
    nva.push(VN, { members: [nve2], hosts: [host(MAC2, 'blue-2', 'nve2')] });
    await settled();
    expect(await client.show('vn')).toEqual([
      {
        ...{ vn: 'blue', id: 1, vni: 5001, mtu: 1500, vaps: 1, rows: 2, flood: ['192.0.2.2'], sources: ['192.0.2.2'] },
        ...{ unknown: 'drop', learn: false, suppress: false, strict: false, dscp_out: 'pipe' },
        ...{ acl_in: null, acl_out: null },
      },
    ]);
    expect(await client.show('vap')).toMatchObject([
      { vap: 1, vn: 'blue', port: 'access0', tag: { kind: 'c-tag', vid: 100 }, guard: true },
    ]);
    expect(await client.show('fdb')).toMatchObject([
      { vn: 'blue', mac: MAC1, to: 'vap', port: 'access0', tag: { vid: 100 }, tsi: 'blue-1' },
      {
        vn: 'blue',
        mac: MAC2,
        to: 'nve',
        remote: '192.0.2.2',
        encap: 'vxlan',
        context_id: 5001,
        tsi: 'blue-2',
        nve: 'nve2',
      },
    ]);
    expect(await client.show('ports')).toMatchObject([
      { port: 'fabric0', role: 'underlay', link: 'up' },
      { port: 'access0' },
      { port: 'access1' },
    ]);
    expect(await client.show('drops')).toMatchObject([{ port: 'fabric0', reason: 'source_guard', packets: 1 }, {}, {}]);
    expect(await client.show('nva')).toEqual([
      {
        nve: 'nve1',
        state: 'connected',
        endpoint: null,
        nva: 'nva',
        epoch: 'e1',
        ...{ term: '1', priority: null, for_s: null, vn: null, revision: null, lag: null },
        subscriptions: 1,
        attachments: 0,
        refused: 0,
        error: null,
      },
    ]);
  });

  it('injects by the name of the port', async () => {
    await startAgent();
    await client.inject('access1', new Uint8Array(60));
    expect(engine.injected).toMatchObject([{ port: 2, frame: expect.any(Uint8Array) }]);
    await expect(client.inject('nope', new Uint8Array(60))).rejects.toMatchObject({
      code: 'NVE-RPC-009',
      message: expect.stringContaining('fabric0'),
    });
    await expect(client.inject('access1', new Uint8Array(6))).rejects.toMatchObject({ code: 'NVE-RPC-003' });
  });
});

describe('trace', () => {
  it('says in names what the engine said in ids', async () => {
    await startAgent();
    const frame = new Uint8Array(14);
    expect(await client.trace({ port: 'access1', frame })).toMatchObject({
      outcome: 'dropped',
      frame: { port: 'access1', bytes: '00'.repeat(14) },
      steps: [{ step: 'port', facts: { port: 'access1', role: 'access', mac: '02:00:00:00:00:01' } }],
    });
    await expect(client.trace({ port: 'nope', frame })).rejects.toMatchObject({ code: 'NVE-RPC-009' });
    await expect(client.trace({ vap: 77, frame })).rejects.toMatchObject({ code: 'NVE-ENG-005' });
    await expect(client.trace({ frame })).rejects.toMatchObject({ code: 'NVE-RPC-003' });
  });
});

describe('an engine that fails', () => {
  it('ends the agent, and the request with the reason', async () => {
    await startAgent();
    engine.closed = true;
    await expect(client.attach(ATTACH)).rejects.toMatchObject({ code: 'NVE-ENG-000' });
    expect(failures).toHaveLength(1);
  });
});
