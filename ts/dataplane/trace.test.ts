import { describe, expect, it } from 'vitest';
import { decodeTrace } from './trace.js';

const mac = Uint8Array.of(2, 0, 0, 0, 0, 1);
const SENT: unknown[] = [
  'sent',
  null,
  null,
  [[1, Uint8Array.of(1, 2)]],
  [],
  [[7, 1, 64, 0, 0]],
  [[7, 1, mac]],
  [['port', { port: 0, role: 'access', mac }]],
];

describe('decodeTrace', () => {
  it('reads the array of docs/engine.md', () => {
    expect(decodeTrace([...SENT, 'a later field'])).toEqual({
      outcome: 'sent',
      detail: null,
      meaning: null,
      frames: [{ port: 1, frame: Uint8Array.of(1, 2) }],
      drops: [],
      vaps: [{ vap: 7, inPackets: 1, inBytes: 64, outPackets: 0, outBytes: 0 }],
      learned: [{ vap: 7, vn: 1, mac: '02:00:00:00:00:01' }],
      steps: [{ step: 'port', facts: { port: 0, role: 'access', mac } }],
    });
  });

  it.each([
    [0, 'eaten'],
    [1, 5],
    [3, [[1, 'text']]],
    [7, [['port', 5]]],
  ])('refuses another value of element %i', (at, value) => {
    expect(() => decodeTrace(SENT.with(at, value))).toThrow(expect.objectContaining({ code: 'NVE-ENG-900' }));
  });
});
