import { expect, it } from 'vitest';
import { escaped, frame, vxlan } from './frames.js';

const ENDS = { dst: '02:00:00:00:00:02', src: '02:00:00:00:00:b1' };

it('writes a tagged frame', () => {
  expect(frame({ ...ENDS, vid: 3999, mark: 'ab' }).toString('hex')).toBe(
    '020000000002' + '0200000000b1' + '81000f9f' + '88b5' + '6162',
  );
});

it('writes an untagged frame in VXLAN', () => {
  expect(vxlan(5001, frame({ ...ENDS, mark: '' })).toString('hex')).toBe(
    '0800000000138900' + '020000000002' + '0200000000b1' + '88b5',
  );
});

it("escapes for bash's printf all but plain letters", () => {
  expect(escaped(Buffer.from('a%\\\n-1\0', 'latin1'))).toBe('a\\x25\\x5c\\x0a-1\\x00');
});
