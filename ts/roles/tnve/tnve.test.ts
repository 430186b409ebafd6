import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Handlers, HypervisorClient, type ParamsIn, RpcServer, type TapPort, type TsiListRow } from '#hypervisor';
import { nveError, parseConfig, type TnveConfig, unwrap } from '#model';
import { FakeEngine } from '../testing/fake-engine.js';
import { type LogLine, silentLog } from '../testing/silent.js';
import { Tnve } from './tnve.js';

const eventually = (check: () => unknown): Promise<unknown> => vi.waitFor(check, 5_000);

const CONFIG = `
node.name = "hv1"
rpc.socket = "DIR/tnve.sock"
nve = { socket = "DIR/agent.sock", link = "access0" }
uplink = { port = "uplink0", protocol = "rpc" }
[[port]]
name = "uplink0"
driver = "net_ring"
`;
const MAC1 = '02:00:00:00:00:01';
const MAC2 = '02:00:00:00:00:02';
const port = (iface: string, netns: string | null = `${iface}-ns`): TapPort => ({ kind: 'net_tap', iface, netns });
const ATTACH: ParamsIn<'tsi.attach'> = {
  vn: 'blue',
  tsi: 'blue-1',
  macs: [MAC1],
  ips: ['10.0.0.1'],
  link: port('blue1'),
};

let directory = '';
let engine: FakeEngine;
let tnve: Tnve;
let client: HypervisorClient;
let lines: LogLine[];
/** What the tNVE did, in order: at the agent, in the engine, in the kernel. */
let order: string[];
let kernelFails: Error | undefined;
let agent: RpcServer | undefined;
let agentTsis: Map<string, TsiListRow>;
/** Replaces what the agent answers. */
let agentDoes: Partial<Record<'associate' | 'activate' | 'deassociate', (params: { tsi: string }) => unknown>>;
let tags: Record<string, number>;

async function startAgent(): Promise<void> {
  agentTsis = new Map();
  const set = (tsi: string, state: 'associated' | 'activated'): TsiListRow => {
    const row = agentTsis.get(tsi);
    if (row === undefined) throw nveError('NVE-TSI-001', { tsi, link: 'access0' });
    row.state = state;
    return row;
  };
  const handlers: Handlers = {
    'tsi.associate': async (params) => {
      order.push(`associate ${params.tsi}`);
      await agentDoes.associate?.(params);
      const row = {
        ...params,
        state: 'associated',
        tag: { kind: 'c-tag', vid: tags[params.vn] ?? 100 },
        mtu: 1400,
        gateway: '10.0.0.254',
        cause: null,
      } as unknown as TsiListRow;
      if (!agentTsis.has(params.tsi)) agentTsis.set(params.tsi, row);
      return agentTsis.get(params.tsi) ?? row;
    },
    'tsi.activate': async (params) => {
      order.push(`activate ${params.tsi}`);
      await agentDoes.activate?.(params);
      return set(params.tsi, 'activated');
    },
    'tsi.deactivate': ({ tsi }) => {
      order.push(`deactivate ${tsi}`);
      return set(tsi, 'associated');
    },
    'tsi.deassociate': async (params) => {
      order.push(`deassociate ${params.tsi}`);
      await agentDoes.deassociate?.(params);
      agentTsis.delete(params.tsi);
      return {};
    },
  };
  agent = await RpcServer.listen({ socket: join(directory, 'agent.sock'), role: 'agent', name: 'nve1', handlers });
}

async function startTnve(): Promise<void> {
  const config: TnveConfig = unwrap(parseConfig('tnve', CONFIG.replaceAll('DIR', directory), 'test.toml'));
  const made = silentLog();
  lines = made.lines;
  tnve = await Tnve.start({
    config,
    engine,
    log: made.log,
    kernel: {
      check: ({ netns }) => {
        if (netns === 'nowhere') throw nveError('NVE-RPC-003', { method: 'tsi.attach', problem: 'no namespace' });
      },
      bringUp: async ({ iface, netns }, mtu) => {
        order.push(`up ${iface} ${netns} ${mtu}`);
        if (kernelFails !== undefined) throw kernelFails;
      },
    },
    onFailure: () => undefined,
  });
  client = new HypervisorClient({ socket: join(directory, 'tnve.sock') });
}

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'splitnve-tnve-'));
  engine = new FakeEngine();
  order = [];
  agentDoes = {};
  tags = {};
  kernelFails = undefined;
  const apply = engine.apply.bind(engine);
  engine.apply = async (commands) => {
    const result = await apply(commands);
    order.push(...result.applied.map(({ op }) => op));
    return result;
  };
  await startAgent();
  await startTnve();
  order.length = 0;
});
afterEach(async () => {
  client.close();
  await tnve.close();
  await agent?.close();
  rmSync(directory, { recursive: true });
});

