import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { HypervisorClient } from '#hypervisor';
import { err, isVn, type LinkName, nveError, ok, parseConfig, unwrap, type VnInfo } from '#model';
import { FakeEngine } from '../testing/fake-engine.js';
import { FakeNva } from '../testing/fake-nva.js';
import { silentLog } from '../testing/silent.js';
import { Agent } from './agent.js';

const CONFIG = `
node.name = "nve1"
rpc.socket = "SOCKET"
nva.endpoints = ["tcp:198.51.100.1:7890"]
underlay = [{ port = "fabric0", address = "192.0.2.1/24" }]
port = [
  { name = "fabric0", driver = "net_ring", mtu = 1600 },
  { name = "access0", driver = "net_ring" },
  { name = "access1", driver = "net_ring" },
]
access = [
  { port = "access0", vlan_pool = "100-101", vdp = false },
  { port = "access1", vlan_pool = "200-201", vdp = false },
]
`;
const vns = [
  { vn: 1, name: 'blue', vni: 5001, mtu: 1450, gateway: '10.0.0.254' },
  { vn: 2, name: 'red', vni: 5002, mtu: 1400, gateway: null },
] as unknown as VnInfo[];
const MAC1 = '02:00:00:00:00:01';
const MAC2 = '02:00:00:00:00:02';
const ATTACH = { vn: 'blue', tsi: 'vm1', macs: [MAC1], ips: ['10.0.0.1'], link: 'access0' };
const KEY = { tsi: 'vm1', link: 'access0' };

let directory = '';
let engine: FakeEngine;
let nva: FakeNva;
let agent: Agent;
let client: HypervisorClient;
let kernelFails = false;
let broughtUp: string[] = [];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'splitnve-agent-rpc-'));
  engine = new FakeEngine();
  const socket = join(directory, 'agent.sock');
  agent = await Agent.start({
    config: unwrap(parseConfig('agent', CONFIG.replace('SOCKET', socket), 'test.toml')),
    engine,
    log: silentLog().log,
    makeNvaClient: (_, handlers) => {
      nva = new FakeNva(handlers);
      nva.verdict = ({ vn: asked }) => {
        const vn = vns.find((one) => isVn(one, asked));
        return vn === undefined ? err(nveError('NVE-NVA-001', { vn: asked })) : ok(vn);
      };
      return nva;
    },
    kernel: {
      check: () => undefined,
      bringUp: async ({ iface, netns }, mtu) => {
        if (kernelFails) throw nveError('NVE-SYS-004', { command: 'ip', reason: 'a test' });
        broughtUp.push(`${iface} ${netns} ${mtu}`);
      },
    },
    onFailure: (error) => expect.unreachable(String(error)),
  });
  kernelFails = false;
  broughtUp = [];
  client = new HypervisorClient({ socket });
});
afterEach(async () => {
  client.close();
  await agent.close();
  rmSync(directory, { recursive: true });
});

const objects = (kind: string): string[] => [...engine.objects.keys()].filter((key) => key.startsWith(kind)).sort();
const row = async (link = 'access0') => (await client.list()).find((one) => one.link === link);

describe('every answer', () => {
  it('carries tag, MTU and gateway of the VN', async () => {
    const blue = { tag: { kind: 'c-tag', vid: 100 }, mtu: 1450, gateway: '10.0.0.254' };
    expect(await client.associate(ATTACH)).toMatchObject({ ...blue, state: 'associated' });
    expect(await client.activate(KEY)).toMatchObject({ ...blue, state: 'activated' });
    const red = { vn: 'red', tsi: 'vm2', macs: [MAC2], link: 'access1' };
    expect(await client.attach(red)).toMatchObject({ tag: { vid: 200 }, mtu: 1400, gateway: null });
  });
});

