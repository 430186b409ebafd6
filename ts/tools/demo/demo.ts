// The demo from outside. It runs itself again (inside.ts) in mount, network and process namespaces of its own. They live as long as
// their first process, and that one as long as this one, so nothing stays behind: whatever is killed, and however.
//
//   this process ── unshare ── inside.ts (process 1 of its namespace) ── roles, tenants, checks
//
// `setpriv --pdeathsig` takes unshare down with this process, `--kill-child` process 1 with unshare, the kernel all others with it.

import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { nveError } from '#model';
import type { DemoOptions, Start } from './options.js';
import { INSIDE, ROOT } from './paths.js';
import { checkRequirements, searchPath } from './requirements.js';

const NAMESPACES = ['--mount', '--net', '--pid', '--fork', '--kill-child=SIGKILL', '--mount-proc'];
const START_MS = 10_000;
/** What the demo inside gets for its end after a signal. */
const END_MS = 5_000;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Runs the demo and gives the exit code. Throws an `NveError` if the machine cannot run it. */
export async function runDemo(options: DemoOptions): Promise<number> {
  checkRequirements();
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', 'unshare', ...NAMESPACES, process.execPath, INSIDE], {
    cwd: ROOT,
    env: { ...process.env, PATH: searchPath() },
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  });
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(exitCode(code, signal)));
  });
  // A demo that ended first has said why.
  child.on('error', () => undefined);
  let pid: number | undefined;
  let isKilled = false;
  const forward = (signal: NodeJS.Signals): void => {
    if (pid === undefined) child.kill('SIGKILL');
    else kill(pid, signal);
    if (isKilled) return;
    isKilled = true;
    setTimeout(() => child.kill('SIGKILL'), END_MS).unref();
  };
  for (const signal of SIGNALS) process.on(signal, forward);
  try {
    pid = await firstProcess(child);
    if (pid !== undefined && child.connected) child.send({ options, pid } satisfies Start, () => undefined);
    return await ended;
  } finally {
    for (const signal of SIGNALS) process.off(signal, forward);
  }
}

function exitCode(code: number | null, signal: NodeJS.Signals | null): number {
  if (code !== null) return code;
  console.error(`the demo was ended by ${signal}`);
  return 1;
}

/** The process id, as this process sees it, of the first process in the new namespaces; undefined if they could not be made. */
async function firstProcess(child: ChildProcess): Promise<number | undefined> {
  const until = Date.now() + START_MS;
  while (child.exitCode === null && child.signalCode === null) {
    const pid = child.pid === undefined ? undefined : childOf(child.pid);
    if (pid !== undefined) return pid;
    if (Date.now() > until) {
      child.kill('SIGKILL');
      throw nveError('NVE-SYS-004', { command: 'unshare', reason: `it started nothing within ${START_MS} ms` });
    }
    await sleep(5);
  }
  return undefined;
}

function childOf(parent: number): number | undefined {
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    // After the name in parentheses, which may contain anything: state, then the parent.
    const stat = read(`/proc/${name}/stat`);
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (Number(fields[1]) === parent) return Number(name);
  }
  return undefined;
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    // The process has ended meanwhile.
    return '';
  }
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended.
  }
}
