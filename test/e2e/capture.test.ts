// `splitnve capture` at a real agent, and what tshark reads back. Each access port is a ring: what is sent there comes in again.
//
//   inject ─ access0 (VAP of vm1) ─ VN blue ─ access1 (VAP of vm2)
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ShowMemoryRow, ShowVapRow } from '#hypervisor';
import { must, obstacle } from '../lib/command.js';
import { Lab } from '../lib/lab.js';
import type { Namespace } from '../lib/namespace.js';
import { Program } from '../lib/program.js';
import { Role, vidOf } from '../lib/role.js';

const CLI = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const why = obstacle('ip', 'nsenter', 'unshare', 'setpriv', 'tshark');
const folder = mkdtempSync(join(tmpdir(), 'splitnve-capture-e2e-'));
const [VM1, VM2] = ['02:00:00:00:00:01', '02:00:00:00:00:02'];

const NVA = `
listen.endpoints = ["unix:${folder}/nnp.sock"]
vn = [{ name = "blue", vni = 5001, mtu = 1450 }]
nve = [{ id = "nve1", addresses = ["192.0.2.1"] }]
tsi = [{ vn = "blue", tsi = "*" }]
`;
const AGENT = `
nva.endpoints = ["unix:${folder}/nnp.sock"]
underlay = [{ port = "fabric0", address = "192.0.2.1/24" }]
engine = { hugepages = "off", memory_mb = 128 }
port = [
  { name = "fabric0", driver = "net_ring", mtu = 1600 },
  { name = "access0", driver = "net_ring" },
  { name = "access1", driver = "net_ring" },
]
access = [
  { port = "access0", vlan_pool = "100-199", vdp = false },
  { port = "access1", vlan_pool = "200-299", vdp = false },
]
`;

const lab = new Lab();
let node: Namespace;
let agent: Role;
/** Of vm1 and vm2. */
const vids: number[] = [];
let vaps: ShowVapRow[] = [];

beforeAll(async () => {
  if (why !== undefined) return;
  node = await lab.namespace('node');
  const nva = new Role(node, 'nva', 'nva', folder, NVA);
  agent = new Role(node, 'agent', 'nve1', folder, AGENT);
  lab.add(nva.program);
  await nva.start();
  lab.add(agent.program);
  await agent.start();
  await agent.cli(`tsi attach vm1 --vn blue --mac ${VM1} --link access0`);
  await agent.cli(`tsi attach vm2 --vn blue --mac ${VM2} --link access1`);
  for (const name of ['vm1', 'vm2']) vids.push(vidOf((await agent.tsis()).find(({ tsi }) => tsi === name)) ?? 0);
  vaps = JSON.parse(await agent.cli('show vap --json')) as ShowVapRow[];
});
afterAll(async () => {
  await lab.close();
  rmSync(folder, { recursive: true });
});
beforeEach((context) => {
  if (why !== undefined) context.skip(why);
});

const hex = (mac: string | undefined): string => `${mac}`.replaceAll(':', '');
/** A frame from vm1 to vm2, of 60 octets. */
function frame(vid = vids[0] ?? 0): string {
  return `${hex(VM2)}${hex(VM1)}8100${vid.toString(16).padStart(4, '0')}88b5${'5a'.repeat(42)}`;
}

let files = 0;
/** Records while `act` runs; gives tshark's fields of each frame, and what the command said. */
async function record(line: string, act: () => Promise<unknown>, fields: readonly string[]) {
  const file = join(folder, `${++files}.pcapng`);
  const recorder = new Program(
    node,
    process.execPath,
    CLI,
    'capture',
    ...line.split(' '),
    '-w',
    file,
    '--socket',
    agent.socket,
  );
  lab.add(recorder);
  await recorder.start('recording into');
  await act();
  // Everything that comes is read within this.
  await new Promise((resolve) => setTimeout(resolve, 500));
  await recorder.stop();
  const named = fields.flatMap((field) => ['-e', field]);
  const text = await must('tshark', ['-n', '-r', file, '-T', 'fields', '-E', 'separator=|', ...named], 60_000);
  const rows = text.split('\n').slice(0, -1);
  return { rows, said: recorder.output, file };
}

const WHERE = ['frame.interface_name', 'frame.packet_flags_direction', 'vlan.id', 'eth.dst', 'frame.len'] as const;