describe('vn.connect', () => {
  const BLUE = { vn: 'blue', link: 'access0' };

  it('holds the VN and its tag without a TSI, as often as it is asked', async () => {
    const held = { ...BLUE, tag: { kind: 'c-tag', vid: 100 }, mtu: 1450, gateway: '10.0.0.254', held: true, tsis: 0 };
    expect(await client.connectVn(BLUE)).toEqual(held);
    expect(await client.connectVn(BLUE)).toEqual(held);
    expect(nva.calls).toContain('subscribe 1');
    expect(objects('vn ')).toEqual(['vn 1']);
    expect(objects('vap')).toEqual([]);
    expect(await client.list()).toEqual([]);
    // The first VID is taken: another VN gets the next.
    expect(await client.attach({ ...ATTACH, vn: 'red' })).toMatchObject({ tag: { vid: 101 } });
    expect((await client.connections()).map(({ vn, held, tsis }) => [vn, held, tsis])).toEqual([
      ['blue', true, 0],
      ['red', false, 1],
    ]);
  });

  it('outlives the last TSI; vn.disconnect ends it', async () => {
    await client.connectVn(BLUE);
    await client.attach(ATTACH);
    await client.detach(KEY);
    expect(objects('vn ')).toEqual(['vn 1']);
    await client.disconnectVn(BLUE);
    await client.disconnectVn(BLUE);
    expect(await client.connections()).toEqual([]);
    await vi.waitFor(() => expect(objects('vn ')).toEqual([]));
  });

  it('vn.disconnect takes the TSIs of this VN on this link with it, and no other', async () => {
    await client.attach(ATTACH);
    await client.attach({ ...ATTACH, tsi: 'vm2', macs: [MAC2], link: 'access1' });
    await client.attach({ ...ATTACH, tsi: 'vm3', vn: 'red' });
    await client.disconnectVn(BLUE);
    expect((await client.list()).map(({ tsi }) => tsi)).toEqual(['vm3', 'vm2']);
  });

  it('asks the authority, and is refused by it or for its link', async () => {
    await expect(client.connectVn({ vn: 'green', link: 'access0' })).rejects.toMatchObject({ code: 'NVE-NVA-001' });
    await expect(client.connectVn({ vn: 'blue', link: 'access9' })).rejects.toMatchObject({ code: 'NVE-TSI-004' });
    expect(nva.calls).toContain('authorize vn:green');
    expect(await client.connections()).toEqual([]);
  });

  it('has ids of its own, which no TSI may have', async () => {
    await client.connectVn(BLUE);
    for (const call of [
      client.attach({ ...ATTACH, tsi: 'vn:blue' }),
      client.activate({ tsi: 'vn:blue', link: 'access0' }),
      client.detach({ tsi: 'vn:blue', link: 'access0' }),
    ])
      await expect(call).rejects.toMatchObject({ code: 'NVE-RPC-003' });
  });
});

describe('addresses', () => {
  const rowsOf = () => objects('fdb').map((key) => key.slice(-17));

  it('are added and removed, one by one, while frames go on', async () => {
    await client.attach(ATTACH);
    const more = { ...KEY, macs: [MAC2], ips: ['10.0.0.2'] };
    expect(await client.addAddresses(more)).toMatchObject({
      state: 'activated',
      macs: [MAC1, MAC2],
      ips: ['10.0.0.1', '10.0.0.2'],
    });
    expect(rowsOf()).toEqual([MAC1, MAC2]);
    expect(await client.addAddresses(more)).toMatchObject({ macs: [MAC1, MAC2] });
    expect(await client.deleteAddresses({ ...KEY, macs: [MAC1] })).toMatchObject({ macs: [MAC2] });
    expect(await client.deleteAddresses({ ...KEY, macs: [MAC1] })).toMatchObject({ macs: [MAC2] });
    expect(await client.deleteAddresses({ ...KEY, ips: ['10.0.0.1'] })).toMatchObject({ ips: ['10.0.0.2'] });
    expect(rowsOf()).toEqual([MAC2]);
    expect(nva.reports.at(-1)?.attachment).toMatchObject({ macs: [MAC2], ips: ['10.0.0.2'] });
  });

  it('that are added at the same time are all there', async () => {
    await client.attach(ATTACH);
    const ips = Array.from({ length: 20 }, (_, n) => `10.0.1.${n}`);
    await Promise.all(ips.map((ip) => client.addAddresses({ ...KEY, ips: [ip] })));
    expect((await row())?.ips).toEqual(['10.0.0.1', ...ips]);
  });

  it('are refused if none is named, if the last MAC would go, or if there is no such TSI', async () => {
    await client.attach(ATTACH);
    await expect(client.addAddresses(KEY)).rejects.toMatchObject({ code: 'NVE-RPC-003' });
    await expect(client.deleteAddresses({ ...KEY, macs: [MAC1] })).rejects.toMatchObject({ code: 'NVE-TSI-009' });
    const absent = { tsi: 'vm9', link: 'access0', macs: [MAC1] };
    await expect(client.addAddresses(absent)).rejects.toMatchObject({ code: 'NVE-TSI-001' });
    expect((await row())?.macs).toEqual([MAC1]);
  });
});