const objects = (): string[] => [...engine.objects.keys()].sort();
const vaps = () => [...engine.objects.values()].filter((object) => object.op === 'VapSet');
const settled = () => new Promise((resolve) => setTimeout(resolve, 30));

describe('attach', () => {
  it('associates, makes the port, switches, activates, in this order', async () => {
    const row = await client.attach(ATTACH);
    expect(row).toEqual({
      tsi: 'blue-1',
      vn: 'blue',
      link: 'access0',
      state: 'activated',
      tag: { kind: 'c-tag', vid: 100 },
      macs: [MAC1],
      ips: ['10.0.0.1'],
      mtu: 1400,
      gateway: '10.0.0.254',
      suspended: false,
      cause: null,
      iface: 'blue1',
      netns: 'blue1-ns',
    });
    expect(order).toEqual([
      'associate blue-1',
      'PortAdd',
      'up blue1 blue1-ns 1400',
      'VnSet',
      'VapSet',
      'VapSet',
      'FdbSet',
      'activate blue-1',
    ]);
    expect(engine.objects.get('port 1')).toMatchObject({
      mtu: 1400,
      kind: { driver: 'net_tap', iface: 'blue1', mac: MAC1 },
    });
    expect(vaps()).toMatchObject([
      { port: 1, selector: { kind: 'untagged' }, guard: true, uplink: false },
      { port: 0, selector: { kind: 'c-tag', vid: 100 }, guard: false, uplink: true },
    ]);
    expect([...engine.objects.values()].find(({ op }) => op === 'VnSet')).toMatchObject({ vni: null, mtu: 1400 });
  });

  it('and detach go the same way back', async () => {
    await client.attach(ATTACH);
    order.length = 0;
    await client.detach({ tsi: 'blue-1' });
    expect(order).toEqual(
      ['VapDel', 'VapDel', 'FdbDel', 'VnDel', 'PortDel', 'deassociate blue-1'].map((step) =>
        step.endsWith('Del') ? expect.stringMatching(/Del$/) : step,
      ),
    );
    expect(objects()).toEqual(['port 0']);
    expect(await client.list()).toEqual([]);
    await expect(client.detach({ tsi: 'blue-1' })).resolves.toBeUndefined();
  });

  it('is idempotent, and refuses other values under the same name', async () => {
    const row = await client.attach(ATTACH);
    order.length = 0;
    await expect(client.attach(ATTACH)).resolves.toEqual(row);
    expect(order).toEqual([]);
    await expect(client.attach({ ...ATTACH, macs: [MAC2] })).rejects.toMatchObject({ code: 'NVE-RPC-003' });
    await expect(client.attach({ ...ATTACH, tsi: 'other' })).rejects.toMatchObject({
      code: 'NVE-RPC-003',
      message: expect.stringContaining('blue1 is the port of TSI blue-1'),
    });
  });

  it('at the same time for several TSIs shares the VN and its uplink', async () => {
    await Promise.all([
      client.attach(ATTACH),
      client.attach({ ...ATTACH, tsi: 'blue-2', macs: [MAC2], link: port('blue2') }),
      client.attach({ ...ATTACH, vn: 'red', tsi: 'red-1', link: port('red1') }),
    ]).catch(() => undefined);
    tags = { red: 101 };
    await client.attach({ ...ATTACH, vn: 'red', tsi: 'red-1', link: port('red1') });
    expect(
      vaps()
        .filter(({ uplink }) => uplink)
        .map(({ selector }) => selector),
    ).toEqual([
      { kind: 'c-tag', vid: 100 },
      { kind: 'c-tag', vid: 101 },
    ]);
    await client.detach({ tsi: 'blue-1' });
    expect(vaps()).toHaveLength(4);
    expect((await client.show('fdb')).map(({ vn, mac, port: at, tsi }) => [vn, mac, at, tsi])).toEqual([
      ['blue', MAC2, 'blue2', 'blue-2'],
      ['red', MAC1, 'red1', 'red-1'],
    ]);
  });

  it('keeps apart ports of one name in two namespaces', async () => {
    await client.attach({ ...ATTACH, link: port('eth0', 'a') });
    await client.attach({ ...ATTACH, tsi: 'blue-2', macs: [MAC2], link: port('eth0', 'b') });
    expect((await client.show('ports')).map(({ port: name }) => name)).toEqual(['uplink0', 'eth0', 'eth0.2']);
  });

  const failures: [string, string, () => void][] = [
    [
      'the NVA denies',
      'NVE-NVA-002',
      () => {
        agentDoes.associate = () => {
          throw nveError('NVE-NVA-002', { tsi: 'blue-1', vn: 'blue', reason: 'no rule' });
        };
      },
    ],
    [
      'the port cannot be made',
      'NVE-DPDK-004',
      () => {
        engine.refuse = ({ op }) => (op === 'PortAdd' ? 'NVE-DPDK-004' : undefined);
      },
    ],
    [
      'the kernel refuses',
      'NVE-SYS-004',
      () => {
        kernelFails = nveError('NVE-SYS-004', { command: 'ip link set', reason: 'File exists' });
      },
    ],
    [
      'the engine refuses the VAP',
      'NVE-ENG-009',
      () => {
        engine.refuse = ({ op }) => (op === 'VapSet' ? 'NVE-ENG-009' : undefined);
      },
    ],
    [
      'the agent cannot activate',
      'NVE-ENG-008',
      () => {
        agentDoes.activate = () => {
          throw nveError('NVE-ENG-008', { table: 'fdb', capacity: 1 });
        };
      },
    ],
  ];

  it.each(failures)('rolls everything back when %s, and works afterwards', async (_, code, arrange) => {
    arrange();
    await expect(client.attach(ATTACH)).rejects.toMatchObject({ code });
    expect(objects()).toEqual(['port 0']);
    expect([...agentTsis.keys()]).toEqual([]);
    expect(await client.list()).toEqual([]);
    engine.refuse = () => undefined;
    kernelFails = undefined;
    agentDoes = {};
    await expect(client.attach(ATTACH)).resolves.toMatchObject({ state: 'activated' });
  });

  it('is rolled back when its deadline passes', async () => {
    agentDoes.activate = () => new Promise(() => undefined);
    await expect(client.attach(ATTACH, { deadlineMs: 60 })).rejects.toMatchObject({ code: 'NVE-RPC-004' });
    await eventually(() => expect(objects()).toEqual(['port 0']));
    expect([...agentTsis.keys()]).toEqual([]);
  });

  it('without an agent says that it is away, and leaves nothing', async () => {
    await agent?.close();
    await expect(client.attach(ATTACH)).rejects.toMatchObject({ code: 'NVE-RPC-001' });
    expect(objects()).toEqual(['port 0']);
  });

  it('wants a port to make, in a namespace that exists', async () => {
    await expect(client.attach({ ...ATTACH, link: 'access0' })).rejects.toMatchObject({ code: 'NVE-RPC-003' });
    await expect(client.attach({ ...ATTACH, link: port('x', 'nowhere') })).rejects.toMatchObject({
      code: 'NVE-RPC-003',
    });
    expect(order).toEqual([]);
  });
});

