// A foreign station: the real lldpad negotiates with the real agent and NVA over a veth. Everything is asked of lldpad's own tools and of
// the agent's command line.
//
//   lldpad ─ veth ═ agent ─ unix socket ─ NVA
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ShowVapRow, TsiListRow } from '#hypervisor';
import { must, obstacle } from '../lib/command.js';
import { Lab } from '../lib/lab.js';
import { Lldpad, type VsiCommand } from '../lib/lldpad.js';
import { Program } from '../lib/program.js';

const CLI = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const why = obstacle('lldpad', 'lldptool', 'vdptool', 'ip', 'nsenter', 'unshare', 'setpriv');

const folder = mkdtempSync(join(tmpdir(), 'splitnve-lldpad-'));
const NVA = `
node.name = "nva"
rpc.socket = "${folder}/nva.sock"
listen.endpoints = ["unix:${folder}/nnp.sock"]
store.path = "${folder}/nva.store"
vn = [{ name = "blue", vni = 5001 }, { name = "red", vni = 5002 }]
nve = [{ id = "nve1", addresses = ["192.0.2.1"] }]
tsi = [{ vn = "blue", tsi = "*" }, { vn = "red", tsi = "*" }]
`;
// Exponents of 10 µs: 19 is 5.2 s, after 7.9 s without a keep-alive a VSI ends; 14 is 0.16 s:
// the machine may be busy with other tests, and lldpad gives a PDU up after four times as long.
const AGENT = `
node.name = "nve1"
log.level = "debug"
rpc.socket = "${folder}/agent.sock"
store.path = "${folder}/agent.store"
nva.endpoints = ["unix:${folder}/nnp.sock"]
underlay = [{ port = "fabric0", address = "192.0.2.1/24" }]
engine = { hugepages = "off", memory_mb = 128, mbuf_size = 2432 }
port = [
  { name = "fabric0", driver = "net_ring", mtu = 1600 },
  { name = "access0", driver = "net_af_xdp", iface = "access0" },
]
access = [{ port = "access0", vlan_pool = "100-199", vn = "red" }]
evb = { rka = 19, rwd = 19, rte = 14 }
`;

const EXPONENTS = { vdprka: 19, vdprwd: 19 };

const lab = new Lab();
let lldpad: Lldpad;
let agent: Program;
let nva: Program;

const soon = (check: () => Promise<void>, timeout = 10_000): Promise<void> =>
  vi.waitFor(check, { timeout, interval: 200 });
const cli = (line: string): Promise<string> => must(process.execPath, [CLI, ...line.split(' ')]);
const tsis = async (): Promise<TsiListRow[]> =>
  JSON.parse(await cli(`tsi list --json --socket ${folder}/agent.sock`)) as TsiListRow[];
const tsi = async (n: number): Promise<TsiListRow | undefined> =>
  (await tsis()).find((row) => row.tsi.startsWith(uuid(n)));
const vids = (n: number): Promise<number[]> => lldpad.vids(uuid(n));
/** Associates, and gives the VIDs that lldpad then has. */
const associate = async (n: number, filters: string[], mode: VsiCommand['mode'] = 'assoc'): Promise<number[]> =>
  lldpad.associate({ mode, uuid: uuid(n), filters });
const uuid = (n: number): string => `${n}1111111-2222-3333-4444-555555555555`;
const mac = (n: number): string => `52:54:00:11:22:${n}${n}`;

