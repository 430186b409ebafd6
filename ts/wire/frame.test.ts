import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeFrame, FrameDecoder } from './frame.js';

const frameOf = (payload: Uint8Array): Uint8Array => {
  const frame = encodeFrame(payload);
  if (!frame.ok) throw frame.error;
  return frame.value;
};

describe('FrameDecoder', () => {
  it('gives the payloads back however the stream is cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 10 }),
        fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }),
        (payloads, cuts) => {
          const stream = Buffer.concat(payloads.map(frameOf));
          const decoder = new FrameDecoder(300);
          const got: Uint8Array[] = [];
          for (let at = 0, i = 0; at < stream.length; i++) {
            const size = cuts[i % cuts.length] ?? 1;
            const result = decoder.push(stream.subarray(at, at + size));
            if (!result.ok) throw result.error;
            got.push(...result.value);
            at += size;
          }
          expect(got.map((g) => Array.from(g))).toEqual(payloads.map((p) => Array.from(p)));
          expect(decoder.idle).toBe(true);
        },
      ),
    );
  });

  it('knows when a frame is cut', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 100 }), fc.nat(), (payload, cut) => {
        const stream = frameOf(payload);
        const decoder = new FrameDecoder();
        const part = 1 + (cut % (stream.length - 1));
        expect(decoder.push(stream.subarray(0, part))).toEqual({ ok: true, value: [] });
        expect(decoder.idle).toBe(false);
      }),
    );
  });

  it('refuses a frame above the limit before it takes memory, and stays refused', () => {
    const decoder = new FrameDecoder(1000);
    const result = decoder.push(Uint8Array.from([0xff, 0xff, 0xff, 0xff]));
    expect(result.ok ? null : result.error.message).toBe(
      'a frame of 4294967295 bytes was announced, the limit is 1000',
    );
    expect(decoder.push(frameOf(new Uint8Array(1)))).toEqual(result);
  });

  it('takes a frame of exactly the limit', () => {
    const decoder = new FrameDecoder(1000);
    expect(decoder.push(frameOf(new Uint8Array(1000)))).toEqual({ ok: true, value: [new Uint8Array(1000)] });
    expect(decoder.push(Uint8Array.from([0, 0, 3, 0xe9])).ok).toBe(false);
  });

  it('does not share memory with the chunk', () => {
    const decoder = new FrameDecoder();
    const chunk = frameOf(Uint8Array.from([1, 2, 3]));
    const result = decoder.push(chunk);
    chunk.fill(0);
    expect(result).toEqual({ ok: true, value: [Uint8Array.from([1, 2, 3])] });
  });

  it('never throws on noise', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 50 })), (chunks) => {
        const decoder = new FrameDecoder(100);
        for (const chunk of chunks) {
          const result = decoder.push(chunk);
          if (!result.ok) expect(result.error.code).toBe('NVE-WIRE-001');
        }
      }),
    );
  });
});

describe('encodeFrame', () => {
  it('names the size of what is too large', () => {
    const result = encodeFrame(new Uint8Array(11), 10);
    expect(result.ok ? null : result.error.message).toBe('the frame to send has 11 bytes, the limit is 10');
  });
});
