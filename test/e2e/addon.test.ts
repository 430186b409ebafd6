// The engine inside Node: it must leave Node's own threads, its children and its event loop alone.

import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Command, type Engine, openEmbedded } from '#dataplane';
import { MtuSchema, parseMac, unwrap, VnIdSchema, VniSchema } from '#model';

/** Which CPUs each thread of this process may use, by thread id. */
function affinities(): Map<string, string> {
  const tasks = readdirSync('/proc/self/task').map((task): [string, string] => {
    const status = readFileSync(`/proc/self/task/${task}/status`, 'utf8');
    return [task, /^Cpus_allowed_list:\t(.*)$/m.exec(status)?.[1] ?? ''];
  });
  return new Map(tasks);
}

let engine: Engine;
const before = affinities();

beforeAll(async () => {
  engine = await openEmbedded({
    hugepages: 'auto',
    memoryMb: 192,
    mbufs: 4095,
    mbufSize: 2176,
    pollers: 1,
    poll: 'sleep',
    fdbCapacity: 200_000,
    cpus: [0],
    extraEal: [],
  });
});

afterAll(async () => {
  await engine.close();
});

test('every thread of Node keeps its CPU affinity', () => {
  const after = affinities();
  const mine = [...before].filter(([task]) => after.has(task));
  expect(mine.length).toBeGreaterThan(1);
  for (const [task, cpus] of mine) expect([task, after.get(task)]).toEqual([task, cpus]);
});

test('a child inherits no descriptor of the engine', () => {
  // The shell lists its own; the descriptor of the list itself is gone by the time it is looked at.
  const script = 'for fd in /proc/self/fd/*; do readlink "$fd"; done; true';
  const links = execFileSync('sh', ['-c', script], { encoding: 'utf8' }).split('\n');
  expect(links.filter((link) => /hugepage|rte|dpdk|xdp|bpf|tun|anon_inode/.test(link))).toEqual([]);
});

test('a large load is chunked, and the event loop turns meanwhile', async () => {
  const port: Command = { op: 'PortAdd', port: 0, name: 'ring', mtu: 1500, kind: { driver: 'net_ring' } };
  const blue = VnIdSchema.parse(1);
  const vn: Command = { op: 'VnSet', vn: blue, vni: VniSchema.parse(5001), mtu: MtuSchema.parse(1500) };
  const vap: Command = {
    op: 'VapSet',
    vap: 1,
    vn: blue,
    port: 0,
    selector: { kind: 'untagged' },
    guard: true,
    uplink: false,
  };
  const rows = Array.from({ length: 100_000 }, (_, number): Command => {
    const hex = number.toString(16).padStart(8, '0');
    const mac = unwrap(parseMac(`02:00:${hex.match(/../g)?.join(':')}`));
    return { op: 'FdbSet', vn: blue, mac, dest: { kind: 'vap', vap: 1 } };
  });
  let turns = 0;
  const turn = setInterval(() => turns++, 0);
  const result = await engine.apply([port, vn, vap, ...rows]);
  clearInterval(turn);
  expect(result.refused).toEqual([]);
  expect((await engine.dump('vns'))[0]?.rows).toBe(100_000);
  // 25 batches and more, and the loop turns while the engine works on each.
  expect(turns).toBeGreaterThan(10);
});
