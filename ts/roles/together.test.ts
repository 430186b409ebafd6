// The three roles together over their real sockets and protocols: an NVA, two agents, two tNVEs, which ask by VDP or by RPC. Only the
// engines are stand-ins; a wire between two of them carries what each injects to the other as a punt.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { HypervisorClient, type ParamsIn } from '#hypervisor';
import { parseConfig, unwrap } from '#model';
import { NvaClient, NvaServer } from '#nva';
import { Agent } from './agent/agent.js';
import { Nva } from './nva/nva.js';
import { FakeEngine } from './testing/fake-engine.js';
import { silentLog } from './testing/silent.js';
import { Wire } from './testing/wire.js';
import { Tnve } from './tnve/tnve.js';

const eventually = (check: () => unknown): Promise<unknown> => vi.waitFor(check, 8_000);

const NVA = `
node.name = "nva"
rpc.socket = "DIR/nva.sock"
listen.endpoints = ["unix:DIR/nnp.sock"]
vn = [{ name = "blue", vni = 5001, mtu = 1400 }, { name = "red", vni = 5002 }]
nve = [{ id = "nve1", addresses = ["192.0.2.1"] }, { id = "nve2", addresses = ["192.0.2.2"] }]
tsi = [{ vn = "blue", tsi = "blue-*" }, { vn = "red", tsi = "red-*" }, { vn = "green", tsi = "*" }]
`;
const AGENT = `
node.name = "nveN"
rpc.socket = "DIR/agentN.sock"
nva.endpoints = ["unix:DIR/nnp.sock"]
underlay = [{ port = "fabric0", address = "192.0.2.N/24" }]
access = [{ port = "access0", vlan_pool = "N00-N09" }]
port = [{ name = "fabric0", driver = "net_ring", mtu = 1600 }, { name = "access0", driver = "net_ring" }]
`;
const TNVE = `
node.name = "hvN"
rpc.socket = "DIR/tnveN.sock"
port = [{ name = "uplink0", driver = "net_ring" }]
`;
/** The two ways to ask the NVE; VDP names VNs by their VNIs, and does not tell their MTUs. */
const PROTOCOLS = {
  rpc: `
nve = { socket = "DIR/agentN.sock", link = "access0" }
uplink = { port = "uplink0", protocol = "rpc" }
`,
  vdp: `
uplink.port = "uplink0"
vn = [{ name = "blue", vni = 5001, mtu = 1400 }, { name = "red", vni = 5002 }, { name = "green", vni = 6000 }]
`,
} as const;
type Protocol = keyof typeof PROTOCOLS;

let directory = '';
let nva: Nva;
let nvaClient: HypervisorClient;
const engines: FakeEngine[] = [];
const hosts: { agent: Agent; tnve: Tnve; agentClient: HypervisorClient; tnveClient: HypervisorClient }[] = [];
let protocol: Protocol = 'vdp';

