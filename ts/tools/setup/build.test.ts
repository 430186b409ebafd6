import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { cleanOutput } from './build.mjs';

let root: string;
beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), 'splitnve-build-'));
});
afterEach(() => rmSync(root, { recursive: true }));

function put(...files: string[]) {
  for (const file of files) {
    mkdirSync(path.join(root, path.dirname(file)), { recursive: true });
    writeFileSync(path.join(root, file), '');
  }
}
const isThere = (file: string) => existsSync(path.join(root, file));

it('removes the output of a deleted source, and nothing else', () => {
  put('ts/model/vni.ts', 'dist/model/vni.js', 'dist/model/vni.js.map', 'dist/model/gone.js', 'dist/model/gone.js.map');
  put('dist/native/splitnve.linux-x64-gnu.node', 'dist/native/splitnve.d.ts', 'dist/.tsbuildinfo');
  cleanOutput(root);
  expect(isThere('dist/model/gone.js')).toBe(false);
  expect(isThere('dist/model/gone.js.map')).toBe(false);
  for (const file of ['model/vni.js', 'model/vni.js.map', 'native/splitnve.linux-x64-gnu.node', '.tsbuildinfo']) {
    expect(isThere(`dist/${file}`), file).toBe(true);
  }
});

it('takes a test for no source', () => {
  put('ts/model/vni.test.ts', 'dist/model/vni.test.js');
  cleanOutput(root);
  expect(isThere('dist/model/vni.test.js')).toBe(false);
});

it('makes tsc start over when an output is missing', () => {
  put('ts/model/vni.ts', 'ts/model/mac.ts', 'dist/model/vni.js', 'dist/.tsbuildinfo');
  cleanOutput(root);
  expect(isThere('dist/.tsbuildinfo')).toBe(false);
});

it('is content without a dist folder', () => {
  put('ts/model/vni.ts');
  cleanOutput(root);
});
