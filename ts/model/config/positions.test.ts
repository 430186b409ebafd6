import fc from 'fast-check';
import { parse, stringify } from 'smol-toml';
import { describe, expect, it } from 'vitest';
import { positionsOf } from './positions.js';

const TEXT = `# a comment with [brackets] and = signs
title = "x"   # trailing
[node]
name = 'a # not a comment'
  deep.er = 5
[[port]]
name = "p0"
"quoted key" = [ 1, # one
  [ 2, 3 ], { a = 1, b = { c = "}" } } ]
[[port]]
name = """
multi
= [line] \\""" """
after = true
[port.more]
x = 1
[[port.inner]]
y = 2
`;

describe('positionsOf', () => {
  const at = positionsOf(TEXT);
  const value = (...path: (string | number)[]) => Object.values(at.value(path));
  const key = (...path: (string | number)[]) => Object.values(at.key(path));

  it('finds keys and values of plain, dotted and quoted keys', () => {
    expect(key('title')).toEqual([2, 1]);
    expect(value('title')).toEqual([2, 9]);
    expect(value('node')).toEqual([3, 1]);
    expect(value('node', 'name')).toEqual([4, 8]);
    expect(key('node', 'deep', 'er')).toEqual([5, 8]);
    expect(value('node', 'deep', 'er')).toEqual([5, 13]);
    expect(key('port', 0, 'quoted key')).toEqual([8, 1]);
  });

  it('counts the tables of an array, and the items of lists and inline tables', () => {
    expect(value('port', 0)).toEqual([6, 1]);
    expect(value('port', 1)).toEqual([10, 1]);
    expect(value('port', 0, 'quoted key', 0)).toEqual([8, 18]);
    expect(value('port', 0, 'quoted key', 1, 1)).toEqual([9, 8]);
    expect(value('port', 0, 'quoted key', 2, 'b', 'c')).toEqual([9, 32]);
  });

  it('steps over multi-line strings and puts sub-tables into the last table of the array', () => {
    expect(value('port', 1, 'after')).toEqual([14, 9]);
    expect(value('port', 1, 'more', 'x')).toEqual([16, 5]);
    expect(value('port', 1, 'inner', 0, 'y')).toEqual([18, 5]);
  });

  it('falls back to the nearest parent for what is not in the text', () => {
    expect(value('port', 1, 'missing', 'thing')).toEqual([10, 1]);
    expect(value('nowhere')).toEqual([1, 1]);
  });

  it('terminates on any text, also one that is not TOML', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('[', ']', '"', "'", '=', '.', '\n', ' ', '#', ',', '{', '}', 'a', '\\') }),
        (text) => {
          positionsOf(text);
        },
      ),
    );
  });

  it('finds every leaf of generated documents at the place where its text stands', () => {
    const leaf = fc.oneof(fc.integer(), fc.boolean(), fc.stringMatching(/^[a-z0-9 =#[\]{}'"\\]{0,8}$/));
    const name = fc.stringMatching(/^[a-z =."]{1,6}$/);
    const document = fc.dictionary(
      name,
      fc.oneof(leaf, fc.array(leaf), fc.dictionary(name, leaf), fc.array(fc.dictionary(name, leaf))),
    );
    fc.assert(
      fc.property(document, (made) => {
        const text = stringify(made);
        const lines = text.split('\n');
        const index = positionsOf(text);
        const walk = (node: unknown, path: (string | number)[]): void => {
          if (Array.isArray(node)) node.forEach((item, n) => void walk(item, [...path, n]));
          else if (typeof node === 'object' && node !== null)
            for (const [k, v] of Object.entries(node)) walk(v, [...path, k]);
          else {
            const { line, column } = index.value(path);
            const rest = (lines[line - 1] ?? '').slice(column - 1);
            const expected = typeof node === 'string' ? stringify({ v: node }).slice(4).trimEnd() : String(node);
            expect(rest.startsWith(expected), `${JSON.stringify(path)} at ${line}:${column} of\n${text}`).toBe(true);
          }
        };
        walk(parse(text), []);
      }),
    );
  });
});
