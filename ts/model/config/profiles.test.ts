import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { describe, expect, it } from 'vitest';
import { configJsonSchema } from './json-schema.js';
import { parseConfig } from './load.js';
import { type ConfigProblem, formatProblem } from './problems.js';
import type { RoleName } from './references.js';

const ROLES: readonly RoleName[] = ['agent', 'tnve', 'nva'];
const root = new URL('../../../firmware-config/', import.meta.url);

/** `UPDATE_DOCS=1 npx vitest run ts/model` writes the schemas anew. */
describe('firmware-config/schema', () => {
  it.each(ROLES)('%s.schema.json is what the schema in the code makes', (role) => {
    const file = new URL(`schema/${role}.schema.json`, root);
    const made = `${JSON.stringify(configJsonSchema(role), null, 2)}\n`;
    if (process.env['UPDATE_DOCS'] === '1') writeFileSync(file, made);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(JSON.parse(made));
  });
});

describe('the profiles of firmware-config', () => {
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.toml'));

  it('are there', () => {
    expect(files.length).toBeGreaterThanOrEqual(5);
  });

  it.each(files)('%s loads', (file) => {
    const role = ROLES.find((name) => basename(file).startsWith(name));
    if (role === undefined) throw new Error(`${file}: no role begins its name`);
    const text = readFileSync(new URL(file, root), 'utf8');
    const result = parseConfig(role, text, file);
    const problems = result.ok ? [] : ((result.error.context['problems'] as ConfigProblem[]) ?? []).map(formatProblem);
    expect(problems).toEqual([]);
    expect(text.startsWith(`#:schema ../schema/${role}.schema.json\n`)).toBe(true);
  });
});
