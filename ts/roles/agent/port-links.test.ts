// Ports that were made for TSIs, over a restart of the agent: the store is the real one, the engine begins anew as the real one does.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { HypervisorClient } from '#hypervisor';
import { err, type NveError, nveError, ok, parseConfig, unwrap, type VnInfo } from '#model';
import { Store } from '#store';
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
  { name = "access0", driver = "net_ring" },
  { name = "fabric0", driver = "net_ring", mtu = 1600 },
]
access = [{ port = "access0", vdp = false }]
`;
const BLUE = { vn: 1, name: 'blue', vni: 5001, mtu: 1450, gateway: null } as unknown as VnInfo;
const TAP = { kind: 'net_tap', iface: 'vm1', netns: 'ns1' } as const;
const VHOST = { kind: 'net_vhost', path: '/run/vm2.sock' } as const;
const VM1 = { vn: 'blue', tsi: 'vm1', macs: ['02:00:00:00:00:01'], link: TAP };
const VM2 = { vn: 'blue', tsi: 'vm2', macs: ['02:00:00:00:00:02'], link: VHOST };

let directory = '';
let engine: FakeEngine;
let agent: Agent;
let store: Store;
let client: HypervisorClient;
let broughtUp: string[];
let noNamespace = false;
let refusal: NveError | null = null;
let log: ReturnType<typeof silentLog>;

async function start(): Promise<void> {
  engine = new FakeEngine();
  broughtUp = [];
  log = silentLog();
  store = await Store.open(join(directory, 'store'));
  const socket = join(directory, 'agent.sock');
  agent = await Agent.start({
    config: unwrap(parseConfig('agent', CONFIG.replace('SOCKET', socket), 'test.toml')),
    engine,
    log: log.log,
    store,
    makeNvaClient: (_, handlers) => {
      const nva = new FakeNva(handlers);
      nva.verdict = () => (refusal === null ? ok(BLUE) : err(refusal));
      return nva;
    },
    kernel: {
      check: () => {
        if (noNamespace) throw nveError('NVE-SYS-004', { command: 'ip', reason: 'no namespace' });
      },
      bringUp: async ({ iface, netns }, mtu) => void broughtUp.push(`${iface} ${netns} ${mtu}`),
    },
    onFailure: (error) => expect.unreachable(String(error)),
  });
  client = new HypervisorClient({ socket });
}
async function stop(): Promise<void> {
  client.close();
  await agent.close();
  await store.close();
}
async function restart(): Promise<void> {
  await stop();
  await start();
}

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'splitnve-port-links-'));
  noNamespace = false;
  refusal = null;
  await start();
});
afterEach(async () => {
  await stop();
  rmSync(directory, { recursive: true });
});

const ports = (): unknown[] =>
  [...engine.objects.values()].flatMap((object) => (object.op === 'PortAdd' ? [object.name] : [])).sort();
const said = (): string => log.lines.map(({ msg }) => msg).join('\n');
const states = async () => (await client.list()).map(({ tsi, link, state }) => `${tsi} ${link} ${state}`).sort();
const BOTH = ['vm1 net_tap:vm1@ns1 activated', 'vm2 net_vhost:/run/vm2.sock associated'];

it('are plugged again with the MTU of the VN, before their TSIs are asked for', async () => {
  await client.attach(VM1);
  await client.attach(VM2);
  await client.deactivate({ tsi: 'vm2', link: 'net_vhost:/run/vm2.sock' });
  for (let life = 0; life < 2; life++) {
    await restart();
    await vi.waitFor(async () => expect(await states()).toEqual(BOTH));
    expect(ports()).toEqual(['access0', 'fabric0', 'net_tap:vm1@ns1', 'net_vhost:/run/vm2.sock']);
    expect(broughtUp).toEqual(['vm1 ns1 1450']);
    expect(engine.violations).toEqual([]);
  }
  await client.detach({ tsi: 'vm1', link: TAP });
  await client.detach({ tsi: 'vm2', link: VHOST });
  expect(ports()).toEqual(['access0', 'fabric0']);
  await restart();
  expect(await states()).toEqual([]);
  expect([store.facts('port'), store.associations(), ports()]).toEqual([[], [], ['access0', 'fabric0']]);
});

it('that cannot be yet are tried again, and are nobody else’s meanwhile', async () => {
  await client.attach(VM1);
  noNamespace = true;
  await restart();
  await vi.waitFor(() => expect(said()).toContain('TSI vm1 waits for its port net_tap:vm1@ns1'));
  expect([await states(), ports()]).toEqual([[], ['access0', 'fabric0']]);
  await expect(client.attach({ ...VM1, tsi: 'vm3' })).rejects.toMatchObject({ code: 'NVE-RPC-017' });
  noNamespace = false;
  await vi.waitFor(async () => expect(await states()).toEqual([BOTH[0]]), { timeout: 8_000, interval: 100 });
  expect(broughtUp).toEqual(['vm1 ns1 1450']);
}, 15_000);

it('that cannot be yet can be taken back, or given up', async () => {
  await client.attach(VM1);
  noNamespace = true;
  await restart();
  await vi.waitFor(() => expect(said()).toContain('waits for its port'));
  noNamespace = false;
  expect(await client.attach(VM1)).toMatchObject({ state: 'activated' });
  noNamespace = true;
  await restart();
  await vi.waitFor(() => expect(said()).toContain('waits for its port'));
  await client.detach({ tsi: 'vm1', link: TAP });
  expect([store.facts('port'), store.associations()]).toEqual([[], []]);
});

it('go when the authority refuses their TSI now', async () => {
  await client.attach(VM1);
  refusal = nveError('NVE-NVA-001', { vn: 'blue' });
  await restart();
  await vi.waitFor(() => expect([store.facts('port'), store.associations()]).toEqual([[], []]));
  await vi.waitFor(() => expect(ports()).toEqual(['access0', 'fabric0']));
  expect(said()).toContain('does not come back');
});
