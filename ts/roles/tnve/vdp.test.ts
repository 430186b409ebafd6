// A tNVE and an agent that negotiate by VDP, over the octets of their frames. The agent, its machines and those of the station are real; the
// engines, the NVA and the wire are stand-ins. Timers are short: keep-alives come each 0.33 s.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { HypervisorClient, type ParamsIn, type TsiListRow } from '#hypervisor';
import { err, isVn, nveError, ok, parseConfig, unwrap, type VnInfo } from '#model';
import type { MappingChange } from '#nva';
import { VSI_NAMESPACE } from '#protocol';
import { Agent } from '../agent/agent.js';
import { FakeEngine } from '../testing/fake-engine.js';
import { FakeNva } from '../testing/fake-nva.js';
import { type LogLine, silentLog } from '../testing/silent.js';
import { Wire } from '../testing/wire.js';
import { Tnve } from './tnve.js';

const EVB = 'evb = { rte = 12, rwd = 14, rka = 15 }';
const AGENT = `
node.name = "nve1"
rpc.socket = "DIR/agent.sock"
nva.endpoints = ["tcp:198.51.100.1:7890"]
underlay = [{ port = "fabric0", address = "192.0.2.1/24" }]
port = [{ name = "fabric0", driver = "net_ring", mtu = 1600 }, { name = "access0", driver = "net_ring" }]
access = [{ port = "access0", vlan_pool = "100-101" }]
${EVB}
`;
const TNVE = `
node.name = "hv1"
rpc.socket = "DIR/tnve.sock"
uplink.port = "uplink0"
port = [{ name = "uplink0", driver = "net_ring" }]
vn = [{ name = "blue", vni = 5001, mtu = 1400, gateway = "10.0.0.254" }]
${EVB}
`;
const VNS = [
  { vn: 1, name: 'blue', vni: 5001, mtu: 1400, gateway: null },
  { vn: 2, name: 'red', vni: 5002, mtu: 1500, gateway: null },
] as unknown as VnInfo[];

let directory: string;
let wire: Wire;
let uplink: FakeEngine;
let access: FakeEngine;
let agent: Agent;
let nva: FakeNva;
let tnve: Tnve;
let lines: LogLine[];
let client: HypervisorClient;
let agentClient: HypervisorClient;

const fill = (text: string): string => text.replaceAll('DIR', directory);
const eventually = (check: () => unknown, timeout = 4_000): Promise<unknown> =>
  vi.waitFor(check, { timeout, interval: 10 });
const onFailure = (error: Error): void => expect.unreachable(String(error));

async function startAgent(change = (text: string): string => text): Promise<void> {
  agent = await Agent.start({
    config: unwrap(parseConfig('agent', change(fill(AGENT)), 'agent.toml')),
    engine: access,
    log: silentLog().log,
    makeNvaClient: (_, handlers) => {
      nva = new FakeNva(handlers);
      nva.verdict = ({ vn }) => {
        const info = VNS.find((one) => isVn(one, vn));
        return info === undefined ? err(nveError('NVE-NVA-001', { vn })) : ok(info);
      };
      return nva;
    },
    onFailure,
  });
}

async function startTnve(change = (text: string): string => text): Promise<void> {
  const made = silentLog();
  lines = made.lines;
  tnve = await Tnve.start({
    config: unwrap(parseConfig('tnve', change(fill(TNVE)), 'tnve.toml')),
    engine: uplink,
    log: made.log,
    kernel: { check: () => undefined, bringUp: async () => undefined },
    onFailure,
  });
  client = new HypervisorClient({ socket: fill('DIR/tnve.sock') });
}

/** A new process with a new engine at the other end of the link; it has forgotten everything. */
async function restartAgent(change?: (text: string) => string): Promise<void> {
  wire.isCut = true;
  await agent.close();
  access = new FakeEngine();
  wire = new Wire({ engine: uplink, port: 0 }, { engine: access, port: 1 });
  await startAgent(change);
}

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'splitnve-vdp-'));
  uplink = new FakeEngine();
  access = new FakeEngine();
  wire = new Wire({ engine: uplink, port: 0 }, { engine: access, port: 1 });
  await startAgent();
  await startTnve();
  agentClient = new HypervisorClient({ socket: fill('DIR/agent.sock') });
});
afterEach(async () => {
  client.close();
  agentClient.close();
  await tnve.close();
  await agent.close();
  rmSync(directory, { recursive: true });
});

