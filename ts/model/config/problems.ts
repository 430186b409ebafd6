// The loader's findings, and how zod's and the TOML parser's complaints become findings that people can act on.

import { z } from 'zod';
import { show } from '../show.js';
import type { Path, Position, Positions } from './positions.js';
import { closest } from './suggest.js';

/** One mistake in a configuration file. Line and column count from 1. */
export interface ConfigProblem extends Position {
  readonly file: string;
  /** `port[0].driver`; empty for the file itself. */
  readonly path: string;
  readonly expected: string;
  readonly got: string;
  /** "Did you mean": the nearest word that would have been right. */
  readonly suggestion: string | null;
}

/** A mistake that is not yet placed in the text. */
export interface Complaint {
  readonly path: Path;
  /** The place to point at, where it is not the value at `path`. */
  readonly at?: 'key' | 'parent';
  readonly expected: string;
  readonly got: string;
  readonly suggestion?: string | undefined;
}

export function place(complaint: Complaint, file: string, positions: Positions): ConfigProblem {
  const { path, expected, got } = complaint;
  const position =
    complaint.at === 'key'
      ? positions.key(path)
      : positions.value(complaint.at === 'parent' ? path.slice(0, -1) : path);
  return { file, ...position, path: formatPath(path), expected, got, suggestion: complaint.suggestion ?? null };
}

/** `FILE:LINE:COLUMN: PATH: expected …, got …; did you mean …?` */
export function formatProblem(problem: ConfigProblem): string {
  const where = `${problem.file}:${problem.line}:${problem.column}:`;
  const what = problem.path === '' ? '' : ` ${problem.path}:`;
  const hint = problem.suggestion === null ? '' : `; did you mean ${problem.suggestion}?`;
  return `${where}${what} expected ${problem.expected}, got ${problem.got}${hint}`;
}

export function formatPath(path: Path): string {
  return path.reduce<string>(
    (text, part) => (typeof part === 'number' ? `${text}[${part}]` : text === '' ? part : `${text}.${part}`),
    '',
  );
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  object: 'a table',
  array: 'a list',
  string: 'text',
  boolean: 'true or false',
  number: 'a number',
  int: 'a whole number',
};

/** zod's issue as complaints: one per unknown key, else one. `root` is the parsed file, `schema` its schema. */
export function complaintsOf(issue: z.core.$ZodIssue, root: unknown, schema: z.ZodType): Complaint[] {
  const path = issue.path.map((part) => (typeof part === 'number' ? part : String(part)));
  const value = valueAt(root, path);
  if (issue.code === 'invalid_union' && issue.errors.length > 0 && issue.message === 'Invalid input') {
    // A text or a table: what is wrong is told by the member that the value was meant for.
    const isTable = typeof value === 'object' && value !== null;
    const meant = issue.errors.find((issues) =>
      issues.some((one) => one.path.length > 0 || one.code === 'unrecognized_keys'),
    );
    const issues = (isTable ? meant : undefined) ?? issue.errors[0] ?? [];
    return issues.flatMap((one) => complaintsOf({ ...one, path: [...issue.path, ...one.path] }, root, schema));
  }
  if (issue.code === 'unrecognized_keys') {
    const known = keysAt(schema, path, root);
    return issue.keys.map((key) => {
      const near = closest(key, known);
      return {
        path: [...path, key],
        at: 'key',
        expected: `one of the keys ${known.join(', ')}`,
        got: `the key "${key}"`,
        suggestion: near && `"${near}"`,
      };
    });
  }
  const words = wordsOf(issue);
  const expected = words === undefined ? expectedOf(issue) : words.map((word) => JSON.stringify(word)).join(' or ');
  if (value === undefined) return [{ path, at: 'parent', expected, got: 'nothing' }];
  const near = typeof value === 'string' && words !== undefined ? closest(value, words) : undefined;
  return [{ path, expected, got: describe(value), suggestion: near && `"${near}"` }];
}

/** The words of which the value had to be one, if that is the rule. */
function wordsOf(issue: z.core.$ZodIssue): string[] | undefined {
  if (issue.code === 'invalid_value') return issue.values.map(String);
  if (issue.code === 'invalid_union' && 'options' in issue && Array.isArray(issue.options))
    return issue.options.map(String);
  return undefined;
}

function expectedOf(issue: z.core.$ZodIssue): string {
  // zod's own messages begin like this; every other message is a field's, written to stand after "expected".
  const own = /^(Invalid|Too (big|small)|Unrecognized)/.test(issue.message);
  if (!own) return issue.message;
  if (issue.code === 'invalid_type') return TYPE_NAMES[issue.expected] ?? issue.expected;
  if (issue.code === 'too_big') return `at most ${issue.maximum} ${issue.origin === 'array' ? 'items' : 'characters'}`;
  if (issue.code === 'too_small')
    return `at least ${issue.minimum} ${issue.origin === 'array' ? 'items' : 'characters'}`;
  return issue.message;
}

export function describe(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : `the list ${show(value)}`;
  if (value instanceof Date) return `the date ${value.toISOString()}`;
  if (typeof value === 'object' && value !== null) return 'a table';
  return show(value);
}

export function valueAt(root: unknown, path: Path): unknown {
  let node: unknown = root;
  for (const part of path) {
    if (typeof node !== 'object' || node === null || !Object.hasOwn(node, part)) return undefined;
    node = (node as Record<string | number, unknown>)[part];
  }
  return node;
}

/** The keys that the schema knows at `path`; of a union, those of the member that the value's discriminator picks. */
function keysAt(schema: z.ZodType, path: Path, root: unknown): string[] {
  let node: unknown = schema;
  for (let depth = 0; ; depth++) {
    node = objectOf(node, valueAt(root, path.slice(0, depth)));
    const part = path[depth];
    if (part === undefined) return node instanceof z.ZodObject ? Object.keys(node.shape) : [];
    if (node instanceof z.ZodObject) node = (node.shape as Record<string, unknown>)[String(part)];
    else if (node instanceof z.ZodArray) node = node.element;
    else return [];
  }
}

/** Takes the wrappers (defaults, optional) off a schema and decides a discriminated union. */
function objectOf(schema: unknown, value: unknown): unknown {
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault || schema instanceof z.ZodOptional)
    return objectOf(schema.unwrap(), value);
  if (schema instanceof z.ZodUnion && !(schema instanceof z.ZodDiscriminatedUnion))
    return schema.options.find((option) => option instanceof z.ZodObject);
  if (!(schema instanceof z.ZodDiscriminatedUnion)) return schema;
  const word = valueAt(value, [schema.def.discriminator]);
  return schema.options.find(
    (option) => option instanceof z.ZodObject && option.shape[schema.def.discriminator]?.safeParse(word).success,
  );
}