describe('an agent that comes again', () => {
  it('gets its TSIs again; a new tag replaces the old one', async () => {
    await client.attach(ATTACH);
    await client.attach({ ...ATTACH, tsi: 'blue-2', macs: [MAC2], link: port('blue2') });
    await agent?.close();
    await settled();
    expect(await client.list()).toMatchObject([{ state: 'activated' }, { state: 'activated' }]);
    expect(vaps()).toHaveLength(3);
    tags = { blue: 200 };
    await startAgent();
    await eventually(() =>
      expect([...agentTsis.values()].map(({ state }) => state)).toEqual(['activated', 'activated']),
    );
    await eventually(async () =>
      expect((await client.list()).map(({ tag }) => tag)).toMatchObject([{ vid: 200 }, { vid: 200 }]),
    );
    expect(vaps().filter(({ uplink }) => uplink)).toMatchObject([{ selector: { vid: 200 } }]);
  });

  it('hears of what was detached while it was away', async () => {
    await client.attach(ATTACH);
    const kept = agentTsis;
    await agent?.close();
    await client.detach({ tsi: 'blue-1' });
    expect(objects()).toEqual(['port 0']);
    order.length = 0;
    await startAgent();
    agentTsis = kept;
    await eventually(() => expect(order).toContain('deassociate blue-1'));
  });

  it('and does not take a TSI any more: nothing is switched for it, and the reason is shown', async () => {
    await client.attach(ATTACH);
    await agent?.close();
    agentDoes.associate = () => {
      throw nveError('NVE-NVA-002', { tsi: 'blue-1', vn: 'blue', reason: 'no rule' });
    };
    await startAgent();
    await eventually(async () =>
      expect(await client.list()).toMatchObject([
        { state: 'authorizing', tag: null, cause: expect.stringContaining('NVE-NVA-002') },
      ]),
    );
    expect(vaps()).toEqual([]);
    // Its interface has no carrier.
    expect(objects()).toEqual(['link 1', 'port 0', 'port 1']);
    agentDoes = {};
    await expect(client.attach(ATTACH)).resolves.toMatchObject({ state: 'activated', cause: null });
    expect(vaps()).toHaveLength(2);
  });
});

