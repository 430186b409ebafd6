// Scale on access links, with the timers that are the default.
import { describe } from 'vitest';
import { checkScale } from '../lib/scale-checks.js';

describe('10,003 VSIs over ten links, 4,000 of them on one, keep-alives each 10.5 s', () => {
  checkScale({ perLink: [4_000, ...Array<number>(9).fill(667)], vns: 1_000, rka: 20 });
});
