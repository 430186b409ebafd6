import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const read = (file: string) => readFileSync(path.join(root, file), 'utf8');

describe('docs/conformance.md', () => {
  const rows = read('docs/conformance.md')
    .split('\n')
    .filter((line) => /^\| A\d/.test(line))
    .map((line) => {
      const [id = '', clause = '', requirement = '', status = '', test = ''] = line
        .slice(1)
        .split('|')
        .map((cell) => cell.trim());
      return {
        id,
        clause,
        requirement,
        status,
        files: [...test.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? ''),
      };
    });

  it('has every requirement once, and a clause with it', () => {
    expect(rows.length).toBeGreaterThan(30);
    expect(new Set(rows.map(({ id }) => id)).size).toBe(rows.length);
    for (const { id, clause, requirement } of rows) {
      expect(id).toBe(`A${clause.replace(/\(.*/, '')}-${id.split('-')[1]}`);
      expect(requirement, id).not.toBe('');
    }
  });

  it('claims nothing without a test, and names only tests that exist', () => {
    for (const { id, status, files } of rows) {
      expect(status, id).toMatch(/^(yes|partly\b.*|not yet)$/);
      expect(files.length > 0, `${id} says "${status}" and names ${files.length} tests`).toBe(status !== 'not yet');
      for (const file of files) expect(existsSync(path.join(root, file)), `${id} names ${file}`).toBe(true);
    }
  });
});

describe("docs/conformance.md, RFC 8394's requirements", () => {
  const rows = read('docs/conformance.md')
    .split('\n')
    .filter((line) => /^\| R-\d/.test(line))
    .map((line) =>
      line
        .slice(1)
        .split('|')
        .map((cell) => cell.trim()),
    );

  it('are all thirteen, with their levels', () => {
    const levels = 'MUST MUST MAY MAY MUST MUST MUST MUST MUST MUST MUST MUST SHOULD'.split(' ');
    expect(rows.map(([id, level]) => [id, level])).toEqual(levels.map((level, n) => [`R-${n + 1}`, level]));
  });

  it('claim nothing without a test, and name only tests that exist', () => {
    for (const [id = '', , , , status = '', test = ''] of rows) {
      const files = [...test.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? '');
      expect(status, id).toMatch(/^(yes|partly|not yet)$/);
      expect(files.length > 0, `${id} says "${status}" and names ${files.length} tests`).toBe(status !== 'not yet');
      for (const file of files) expect(existsSync(path.join(root, file)), `${id} names ${file}`).toBe(true);
    }
  });
});

describe('links', () => {
  const pages = [...readdirSync(path.join(root, 'docs')).map((name) => `docs/${name}`), 'README.md'].filter(
    (file) => file.endsWith('.md') && existsSync(path.join(root, file)),
  );

  it.each(pages)('of %s lead somewhere', (page) => {
    for (const [, target = ''] of read(page).matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      expect(existsSync(path.join(root, path.dirname(page), target)), `${page} links to ${target}`).toBe(true);
    }
  });
});