beforeAll(async () => {
  if (why !== undefined) return;
  const [nve, station] = [await lab.namespace('nve'), await lab.namespace('station')];
  await lab.veth({ namespace: nve, iface: 'access0' }, { namespace: station, iface: 'v0' });
  writeFileSync(`${folder}/nva.toml`, NVA);
  writeFileSync(`${folder}/agent.toml`, AGENT);
  nva = lab.add(new Program(nve, process.execPath, CLI, 'nva', '-c', `${folder}/nva.toml`));
  agent = lab.add(new Program(nve, process.execPath, CLI, 'agent', '-c', `${folder}/agent.toml`));
  await nva.start('"ready"');
  await agent.start('connected to the NVA');
  lldpad = lab.add(new Lldpad(station, 'v0', folder));
  await lldpad.start(EXPONENTS);
  await lldpad.negotiated();
});
afterAll(async () => {
  await lab.close();
  rmSync(folder, { recursive: true });
});
beforeEach((context) => {
  if (why !== undefined) context.skip(why);
});

describe('EVB', () => {
  it('lldpad hears our TLV over the nearest customer bridge address', async () => {
    const ours =
      /bridge:bgid\(0x4\)\s+station:sgid\(0x8\)\s+retries:3 rte:14\s+mode:bridge r\/l:0 rwd:19\s+r\/l:0 rka:19/;
    // Ours repeats its station status: until it has heard us it says that its reflective relay is unknown.
    await soon(async () => expect(await lldpad.neighbour()).toMatch(ours));
    const said = await lldpad.neighbour();
    expect(said).toContain('Local: nve1');
    expect(said).toContain('Local: access0');
  });
});

