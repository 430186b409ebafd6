// What rules between keys are written with: lists of a file as it was parsed, names in them, and complaints.

import type { Path } from './positions.js';
import { type Complaint, describe, formatPath, valueAt } from './problems.js';
import { closest } from './suggest.js';

export function list(root: unknown, section: string | Path): unknown[] {
  const items = valueAt(root, typeof section === 'string' ? [section] : section);
  return Array.isArray(items) ? items : [];
}

/** In `[[section]]`, no two may have the same `key`. */
export function unique(root: unknown, section: string, key: string): Complaint[] {
  return uniqueAt(root, [section], key);
}

export function uniqueAt(root: unknown, section: Path, key: string): Complaint[] {
  const first = new Map<unknown, number>();
  return list(root, section).flatMap((item, n) => {
    const value = valueAt(item, [key]);
    if (value === undefined) return [];
    const earlier = first.get(value);
    if (earlier !== undefined)
      return [
        complain([...section, n, key], `another ${key} than that of ${formatPath([...section, earlier])}`, value),
      ];
    first.set(value, n);
    return [];
  });
}

export function complain(path: Path, expected: string, value: unknown, suggestion?: string): Complaint {
  return { path, expected, got: describe(value), suggestion: suggestion && `"${suggestion}"` };
}

function portNames(root: unknown): string[] {
  return namesIn(root, 'port', 'name');
}

export function namesIn(root: unknown, section: string, key: string): string[] {
  return list(root, section).flatMap((item) => {
    const name = valueAt(item, [key]);
    return typeof name === 'string' ? [name] : [];
  });
}

/** The value at `path` names a `[[port]]`. */
export function checkPortName(root: unknown, path: Path): Complaint[] {
  const name = valueAt(root, path);
  const known = portNames(root);
  if (typeof name !== 'string' || known.includes(name)) return [];
  return [
    complain(
      path,
      known.length === 0 ? 'the name of a [[port]]' : `the name of a [[port]]: ${known.join(', ')}`,
      name,
      closest(name, known),
    ),
  ];
}
