import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { parse as parseToml } from 'smol-toml';
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
    const isSame = () =>
      existsSync(file) && isDeepStrictEqual(JSON.parse(readFileSync(file, 'utf8')), JSON.parse(made));
    if (process.env['UPDATE_DOCS'] === '1' && !isSame()) {
      writeFileSync(file, made);
      // How it is laid out is the formatter's business.
      execFileSync('npx', ['biome', 'format', '--write', fileURLToPath(file)]);
    }
    expect(isSame()).toBe(true);
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

describe('docs/configuration.md', () => {
  const page = readFileSync(new URL('../../../docs/configuration.md', import.meta.url), 'utf8');
  const blocks = [...page.matchAll(/```toml ([a-z ]+)\n(.*?)```/gs)].map(([, roles = '', text = '']) => ({
    roles: roles.split(' '),
    text,
  }));
  /** What a role reads if somebody copies all blocks that are for it; the optional lines included. */
  const fileOf = (role: RoleName, uncomment: boolean): string => {
    const text = blocks.flatMap((block) => (block.roles.includes(role) ? [block.text] : [])).join('');
    return uncomment ? text.replace(/^# (?=\w+ = )/gm, '') : text;
  };

  it.each(ROLES.flatMap((role) => [false, true].map((uncomment) => [role, uncomment] as const)))(
    'has examples for %s that load (optional lines too: %s)',
    (role, uncomment) => {
      const result = parseConfig(role, fileOf(role, uncomment), 'configuration.md');
      expect(result.ok ? [] : (result.error.context['problems'] as ConfigProblem[]).map(formatProblem)).toEqual([]);
    },
  );

  it.each(ROLES)('shows every key of %s, with its default', (role) => {
    const schema = configJsonSchema(role) as Schema;
    const parsed = parseToml(fileOf(role, true));
    const missing: string[] = [];
    const wrong: string[] = [];
    const walk = (node: Schema, value: unknown, path: string): void => {
      const inner = node.items ?? node;
      const items = (Array.isArray(value) ? value : [value]) as (Record<string, unknown> | undefined)[];
      for (const [key, child] of Object.entries(inner.properties ?? {})) {
        const shown = items.find((item) => item?.[key] !== undefined)?.[key];
        if (shown === undefined) missing.push(`${path}.${key}`);
        else if (child.properties !== undefined || child.items?.properties !== undefined)
          walk(child, shown, `${path}.${key}`);
        else if (
          child.default !== undefined &&
          key !== 'socket' &&
          JSON.stringify(shown) !== JSON.stringify(child.default)
        )
          wrong.push(`${path}.${key}`);
      }
    };
    walk(schema, parsed, role);
    expect({ missing, wrong }).toEqual({ missing: [], wrong: [] });
  });
});

interface Schema {
  readonly properties?: Record<string, Schema>;
  readonly items?: Schema;
  readonly default?: unknown;
}
