// A helper process that is asked on stdin and answers on stdout, a JSON line each. It ends when its stdin does: whatever becomes of the
// test, nothing is left running.
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { foreignError } from '#model';
import { fromLine, toLine } from './json.mjs';

interface Answer {
  readonly id?: number;
  readonly result?: unknown;
  readonly error?:
    | string
    | { readonly code: string; readonly message: string; readonly context?: Record<string, unknown> };
}

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** What a helper wrote to stderr is kept to this many characters, for the error that tells of its end. */
const STDERR = 10_000;

export class Talker {
  readonly name: string;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #waiting = new Map<number, Waiting>();
  readonly #ended: Promise<void>;
  #end: string | undefined;
  #stderr = '';
  #next = 1;

  /** `hear` gets lines that answer no call. */
  constructor(name: string, program: string, args: readonly string[], hear: (line: object) => void = () => {}) {
    this.name = name;
    const child = spawn(program, args, { stdio: 'pipe' });
    this.#child = child;
    child.stdin.on('error', () => {});
    child.stderr.setEncoding('utf8').on('data', (text) => {
      this.#stderr = (this.#stderr + text).slice(-STDERR);
    });
    createInterface({ input: child.stdout }).on('line', (line) => this.#line(line, hear));
    this.#ended = new Promise((resolve) => {
      const over = (how: string): void => {
        this.#end ??= how;
        for (const { reject } of this.#waiting.values()) reject(this.#gone());
        this.#waiting.clear();
        resolve();
      };
      child.on('error', (error) => over(error.message));
      child.on('close', (status, signal) =>
        over(signal === null ? `it ended with exit code ${status}` : `it ended by ${signal}`),
      );
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Asks and waits for the answer. */
  call(request: { readonly call: string; readonly [name: string]: unknown }): Promise<unknown> {
    if (this.#end !== undefined) return Promise.reject(this.#gone());
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#child.stdin.write(toLine({ ...request, id }));
    });
  }

  /** Ends it: by the end of its stdin, and if it does not heed that within 5 s, by force. */
  async close(): Promise<void> {
    this.#child.stdin.end();
    const force = setTimeout(() => this.#child.kill('SIGKILL'), 5_000);
    await this.#ended;
    clearTimeout(force);
  }

  #line(line: string, hear: (line: object) => void): void {
    const answer = fromLine(line) as Answer;
    if (answer.id === undefined) {
      hear(answer);
      return;
    }
    const waiting = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    if (answer.error === undefined) waiting?.resolve(answer.result);
    else if (typeof answer.error === 'string') waiting?.reject(new Error(`${this.name}: ${answer.error}`));
    else waiting?.reject(foreignError(answer.error.code, answer.error.context, answer.error.message));
  }

  #gone(): Error {
    return new Error(`${this.name}: ${this.#end}; it said: ${this.#stderr}`);
  }
}
