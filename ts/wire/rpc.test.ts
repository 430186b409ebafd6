import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeMsgpack } from './msgpack.js';
import { decodeRpc, encodeRpc, type RpcMessage } from './rpc.js';

const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const name = fc.stringMatching(/^[a-z.]{1,40}$/);
const map = fc.dictionary(
  fc.stringMatching(/^[a-z]{1,8}$/),
  fc.oneof(fc.string({ unit: 'grapheme' }), u32, fc.boolean(), fc.array(u32), fc.constant(null)),
  { noNullPrototype: true },
);
const text = fc.string({ unit: 'grapheme', maxLength: 100 });

const message: fc.Arbitrary<RpcMessage> = fc.oneof(
  fc.record({
    type: fc.constant('request' as const),
    id: u32,
    method: name,
    params: map,
    deadlineMs: fc.option(u32),
  }),
  fc.record({
    type: fc.constant('response' as const),
    id: u32,
    outcome: fc.oneof(
      map.map((value) => ({ ok: true as const, value })),
      fc
        .record({ code: text, message: text, hint: text, context: map })
        .map((error) => ({ ok: false as const, error })),
    ),
  }),
  fc.record({ type: fc.constant('notification' as const), topic: name, data: map }),
);

const encoded = (given: RpcMessage) => {
  const payload = encodeRpc(given);
  if (!payload.ok) throw payload.error;
  return payload.value;
};
const problem = (body: unknown) => {
  const result = decodeRpc(encodeMsgpack(body));
  return result.ok ? 'accepted' : result.error.message;
};

describe('rpc', () => {
  it('round trip', () => {
    fc.assert(
      fc.property(message, (given) => {
        expect(decodeRpc(encoded(given))).toEqual({ ok: true, value: given });
      }),
    );
  });

  it('refuses every proper prefix', () => {
    fc.assert(
      fc.property(message, fc.nat(), (given, cut) => {
        const payload = encoded(given);
        expect(decodeRpc(payload.subarray(0, cut % payload.length)).ok).toBe(false);
      }),
    );
  });

  it('never throws on noise', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (noise) => {
        const result = decodeRpc(noise);
        if (!result.ok) expect(result.error.code).toMatch(/^NVE-WIRE-00[23]$/);
      }),
    );
    fc.assert(
      fc.property(fc.array(fc.jsonValue()), (noise) => {
        expect(typeof problem(noise)).toBe('string');
      }),
    );
  });

  it('ignores trailing elements and takes missing ones for nil', () => {
    expect(decodeRpc(encodeMsgpack([0, 1, 'show.vn', {}, null, 'later']))).toEqual({
      ok: true,
      value: { type: 'request', id: 1, method: 'show.vn', params: {}, deadlineMs: null },
    });
    expect(decodeRpc(encodeMsgpack([0, 1, 'show.vn', {}])).ok).toBe(true);
  });

  it.each([
    [{}, 'rpc is {}, expected an array'],
    [[], 'rpc.type is missing, expected an integer from 0 to 2'],
    [[3, 1], 'rpc.type is 3, expected an integer from 0 to 2'],
    [[0, -1, 'm', {}], 'rpc.id is -1, expected an integer from 0 to 4294967295'],
    [[0, 1.5, 'm', {}], 'rpc.id is 1.5, expected an integer from 0 to 4294967295'],
    [[0, 1, '', {}], 'rpc.method is "", expected text of 1 to 64 characters'],
    [[0, 1, 'm'.repeat(65), {}], /rpc.method is "m+", expected text of 1 to 64 characters/],
    [[0, 1, 'm', []], 'rpc.params is [], expected a map'],
    [[0, 1, 'm'], 'rpc.params is missing, expected a map'],
    [[0, 1, 'm', {}, '1'], 'rpc.deadline_ms is "1", expected an integer from 0 to 4294967295, or nil'],
    [[1, 1, 'no', null], 'rpc.error is "no", expected a map'],
    [[1, 1, { code: 'X' }, null], 'rpc.error.message is missing, expected text of at most 4096 characters'],
    [[2, 'topic', null], 'rpc.data is null, expected a map'],
  ])('%j: %s', (body, expected) => {
    expect(problem(body)).toEqual(typeof expected === 'string' ? expected : expect.stringMatching(expected));
  });

  it('does not send what the other side would refuse', () => {
    const request = (params: Record<string, unknown>): RpcMessage => ({
      type: 'request',
      id: 1,
      method: 'm',
      params,
      deadlineMs: null,
    });
    const code = (params: Record<string, unknown>) => {
      const result = encodeRpc(request(params));
      return result.ok ? 'sent' : result.error.code;
    };
    expect(code({ big: 'x'.repeat(1 << 20) })).toBe('NVE-WIRE-005');
    expect(code({ date: new Date(0) })).toBe('NVE-WIRE-002');
    expect(code({ huge: 2n ** 64n })).toBe('NVE-SYS-003');
    expect(code({ optional: undefined })).toBe('sent');
  });
});
