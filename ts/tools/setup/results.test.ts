import { expect, it } from 'vitest';
import { addFailure, CargoReader, closingLine, emptyResult, sum } from './results.mjs';

const transcript = `
running 3 tests
test fdb::tests::learns ... ok
test map::tests::grows ... ok
test port::tests::tap ... ignored, needs root

test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s


running 2 tests
test mac::tests::text ... ok
test vni::tests::range ... FAILED

failures:

---- vni::tests::range stdout ----
assertion failed

test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s

   Doc-tests types

running 1 test
test native/types/src/vni.rs - vni::Vni (line 4) ... ok

test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.40s
`;

function read(text: string, status: number) {
  const reader = new CargoReader();
  const shown = text.split('\n').filter((line) => reader.read(line));
  return { result: reader.end(status), shown };
}

it('counts every harness of a cargo run, with the reasons of the ignored tests', () => {
  const { result, shown } = read(transcript, 101);
  expect(result).toEqual({
    passed: 4,
    failed: 1,
    skipped: 1,
    failures: ['vni::tests::range'],
    skips: [{ name: 'port::tests::tap', reason: 'needs root' }],
  });
  expect(shown).toContain('assertion failed');
  expect(shown).toContain('test vni::tests::range ... FAILED');
  expect(shown.join('\n')).not.toContain('... ok');
});

it('counts a test that prints between its name and its outcome', () => {
  const text =
    'test a ... noise\nok\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0s';
  expect(read(text, 0).result).toMatchObject({ passed: 1, failed: 0 });
});

it('counts a run that ended badly without a failed test as one failure', () => {
  const crash = 'test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s\n';
  expect(read(crash, 101).result).toMatchObject({ passed: 2, failed: 1 });
  expect(read('', 101).result).toMatchObject({ passed: 0, failed: 1 });
});

it('sums the stages into the closing line', () => {
  const second = { ...emptyResult(), passed: 10, skipped: 2, skips: [{ name: 'x', reason: 'needs a peer' }] };
  addFailure(second, 'e2e tests: no test was run');
  const total = sum([read(transcript, 101).result, second]);
  expect(closingLine(total)).toBe('14 passed, 2 failed, 3 skipped');
  expect(total.failures).toEqual(['vni::tests::range', 'e2e tests: no test was run']);
  expect(total.skips.map(({ reason }) => reason)).toEqual(['needs root', 'needs a peer']);
});
