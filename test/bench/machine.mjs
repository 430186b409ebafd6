// The machine: which CPUs there are, what it is, and putting threads where they belong.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

/** A failure that the user can mend, or a check that did not hold. Printed without a stack. */
export class BenchError extends Error {
  /** @param {string} message @param {{ remedy?: string | undefined, cause?: unknown }} [details] */
  constructor(message, { remedy, cause } = {}) {
    super(remedy === undefined ? message : `${message}\n  remedy: ${remedy}`, { cause });
    this.name = 'BenchError';
  }
}

/** @param {string} file */
const read = (file) => readFileSync(file, 'utf8');

/** @typedef {{ poller: number, others: number }} Cpus */

/** The last CPU is the poller's, the first everybody else's. @returns {Cpus} */
export function cpus() {
  const list = /^Cpus_allowed_list:\s*(\S+)/m.exec(read('/proc/self/status'))?.[1] ?? '0';
  const allowed = list.split(',').flatMap((range) => {
    const [first, last = first] = range.split('-').map(Number);
    return Array.from({ length: Number(last) - Number(first) + 1 }, (_, n) => Number(first) + n);
  });
  const [others, poller] = [allowed[0], allowed.at(-1)];
  if (others === undefined || poller === undefined || others === poller)
    throw new BenchError('a measurement needs two CPUs: one for the poller alone', {
      remedy: 'run it where two CPUs are allowed',
    });
  return { poller, others };
}

/** @param {string[]} args */
function taskset(args) {
  const { status, error, stderr } = spawnSync('taskset', args, { encoding: 'utf8' });
  if (status !== 0) throw new BenchError(`taskset ${args.join(' ')} failed: ${error?.message ?? stderr.trim()}`);
}

/** @type {Set<import('node:child_process').ChildProcess>} */
const children = new Set();

/**
 * Starts a process that may use both CPUs, whoever starts it.
 * @param {Cpus} cpus
 * @param {string} program
 * @param {string[]} args
 */
export function start({ poller, others }, program, args) {
  // In a session of its own, so that its priority is not ours (see `prefer`).
  const child = spawn('taskset', ['--cpu-list', `${others},${poller}`, program, ...args], { detached: true });
  children.add(child);
  child.on('close', () => children.delete(child));
  // A write to a process that is gone is told by what waits for its answer.
  child.stdin.on('error', () => {});
  return child;
}

/** Whatever happened, no process of ours goes on. */
export function killAll() {
  for (const child of children) child.kill('SIGKILL');
}

/** Keeps a process off the poller's CPU. @param {Cpus} cpus @param {number} pid */
export const keepOff = ({ others }, pid) => taskset(['--all-tasks', '--pid', '--cpu-list', `${others}`, `${pid}`]);

/**
 * Gives the poller's CPU to one thread of a process and the other CPU to all its others; the thread gets the highest priority if that is
 * permitted, so that it measures itself and not what else runs.
 * @param {Cpus} cpus
 * @param {number} pid
 * @param {RegExp} name the thread's
 * @returns {Promise<{ tid: number, preferred: boolean }>}
 */
export async function isolate(cpus, pid, name) {
  const find = () =>
    readdirSync(`/proc/${pid}/task`).find((tid) => name.test(read(`/proc/${pid}/task/${tid}/comm`).trim()));
  // A thread gets its name from itself, a moment after its start.
  for (let attempt = 0; find() === undefined && attempt < 100; attempt++) await sleep(10);
  const tid = Number(find());
  if (Number.isNaN(tid)) throw new BenchError(`process ${pid} has no thread ${name}`);
  keepOff(cpus, pid);
  taskset(['--pid', '--cpu-list', `${cpus.poller}`, `${tid}`]);
  return { tid, preferred: prefer(pid, tid) };
}

/** Gives a thread the highest ordinary priority, if that is permitted. @param {number} pid @param {number} tid */
function prefer(pid, tid) {
  const { status } = spawnSync('renice', ['-n', '-20', '-p', `${tid}`]);
  try {
    // Where sessions share the CPUs evenly (autogroups), priorities count within a session only.
    if (existsSync(`/proc/${pid}/autogroup`)) writeFileSync(`/proc/${pid}/autogroup`, '-20');
  } catch {
    return false;
  }
  return status === 0;
}

/**
 * Nanoseconds that a thread was ready to run and did not: others had its CPU. (`/proc/…/schedstat`, second number.)
 * @param {number} pid
 * @param {number} tid
 */
export const waited = (pid, tid) => Number(read(`/proc/${pid}/task/${tid}/schedstat`).split(' ')[1]);

/** Free huge pages of 2 MB or more, in MB. */
export function freeHugepagesMb() {
  const root = '/sys/kernel/mm/hugepages';
  return readdirSync(root)
    .map((folder) => (Number(read(`${root}/${folder}/free_hugepages`)) * Number(/\d+/.exec(folder)?.[0])) / 1024)
    .reduce((sum, mb) => sum + mb, 0);
}

/** What a reader of figures must know of the machine. */
export function describeMachine() {
  const info = read('/proc/cpuinfo');
  /** @param {string} field */
  const field = (field) => new RegExp(`^${field}\\s*: (.*)$`, 'm').exec(info)?.[1] ?? 'unknown';
  const isVirtual = /^flags\s*:.*\bhypervisor\b/m.test(info);
  return {
    cpu: `${field('model name')} (family ${field('cpu family')}, model ${field('model')})`,
    cpus: (info.match(/^processor\s*:/gm) ?? []).length,
    virtual: isVirtual,
    kernel: release(),
    freeHugepagesMb: freeHugepagesMb(),
    transparentHugepages: /\[(\w+)\]/.exec(read('/sys/kernel/mm/transparent_hugepage/enabled'))?.[1] ?? 'none',
  };
}
