// All tables full at once: as many VNs and VAPs as there are tags for on one port with 16 S-TAGs, a million FDB rows, thousands of remote
// NVEs. What it takes is printed; that it is all there, and that the event loop turned all the while, is checked.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { afterAll, expect, it } from 'vitest';
import { BATCH_COMMANDS, type Command, type Engine, openEmbedded } from '#dataplane';
import type { IpAddr, MacAddr, Mtu, Vid, VnId, Vni } from '#model';
import { OPTIONS } from '../lib/engine.js';

const ACCESS = 0;
const UNDERLAY = 1;
const S_TAGS = 16;
const C_TAGS = 4_094;
const VNS = S_TAGS * C_TAGS;
const NVES = 4_096;
/** Of each VN: one here, the others at two of the NVEs. */
const ROWS = 16;
const PIECE = BATCH_COMMANDS;

const hex = (n: number): string => n.toString(16).padStart(2, '0');
const macOf = (kind: number, a: number, b = 0): MacAddr =>
  `02:${hex(kind)}:${hex(a >> 16)}:${hex((a >> 8) & 255)}:${hex(a & 255)}:${hex(b)}` as MacAddr;
const nveOf = (n: number): IpAddr => `10.1.${n >> 8}.${n & 255}` as IpAddr;
const nvesOf = (vn: number): [number, number] => [(vn * 7) % NVES, (vn * 7 + 1 + (vn % 13)) % NVES];

function* base(): Generator<Command> {
  const ring = { driver: 'net_ring' } as const;
  yield { op: 'PortAdd', port: ACCESS, name: 'access', mtu: 1500, kind: ring };
  yield { op: 'PortAdd', port: UNDERLAY, name: 'underlay', mtu: 1600, kind: ring };
  yield { op: 'UnderlaySet', port: UNDERLAY, ip: '10.0.0.1' as IpAddr, prefixLen: 8 };
  for (let n = 0; n < NVES; n++) yield { op: 'NeighbourSet', port: UNDERLAY, ip: nveOf(n), mac: macOf(1, n) };
}

function* structure(): Generator<Command> {
  for (let n = 0; n < VNS; n++) {
    const vn = (n + 1) as VnId;
    yield { op: 'VnSet', vn, vni: (n + 1) as Vni, mtu: 1500 as Mtu };
    const selector = {
      kind: 's-tag+c-tag',
      sVid: (1 + Math.floor(n / C_TAGS)) as Vid,
      cVid: (1 + (n % C_TAGS)) as Vid,
    } as const;
    yield { op: 'VapSet', vap: n, vn, port: ACCESS, selector, guard: true, uplink: false };
    const nves = nvesOf(n);
    for (const [at, nve] of nves.entries())
      yield { op: 'NextHopSet', nh: 2 * n + at, remote: nveOf(nve), encap: 1, contextId: n + 1 };
    yield { op: 'SourcesSet', vn, ips: nves.map(nveOf).sort() };
  }
}

function* rows(): Generator<Command> {
  for (let n = 0; n < VNS; n++) {
    const vn = (n + 1) as VnId;
    yield { op: 'FdbSet', vn, mac: macOf(2, n), dest: { kind: 'vap', vap: n } };
    for (let at = 1; at < ROWS; at++)
      yield { op: 'FdbSet', vn, mac: macOf(3, n, at), dest: { kind: 'nh', nh: 2 * n + (at % 2) } };
  }
}

let engine: Engine | undefined;
afterAll(() => engine?.close());

it('holds every VN, VAP, next hop and row, and lets the event loop turn while they come', {
  timeout: 300_000,
}, async () => {
  const loop = monitorEventLoopDelay({ resolution: 1 });
  engine = await openEmbedded({ ...OPTIONS, fdbCapacity: VNS * ROWS });
  const rss = process.memoryUsage().rss;
  loop.enable();
  const times: string[] = [];
  for (const [name, commands] of Object.entries({ base: base(), structure: structure(), rows: rows() })) {
    const { count, ms } = await load(engine, commands);
    times.push(`${name}: ${count} commands in ${(ms / 1000).toFixed(1)} s`);
  }
  loop.disable();
  const mib = (bytes: number): number => Math.round(bytes / 2 ** 20);
  console.log(
    `${times.join(', ')}; ${mib(process.memoryUsage().rss - rss)} MiB more; event loop held at most ${(loop.max / 1e6).toFixed(1)} ms, ` +
      `99.9 %: ${(loop.percentile(99.9) / 1e6).toFixed(1)} ms`,
  );
  // A batch of 4,000 is a turn of its own.
  expect(loop.count).toBeGreaterThan((VNS * ROWS) / 4_000);
  for (const [kind, expected] of [
    ['vns', VNS],
    ['vaps', VNS],
    ['nexthops', 2 * VNS],
    ['fdb', VNS * ROWS],
  ] as const)
    expect([kind, await countOf(engine, kind)]).toEqual([kind, expected]);
});

async function load(engine: Engine, commands: Generator<Command>): Promise<{ count: number; ms: number }> {
  let count = 0;
  let ms = 0;
  for (;;) {
    const piece: Command[] = [];
    // Not `for … of`: leaving that would end the generator.
    for (let next = commands.next(); next.done !== true; next = commands.next()) {
      piece.push(next.value);
      if (piece.length === PIECE) break;
    }
    if (piece.length === 0) return { count, ms };
    const start = performance.now();
    const { refused } = await engine.apply(piece);
    ms += performance.now() - start;
    expect(refused.slice(0, 3)).toEqual([]);
    count += piece.length;
  }
}

async function countOf(engine: Engine, kind: 'vns' | 'vaps' | 'nexthops' | 'fdb'): Promise<number> {
  let count = 0;
  let cursor: unknown = null;
  do {
    const page = await engine.page(kind, cursor, 10_000);
    count += page.rows.length;
    cursor = page.cursor;
  } while (cursor !== null);
  return count;
}