const attachment = (vn: string, tsi: string, n: number): ParamsIn<'tsi.attach'> => ({
  vn,
  tsi,
  macs: [`02:00:00:00:00:0${n}`],
  ips: [`10.0.0.${n}`],
  link: { kind: 'net_tap', iface: `tap${n}`, netns: null },
});
const here = async (): Promise<TsiListRow | undefined> => (await client.list())[0];
const there = async (): Promise<TsiListRow | undefined> => (await agentClient.list())[0];
const uplinkTags = (): unknown[] =>
  [...uplink.objects.values()].flatMap((object) => (object.op === 'VapSet' && object.uplink ? [object.selector] : []));
const UUID = '11111111-2222-3333-4444-555555555555';

describe('attach', () => {
  it('associates with resources reserved, then associates; the tag of the answer is on the uplink', async () => {
    await expect(client.attach(attachment('blue', 'blue-1', 1))).resolves.toMatchObject({
      vn: 'blue',
      link: 'uplink0',
      state: 'activated',
      tag: { kind: 'c-tag', vid: 100 },
      mtu: 1400,
      gateway: '10.0.0.254',
    });
    expect(uplinkTags()).toEqual([{ kind: 'c-tag', vid: 100 }]);
    expect(await there()).toMatchObject({
      tsi: 'blue-1/5001',
      vn: 'blue',
      state: 'activated',
      tag: { vid: 100 },
      macs: ['02:00:00:00:00:01'],
      ips: ['10.0.0.1'],
    });
    const steps = lines
      .filter(({ component, from }) => component === 'vdp' && from !== undefined)
      .map(({ from, to, cause }) => `${from} ${to}: ${cause}`);
    expect(steps).toEqual([
      'init waiting: preAssociateRr',
      'waiting associated: preAssociateRr granted',
      'associated waiting: associate',
      'waiting associated: associate granted',
    ]);
    await client.detach({ tsi: 'blue-1' });
    expect(await there()).toBeUndefined();
    expect(uplinkTags()).toEqual([]);
  });

  it('names a VN by its VNI as well, and takes both for one VN', async () => {
    await expect(client.attach(attachment('vni:5002', 'red-1', 1))).resolves.toMatchObject({
      vn: 'vni:5002',
      mtu: 1500,
      gateway: null,
    });
    await expect(client.attach(attachment('vni:5001', UUID, 2))).resolves.toMatchObject({ vn: 'blue', mtu: 1400 });
    await expect(client.attach(attachment('blue', 'blue-2', 3))).resolves.toMatchObject({ tag: { vid: 101 } });
    expect(uplinkTags()).toHaveLength(2);
    const tsis = (await agentClient.list()).map(({ tsi }) => tsi).sort();
    expect(tsis).toEqual([`${UUID}/5001`, 'blue-2/5001', 'red-1/5002']);
  });

  it('is refused, with what to do, when the VN has no VNI here, and when two TSIs would be one VSI', async () => {
    await expect(client.attach(attachment('green', 'green-1', 1))).rejects.toMatchObject({
      code: 'NVE-VDP-022',
      hint: expect.stringContaining('vni:NUMBER'),
    });
    const letters = UUID.replaceAll('5', 'a');
    await client.attach(attachment('blue', letters, 1));
    await expect(client.attach(attachment('blue', letters.toUpperCase(), 2))).rejects.toMatchObject({
      code: 'NVE-VDP-023',
    });
    expect(await there()).toMatchObject({ tsi: `${letters}/5001`, state: 'activated' });
  });

  it('is rolled back when a later step fails', async () => {
    uplink.refuse = ({ op }) => (op === 'FdbSet' ? 'NVE-ENG-009' : undefined);
    await expect(client.attach(attachment('blue', 'blue-1', 1))).rejects.toMatchObject({ code: 'NVE-ENG-009' });
    expect(await there()).toBeUndefined();
    expect([...uplink.objects.keys()]).toEqual(['port 0']);
  });

  it('without an NVE says that none is heard', async () => {
    wire.isCut = true;
    await agent.close();
    uplink.emit({ kind: 'link', port: 0, up: false });
    const early = client.attach(attachment('blue', 'blue-1', 1), { deadlineMs: 1_000 });
    await expect(early).rejects.toMatchObject({ code: 'NVE-VDP-020' });
    expect([...uplink.objects.keys()]).toEqual(['port 0']);
    wire.isCut = false;
    access = new FakeEngine();
    await startAgent();
  });
});

