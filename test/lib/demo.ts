// `splitnve demo` as a user runs it, and the processes that it is.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach } from 'vitest';
import { obstacle } from './command.js';

export const DEMO_CLI = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
/** More than the demo's own deadline. */
export const RUN_MS = 280_000;

const why = obstacle('ip', 'ping', 'iperf3', 'ethtool', 'tcpdump', 'unshare', 'setpriv', 'nsenter');

export function needsRoot(context: { skip: (reason: string) => void }): void {
  if (why !== undefined) context.skip(why);
}

export class Demo {
  readonly process: ChildProcess;
  output = '';
  readonly ended: Promise<number | null>;

  constructor(...options: string[]) {
    this.process = spawn(process.execPath, [DEMO_CLI, 'demo', ...options], { stdio: ['ignore', 'pipe', 'pipe'] });
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

/** Starts demos that end with the test. */
export function demoStarter(): (...options: string[]) => Demo {
  let demos: Demo[] = [];
  afterEach(() => {
    for (const { process } of demos) process.kill('SIGKILL');
    demos = [];
  });
  return (...options) => {
    const demo = new Demo(...options);
    demos.push(demo);
    return demo;
  };
}

/** A file of /proc; nothing if its process has ended. */
export function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

export function pidsOfMachine(): number[] {
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

/** A namespace of a process, as the kernel names it; nothing if it has ended. */
export function namespaceOf(pid: number, kind: 'net' | 'mnt' | 'pid'): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/${kind}`);
  } catch {
    return '';
  }
}

/** The process namespaces of a demo, besides this process's own. */
export function spacesOf(demo: Demo): ReadonlySet<string> {
  const own = namespaceOf(process.pid, 'pid');
  return new Set(
    demo
      .pids()
      .map((pid) => namespaceOf(pid, 'pid'))
      .filter((name) => name !== own && name !== ''),
  );
}

/** Processes of the machine that are in one of these process namespaces. */
export function pidsIn(spaces: ReadonlySet<string>): number[] {
  return pidsOfMachine().filter((pid) => spaces.has(namespaceOf(pid, 'pid')));
}