describe('an agent that ends a TSI', () => {
  const ended = (retry: boolean) =>
    agent?.notify('tsi', {
      tsi: 'blue-1' as never,
      link: 'access0' as never,
      state: null,
      cause: 'VN blue was deleted',
      retry,
    });

  it('because its VN is gone: switching stops at once, and it is asked for again', async () => {
    await client.attach(ATTACH);
    agentTsis.clear();
    ended(true);
    await eventually(() => expect(vaps()).toEqual([]));
    expect(await client.list()).toMatchObject([{ state: 'authorizing', tag: null, cause: 'VN blue was deleted' }]);
    tags = { blue: 300 };
    await eventually(async () =>
      expect(await client.list()).toMatchObject([{ state: 'activated', tag: { vid: 300 }, cause: null }]),
    );
    expect(vaps()).toHaveLength(2);
  });

  it('because it moved away: it is not taken back', async () => {
    await client.attach(ATTACH);
    agentTsis.clear();
    order.length = 0;
    ended(false);
    await eventually(() => expect(vaps()).toEqual([]));
    await agent?.close();
    await startAgent();
    await new Promise((resolve) => setTimeout(resolve, 1_300));
    expect(order.filter((step) => step.startsWith('associate'))).toEqual([]);
    await expect(client.attach(ATTACH)).resolves.toMatchObject({ state: 'activated' });
  });
});

describe('who watches', () => {
  const tag = (vid: number) => ({ kind: 'c-tag', vid });
  let told: unknown[];
  let tsiNotices: unknown[];
  beforeEach(async () => {
    [told, tsiNotices] = [[], []];
    client.on('transition', ({ from, to, tag: under, cause }) => told.push([from, to, under, cause]));
    client.on('tsi', (notice) => tsiNotices.push(notice));
    await client.list();
  });

  it('hears of each state that a TSI gets, and that a request did it', async () => {
    await client.attach(ATTACH);
    await client.attach(ATTACH);
    await client.detach({ tsi: 'blue-1' });
    await client.detach({ tsi: 'blue-1' });
    await client.list();
    expect(told).toEqual([
      ['init', 'activated', tag(100), 'tsi.attach'],
      ['activated', 'init', tag(100), 'tsi.detach'],
    ]);
    expect(tsiNotices).toEqual([]);
  });

  it('hears nothing of an attachment that is rolled back: it never had a row', async () => {
    kernelFails = nveError('NVE-SYS-004', { command: 'ip link set', reason: 'File exists' });
    await expect(client.attach(ATTACH)).rejects.toMatchObject({ code: 'NVE-SYS-004' });
    await client.list();
    expect([told, tsiNotices]).toEqual([[], []]);
  });

  it('hears that the NVE has ended a TSI, and that it is back under another tag', async () => {
    await client.attach(ATTACH);
    told.length = 0;
    agentTsis.clear();
    tags = { blue: 300 };
    const key = { tsi: 'blue-1' as never, link: 'access0' as never };
    const cause = 'VN blue was deleted';
    agent?.notify('tsi', { ...key, state: null, cause, retry: true });
    await eventually(() =>
      expect(told).toEqual([
        ['activated', 'authorizing', null, cause],
        ['authorizing', 'activated', tag(300), 'the NVE'],
      ]),
    );
    expect(tsiNotices).toEqual([
      { ...key, state: 'authorizing', cause, retry: true },
      { ...key, state: 'activated', cause: null, retry: false },
    ]);
  });

  it('hears that a TSI has moved away, and is not asked for again', async () => {
    await client.attach(ATTACH);
    const key = { tsi: 'blue-1' as never, link: 'access0' as never };
    agent?.notify('tsi', { ...key, state: null, cause: 'moved to nve2', retry: false });
    await eventually(() =>
      expect(tsiNotices).toEqual([{ ...key, state: 'authorizing', cause: 'moved to nve2', retry: false }]),
    );
    await client.attach(ATTACH);
    await client.list();
    expect(told.at(-1)).toEqual(['authorizing', 'activated', tag(100), 'tsi.attach']);
    expect(tsiNotices).toHaveLength(1);
  });

  it('hears once why the NVE does not take a TSI any more, however often it is asked', async () => {
    await client.attach(ATTACH);
    await agent?.close();
    agentDoes.associate = () => {
      throw nveError('NVE-NVA-002', { tsi: 'blue-1', vn: 'blue', reason: 'no rule' });
    };
    order.length = 0;
    await startAgent();
    await eventually(() => expect(order.filter((step) => step.startsWith('associate')).length).toBeGreaterThan(1));
    await client.list();
    expect(tsiNotices).toMatchObject([
      { state: 'authorizing', cause: expect.stringContaining('NVE-NVA-002'), retry: true },
    ]);
  });
});

describe('close', () => {
  it('takes the TSIs away from the agent', async () => {
    await client.attach(ATTACH);
    await tnve.close();
    expect([...agentTsis.keys()]).toEqual([]);
    expect(lines.filter(({ level }) => level >= 50)).toEqual([]);
  });
});