describe('what is attached', () => {
  beforeEach(async () => {
    await client.attach(attachment('blue', 'blue-1', 1));
  });

  it('is kept alive', async () => {
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(await there()).toMatchObject({ state: 'activated' });
    expect(lines.filter(({ msg }) => msg?.endsWith('keep-alive')).length).toBeGreaterThanOrEqual(3);
    expect(await here()).toMatchObject({ state: 'activated', cause: null });
  });

  it('and whose NVE falls silent is switched on, and associated again with its VID', async () => {
    wire.isCut = true;
    await eventually(async () =>
      expect(await here()).toMatchObject({ state: 'activated', cause: expect.stringContaining('NVE-VDP-007') }),
    );
    expect(uplinkTags()).toEqual([{ kind: 'c-tag', vid: 100 }]);
    // The NVE has forgotten it, too.
    await eventually(async () => expect(await there()).toBeUndefined());
    wire.isCut = false;
    await eventually(async () => expect(await here()).toMatchObject({ state: 'activated', cause: null }), 8_000);
    expect(await there()).toMatchObject({ state: 'activated', tag: { vid: 100 } });
  }, 15_000);

  it('gets another VID where its own is not to be had any more', async () => {
    await restartAgent((text) => text.replace('"100-101"', '"101"'));
    await eventually(async () => expect(await here()).toMatchObject({ state: 'activated', tag: { vid: 101 } }), 8_000);
    expect(await there()).toMatchObject({ state: 'activated', tag: { vid: 101 } });
    expect(uplinkTags()).toEqual([{ kind: 'c-tag', vid: 101 }]);
  }, 15_000);

  it('is told anew to an agent that was started again, with its VID', async () => {
    await restartAgent();
    await eventually(async () => expect(await there()).toMatchObject({ state: 'activated', tag: { vid: 100 } }));
    await eventually(async () => expect(await here()).toMatchObject({ state: 'activated', cause: null }));
  });

  it('outlives a flap of the link', async () => {
    for (const up of [false, true]) {
      uplink.emit({ kind: 'link', port: 0, up });
      access.emit({ kind: 'link', port: 1, up });
    }
    await eventually(async () => expect(await there()).toMatchObject({ state: 'activated', tag: { vid: 100 } }));
    expect(await here()).toMatchObject({ state: 'activated' });
    expect(uplinkTags()).toEqual([{ kind: 'c-tag', vid: 100 }]);
  });

  it('and is de-associated by the NVE stops at once, says why, and is asked for again', async () => {
    const told: unknown[] = [];
    client.on('tsi', ({ state, cause, retry }) => told.push([state, cause === null, retry]));
    await client.list();
    const deleted = {
      vn: 1,
      info: null,
      members: { set: [], removed: [] },
      hosts: { set: [], removed: [] },
      revision: 1n,
    };
    nva.verdict = ({ vn }) => err(nveError('NVE-NVA-001', { vn }));
    nva.handlers.onMapping?.(deleted as unknown as MappingChange);
    await eventually(() => expect(uplinkTags()).toEqual([]));
    expect(await here()).toMatchObject({
      state: 'authorizing',
      tag: null,
      cause: expect.stringContaining('NVE-VDP-00'),
    });
    await eventually(async () => expect(await here()).toMatchObject({ cause: expect.stringContaining('HARD') }));
    nva.verdict = () => ok(VNS[0] as VnInfo);
    await eventually(async () => expect(await here()).toMatchObject({ state: 'activated', cause: null }), 8_000);
    expect(uplinkTags()).toHaveLength(1);
    await eventually(() => expect(told.at(-1)).toEqual(['activated', true, false]));
    expect(told.slice(0, -1)).toEqual(told.slice(0, -1).map(() => ['authorizing', false, true]));
  }, 15_000);

  it('is suspended and resumed by the S bit of its keep-alives, and stays suspended over a restart of the NVE', async () => {
    const key = { tsi: 'blue-1', link: 'uplink0' };
    await expect(client.suspend(key)).resolves.toMatchObject({ suspended: true });
    await eventually(async () => expect(await there()).toMatchObject({ suspended: true }));
    await restartAgent();
    await eventually(async () => expect(await there()).toMatchObject({ state: 'activated', suspended: true }));
    await expect(client.resume(key)).resolves.toMatchObject({ state: 'activated', suspended: false });
    await eventually(async () => expect(await there()).toMatchObject({ state: 'activated', suspended: false }));
    await expect(client.suspend({ ...key, tsi: 'nobody' })).rejects.toMatchObject({ code: 'NVE-TSI-001' });
  });

  it('is de-associated when the tNVE stops', async () => {
    await client.attach(attachment('vni:5002', 'red-1', 2));
    await tnve.close();
    expect(await agentClient.list()).toEqual([]);
  });
});

