import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { matchesPattern } from './pattern.js';

describe('matchesPattern', () => {
  it.each([
    ['t1', 't1', true],
    ['t1', 't11', false],
    ['*', '', true],
    ['*', 'anything', true],
    ['vm-*', 'vm-7', true],
    ['vm-*', 'xvm-7', false],
    ['*-eth0', 'vm7-eth0', true],
    ['a*b*c', 'a1b2c', true],
    ['a*b*c', 'abc', true],
    ['a*b*c', 'ac', false],
    ['ab*ba', 'aba', false],
    ['*a*', 'bab', true],
    ['*a*a*', 'ba', false],
    ['.*', 'x', false],
    ['**', 'x', true],
  ])('%s %s %s', (pattern, text, expected) => {
    expect(matchesPattern(pattern, text)).toBe(expected);
  });

  it('says the same as a regular expression', () => {
    const part = fc.stringMatching(/^[ab]{0,3}$/);
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 4 }), fc.stringMatching(/^[ab]{0,10}$/), (parts, text) => {
        expect(matchesPattern(parts.join('*'), text)).toBe(new RegExp(`^${parts.join('.*')}$`).test(text));
      }),
      { numRuns: 1000 },
    );
  });

  it('is not slow for any pattern', () => {
    expect(matchesPattern(`${'a*'.repeat(64)}b`, 'a'.repeat(10_000))).toBe(false);
  });
});