const fill = (text: string, n: number | string = ''): string =>
  text.replace(/N(?=[".0/]|00|09)/g, `${n}`).replaceAll('DIR', directory);

function startNva(): Promise<Nva> {
  const config = unwrap(parseConfig('nva', fill(NVA), 'nva.toml'));
  return Nva.start({
    config,
    log: silentLog().log,
    makeServer: (options) => unwrap(NvaServer.create({ ...options, settleMs: 200 })),
  });
}

async function startHost(n: number): Promise<void> {
  const engine = new FakeEngine();
  const log = silentLog().log;
  const onFailure = (error: Error): void => {
    throw error;
  };
  const agentConfig = unwrap(parseConfig('agent', fill(AGENT, n), 'agent.toml'));
  const agent = await Agent.start({
    config: agentConfig,
    engine,
    log,
    makeNvaClient: (...args) => new NvaClient(...args),
    onFailure,
  });
  const tnveConfig = unwrap(parseConfig('tnve', fill(TNVE + PROTOCOLS[protocol], n), 'tnve.toml'));
  const kernel = { check: () => undefined, bringUp: async () => undefined };
  const uplink = new FakeEngine();
  // The agent's access link is its second port.
  new Wire({ engine: uplink, port: 0 }, { engine, port: 1 });
  const tnve = await Tnve.start({ config: tnveConfig, engine: uplink, log, kernel, onFailure });
  engines.push(engine);
  const agentClient = new HypervisorClient({ socket: agentConfig.rpc.socket });
  const tnveClient = new HypervisorClient({ socket: tnveConfig.rpc.socket });
  hosts.push({ agent, tnve, agentClient, tnveClient });
}

async function startAll(): Promise<void> {
  directory = mkdtempSync(join(tmpdir(), 'splitnve-roles-'));
  nva = await startNva();
  nvaClient = new HypervisorClient({ socket: join(directory, 'nva.sock') });
  await startHost(1);
  await startHost(2);
}
afterEach(async () => {
  nvaClient.close();
  for (const { agent, tnve, agentClient, tnveClient } of hosts.splice(0)) {
    agentClient.close();
    tnveClient.close();
    await tnve.close();
    await agent.close();
  }
  engines.length = 0;
  await nva.close();
  rmSync(directory, { recursive: true });
});

const mac = (n: number): string => `02:00:00:00:00:0${n}`;
const attachment = (vn: string, n: number): ParamsIn<'tsi.attach'> => ({
  vn,
  tsi: `${vn}-${n}`,
  macs: [mac(n)],
  ips: [`10.0.0.${n}`],
  link: { kind: 'net_tap', iface: `${vn}${n}`, netns: null },
});
const attach = (vn: string, n: number) => hosts[n - 1]!.tnveClient.attach(attachment(vn, n));
/** The FDB of an agent in short. */
const fdb = async (n: number): Promise<string[]> =>
  (await hosts[n - 1]!.agentClient.show('fdb'))
    .map(
      ({ vn, mac: of, to, nve, context_id, tsi }) =>
        `${vn} ${of} ${to === 'vap' ? 'here' : `${nve} ${context_id}`} ${tsi}`,
    )
    .sort();

/** What the agents call a TSI. */
const seen = (vn: keyof typeof VNIS, n: number): string =>
  protocol === 'rpc' ? `${vn}-${n}` : `${vn}-${n}/${VNIS[vn]}`;
const VNIS = { blue: 5001, red: 5002, green: 6000 };

describe.each(['vdp', 'rpc'] as const)('nva, agents and tNVEs together, by %s', (by) => {
  beforeEach(() => {
    protocol = by;
    return startAll();
  });

  it('learn each other, and forget each other', async () => {
    for (const vn of ['blue', 'red'])
      for (const n of [1, 2])
        await expect(attach(vn, n)).resolves.toMatchObject({ state: 'activated', mtu: vn === 'blue' ? 1400 : 1500 });
    await eventually(async () =>
      expect(await fdb(1)).toEqual([
        `blue ${mac(1)} here ${seen('blue', 1)}`,
        `blue ${mac(2)} nve2 5001 ${seen('blue', 2)}`,
        `red ${mac(1)} here ${seen('red', 1)}`,
        `red ${mac(2)} nve2 5002 ${seen('red', 2)}`,
      ]),
    );
    expect(await hosts[0]!.agentClient.show('vn')).toMatchObject([
      { vn: 'blue', flood: ['192.0.2.2'], sources: ['192.0.2.2'] },
      { vn: 'red' },
    ]);
    expect(await nvaClient.show('nva')).toMatchObject([
      { state: 'listening', nva: 'nva', attachments: 4 },
      { nve: expect.any(String), state: 'connected', subscriptions: 2, attachments: 2 },
      { nve: expect.any(String), state: 'connected', subscriptions: 2, attachments: 2 },
    ]);

    await hosts[1]!.tnveClient.detach({ tsi: 'blue-2' });
    await eventually(async () => expect(await fdb(1)).not.toContainEqual(expect.stringContaining('blue-2')));
    expect((await hosts[0]!.agentClient.show('vn'))[0]).toMatchObject({ vn: 'blue', flood: [], sources: [] });
    await hosts[0]!.tnveClient.detach({ tsi: 'blue-1' });
    await eventually(async () =>
      expect((await nvaClient.listVns()).map(({ vn, members }) => [vn, members.length])).toEqual([
        ['blue', 0],
        ['red', 2],
      ]),
    );
  });

  it('refuse what the NVA refuses, with its words', async () => {
    // VDP has an error code, where RPC has the NVA's own words: 5, invalid VID, GroupID or MAC; HARD, unless it may pass.
    const refusal = (code: string, isHard: boolean) =>
      protocol === 'rpc'
        ? { code }
        : {
            code: 'NVE-VDP-006',
            message: expect.stringMatching(isHard ? /with error 5 .*HARD/ : /with error 5 (?!.*HARD)/),
            hint: expect.stringContaining('the NVA knows the VNI'),
          };
    const unknown = { ...attachment('blue', 1), vn: protocol === 'rpc' ? 'nowhere' : 'vni:9999' };
    await expect(hosts[0]!.tnveClient.attach(unknown)).rejects.toMatchObject(refusal('NVE-NVA-001', true));
    const stranger = { ...attachment('blue', 1), tsi: 'stranger' };
    await expect(hosts[0]!.tnveClient.attach(stranger)).rejects.toMatchObject(refusal('NVE-NVA-002', true));
    await attach('blue', 1);
    const thief = hosts[1]!.tnveClient.attach({ ...attachment('blue', 2), macs: [mac(1)] });
    await expect(thief).rejects.toMatchObject(refusal('NVE-NVA-003', false));
    expect(await hosts[0]!.tnveClient.list()).toMatchObject([{ tsi: 'blue-1' }]);
    expect(await hosts[1]!.tnveClient.list()).toEqual([]);
  });

  it('drop a deleted VN everywhere, and take up the one that comes again', async () => {
    await attach('blue', 1);
    await attach('blue', 2);
    await attach('red', 1);
    await nvaClient.deleteVn('blue');
    await eventually(async () => expect(await fdb(1)).toEqual([`red ${mac(1)} here ${seen('red', 1)}`]));
    await eventually(async () => expect(await fdb(2)).toEqual([]));
    const again = await nvaClient.addVn({ name: 'blue', vni: 5001, mtu: 1300 });
    expect(again.id).not.toBe(5001);
    await eventually(async () =>
      expect(await fdb(1)).toEqual([
        `blue ${mac(1)} here ${seen('blue', 1)}`,
        `blue ${mac(2)} nve2 5001 ${seen('blue', 2)}`,
        `red ${mac(1)} here ${seen('red', 1)}`,
      ]),
    );
    expect(await hosts[0]!.tnveClient.list()).toMatchObject([
      { tsi: 'blue-1', state: 'activated', mtu: protocol === 'rpc' ? 1300 : 1400 },
      { tsi: 'red-1' },
    ]);
  });

  it('follow a TSI that moves to the other host', async () => {
    await attach('blue', 1);
    await attach('blue', 2);
    const { link: _, ...moving } = attachment('blue', 1);
    await hosts[1]!.tnveClient.attach({ ...moving, link: { kind: 'net_tap', iface: 'moved', netns: null } });
    await eventually(async () => expect(await hosts[0]!.agentClient.list()).toEqual([]));
    expect(await fdb(2)).toEqual([`blue ${mac(1)} here ${seen('blue', 1)}`, `blue ${mac(2)} here ${seen('blue', 2)}`]);
    await eventually(async () =>
      expect(await hosts[0]!.tnveClient.list()).toMatchObject([
        {
          state: 'authorizing',
          cause: expect.stringContaining(protocol === 'rpc' ? 'moved to NVE nve2' : 'with HARD'),
        },
      ]),
    );
    // The old host keeps its hands off.
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(await nvaClient.listVns()).toMatchObject([{ vn: 'blue', hosts: [{ nve: 'nve2' }, { nve: 'nve2' }] }, {}]);
  });

  it('go on while the NVA is away, and meet again', async () => {
    await attach('blue', 1);
    await attach('blue', 2);
    await eventually(async () => expect(await fdb(1)).toHaveLength(2));
    await nva.close();
    await eventually(async () =>
      expect(await hosts[0]!.agentClient.show('nva')).toMatchObject([{ state: 'waiting' }, {}, {}]),
    );
    expect(await fdb(1)).toHaveLength(2);
    // A new VN cannot be judged without the NVA.
    await expect(attach('red', 1)).rejects.toMatchObject(
      protocol === 'rpc'
        ? { code: 'NVE-NNP-001' }
        : { code: 'NVE-VDP-006', message: expect.stringContaining('VSI Manager unreachable') },
    );
    nva = await startNva();
    await eventually(async () =>
      expect(await nvaClient.listVns()).toMatchObject([{ vn: 'blue', hosts: [{}, {}] }, {}]),
    );
    await expect(attach('red', 1)).resolves.toMatchObject({ state: 'activated' });
    expect(await fdb(1)).toEqual([
      `blue ${mac(1)} here ${seen('blue', 1)}`,
      `blue ${mac(2)} nve2 5001 ${seen('blue', 2)}`,
      `red ${mac(1)} here ${seen('red', 1)}`,
    ]);
  });

  it('keep names, ids and VNIs of VNs apart', async () => {
    await nvaClient.addVn({ name: 'green', vni: 6000, mtu: 1500 });
    await expect(attach('green', 1)).resolves.toMatchObject({ state: 'activated' });
    await expect(nvaClient.addVn({ name: 'other', vni: 6000, mtu: 1500 })).rejects.toMatchObject({
      code: 'NVE-NVA-009',
    });
    await expect(nvaClient.addVn({ name: 'green', vni: 6000, mtu: 1500, id: 77 })).rejects.toMatchObject({
      code: 'NVE-RPC-003',
    });
    await expect(nvaClient.deleteVn('nowhere')).rejects.toMatchObject({ code: 'NVE-NVA-001' });
  });
});