describe('an uplink with S-TAGs', () => {
  it("carries tenants' C-TAGs behind the S-TAG that was negotiated", async () => {
    client.close();
    await tnve.close();
    await restartAgent((text) => text.replace('vlan_pool', 'scheme = "s-tag", vlan_pool'));
    uplink = new FakeEngine();
    wire = new Wire({ engine: uplink, port: 0 }, { engine: access, port: 1 });
    await startTnve((text) => text.replace('uplink.port', 'uplink.scheme = "s-tag"\nuplink.port'));
    const tag = { kind: 's-tag', vid: 100 };
    await expect(client.attach(attachment('blue', 'blue-1', 1))).resolves.toMatchObject({ state: 'activated', tag });
    expect(await there()).toMatchObject({ state: 'activated', tag });
    expect([...uplink.objects.values()].filter(({ op }) => op === 'VapSet')).toMatchObject([
      { port: 1, selector: { kind: 'port' }, tags: { kind: 'pass' } },
      { port: 0, selector: tag, tags: { kind: 'pass' } },
    ]);
  });
});

describe('an uplink with an S-channel', () => {
  it('negotiates within the channel that CDCP gives, and follows it to another SVID', async () => {
    client.close();
    await tnve.close();
    const within = (svids: string) => (text: string) =>
      text.replace('vlan_pool', `scheme = "s-channel", channels = 2, svid_pool = "${svids}", vlan_pool`);
    await restartAgent(within('500'));
    uplink = new FakeEngine();
    wire = new Wire({ engine: uplink, port: 0 }, { engine: access, port: 1 });
    await startTnve((text) => text.replace('uplink.port', 'uplink.scheme = "s-channel"\nuplink.port'));
    const tag = (s_vid: number) => ({ kind: 's-tag+c-tag', s_vid, c_vid: 100 });
    await expect(client.attach(attachment('blue', 'blue-1', 1))).resolves.toMatchObject({ tag: tag(500) });
    expect(await there()).toMatchObject({ link: 'access0.500', state: 'activated', tag: tag(500) });
    expect(uplinkTags()).toEqual([{ kind: 's-tag+c-tag', sVid: 500, cVid: 100 }]);
    await restartAgent(within('600'));
    await eventually(async () => expect(await here()).toMatchObject({ state: 'activated', tag: tag(600) }), 8_000);
    expect(await there()).toMatchObject({ link: 'access0.600', state: 'activated', tag: tag(600) });
    expect(uplinkTags()).toEqual([{ kind: 's-tag+c-tag', sVid: 600, cVid: 100 }]);
  }, 15_000);
});

it('the page names the name space of VSIIDs', () => {
  const page = readFileSync(new URL('../../../docs/configuration.md', import.meta.url), 'utf8');
  expect(page).toContain(`--namespace ${VSI_NAMESPACE} `);
});