describe('a port', () => {
  it('is recorded both ways, with times in nanoseconds', async () => {
    const fields = [...WHERE, 'frame.time_epoch'];
    const before = Date.now() / 1000;
    const { rows, said } = await record('port=access0', () => agent.cli(`inject access0 ${frame()}`), fields);
    const [out, back, ...more] = rows.map((row) => row.split('|'));
    expect(more).toEqual([]);
    expect(out?.slice(0, 5)).toEqual(['access0', '0x00000002', `${vids[0]}`, VM2, '60']);
    expect(back?.slice(0, 5)).toEqual(['access0', '0x00000001', `${vids[0]}`, VM2, '60']);
    const [sent, received] = [Number(out?.[5]), Number(back?.[5])];
    expect(sent).toBeGreaterThanOrEqual(before - 1);
    expect(received).toBeGreaterThanOrEqual(sent);
    expect(received).toBeLessThanOrEqual(Date.now() / 1000 + 1);
    expect(out?.[5]).toMatch(/\.\d{9}$/);
    expect(said).toContain('2 frames recorded\n');
  });

  it('cuts frames, ends after so many of them, and is read from a pipe', async () => {
    const shell = `${process.execPath} ${CLI} capture port=access0 --snap 18 --count 2 --socket ${agent.socket} | tshark -n -r - -T fields -e frame.len -e frame.cap_len`;
    const reader = new Program(node, 'sh', '-c', shell);
    lab.add(reader);
    await reader.start();
    // One after the other, and none is under way when the next test begins.
    const isDone = (): boolean => reader.output.includes('60\t18\n60\t18\n');
    for (let tries = 0; !isDone() && tries < 20; tries++) await agent.cli(`inject access0 ${frame()}`);
    await expect.poll(isDone, { timeout: 10_000 }).toBe(true);
  });
});

describe('a VAP', () => {
  it('is recorded with its tags, as frames leave and as they come, and nothing else of its port is', async () => {
    const vap = vaps.find(({ port }) => port === 'access1')?.vap;
    const act = async () => {
      await agent.cli(`inject access1 ${frame(222)}`);
      await agent.cli(`inject access0 ${frame()}`);
    };
    const { rows } = await record(`vap=${vap}`, act, WHERE);
    expect(rows).toEqual([
      `access1|0x00000002|${vids[1]}|${VM2}|60`,
      // From the ring; a station that does not belong there.
      `access1|0x00000001|${vids[1]}|${VM2}|60`,
    ]);
  });
});

describe('dropped frames', () => {
  it('are recorded with the reason in the comment', async () => {
    const act = async () => {
      await agent.cli(`inject access0 ${frame(177)}`);
      await agent.cli(`inject access0 ${frame()}`);
    };
    const fields = ['frame.interface_name', 'frame.comment', 'vlan.id'];
    expect((await record('drops', act, fields)).rows).toEqual([
      'access0|dropped: unknown_tag|177',
      `access1|dropped: source_guard|${vids[1]}`,
    ]);
    const { rows } = await record('drops=source_guard port=access1', act, fields);
    expect(rows).toEqual([`access1|dropped: source_guard|${vids[1]}`]);
  });
});

describe('what cannot be recorded', () => {
  const refusal = async (line: string) => {
    const { status, stderr } = await node.run(`${process.execPath} ${CLI} capture ${line} --socket ${agent.socket}`);
    return { status, stderr };
  };

  it.each([
    ['port=nowhere', 3, /nowhere/],
    ['vap=4000000000', 1, /vap 4000000000|NVE-ENG-004/],
    ['drops=bad_luck', 1, /bad_luck/],
    ['vap=1 port=access0', 2, /is not port=NAME/],
    ['port=access0 -w /nowhere/at/all', 1, /cannot write \/nowhere/],
  ])('%s is refused', async (line, status, stderr) => {
    expect(await refusal(line)).toEqual({ status, stderr: expect.stringMatching(stderr) });
  });

  it('a second recording is refused while one runs, and not after', async () => {
    const during = await record(
      'port=access0',
      async () => expect((await refusal('drops --count 1')).stderr).toContain('NVE-RPC-018'),
      WHERE,
    );
    expect(during.rows).toEqual([]);
    expect((await refusal('drops --seconds 1')).status).toBe(0);
  });
});

describe('what there is to show', () => {
  it('memory: every table with what it has taken', async () => {
    const rows = JSON.parse(await agent.cli('show memory --json')) as ShowMemoryRow[];
    const of = (table: string) => rows.find((row) => row.table === table);
    expect(of('fdb')).toMatchObject({ entries: 2, bytes_per_entry: expect.any(Number) });
    // Four places in 64 bytes, half of them meant to be used.
    expect(of('fdb')?.bytes_per_entry).toBeGreaterThanOrEqual(32);
    expect(of('vaps')).toMatchObject({ entries: 2 });
    for (const table of ['contexts', 'sources', 'vns', 'next_hops', 'ports', 'model', 'buffers', 'region', 'heap'])
      expect(of(table)?.bytes, table).toBeGreaterThanOrEqual(table === 'next_hops' ? 0 : 1);
  });

  it('support: one file with configuration, versions, tables and the log', async () => {
    const file = join(folder, 'support.json');
    await agent.cli(`show support -o ${file}`);
    const support = JSON.parse(readFileSync(file, 'utf8'));
    expect(support).toMatchObject({
      node: 'nve1',
      versions: { node: process.versions.node, dpdk: expect.any(String), kernel: expect.any(String) },
      config: { node: { name: 'nve1' } },
    });
    expect(support.tables.vap).toHaveLength(2);
    expect(support.tables.memory.length).toBeGreaterThan(10);
    const vns = [{ state: 'in sync', vn: 'blue' }];
    expect(support.tables.nva).toMatchObject([{ state: 'connected' }, { state: 'active' }, ...vns]);
    expect(support.log.join('\n')).toContain('connected to the NVA');
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });
});
