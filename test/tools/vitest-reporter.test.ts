import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';

// What `npm test` counts is only as good as what the reporter hears of a real vitest: this runs one on a small project where everything
// that can go wrong does.

const root = fileURLToPath(new URL('../../', import.meta.url));
const files: Record<string, string> = {
  'good.test.js':
    "it('passes', () => {});\nit('needs a peer', (context) => context.skip('no lldpad here'));\nit.todo('later');",
  'bad.test.js': "it('fails', () => { throw new Error('wrong'); });",
  'broken.test.js': "import './not-there.js';\nit('is never known', () => {});",
  'hook.test.js':
    "describe('a suite', () => {\n  beforeAll(() => { throw new Error('no link\\nsecond line'); });\n  it('is never run', () => {});\n});",
  'stray.test.js': "it('leaves a promise behind', () => { Promise.reject(new Error('stray')); });",
};
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'splitnve-reporter-'));
  symlinkSync(path.join(root, 'node_modules'), path.join(folder, 'node_modules'));
  for (const [name, body] of Object.entries(files)) {
    writeFileSync(path.join(folder, name), `import { beforeAll, describe, it } from 'vitest';\n${body}\n`);
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

it('counts passes, skips with their reasons, and every way to fail once', () => {
  const target = path.join(folder, 'result.json');
  const reporter = path.join(root, 'ts/tools/setup/vitest-reporter.mjs');
  const vitest = path.join(root, 'node_modules/vitest/vitest.mjs');
  const run = spawnSync(process.execPath, [vitest, 'run', '--root', folder, `--reporter=${reporter}`], {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, SPLITNVE_TEST_RESULT: target },
  });
  expect(run.status, run.stderr).toBe(1);
  const result = JSON.parse(readFileSync(target, 'utf8'));
  expect(result.failures.sort()).toEqual([
    'bad.test.js > fails',
    expect.stringMatching(/^broken.test.js: .*not-there.js/),
    'hook.test.js > a suite: no link',
    'outside any test: stray',
  ]);
  expect(result).toMatchObject({ passed: 2, failed: 4, skipped: 3 });
  expect(result.skips).toContainEqual({ name: 'good.test.js > needs a peer', reason: 'no lldpad here' });
});
