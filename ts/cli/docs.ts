// docs/cli.md from the command tree: every command with its arguments, options, defaults and examples, as --help has them.

import { Argument, type Command, type Option } from 'commander';
import { EXIT_CODES } from './help.js';

export function renderDocs(program: Command): string {
  const lines = [
    '# Command line',
    '',
    'Generated from the commands themselves: `UPDATE_DOCS=1 npx vitest run ts/cli`.',
    '',
    program.description(),
    '',
  ];
  const codes = EXIT_CODES.trim().split('\n').at(-1)?.trim().split(/ {3}/) ?? [];
  lines.push('| exit code | meaning |', '|---|---|', ...codes.map((code) => `| ${code.replace(' ', ' | ')} |`), '');
  lines.push(
    'Errors go to standard error as `error:` (what failed, and its code), `cause:` (why) and `fix:` (what to do). Standard output is data only.',
    '',
  );
  for (const command of program.commands) renderCommand(command, '##', lines);
  return `${lines.join('\n').trimEnd()}\n`;
}

function renderCommand(command: Command, heading: string, lines: string[]): void {
  if (command.name() === 'help') return;
  lines.push(`${heading} ${nameOf(command)}`, '', command.description(), '');
  if (command.commands.length === 0) {
    const required = command.options.flatMap(({ mandatory, flags }) => (mandatory ? [flags.replace(/^-., /, '')] : []));
    const usage = [nameOf(command), ...command.registeredArguments.map(argumentText), ...required, '[options]'];
    lines.push('```', usage.join(' '), '```', '');
    const rows = [...command.registeredArguments, ...command.options.filter(({ hidden }) => !hidden)].map(row);
    if (rows.length > 0) lines.push('| argument or option | meaning |', '|---|---|', ...rows, '');
    const examples = examplesOf(command);
    if (examples.length > 0) lines.push('Examples:', '', '```', ...examples, '```', '');
  }
  for (const child of command.commands) renderCommand(child, `${heading}#`, lines);
}

function nameOf(command: Command): string {
  return command.parent === null ? command.name() : `${nameOf(command.parent)} ${command.name()}`;
}

function argumentText(argument: Argument): string {
  return argument.required ? `<${argument.name()}>` : `[${argument.name()}]`;
}

function row(item: Argument | Option): string {
  const isArgument = item instanceof Argument;
  const notes: string[] = [];
  if (!isArgument && item.mandatory) notes.push('required');
  if (!isArgument && item.envVar !== undefined) notes.push(`environment ${item.envVar}`);
  if (item.defaultValue !== undefined) notes.push(`default ${String(item.defaultValue)}`);
  const text = notes.length === 0 ? item.description : `${item.description} (${notes.join(', ')})`;
  return `| \`${isArgument ? argumentText(item) : item.flags}\` | ${text.replaceAll('|', '\\|')} |`;
}

/** The examples stand in the help's last part, which only the help itself renders. */
function examplesOf(command: Command): string[] {
  const parts: string[] = [];
  const { writeOut = () => undefined } = command.configureOutput();
  command.configureOutput({ writeOut: (text) => void parts.push(text) });
  command.outputHelp();
  command.configureOutput({ writeOut });
  const [, examples = ''] = parts.join('').split('\nExamples:\n');
  return examples.split('\n').flatMap((line) => (line.startsWith('  ') ? [line.trim()] : []));
}
