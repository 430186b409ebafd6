import { describe, expect, it, vi } from 'vitest';
import { LogSink } from './log-sink.js';

/** A pipe that takes so many octets until they are read. */
class Pipe {
  free: number;
  text = '';

  constructor(free: number) {
    this.free = free;
  }

  write(octets: Uint8Array): number {
    if (this.free === 0) throw Object.assign(new Error('full'), { code: 'EAGAIN' });
    const taken = octets.subarray(0, this.free);
    this.free -= taken.length;
    this.text += Buffer.from(taken).toString();
    return taken.length;
  }
}

function sinkOf(pipe: Pipe, waitingMax?: number): LogSink {
  const write = (octets: Uint8Array): number => pipe.write(octets);
  const lostLine = (lines: number): string => `lost ${lines}\n`;
  return new LogSink({ write, lostLine, ...(waitingMax === undefined ? {} : { waitingMax }) });
}

describe('the log', () => {
  it('is written at once', () => {
    const pipe = new Pipe(1_000);
    const sink = sinkOf(pipe);
    sink.write('one\n');
    sink.write('two\n');
    expect(pipe.text).toBe('one\ntwo\n');
  });

  it('waits for a slow reader, and the process does not; no octet is lost', () => {
    vi.useFakeTimers();
    try {
      const pipe = new Pipe(6);
      const sink = sinkOf(pipe);
      for (const line of ['one\n', 'zwölf\n', 'three\n']) sink.write(line);
      expect(pipe.text).toBe('one\nzw');
      for (let n = 0; n < 5; n++) {
        pipe.free += 4;
        vi.advanceTimersByTime(10);
      }
      sink.write('four\n');
      expect(pipe.text).toBe('one\nzwölf\nthree\nfour\n');
    } finally {
      vi.useRealTimers();
    }
  });

  it('tells how many lines were lost, where they were', () => {
    vi.useFakeTimers();
    try {
      const pipe = new Pipe(0);
      const sink = sinkOf(pipe, 10);
      for (const line of ['one\n', 'two\n', 'three\n', 'four\n', '5\n']) sink.write(line);
      pipe.free = 1_000;
      vi.advanceTimersByTime(10);
      sink.write('six\n');
      // The first one was on its way already.
      expect(pipe.text).toBe('one\ntwo\nthree\nlost 2\nsix\n');
    } finally {
      vi.useRealTimers();
    }
  });

  it('is whole at the end of the process, unless nobody reads', () => {
    const pipe = new Pipe(0);
    const sink = sinkOf(pipe);
    sink.write('one\n');
    sink.flushSync();
    expect(pipe.text).toBe('');
    pipe.free = 1_000;
    sink.flushSync();
    expect(pipe.text).toBe('one\n');
  });
});
