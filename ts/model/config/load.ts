// A configuration file's text becomes a checked configuration, or the list of everything that is wrong with it. No I/O: whoever
// starts a role reads the file.

import { parse, TomlError } from 'smol-toml';
import type { z } from 'zod';
import { nveError } from '../error.js';
import { err, ok, type Result } from '../result.js';
import { agentConfig } from './agent.js';
import { nvaConfig } from './nva.js';
import { positionsOf } from './positions.js';
import { type ConfigProblem, complaintsOf, place } from './problems.js';
import { checkReferences, type RoleName } from './references.js';
import { tnveConfig } from './tnve.js';

export const configSchemas = { agent: agentConfig, tnve: tnveConfig, nva: nvaConfig } as const;

export type ConfigOf<R extends RoleName> = z.output<(typeof configSchemas)[R]>;

/** Bytes of a configuration file that are read at most. */
export const CONFIG_SIZE_MAX = 16 * 1024 * 1024;
const SYNTAX_ERRORS_MAX = 20;

/** Fails with NVE-CFG-002, whose context has `problems: ConfigProblem[]` in the order of the text. */
export function parseConfig<R extends RoleName>(role: R, text: string, file: string): Result<ConfigOf<R>> {
  const { root, errors } = parseToml(text, file);
  if (errors.length > 0) return refuse(file, errors);
  const schema: z.ZodType = configSchemas[role];
  const parsed = schema.safeParse(root);
  const complaints = [
    ...(parsed.success ? [] : parsed.error.issues.flatMap((issue) => complaintsOf(issue, root, schema))),
    ...checkReferences(role, root),
  ];
  if (parsed.success && complaints.length === 0) return ok(parsed.data as ConfigOf<R>);
  const positions = positionsOf(text);
  return refuse(
    file,
    complaints.map((complaint) => place(complaint, file, positions)),
  );
}

function refuse(file: string, problems: readonly ConfigProblem[]): Result<never> {
  const ordered = [...problems].sort((a, b) => a.line - b.line || a.column - b.column);
  return err(nveError('NVE-CFG-002', { file, count: ordered.length, problems: ordered }));
}

/**
 * Parses the text. After a syntax error in a `key = value` line the rest is tried without that line, so that one run shows the
 * errors of several lines; after one in a header it stops, because the keys under it would be read into another table.
 */
function parseToml(text: string, file: string): { root: unknown; errors: ConfigProblem[] } {
  const lines = text.split('\n');
  const errors: ConfigProblem[] = [];
  while (errors.length < SYNTAX_ERRORS_MAX) {
    try {
      return { root: parse(lines.join('\n')), errors };
    } catch (caught) {
      if (!(caught instanceof TomlError)) throw caught;
      const line = lines[caught.line - 1] ?? '';
      errors.push({
        file,
        line: caught.line,
        column: caught.column,
        path: '',
        expected: `valid TOML (${firstLine(caught.message)})`,
        got: line.trim() === '' ? 'the end of the line' : JSON.stringify(line.trim().slice(0, 60)),
        suggestion: null,
      });
      if (line.trim() === '' || line.trimStart().startsWith('[')) break;
      lines[caught.line - 1] = '';
    }
  }
  return { root: undefined, errors };
}

function firstLine(message: string): string {
  return (message.split('\n')[0] ?? '').replace(/^Invalid TOML document: /, '');
}
