// Errors as people read them: what failed, why, what to do. Never a stack. And the exit code of each.

import { CommanderError } from 'commander';
import { type ConfigProblem, exitCodeOf, formatProblem, type NveError, toNveError } from '#model';

/** A line of its own for each cause, at most these. */
const CAUSES_MAX = 3;

export interface Failure {
  /** What goes to standard error; empty if the command already said all. */
  readonly text: string;
  readonly exitCode: number;
}

export function failureOf(caught: unknown): Failure {
  if (caught instanceof CommanderError) return usageFailure(caught);
  const error = toNveError(caught);
  const lines = [`error: ${error.message} (${error.code})`, ...causesOf(error).map((cause) => `cause: ${cause}`)];
  if (error.hint !== '') lines.push(`fix: ${error.hint}`);
  return { text: `${lines.join('\n')}\n`, exitCode: exitCodeOf(error) };
}

/** The command line was wrong: commander says how, and what was perhaps meant. */
function usageFailure({ message, code, exitCode }: CommanderError): Failure {
  // `--help` and `--version` end this way too; what they print is printed.
  if (exitCode === 0) return { text: '', exitCode };
  // A command that only holds others was given alone: commander has printed its help.
  if (code === 'commander.help') return { text: '', exitCode: 2 };
  const [first = '', ...rest] = message.split('\n');
  const meant = /^\((Did you mean .*)\)$/.exec(rest.join(' '))?.[1];
  const what = first.replace(/^error: /, '');
  const fix = meant === undefined ? 'See --help of the command.' : `${meant} See also --help.`;
  return { text: `error: ${what}\nfix: ${fix}\n`, exitCode: 2 };
}

function causesOf(error: NveError): string[] {
  const { problems } = error.context;
  if (error.code === 'NVE-CFG-002' && Array.isArray(problems))
    return problems.map((problem) => formatProblem(problem as ConfigProblem));
  const causes: string[] = [];
  let next: unknown = error.cause;
  while (next instanceof Error && causes.length < CAUSES_MAX) {
    const text = next.message.split('\n')[0] ?? '';
    if (text !== '' && !error.message.includes(text)) causes.push(text);
    next = next.cause;
  }
  return causes;
}
