import { describe, expect, it } from 'vitest';
import type { HostInfo } from '#model';
import { NNP_LIMITS } from '#wire';
import { MAX_ASKED, MAX_KEPT, MAX_MISSES, NnpPulls } from './nnp-pulls.js';
import { mac, object, vn } from './testing/nnp-rig.js';

const VN = vn(7);
const TTL = { found: 300_000, negative: 10_000 };
const host = (n: number): HostInfo => object.host(n) as unknown as HostInfo;
const many = (n: number) =>
  `02:00:00:00:${(n >> 8).toString(16).padStart(2, '0')}:${(n & 255).toString(16).padStart(2, '0')}` as never;

class Rig {
  readonly pulls = new NnpPulls(() => 0);
  now = 0;

  constructor() {
    this.pulls.live(VN);
  }

  /** The MACs that are asked for now. */
  asks(): string[] {
    return this.pulls.take(this.now).flatMap(({ macs }) => macs.map((one) => one.slice(-2)));
  }

  miss(n: number): string[] {
    this.pulls.miss(VN, mac(n));
    return this.asks();
  }

  answer(n: number, isThere: boolean): string[] {
    const { found, gone } = this.pulls.answered(VN, [{ mac: mac(n), host: isThere ? host(n) : null }], TTL, this.now);
    return [...found.map((one) => `+${one.mac.slice(-2)}`), ...gone.map((one) => `-${one.slice(-2)}`)];
  }

  /** What is over, and what is asked for again. */
  pass(ms: number): string[] {
    this.now += ms;
    return [...this.pulls.expire(this.now).map(({ mac: one }) => `-${one.slice(-2)}`), ...this.asks()];
  }
}

describe('a host that is asked for', () => {
  it('is asked for once, however often it is missed', () => {
    const rig = new Rig();
    expect(rig.miss(1)).toEqual(['01']);
    expect(rig.miss(1)).toEqual([]);
    expect(rig.answer(1, true)).toEqual(['+01']);
    expect(rig.miss(1)).toEqual([]);
  });

  it('is asked for again before its time ends, as long as it is in use', () => {
    const rig = new Rig();
    rig.miss(1);
    rig.answer(1, true);
    expect(rig.pass(239_999)).toEqual([]);
    expect(rig.pass(1)).toEqual(['01']);
    expect(rig.answer(1, true)).toEqual(['+01']);
    rig.pulls.idle(VN, mac(1));
    expect(rig.pass(240_000)).toEqual([]);
    expect(rig.pass(60_000)).toEqual(['-01']);
    expect(rig.miss(1)).toEqual(['01']);
  });

  it('is not there for a while, when the NVA says so or nothing', () => {
    const rig = new Rig();
    rig.miss(1);
    expect(rig.answer(1, false)).toEqual([]);
    expect(rig.miss(1)).toEqual([]);
    expect(rig.pass(10_000)).toEqual([]);
    expect(rig.miss(1)).toEqual(['01']);
    expect(rig.pass(2_000)).toEqual([]);
    expect(rig.miss(1)).toEqual([]);
    expect(rig.pass(5_000)).toEqual([]);
    expect(rig.miss(1)).toEqual(['01']);
    expect(rig.pulls.status()).toMatchObject({ asked: 3, unanswered: 1 });
  });

  it('goes when it was there and is no longer', () => {
    const rig = new Rig();
    rig.miss(1);
    rig.answer(1, true);
    rig.pass(240_000);
    expect(rig.answer(1, false)).toEqual(['-01']);
  });

  it('counts on when the answer to the second question does not come, until its time ends', () => {
    const rig = new Rig();
    rig.miss(1);
    rig.answer(1, true);
    expect(rig.pass(240_000)).toEqual(['01']);
    expect(rig.pass(2_000)).toEqual([]);
    expect(rig.pass(58_000)).toEqual(['-01']);
  });

  it('is told before it is asked for again: it is there, or no longer', () => {
    const rig = new Rig();
    rig.miss(1);
    rig.answer(1, false);
    rig.pulls.pushed(VN, mac(1));
    expect(rig.asks()).toEqual(['01']);
    rig.answer(1, true);
    rig.pulls.dropped(VN, mac(1));
    expect(rig.miss(1)).toEqual(['01']);
  });

  it('that nobody asked for is not taken', () => {
    const rig = new Rig();
    expect(rig.answer(1, true)).toEqual([]);
    rig.miss(1);
    rig.answer(1, true);
    expect(rig.answer(1, false)).toEqual([]);
  });
});

describe('while the NVA is away', () => {
  it('time stands still, nothing is asked, and then everything that was found is', () => {
    const rig = new Rig();
    for (const n of [1, 2, 3]) rig.miss(n);
    rig.answer(1, true);
    rig.answer(2, false);
    rig.pulls.lost();
    expect(rig.pulls.nextDeadline()).toBeNull();
    expect(rig.pass(1_000_000)).toEqual([]);
    expect(rig.miss(4)).toEqual([]);
    expect(rig.answer(3, true)).toEqual([]);
    rig.pulls.live(VN);
    expect(rig.asks()).toEqual(['01']);
    expect(rig.miss(4)).toEqual(['04']);
    rig.pulls.forget(VN);
    expect(rig.miss(5)).toEqual([]);
    expect(rig.pulls.status()).toMatchObject({ found: 0, negative: 0 });
  });
});

describe('a storm of misses', () => {
  it('has so many questions out, so many waiting, and the rest counted', () => {
    const rig = new Rig();
    for (let n = 0; n < 10_000; n++) rig.pulls.miss(VN, many(n));
    const questions = rig.pulls.take(0);
    expect(questions.every(({ macs }) => macs.length <= NNP_LIMITS.keys)).toBe(true);
    expect(questions.flatMap(({ macs }) => macs)).toHaveLength(MAX_ASKED);
    expect(rig.pulls.status().overflow).toBe(10_000 - MAX_MISSES);
    for (let n = 10_000; n < 20_000; n++) rig.pulls.miss(VN, many(n));
    expect(rig.pulls.take(0)).toEqual([]);
    expect(rig.pulls.status().overflow).toBe(20_000 - 2 * MAX_MISSES);
  });

  it('does not push out what is found', () => {
    const rig = new Rig();
    let asked = 0;
    for (let n = 0; n < MAX_KEPT + 5_000; n++) {
      rig.pulls.miss(VN, many(n));
      for (const { macs } of rig.pulls.take(0)) {
        asked += macs.length;
        rig.pulls.answered(
          VN,
          macs.map((one) => ({ mac: one, host: n % 2 === 0 ? { ...host(1), mac: one } : null })),
          TTL,
          0,
        );
      }
    }
    const { found, negative, overflow } = rig.pulls.status();
    expect(found + negative).toBeLessThanOrEqual(MAX_KEPT);
    expect(found).toBe(MAX_KEPT / 2 + 2_500);
    expect(asked + overflow).toBe(MAX_KEPT + 5_000);
  });
});
