import { describe, expect, it } from 'vitest';
import { pageOf } from './pages.js';

interface Row {
  readonly id: string;
  readonly macs: readonly string[];
}

function pages(rows: () => Row[]): Row[][] {
  const all: Row[][] = [];
  let cursor: unknown = null;
  do {
    const page = pageOf(rows(), ({ id }) => id, cursor);
    all.push(page.rows);
    cursor = page.cursor;
  } while (cursor !== null);
  return all;
}

const row = (n: number, macs: readonly string[] = []): Row => ({ id: `vm${n}`.padStart(8), macs });

describe('a table in pages', () => {
  it.each([0, 1, 999, 1_000, 1_001, 10_000])('of %i rows gives each once, in order', (count) => {
    const rows = Array.from({ length: count }, (_, n) => row(n));
    const given = pages(() => [...rows].reverse());
    expect(given.flat()).toEqual(rows);
    expect(given).toHaveLength(Math.max(1, Math.ceil(count / 1_000)));
  });

  it('of long rows has shorter pages', () => {
    const macs = Array.from({ length: 64 }, () => '02:00:00:00:00:01');
    const rows = Array.from({ length: 1_000 }, (_, n) => row(n, macs));
    const given = pages(() => rows);
    expect(given.flat()).toEqual(rows);
    for (const page of given) expect(JSON.stringify(page).length).toBeLessThan(300_000);
  });

  it('neither repeats nor hides a row while others come and go', () => {
    const rows = new Map(Array.from({ length: 3_000 }, (_, n) => [n, row(n)]));
    let next = 0;
    const given = pages(() => {
      // What the cursor names is gone when the next page is asked for.
      if (next > 0) rows.delete(1_000 * next - 1);
      rows.set(-1 - next, row(-1 - next));
      next++;
      return [...rows.values()];
    }).flat();
    const ids = given.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    const stayed = [...rows.keys()].filter((n) => n >= 0);
    for (const n of stayed) expect(ids).toContain(row(n).id);
  });
});
