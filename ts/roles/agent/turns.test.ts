import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Turns } from './turns.js';

function busy(ms: number): void {
  for (const until = performance.now() + ms; performance.now() < until; );
}

describe('work that can wait', () => {
  it('is done at once as long as there is little of it', () => {
    const done: number[] = [];
    const turns = new Turns();
    for (const n of [1, 2, 3]) turns.run(() => done.push(n));
    expect(done).toEqual([1, 2, 3]);
  });

  it('is spread over turns of the event loop, in its order', async () => {
    const done: number[] = [];
    const turns = new Turns();
    for (let n = 0; n < 10; n++)
      turns.run(() => {
        busy(3);
        done.push(n);
      });
    // What is asked for by work in between comes after what waits.
    turns.run(() => turns.run(() => done.push(10)));
    expect(done.length).toBeLessThan(3);
    for (let turn = 0; done.length < 11; turn++) {
      const before = done.length;
      await nextTurn();
      expect(done.length - before).toBeLessThan(4);
      expect(turn).toBeLessThan(20);
    }
    expect(done).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });

  it('a long queue is done to its end', async () => {
    let done = 0;
    const turns = new Turns();
    turns.run(() => busy(6));
    for (let n = 0; n < 5_000; n++)
      turns.run(() => {
        busy(0.01);
        done++;
      });
    while (done < 5_000) await nextTurn();
    turns.run(() => done++);
    expect(done).toBe(5_001);
  });
});
