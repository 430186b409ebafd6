// Scale on access links. The long form, with 4,000 VSIs on one link and 10,000 in all, is test/soak/access-scale.test.ts.
import { describe } from 'vitest';
import { checkScale } from '../lib/scale-checks.js';

describe('5,007 VSIs over ten links, 3,000 of them on one, keep-alives each 2.6 s', () => {
  checkScale({ perLink: [3_000, ...Array<number>(9).fill(223)], vns: 500, rka: 18 });
});
