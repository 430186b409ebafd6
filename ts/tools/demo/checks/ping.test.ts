import { expect, it } from 'vitest';
import { isWhole, parse } from './ping.js';

const output = (stdout: string) => ({ code: 0, stdout, stderr: '' });
const SUMMARY = '5 packets transmitted, 5 received, 0% packet loss, time 402ms';

it('counts answers', () => {
  expect(isWhole(parse(output(SUMMARY)))).toBe(true);
  const some = parse(output('5 packets transmitted, 4 received, +1 errors, 20% packet loss, time 4ms'));
  expect(some).toEqual({ sent: 5, received: 4, isAltered: false });
  expect(isWhole(some)).toBe(false);
});

it('takes no output for no answer', () => {
  expect(isWhole(parse(output('')))).toBe(false);
});

it('sees that content was altered, which ping itself does not count', () => {
  expect(isWhole(parse(output(`wrong data byte #16 should be 0x10 but was 0x11\n${SUMMARY}`)))).toBe(false);
});
