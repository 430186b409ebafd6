// A program that runs all along a test: started, waited for, stopped or killed, and started again.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Namespace } from './namespace.js';

export class Program {
  readonly #command: [program: string, args: string[]];
  #child: ChildProcess | undefined;
  #closed: Promise<unknown> = Promise.resolve();
  /** What it has written, all its lives together. */
  output = '';

  constructor(namespace: Namespace, program: string, ...args: string[]) {
    // It ends with the test, whatever ends that.
    const [enter, rest] = namespace.inside(program, ...args);
    this.#command = ['setpriv', ['--pdeathsig', 'KILL', enter, ...rest]];
  }

  /** Starts it, and waits until it has written `ready`. */
  async start(ready?: string, within = 30_000): Promise<void> {
    const from = this.output.length;
    const child = spawn(...this.#command, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    this.#closed = once(child, 'close');
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => (this.output += text));
    if (ready === undefined) return;
    const deadline = Date.now() + within;
    while (!this.output.slice(from).includes(ready)) {
      if (!this.isRunning) throw new Error(`${this.#command[1].join(' ')}: ended: ${this.output.slice(from)}`);
      if (Date.now() > deadline) throw new Error(`no "${ready}" in: ${this.output.slice(from)}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Of the program itself: what enters the namespace becomes it. */
  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  get isRunning(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    if (this.isRunning) this.#child?.kill(signal);
    await this.#closed;
  }

  close(): Promise<void> {
    return this.stop('SIGKILL');
  }
}
