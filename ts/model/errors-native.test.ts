// The codes that the engine gives are rows of the registry: a person who meets one finds its text and its remedy.

import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ERRORS } from './errors.js';

const sources = new URL('../../native/engine/src/', import.meta.url);

test('every code of the engine has its row, and every row of the engine its code', () => {
  const files = readdirSync(sources, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.rs'));
  const text = files.map((file) => readFileSync(new URL(file, sources), 'utf8')).join('\n');
  const given = new Set(text.match(/NVE-(?:ENG|DPDK|EAL)-\d{3}/g));
  // 000 and 900 upwards are about the engine, and made in TypeScript.
  const listed = Object.keys(ERRORS).filter((code) => /^NVE-(ENG|DPDK|EAL)-(?!000|9)/.test(code));
  expect([...given].sort()).toEqual(listed.sort());
});
