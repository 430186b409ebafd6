// Where the lines of the log go. They are written at once, so that the last one before an end is there; but who reads them too slowly
// must not keep the process waiting: protocols with deadlines of milliseconds run in it. What a full pipe does not take waits here, within
// bounds, and what does not fit is counted and told.

import { writeSync } from 'node:fs';

/** Characters that may wait. */
const WAITING_MAX = 16_777_216;
/** How long after a refusal it is tried again, in milliseconds, and for how long at the end of the process. */
const AGAIN_MS = 10;
const LAST_MS = 2_000;

export interface LogSinkOptions {
  /** Writes what it can, and gives the number of octets; fails with EAGAIN if it can write nothing now. */
  readonly write?: (octets: Uint8Array) => number;
  readonly waitingMax?: number;
  /** The line that says how many were lost. */
  readonly lostLine: (lines: number) => string;
}

/** A destination for pino. */
export class LogSink {
  readonly #write: (octets: Uint8Array) => number;
  readonly #waitingMax: number;
  readonly #lostLine: (lines: number) => string;
  /** The rest of what was written in part. */
  #rest: Uint8Array = new Uint8Array(0);
  #waiting: string[] = [];
  #length = 0;
  #lost = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor({ write = (octets) => writeSync(2, octets), waitingMax = WAITING_MAX, lostLine }: LogSinkOptions) {
    this.#write = write;
    this.#waitingMax = waitingMax;
    this.#lostLine = lostLine;
  }

  write(line: string): void {
    if (this.#length + line.length > this.#waitingMax) {
      this.#lost++;
      return;
    }
    this.#waiting.push(line);
    this.#length += line.length;
    if (this.#timer === undefined) this.#go();
  }

  /** Of pino, after a fatal line; and before the process leaves. Waits for the reader, but not for long. */
  flushSync(): void {
    const until = performance.now() + LAST_MS;
    const pause = new Int32Array(new SharedArrayBuffer(4));
    while (!this.#drained() && performance.now() < until) Atomics.wait(pause, 0, 0, AGAIN_MS);
  }

  #go(): void {
    this.#timer = this.#drained() ? undefined : setTimeout(() => this.#go(), AGAIN_MS);
    this.#timer?.unref();
  }

  /** False: the reader has to take something first. */
  #drained(): boolean {
    for (;;) {
      if (this.#rest.length === 0 && !this.#next()) return true;
      try {
        this.#rest = this.#rest.subarray(this.#write(this.#rest));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return false;
        // Nobody reads any more.
        this.#rest = new Uint8Array(0);
      }
    }
  }

  #next(): boolean {
    if (this.#waiting.length === 0 && this.#lost === 0) return false;
    const lines = this.#waiting;
    if (this.#lost > 0) lines.push(this.#lostLine(this.#lost));
    this.#waiting = [];
    this.#length = 0;
    this.#lost = 0;
    this.#rest = Buffer.from(lines.join(''));
    return true;
  }
}