describe('tsi.suspend', () => {
  it('stops forwarding and keeps everything; tsi.resume goes on', async () => {
    await client.attach(ATTACH);
    const suspended = { state: 'associated', suspended: true, tag: { vid: 100 } };
    expect(await client.suspend(KEY)).toMatchObject(suspended);
    expect(await client.suspend(KEY)).toMatchObject(suspended);
    expect(objects('vap')).toEqual([]);
    expect(objects('vn ')).toEqual(['vn 1']);
    expect(await client.resume(KEY)).toMatchObject({ state: 'activated', suspended: false, tag: { vid: 100 } });
    expect(objects('vap')).toHaveLength(1);
  });
});

describe('tsi.migrate', () => {
  const move = { tsi: 'vm1', from: 'access0', to: 'access1' };

  it('prepares the new link while the old one forwards; then activate and deassociate', async () => {
    await client.attach(ATTACH);
    const coming = await client.migrate(move);
    expect(coming).toMatchObject({ link: 'access1', state: 'associated', migrating: true, macs: [MAC1], vn: 'blue' });
    expect(await row()).toMatchObject({ state: 'activated', suspended: true });
    expect(await client.migrate(move)).toMatchObject({ link: 'access1', state: 'associated' });
    expect(await client.activate({ tsi: 'vm1', link: 'access1' })).toMatchObject({
      state: 'activated',
      migrating: false,
      tag: { vid: 200 },
    });
    await client.deassociate(KEY);
    const after = await client.list();
    expect(after).toMatchObject([{ link: 'access1', state: 'activated', migrating: false }]);
    // Asked again when all is over, it changes nothing.
    expect(await client.migrate(move)).toEqual(after[0]);
  });

  it('has each side of its own when the other is elsewhere', async () => {
    await client.attach(ATTACH);
    expect(await client.migrate({ tsi: 'vm1', from: 'access0' })).toMatchObject({ link: 'access0', suspended: true });
    const here = { tsi: 'vm2', to: 'access1', vn: 'blue', macs: [MAC2] };
    expect(await client.migrate(here)).toMatchObject({ link: 'access1', state: 'associated', migrating: true });
  });

  it('leaves the old side alone if the new one is refused', async () => {
    await client.attach(ATTACH);
    await expect(client.migrate({ ...move, to: 'access9' })).rejects.toMatchObject({ code: 'NVE-TSI-004' });
    expect(await row()).toMatchObject({ state: 'activated', suspended: false });
  });

  it.each<[string, Parameters<HypervisorClient['migrate']>[0], string]>([
    ['no link', { tsi: 'vm1' }, 'NVE-RPC-003'],
    ['one link twice', { tsi: 'vm1', from: 'access0', to: 'access0' }, 'NVE-RPC-003'],
    ['a TSI that is not here, without its VN', { tsi: 'vm9', to: 'access1' }, 'NVE-RPC-003'],
    ['a TSI that is not on the old link', { tsi: 'vm9', from: 'access0', to: 'access1' }, 'NVE-TSI-001'],
  ])('refuses %s', async (_, params, code) => {
    await client.attach(ATTACH);
    await expect(client.migrate(params)).rejects.toMatchObject({ code });
    expect(await client.list()).toHaveLength(1);
  });
});

