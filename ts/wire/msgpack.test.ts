import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DEFAULT_LIMITS, decodeMsgpack, encodeMsgpack, scan } from './msgpack.js';

const hex = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'));
const problem = (text: string, limits = DEFAULT_LIMITS) => {
  const result = decodeMsgpack(hex(text), limits);
  return result.ok
    ? result.value
    : `${result.error.code} ${result.error.context['offset']}: ${result.error.context['problem']}`;
};

/** What our protocols may carry. */
const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { depthSize: 'small' },
    fc.constant(null),
    fc.boolean(),
    fc.integer({ min: -(2 ** 31), max: 2 ** 32 - 1 }),
    fc.double(),
    fc.bigInt({ min: 2n ** 53n + 1n, max: 2n ** 64n - 1n }),
    fc.string({ unit: 'binary', maxLength: 300 }),
    fc.uint8Array({ maxLength: 300 }),
    fc.array(tie('any'), { maxLength: 20 }),
    fc.dictionary(fc.string({ maxLength: 40 }), tie('any'), { maxKeys: 20, noNullPrototype: true }),
  ),
})).any;

describe('decodeMsgpack', () => {
  it('gives back what was encoded', () => {
    fc.assert(
      fc.property(value, (given) => {
        fc.pre(!JSON.stringify(given, (_, v) => (typeof v === 'bigint' ? `${v}` : v))?.includes('__proto__'));
        const decoded = decodeMsgpack(encodeMsgpack(given), { ...DEFAULT_LIMITS, maxDepth: 64 });
        if (!decoded.ok) throw decoded.error;
        expect(plain(decoded.value)).toEqual(plain(given));
      }),
    );
  });

  it('refuses every proper prefix, and anything after the value', () => {
    fc.assert(
      fc.property(value, fc.nat(), (given, cut) => {
        const bytes = encodeMsgpack(given);
        expect(decodeMsgpack(bytes.subarray(0, cut % bytes.length)).ok).toBe(false);
        expect(decodeMsgpack(Uint8Array.from([...bytes, 0xc0])).ok).toBe(false);
      }),
    );
  });

  it('never throws on noise, and what it accepts has the announced shape', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => {
        const result = decodeMsgpack(noise);
        if (result.ok) expect(scan(noise, DEFAULT_LIMITS)).toBeNull();
        else expect(result.error.code).toBe('NVE-WIRE-002');
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    ['c1', 'NVE-WIRE-002 0: the never used byte 0xc1'],
    ['d4 00 00', 'NVE-WIRE-002 0: an extension type'],
    // A record definition of msgpackr: it would make the decoder compile a reader.
    ['d4 72 40 91 a1 61 01', 'NVE-WIRE-002 0: an extension type'],
    ['c7 01 73 00', 'NVE-WIRE-002 0: an extension type'],
    ['d6 ff 00 00 00 00', 'NVE-WIRE-002 0: an extension type'],
    ['', 'NVE-WIRE-002 0: ends in the middle of a value'],
    ['91', 'NVE-WIRE-002 0: announces 1 elements, 0 bytes are left'],
    ['92 01', 'NVE-WIRE-002 0: announces 2 elements, 1 bytes are left'],
    ['92 a1 61', 'NVE-WIRE-002 3: ends in the middle of a value'],
    ['dd ff ff ff ff', 'NVE-WIRE-002 0: 4294967295 elements, the limit is 65536'],
    ['c6 ff ff ff ff', 'NVE-WIRE-002 0: announces 4294967295 bytes, 0 are left'],
    ['db 00 00 00 05 61', 'NVE-WIRE-002 0: announces 5 bytes, 1 are left'],
    ['cd 01', 'NVE-WIRE-002 0: announces 2 bytes, 1 are left'],
    ['dc 00', 'NVE-WIRE-002 0: ends in the middle of a length'],
    ['81 01 02', 'NVE-WIRE-002 1: a map key is not text'],
    ['81 a1 61 01 c0', 'NVE-WIRE-002 4: 1 bytes after the value'],
    ['82 a1 61 81 a1 62 01 c0 01', 'NVE-WIRE-002 7: a map key is not text'],
  ])('%s: %s', (bytes, expected) => {
    expect(problem(bytes)).toBe(expected);
  });

  it('stops at its limits', () => {
    const limits = { maxDepth: 3, maxItems: 4, floats: false };
    expect(problem('91 91 90', limits)).toEqual([[[]]]);
    expect(problem('91 91 91 91 c0', limits)).toBe('NVE-WIRE-002 3: nested deeper than 3');
    expect(problem('95 01 01 01 01 01', limits)).toBe('NVE-WIRE-002 0: 5 elements, the limit is 4');
    expect(problem('cb 3f f0 00 00 00 00 00 00', limits)).toBe(
      'NVE-WIRE-002 0: a floating point number where integers are expected',
    );
  });

  it('walks a megabyte of nesting without recursion', () => {
    expect(problem('91'.repeat(1 << 20))).toBe('NVE-WIRE-002 16: nested deeper than 16');
  });

  it('keeps 64-bit integers exact', () => {
    for (const revision of [2n ** 53n + 1n, 2n ** 63n, 2n ** 64n - 1n]) {
      expect(decodeMsgpack(encodeMsgpack([revision]))).toEqual({ ok: true, value: [revision] });
    }
  });

  it('does not let a map reach a prototype', () => {
    const result = problem('81 a9 5f5f70726f746f5f5f 81 a1 61 01');
    expect(Object.getPrototypeOf(result)).toBe(Object.prototype);
    expect((result as Record<string, unknown>)['a']).toBeUndefined();
  });
});

/** -0 is encoded as 0 by MessagePack writers, byte strings come back as Buffers. */
function plain(of: unknown): unknown {
  if (of instanceof Uint8Array) return { bytes: Array.from(of) };
  if (Object.is(of, -0)) return 0;
  if (Array.isArray(of)) return of.map(plain);
  if (typeof of === 'object' && of !== null) {
    return Object.fromEntries(Object.entries(of).map(([key, item]) => [key, plain(item)]));
  }
  if (typeof of === 'string') return of.toWellFormed?.() ?? of;
  return of;
}
