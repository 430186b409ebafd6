import { expect, it } from 'vitest';
import { Strangers } from './strangers.js';

it('admits 500 frames at once, then 500 a second, and saves no more', () => {
  const strangers = new Strangers(0);
  const admitted = (now: number): number =>
    Array.from({ length: 2_000 }, () => strangers.admit(now)).filter((one) => one).length;
  expect(admitted(0)).toBe(500);
  expect(admitted(0)).toBe(0);
  expect(admitted(100)).toBe(50);
  expect(admitted(60_000)).toBe(500);
});