describe('attach by port', () => {
  const TAP = { kind: 'net_tap', iface: 'vm1', netns: 'ns1' } as const;
  const VHOST = { kind: 'net_vhost', path: '/run/vm1.sock' } as const;
  const PCI = { kind: 'pci', address: '0000:03:00.1' } as const;
  const BEFORE = ['port 0', 'port 1', 'port 2'];

  it.each([
    ['a TAP interface', TAP, 'net_tap:vm1@ns1', { driver: 'net_tap', iface: 'vm1', mac: MAC1 }, ['vm1 ns1 1450']],
    ['a vhost-user socket', VHOST, 'net_vhost:/run/vm1.sock', { driver: 'net_vhost', path: '/run/vm1.sock' }, []],
    ['a PCI function', PCI, 'pci:0000:03:00.1', { driver: 'pci', address: '0000:03:00.1' }, []],
  ])('plugs %s, and detach unplugs it', async (_, link, name, kind, up) => {
    const row = { link: name, state: 'activated', tag: { kind: 'port' }, mtu: 1450, gateway: '10.0.0.254' };
    expect(await client.attach({ ...ATTACH, link })).toMatchObject(row);
    expect(await client.attach({ ...ATTACH, link })).toMatchObject(row);
    expect(engine.objects.get('port 3')).toMatchObject({ op: 'PortAdd', mtu: 1450, kind });
    const vap = { op: 'VapSet', port: 3, selector: { kind: 'port' }, guard: true };
    expect([...engine.objects.values()]).toContainEqual(expect.objectContaining(vap));
    expect(broughtUp).toEqual(up);
    await client.detach({ tsi: 'vm1', link });
    await client.detach({ tsi: 'vm1', link });
    expect(objects('port')).toEqual(BEFORE);
    expect(await client.list()).toEqual([]);
    expect(await client.attach({ ...ATTACH, link })).toMatchObject(row);
    await client.detach({ tsi: 'vm1', link: name });
    expect(objects('port')).toEqual(BEFORE);
    expect(engine.violations).toEqual([]);
  });

  it.each<[string, () => void, string]>([
    [
      'the kernel',
      () => {
        kernelFails = true;
      },
      'NVE-SYS-004',
    ],
    [
      'the engine, of the port',
      () => {
        engine.refuse = ({ op }) => (op === 'PortAdd' ? 'NVE-DPDK-002' : undefined);
      },
      'NVE-DPDK-002',
    ],
    [
      'the engine, of the VAP',
      () => {
        engine.refuse = ({ op }) => (op === 'VapSet' ? 'NVE-ENG-008' : undefined);
      },
      'NVE-ENG-008',
    ],
    [
      'the NVA',
      () => {
        nva.verdict = ({ vn }) => err(nveError('NVE-NVA-001', { vn }));
      },
      'NVE-NVA-001',
    ],
  ])('is undone whole when %s refuses', async (_, break_, code) => {
    const verdict = nva.verdict;
    break_();
    await expect(client.attach({ ...ATTACH, link: TAP })).rejects.toMatchObject({ code });
    kernelFails = false;
    engine.refuse = () => undefined;
    nva.verdict = verdict;
    expect(await client.list()).toEqual([]);
    await vi.waitFor(() => expect([...objects('port'), ...objects('vn ')]).toEqual(BEFORE));
    expect(await client.attach({ ...ATTACH, link: TAP })).toMatchObject({ state: 'activated' });
  });

  it('names who has the port already', async () => {
    await client.attach({ ...ATTACH, link: TAP });
    const other = { ...ATTACH, tsi: 'vm2', macs: [MAC2], link: { ...TAP, netns: null } };
    await expect(client.attach(other)).rejects.toMatchObject({
      code: 'NVE-RPC-017',
      message: 'vm1 is in use by TSI vm1',
    });
    expect(await client.list()).toHaveLength(1);
  });

  it('ends with its TSI, whoever ends that', async () => {
    await client.attach({ ...ATTACH, link: VHOST });
    nva.push(vns[0]?.vn ?? (0 as never), { info: null });
    await vi.waitFor(() => expect(objects('port')).toEqual(BEFORE));
    expect(await client.list()).toEqual([]);
  });
});

describe('watch', () => {
  it('tells each transition with its cause, and the links', async () => {
    const heard: string[] = [];
    client.on('transition', ({ tsi, link, vn, from, to, tag, cause }) =>
      heard.push(
        `${tsi} ${link} ${vn} ${from} ${to} ${tag === null ? '-' : 'vid' in tag ? tag.vid : tag.kind} ${cause}`,
      ),
    );
    client.on('link', ({ link, up }) => heard.push(`${link} ${up}`));
    await client.connectVn({ vn: 'red', link: 'access1' });
    await client.attach(ATTACH);
    engine.emit({ kind: 'link', port: 1, up: false });
    await vi.waitFor(() => expect(heard.at(-1)).toContain(' associated '));
    await client.detach(KEY);
    await vi.waitFor(() => expect(heard.at(-1)).toContain(' init '));
    expect(heard).toEqual([
      'vm1 access0 blue init authorizing - tsi.attach',
      'vm1 access0 blue authorizing reserving 100 the verdict of the NVA',
      'vm1 access0 blue reserving activating 100 the engine',
      'vm1 access0 blue activating activated 100 the engine',
      'vm1 access0 blue activated deactivating 100 link access0 is down',
      'access0 false',
      'vm1 access0 blue deactivating associated 100 the engine',
      'vm1 access0 blue associated releasing 100 tsi.detach',
      'vm1 access0 blue releasing init 100 the engine',
    ]);
  });
});

describe('a link', () => {
  it('that is unknown is refused with those that there are', async () => {
    await expect(client.attach({ ...ATTACH, link: 'acces0' as LinkName })).rejects.toMatchObject({
      code: 'NVE-TSI-004',
      hint: expect.stringContaining('access0, access1'),
    });
  });
});
