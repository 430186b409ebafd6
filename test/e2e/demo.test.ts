// `splitnve demo --once`, as a user runs it: green, red for a reason that it names, and gone without a trace whatever is killed.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { obstacle, run } from '../lib/command.js';

const CLI = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
/** More than the demo's own deadline. */
const RUN_MS = 280_000;
/** Names in /run/netns that would be the demo's. */
const NAMESPACES = ['hv1', 'hv2', 'nve1', 'nve2', 'fabric', 'mgmt', 'rogue', 'blue1', 'blue2', 'red1', 'red2'];

const why = obstacle('ip', 'ping', 'iperf3', 'ethtool', 'tcpdump', 'unshare', 'setpriv', 'nsenter');
const needsRoot = (context: { skip: (reason: string) => void }): void => {
  if (why !== undefined) context.skip(why);
};

class Demo {
  readonly process: ChildProcess;
  output = '';
  readonly ended: Promise<number | null>;

  constructor(...options: string[]) {
    this.process = spawn(process.execPath, [CLI, 'demo', ...options], { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.process.stdout, this.process.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
      });
    this.ended = once(this.process, 'close').then(([code]) => code as number | null);
  }

  /** It, and all that it has started. */
  pids(): number[] {
    return descendants(this.process.pid ?? 0);
  }

  /** The lines of the checks that failed. */
  failures(): string[] {
    return [...this.output.matchAll(/^ {2}FAILED (.*)$/gm)].map(([, line = '']) => line);
  }

  verdict(): string {
    return this.output.slice(this.output.indexOf('== Verdict'));
  }
}

let demos: Demo[] = [];
beforeEach(() => {
  demos = [];
});
afterEach(() => {
  for (const { process } of demos) process.kill('SIGKILL');
});
function start(...options: string[]): Demo {
  const demo = new Demo(...options);
  demos.push(demo);
  return demo;
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function pidsOfMachine(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

function descendants(root: number): number[] {
  const parents = new Map(
    pidsOfMachine().map((pid) => {
      const stat = read(`/proc/${pid}/stat`);
      return [pid, Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])] as const;
    }),
  );
  const found = [root];
  for (let n = 0; n < found.length; n++) for (const [pid, parent] of parents) if (parent === found[n]) found.push(pid);
  return found;
}

/** A namespace of a process, as the kernel names it. */
function namespaceOf(pid: number, kind: 'net' | 'mnt' | 'pid'): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/${kind}`);
  } catch {
    return '';
  }
}

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

describe('splitnve demo --once', () => {
  beforeEach(needsRoot);

  it('leaves nothing behind when all of its processes are killed, and works right after', {
    timeout: 2 * RUN_MS,
  }, async () => {
    const before = traces();
    const used = hugepages();
    const first = start('--once');
    await expect.poll(() => first.output, { timeout: RUN_MS, interval: 100 }).toContain('== Checks: reachability');
    const pids = first.pids();
    expect(pids.length).toBeGreaterThan(12);
    const own = namespaceOf(process.pid, 'pid');
    const spaces = new Set(pids.map((pid) => namespaceOf(pid, 'pid')).filter((name) => name !== own && name !== ''));
    expect(spaces.size).toBe(1);
    for (const pid of pids) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It went with one that was killed before.
      }
    }
    await first.ended;
    const left = () => pidsOfMachine().filter((pid) => spaces.has(namespaceOf(pid, 'pid')));
    await expect.poll(left, { timeout: 10_000 }).toEqual([]);
    await expect.poll(hugepages, { timeout: 10_000 }).toBeLessThanOrEqual(used);
    await expect.poll(traces, { timeout: 10_000 }).toEqual(before);

    // Without --once it goes on after the verdict, until Ctrl-C.
    const second = start();
    await expect
      .poll(() => second.output, { timeout: RUN_MS, interval: 200 })
      .toMatch(/OUT-KBIT\/s\n {2}agent1 .* blue |RED:/);
    second.process.kill('SIGINT');
    const code = await second.ended;
    expect(second.failures(), second.output).toEqual([]);
    expect(second.verdict()).toMatch(/GOOD: \d+ checks/);
    expect(code).toBe(0);
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

  it('is red when one NVE sends under another VNI, and a run beside it is not disturbed', {
    timeout: RUN_MS,
  }, async () => {
    const bad = start('--once', '--fault', 'wrong-vni');
    const good = start('--once');
    const codes = await Promise.all([bad.ended, good.ended]);
    expect(bad.failures(), bad.output).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^agent 2 knows the other's MACs from the NVA .*vni 5002/),
        expect.stringMatching(/^ping blue-1 to blue-2 /),
      ]),
    );
    expect(bad.verdict()).toMatch(/failed:.*ping blue-1 to blue-2.*RED: /s);
    expect(bad.verdict()).not.toContain('has died');
    expect(good.failures(), good.output).toEqual([]);
    expect(codes).toEqual([1, 0]);
  });

  it('is red when an agent is killed, and says so', { timeout: RUN_MS }, async () => {
    const demo = start('--once', '--fault', 'agent-killed');
    expect(await demo.ended, demo.output).toBe(1);
    expect(demo.output).toContain('!! agent2 has died: killed by SIGKILL');
    expect(demo.verdict()).toMatch(/agent2 has died: killed by SIGKILL\. The last lines of its log:\n {4}info /);
    expect(demo.verdict()).toMatch(/failed:.*ping blue-1 to blue-2.*RED: /s);
  });
});

describe('splitnve demo', () => {
  it('says what to do when it is not root', { timeout: 20_000 }, async (context) => {
    const line = [process.execPath, CLI, 'demo', '--once'];
    // Root of the machine, who is nobody special in a user namespace of its own.
    const isRoot = process.geteuid?.() === 0;
    const [program = '', ...args] = isRoot ? ['unshare', '--user', '--map-user=1000', ...line] : line;
    const { status, stderr, stdout } = await run(program, args);
    if (stderr.startsWith('unshare:')) context.skip(`no user namespaces: ${stderr.trim()}`);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^error: .*needs root/);
    expect(stderr).toContain('Run it with sudo');
    expect(stderr).not.toContain('    at ');
    expect(status).toBe(77);
  });
});
