// `splitnve demo` is gone without a trace, whatever is killed. Looks at the whole machine: nothing else may come and go on it meanwhile.
import { existsSync, readdirSync } from 'node:fs';
import { beforeEach, describe, expect, it } from 'vitest';
import { demoStarter, namespaceOf, needsRoot, pidsIn, RUN_MS, read, spacesOf } from '../lib/demo.js';

/** Names in /run/netns that would be the demo's. */
const NAMESPACES = ['hv1', 'hv2', 'nve1', 'nve2', 'fabric', 'mgmt', 'rogue', 'blue1', 'blue2', 'red1', 'red2'];

/** The machine, as far as a demo could leave something in it. */
function traces() {
  const list = (folder: string): string[] => (existsSync(folder) ? readdirSync(folder).sort() : []);
  const mounts = read('/proc/self/mounts')
    .split('\n')
    .map((line) => line.split(' '));
  return {
    namespaces: list('/run/netns').filter((name) => NAMESPACES.includes(name)),
    run: list('/run'),
    interfaces: list('/sys/class/net'),
    mounts: mounts.map(([, path = '']) => path).filter((path) => !path.startsWith('/run/netns')),
    hugepageFiles: mounts.filter(([, , type]) => type === 'hugetlbfs').flatMap(([, path = '']) => list(path)),
  };
}

/** Huge pages in use. Their number alone may be changed by an administrator meanwhile. */
function hugepages(): number {
  const [total = 0, free = 0] = [...read('/proc/meminfo').matchAll(/^HugePages_(?:Total|Free): *(\d+)/gm)].map(
    ([, n]) => Number(n),
  );
  return total - free;
}

describe('splitnve demo', () => {
  beforeEach(needsRoot);
  const start = demoStarter();

  it('leaves nothing behind when all of its processes are killed, and works right after', {
    timeout: 2 * RUN_MS,
  }, async () => {
    const before = traces();
    const used = hugepages();
    const first = start('--once');
    await expect.poll(() => first.output, { timeout: RUN_MS, interval: 100 }).toContain('== Checks: reachability');
    const pids = first.pids();
    expect(pids.length).toBeGreaterThan(12);
    const spaces = spacesOf(first);
    expect(spaces.size).toBe(1);
    for (const pid of pids) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It went with one that was killed before.
      }
    }
    await first.ended;
    await expect.poll(() => pidsIn(spaces), { timeout: 10_000 }).toEqual([]);
    await expect.poll(hugepages, { timeout: 10_000 }).toBeLessThanOrEqual(used);
    await expect.poll(traces, { timeout: 10_000 }).toEqual(before);

    // What it shows in the end is another test's.
    const second = start('--once');
    await expect.poll(() => second.output, { timeout: RUN_MS, interval: 100 }).toContain('== Checks: rates');
    expect(second.failures(), second.output).toEqual([]);
    expect(second.output).toMatch(/ok {5}who is 10\.0\.0\.1, asked from red-2/);
    second.process.kill('SIGINT');
    expect(await second.ended).toBe(130);
    await expect.poll(traces, { timeout: 10_000 }).toEqual(before);
  });

  // The one that was started, unshare, process 1 inside.
  it.each([0, 1, 2])('is gone when only its process %i is killed', { timeout: RUN_MS }, async (index) => {
    const before = traces();
    const demo = start('--once');
    await expect.poll(() => demo.output, { timeout: RUN_MS, interval: 100 }).toContain('== Tenants');
    const pids = demo.pids();
    process.kill(pids[index]!, 'SIGKILL');
    expect(await demo.ended).not.toBe(0);
    await expect.poll(() => pids.filter((pid) => namespaceOf(pid, 'net') !== ''), { timeout: 10_000 }).toEqual([]);
    await expect.poll(traces, { timeout: 10_000 }).toEqual(before);
  });
});