describe('VDP', () => {
  const formats: [format: number, filter: string, vn: string][] = [
    [4, `0-${mac(1)}-5001`, 'blue'],
    [3, '0--5001', 'blue'],
    [2, `0-${mac(2)}`, 'red'],
    [1, '0', 'red'],
  ];
  it.each(formats)('format %i: a null VID is answered with the tag of the VN', async (format, filter, vn) => {
    const [vid] = await associate(format, [filter]);
    expect(vid).toBeLessThan(200);
    expect(await tsi(format)).toMatchObject({ vn, link: 'access0', state: 'activated', tag: { kind: 'c-tag', vid } });
    const macs = [...filter.matchAll(/(?:\w\w:){5}\w\w/g)].map(([found]) => found);
    expect((await tsi(format))?.macs).toEqual(macs);
    // The assigned VID must be named to leave.
    await lldpad.command({ mode: 'deassoc', uuid: uuid(format), filters: [filter.replace('0', `${vid}`)] });
    await soon(async () => expect(await tsi(format)).toBeUndefined());
    expect(await vids(format)).toEqual([]);
  });

  it('several entries of a VN are one TSI, and have one VID', async () => {
    const [first, second] = await associate(5, [`0-${mac(5)}-5001`, `0-${mac(6)}-5001`]);
    expect(second).toBe(first);
    expect(await tsi(5)).toMatchObject({ state: 'activated', macs: [mac(5), mac(6)], tag: { vid: first } });
  });

  it('Pre-Assoc, Pre-Assoc with resource reservation, Assoc, De-Assoc', async () => {
    let vid = 0;
    for (const [mode, state] of [
      ['preassoc', 'associated'],
      ['preassoc-rr', 'associated'],
      ['assoc', 'activated'],
    ] as const) {
      const [got = 0] = await associate(6, [`${vid}-${mac(7)}-5001`], mode);
      if (vid !== 0) expect(got).toBe(vid);
      vid = got;
      expect(await tsi(6)).toMatchObject({ state, tag: { vid } });
    }
    await lldpad.command({ mode: 'deassoc', uuid: uuid(6), filters: [`${vid}-${mac(7)}-5001`] });
    await soon(async () => expect(await tsi(6)).toBeUndefined());
  });

  it('an unknown VN is refused, and says why in the log', async () => {
    const event = await lldpad.command({ mode: 'assoc', uuid: uuid(7), filters: [`0-${mac(8)}-5999`] });
    // lldpad has no words for an error with the HARD bit: it says that the VSI is gone.
    expect(event).toContain('mode = deassoc');
    await soon(async () => expect(await vids(7)).toEqual([]));
    expect(await tsi(7)).toBeUndefined();
    expect(agent.output).toMatch(/"vsi":"71111111[^}]*"error":"NVE-NVA-001"/);
  });

  it('tsi detach at the agent de-associates the VSI at lldpad', async () => {
    await associate(8, [`0-${mac(8)}-5001`]);
    await cli(`tsi detach ${uuid(8)}/5001 --link access0 --socket ${folder}/agent.sock`);
    await soon(async () => expect(await vids(8)).toEqual([]));
    expect(await tsi(8)).toBeUndefined();
  });

  it('a VSI outlives its keep-alives', async () => {
    const [vid] = await associate(9, [`0-${mac(9)}-5002`]);
    await new Promise((resolve) => setTimeout(resolve, 12_000));
    expect(await vids(9)).toEqual([vid]);
    expect(await tsi(9)).toMatchObject({ vn: 'red', state: 'activated', tag: { vid } });
  });

  it.each(['SIGTERM', 'SIGKILL'] as const)(
    'the agent restarts (%s): the VSI gets the same VID back',
    async (signal) => {
      // Freshly associated: the next keep-alive comes when the agent is back.
      const n = signal === 'SIGTERM' ? 3 : 4;
      await associate(n, [`0-${mac(n)}-5001`]);
      const [vid] = await vids(n);
      expect(vid).toBeGreaterThanOrEqual(100);
      await agent.stop(signal);
      await agent.start('connected to the NVA');
      await soon(async () => expect(await tsi(n)).toMatchObject({ state: 'activated', tag: { vid } }), 20_000);
      expect(await vids(n)).toEqual([vid]);
    },
  );

  it('after kill -9 of lldpad its VSIs end, and the next lldpad is served', async () => {
    await associate(2, [`0-${mac(2)}-5001`]);
    expect(await tsi(2)).toMatchObject({ state: 'activated' });
    await lldpad.program.stop('SIGKILL');
    await soon(async () => expect(await tsis()).toEqual([]), 20_000);
    expect(agent.output).toMatch(/"vsi":"21111111[^}]*"error":"NVE-VDP-004"/);
    await lldpad.start(EXPONENTS);
    await lldpad.negotiated();
    await associate(2, [`0-${mac(2)}-5001`]);
    expect(await tsi(2)).toMatchObject({ state: 'activated' });
  });

  it('kill -9 of the agent: VSIs of all formats are forwarded again before the station speaks, and keep their VIDs', async () => {
    const filters: [n: number, filter: string][] = [
      [1, `0-${mac(1)}-5001`],
      [3, '0--5001'],
      [6, `0-${mac(6)}`],
      [7, '0'],
    ];
    const given = new Map<number, number[]>();
    for (const [n, filter] of filters) given.set(n, await associate(n, [filter]));
    const station = lldpad.program.pid;
    process.kill(station, 'SIGSTOP');
    try {
      await agent.stop('SIGKILL');
      await agent.start('connected to the NVA');
      for (const [n] of filters)
        await soon(async () =>
          expect(await tsi(n)).toMatchObject({ state: 'activated', tag: { vid: given.get(n)?.[0] } }),
        );
      const vaps = JSON.parse(await cli(`show vap --json --socket ${folder}/agent.sock`)) as ShowVapRow[];
      const tags = new Set(vaps.map(({ tag }) => (tag?.kind === 'c-tag' ? tag.vid : null)));
      expect(tags).toEqual(new Set([...given.values()].flat()));
    } finally {
      process.kill(station, 'SIGCONT');
    }
    for (const [n] of filters) await soon(async () => expect(await vids(n)).toEqual(given.get(n)));
  });

  it('no frame of lldpad was bad', async () => {
    const drops = JSON.parse(await cli(`show drops --json --socket ${folder}/agent.sock`)) as { reason: string }[];
    expect(drops.filter(({ reason }) => /^bad_|unsendable|not_sent/.test(reason))).toEqual([]);
  });
});
