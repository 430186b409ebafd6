import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { exitCodeOf, foreignError, NveError, nveError, toNveError } from './error.js';
import { AREAS, ERRORS, type ErrorRow } from './errors.js';
import { errorsPage } from './errors-page.js';

const PAGE = new URL('../../docs/errors.md', import.meta.url);
const rows = Object.entries(ERRORS as Record<string, ErrorRow>);

describe('the registry', () => {
  it('is what docs/errors.md says', () => {
    if (process.env['UPDATE_DOCS']) writeFileSync(PAGE, errorsPage());
    expect(readFileSync(PAGE, 'utf8'), 'run: UPDATE_DOCS=1 npx vitest run ts/model').toBe(errorsPage());
  });

  it.each(rows)('%s is well formed', (code, row) => {
    expect(code).toMatch(/^NVE-[A-Z]{2,8}-[0-9]{3}$/);
    expect(Object.keys(AREAS)).toContain(code.split('-')[1]);
    // A message is a clause that can follow "error: "; a hint is a sentence.
    expect(row.message).not.toMatch(/\.$/);
    expect(row.hint).toMatch(/\.$|\)$|^\{remedy\}$/);
  });

  it.each(Object.keys(AREAS))('area %s has rows', (area) => {
    expect(rows.some(([code]) => code.startsWith(`NVE-${area}-`))).toBe(true);
  });
});

describe('NveError', () => {
  it('fills message and hint from the context', () => {
    const error = nveError('NVE-TSI-003', {
      mac: '02:00:00:00:00:01',
      vn: 'blue',
      holder: 't1',
      link: 'acc0',
      tsi: 't2',
    });
    expect(error.message).toBe('MAC 02:00:00:00:00:01 of VN blue is held by TSI t1 on link acc0');
    expect(error.hint).toBe('Give TSI t2 another MAC, or detach t1 first.');
    expect([error.code, error.area, error.retryable]).toEqual(['NVE-TSI-003', 'TSI', false]);
    expect(nveError('NVE-TSI-005', { link: 'acc0' }).retryable).toBe(true);
  });

  it('keeps its cause, and renders lists and untrusted values in one line', () => {
    const cause = new Error('deep');
    const error = nveError('NVE-NNP-001', { endpoints: ['a', 'b'], reason: 'x' }, cause);
    expect(error.message).toBe('the NVA is away (a, b): x');
    expect(error.cause).toBe(cause);
    expect(nveError('NVE-SYS-003', { reason: { a: 1n } }).message).toContain('[object Object]');
  });

  it('survives a wire', () => {
    const error = nveError('NVE-TSI-001', { tsi: 't1', link: 'acc0' });
    const again = new NveError(JSON.parse(JSON.stringify(error.toMap())));
    expect(again.toMap()).toEqual(error.toMap());
    expect(again.retryable).toBe(error.retryable);
  });
});

describe('foreignError', () => {
  it('uses the row of a code that it knows', () => {
    expect(foreignError('NVE-TSI-001', { tsi: 't1', link: 'acc0' }).message).toBe('no TSI t1 on link acc0');
  });

  it('takes the text that came with it', () => {
    const error = foreignError('NVE-NVA-003', {}, 'MAC is held');
    expect(error.message).toBe('MAC is held');
    expect(error.hint).toBe('Give the TSI another MAC, or detach holder first.');
  });

  it('renders a code of which nobody heard, with its context', () => {
    const error = foreignError('NVE-ENG-899', { port: 3, name: 'p0' });
    expect(error.message).toBe('the engine refuses a command (NVE-ENG-899, port 3, name p0)');
    expect(error.hint).toContain('docs/errors.md');
    expect(exitCodeOf(error)).toBeGreaterThan(0);
    expect(foreignError('NVE-XYZ-001', { a: 1 }).message).toBe('error (NVE-XYZ-001, a 1)');
  });

  it('does not believe in a code that is none', () => {
    for (const code of [null, 7, 'toString', 'NVE-TSI-1', 'NVE-TSI-001\n', '__proto__']) {
      expect(foreignError(code, {}, 'text').code).toBe('NVE-SYS-003');
    }
  });
});

describe('toNveError', () => {
  it('leaves one as it is, and wraps anything else', () => {
    const error = nveError('NVE-TSI-005', { link: 'acc0' });
    expect(toNveError(error)).toBe(error);
    const wrapped = toNveError(new TypeError('x is not a function'));
    expect([wrapped.code, wrapped.message]).toEqual(['NVE-SYS-003', 'internal error: x is not a function']);
    expect(toNveError('thrown text').message).toBe('internal error: "thrown text"');
  });
});
