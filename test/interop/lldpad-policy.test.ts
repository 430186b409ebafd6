// Who may join is the agent's own rules' to say, alone or beside the NVA: the real lldpad asks, is refused with the right error, and
// nothing is taken for what was refused. The pool has one VID: what took it for nothing would keep everybody else out.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { Capture } from '../lib/capture.js';
import { must, obstacle } from '../lib/command.js';
import { Lab } from '../lib/lab.js';
import { Lldpad } from '../lib/lldpad.js';
import { Program } from '../lib/program.js';

const CLI = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const why = obstacle('lldpad', 'lldptool', 'vdptool', 'ip', 'nsenter', 'unshare', 'setpriv', 'tcpdump');

const folder = mkdtempSync(join(tmpdir(), 'splitnve-policy-'));
/** It takes VSIs 1 to 3 in the VN blue, and anything in red. */
const NVA = `
node.name = "nva"
rpc.socket = "${folder}/nva.sock"
listen.endpoints = ["unix:${folder}/nnp.sock"]
store.path = "${folder}/nva.store"
vn = [{ name = "blue", vni = 5001 }, { name = "red", vni = 5002 }]
nve = [{ id = "nve1", addresses = ["192.0.2.1"] }]
tsi = [
  { vn = "blue", tsi = "1*" }, { vn = "blue", tsi = "2*" }, { vn = "blue", tsi = "3*" }, { vn = "red", tsi = "*" },
]
`;
/** The rules take blue only, and neither VSI 3 nor the MAC of VSI 2. */
const agentConfig = (mode: 'local' | 'both'): string => `
node.name = "nve1"
log.level = "debug"
rpc.socket = "${folder}/agent.sock"
store.path = "${folder}/${mode}.store"
nva.endpoints = ["unix:${folder}/nnp.sock"]
underlay = [{ port = "fabric0", address = "192.0.2.1/24" }]
engine = { hugepages = "off", memory_mb = 128, mbuf_size = 2432 }
port = [
  { name = "fabric0", driver = "net_ring", mtu = 1600 },
  { name = "access0", driver = "net_af_xdp", iface = "access0" },
]
access = [{ port = "access0", vlan_pool = "100-100" }]
evb = { rka = 19, rwd = 19, rte = 14 }
vdp.filter_format = [{ code = 5, fields = ["group_id", "ipv4", "vid"] }]
[authorization]
mode = "${mode}"
rule = [
  { verdict = "deny", tsi = "3*" },
  { verdict = "deny", macs = ["52:54:00:11:22:22"] },
  { verdict = "allow", vn = "blue" },
]
${mode === 'local' ? 'vn = [{ name = "blue", vni = 5001 }, { name = "red", vni = 5002 }]' : ''}
`;

const uuid = (n: number): string => `${n}1111111-2222-3333-4444-555555555555`;
const mac = (n: number): string => `52:54:00:11:22:${n}${n}`;
const filter = (n: number, vni: number): string => `0-${mac(n)}-${vni}`;

let lldpad: Lldpad;

const show = async (what: string): Promise<Record<string, unknown>[]> =>
  JSON.parse(await must(process.execPath, [CLI, ...what.split(' '), '--json', '--socket', `${folder}/agent.sock`]));
const soon = (check: () => Promise<void>): Promise<void> => vi.waitFor(check, { timeout: 10_000, interval: 200 });

beforeAll(() => {
  writeFileSync(`${folder}/nva.toml`, NVA);
});
afterAll(() => rmSync(folder, { recursive: true }));
beforeEach((context) => {
  if (why !== undefined) context.skip(why);
});

describe.each(['local', 'both'] as const)('authorization.mode = "%s"', (mode) => {
  const lab = new Lab();
  beforeAll(async () => {
    if (why !== undefined) return;
    const [nve, station] = [await lab.namespace('nve'), await lab.namespace('station')];
    await lab.veth({ namespace: nve, iface: 'access0' }, { namespace: station, iface: 'v0' });
    writeFileSync(`${folder}/agent.toml`, agentConfig(mode));
    const nva = lab.add(new Program(nve, process.execPath, CLI, 'nva', '-c', `${folder}/nva.toml`));
    const agent = lab.add(new Program(nve, process.execPath, CLI, 'agent', '-c', `${folder}/agent.toml`));
    await nva.start('"ready"');
    await agent.start('connected to the NVA');
    lldpad = lab.add(new Lldpad(station, 'v0', folder));
    await lldpad.start({ vdprka: 19, vdprwd: 19 });
    await lldpad.negotiated();
  });
  afterAll(() => lab.close());

  const denied: [what: string, n: number, vni: number, code: string][] = [
    ['a VSI that a rule denies', 3, 5001, 'NVE-AUT-001'],
    ['a MAC that a rule denies', 2, 5001, 'NVE-AUT-001'],
    ['a VN that no rule allows', 4, 5002, 'NVE-AUT-001'],
    ...(mode === 'both'
      ? [['a VSI that only the NVA denies', 5, 5001, 'NVE-NVA-002'] as [string, number, number, string]]
      : []),
  ];
  it.each(denied)('%s: error 5 and HARD, and nothing is taken', async (_, n, vni, code) => {
    const capture = await Capture.start(lldpad.namespace, 'v0', 'in');
    const event = await lldpad.command({ mode: 'assoc', uuid: uuid(n), filters: [filter(n, vni)] });
    await capture.stop();
    // lldpad has no words for an error with the HARD bit: it says that the VSI is gone.
    expect(event).toContain('mode = deassoc');
    const explained = await must(process.execPath, [CLI, 'vdp', 'explain', capture.file]);
    expect(explained).toMatch(new RegExp(`associate of VSI ${uuid(n)}[^=]*=> a response: error 5 and HARD;`));
    await capture.close();
    await soon(async () => expect(await lldpad.vids(uuid(n))).toEqual([]));
    expect(await show('tsi list')).toEqual([]);
    expect(await show('show vap')).toEqual([]);
    const rows = await show('vdp show');
    const row = rows.find(({ vsi }) => vsi === uuid(n));
    expect(row).toMatchObject({ state: 'refused', macs: [mac(n)], error: expect.stringContaining(code) });
  });

  it('what both allow gets the one VID', async () => {
    expect(await lldpad.associate({ mode: 'assoc', uuid: uuid(1), filters: [filter(1, 5001)] })).toEqual([100]);
    expect(await show('tsi list')).toMatchObject([{ vn: 'blue', state: 'activated', tag: { vid: 100 } }]);
  });
});
