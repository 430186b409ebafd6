// The peer: dpdk-testpmd in mode `io`, which sends what it receives and looks at none of it, on the same source and sink, CPU, pages
// and number of buffers.
import { once } from 'node:events';
import { BUFFERS } from './engine.mjs';
import { BenchError, isolate, start } from './machine.mjs';

const PROMPT = 'testpmd> ';

export class Testpmd {
  #child;
  #exited;
  #text = '';
  #onText = () => {};

  /**
   * Starts it and lets it forward.
   * @param {import('./machine.mjs').Cpus} cpus
   * @param {{ source: string, hugepages: boolean }} options `source`: a pcap file, received over and over
   */
  static async open(cpus, { source, hugepages }) {
    const pages = hugepages ? ['--in-memory', '--single-file-segments'] : ['--no-huge', '--no-shconf'];
    const eal = [
      `--lcores=0@${cpus.others},1@${cpus.poller}`,
      ...['-m', `${BUFFERS.memoryMb}`, ...pages, '--no-telemetry', '--iova-mode=va', '--no-pci'],
      ...['--vdev', `net_pcap0,rx_pcap=${source},infinite_rx=1`, '--vdev', 'net_null0,no-rx=1'],
    ];
    const own = ['--interactive', '--forward-mode=io', '--nb-cores=1', `--total-num-mbufs=${BUFFERS.count}`];
    const buffers = [`--mbuf-size=${BUFFERS.size}`, `--mbcache=${BUFFERS.cache}`];
    const testpmd = new Testpmd(cpus, [...eal, '--', ...own, ...buffers]);
    await testpmd.#prompt();
    await testpmd.#command('start');
    const { tid, preferred } = await isolate(cpus, testpmd.pid, /worker-?1$/);
    return Object.assign(testpmd, { tid, preferred });
  }

  /** @param {import('./machine.mjs').Cpus} cpus @param {string[]} args */
  constructor(cpus, args) {
    this.tid = 0;
    this.preferred = false;
    // Its output is a pipe, which it would fill before we saw a line.
    this.#child = start(cpus, 'stdbuf', ['--output=L', 'dpdk-testpmd', ...args]);
    // Its log too, for the message when it fails.
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        this.#text += text;
        this.#onText();
      });
    }
    this.#exited = once(this.#child, 'close').then(([code]) => {
      this.#onText();
      return code;
    });
  }

  get pid() {
    return /** @type {number} */ (this.#child.pid);
  }

  /** Packets in by the source's port and out by the sink's. */
  async counters() {
    const text = await this.#command('show port stats all');
    const number = (/** @type {string} */ name, /** @type {number} */ port) => {
      const values = [...text.matchAll(new RegExp(`${name}: +(\\d+)`, 'g'))].map((match) => Number(match[1]));
      if (values.length !== 2) throw new BenchError(`dpdk-testpmd's statistics are not understood:\n${text}`);
      return values[port] ?? 0;
    };
    const lost = number('RX-missed', 0) + number('RX-nombuf', 0) + number('TX-errors', 1);
    if (lost !== 0) throw new BenchError(`dpdk-testpmd lost ${lost} packets`);
    return { rx: number('RX-packets', 0), tx: number('TX-packets', 1) };
  }

  async close() {
    this.#child.stdin.write('stop\nquit\n');
    const code = await this.#exited;
    if (code !== 0) throw new BenchError(`dpdk-testpmd ended with ${code}: ${this.#tail()}`);
  }

  /** @param {string} line @returns {Promise<string>} what it printed */
  #command(line) {
    this.#text = '';
    this.#child.stdin.write(`${line}\n`);
    // It repeats the line behind its prompt; the next prompt ends the answer.
    return this.#prompt();
  }

  #tail() {
    return this.#text.trim().split('\n').slice(-5).join('\n');
  }

  /** Waits for the prompt, and gives the text before it. @returns {Promise<string>} */
  #prompt() {
    return new Promise((resolve, reject) => {
      this.#onText = () => {
        const ended = this.#child.exitCode !== null || this.#child.signalCode !== null;
        if (!this.#text.endsWith(PROMPT) && !ended) return;
        this.#onText = () => {};
        if (ended)
          reject(
            new BenchError(`dpdk-testpmd ended unasked: ${this.#tail()}`, {
              remedy: 'see that the package dpdk-dev is installed',
            }),
          );
        else resolve(this.#text);
      };
      this.#onText();
    });
  }
}
