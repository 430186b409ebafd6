// One engine in a process of its own (a process has one EAL in its life), driven over its standard input.
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { fromLine, toLine } from '../lib/json.mjs';
import { BenchError, isolate, start } from './machine.mjs';
import { SINK, SOURCE } from './scenario.mjs';

/** @typedef {import('#dataplane').Command} Command */
/** @typedef {import('#dataplane').EngineInfo} EngineInfo */
/** @typedef {import('#dataplane').EngineStats} EngineStats */
/** @typedef {import('./verify.mjs').AllStats} AllStats */
/** @typedef {import('./machine.mjs').Cpus} Cpus */

const DRIVER = fileURLToPath(new URL('../lib/engine-driver.mjs', import.meta.url));

/** Packet buffers of both sides of the comparison. */
export const BUFFERS = { count: 16_383, size: 2_176, cache: 256, memoryMb: 256 };

export class EngineProcess {
  #child;
  #exited;
  /** @type {Map<number, { resolve: (value: any) => void, reject: (error: Error) => void }>} */
  #waiting = new Map();
  #last = 0;

  /** @param {Cpus} cpus */
  static async open(cpus) {
    const engine = new EngineProcess(cpus);
    await engine.#call('open', {
      hugepages: 'auto',
      memoryMb: BUFFERS.memoryMb,
      mbufs: BUFFERS.count,
      mbufSize: BUFFERS.size,
      pollers: 1,
      poll: 'busy',
      fdbCapacity: 65_536,
      cpus: [cpus.poller],
      extraEal: [],
    });
    const { tid, preferred } = await isolate(cpus, engine.pid, /^nve-poller$/);
    return Object.assign(engine, { tid, preferred });
  }

  /** @param {Cpus} cpus */
  constructor(cpus) {
    this.tid = 0;
    this.preferred = false;
    this.#child = start(cpus, process.execPath, [DRIVER]);
    this.#child.stderr.pipe(process.stderr);
    this.#exited = once(this.#child, 'close').then(() => {
      for (const { reject } of this.#waiting.values()) reject(new BenchError('the engine ended unasked'));
    });
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      const { id, result, error } = /** @type {{ id?: number, result?: any, error?: any }} */ (fromLine(line));
      const waiting = this.#waiting.get(id ?? 0);
      if (id === undefined || waiting === undefined) return;
      this.#waiting.delete(id);
      if (error === undefined) waiting.resolve(result);
      else waiting.reject(new BenchError(`engine: ${error.code} ${error.message}`, { remedy: error.hint }));
    });
  }

  get pid() {
    return /** @type {number} */ (this.#child.pid);
  }

  /** @returns {Promise<EngineInfo>} */
  info() {
    return this.#call('info');
  }

  /** @returns {Promise<EngineStats>} */
  stats() {
    return this.#call('stats');
  }

  /** With the VAPs' counters, read a moment later. @returns {Promise<AllStats>} */
  async allStats() {
    return { ...(await this.stats()), vaps: await this.#call('dump', 'vap_counters') };
  }

  /** Applies commands, none of which may be refused. @param {readonly Command[]} commands */
  async must(commands) {
    const { refused } = await this.#call('apply', commands);
    if (refused.length > 0) throw new BenchError(`the engine refused: ${JSON.stringify(refused[0])}`);
  }

  /** The MACs of its ports. */
  async portMacs() {
    /** @type {import('#dataplane').PortRow[]} */
    const rows = await this.#call('dump', 'ports');
    return Object.fromEntries(rows.map(({ port, mac }) => [port, `${mac}`]));
  }

  /** Packets in by the source's port and out by the sink's. */
  async counters() {
    const { ports } = await this.stats();
    const row = (/** @type {number} */ id) => ports.find(({ port }) => port === id);
    return { rx: row(SOURCE)?.rxPackets ?? 0, tx: row(SINK)?.txPackets ?? 0 };
  }

  /** Closes the engine and waits for the end of its process. Files that it wrote are complete then. */
  async close() {
    await this.#call('close');
    this.#child.stdin.end();
    await this.#exited;
  }

  /** @param {string} call @param {unknown[]} args @returns {Promise<any>} */
  #call(call, ...args) {
    const id = ++this.#last;
    return new Promise((resolve, reject) => {
      if (this.#child.exitCode !== null) return reject(new BenchError('the engine has ended'));
      this.#waiting.set(id, { resolve, reject });
      this.#child.stdin.write(toLine({ id, call, args }));
    });
  }
}
