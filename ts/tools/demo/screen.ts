// What the demo prints, and how: sections, commands, one line per check. Colours only for a terminal.

const isColoured = process.stdout.isTTY === true && process.env['NO_COLOR'] === undefined;
const NAME_WIDTH = 48;

function paint(code: number, text: string): string {
  return isColoured ? `\u001b[${code}m${text}\u001b[0m` : text;
}

export const bold = (text: string): string => paint(1, text);
export const dim = (text: string): string => paint(2, text);
export const green = (text: string): string => paint(32, text);
export const red = (text: string): string => paint(31, text);

export function section(title: string): void {
  console.log(`\n${bold(`== ${title}`)}`);
}

/** A command, before it runs: a reader can repeat it as it stands. */
export function command(line: string): void {
  console.log(dim(`$ ${line}`));
}

export function text(lines: string): void {
  for (const line of lines.trimEnd().split('\n')) console.log(`  ${line}`.trimEnd());
}

export function outcome(isHeld: boolean, name: string, detail: string): void {
  console.log(`  ${isHeld ? green('ok    ') : red('FAILED')} ${name.padEnd(NAME_WIDTH)} ${detail}`.trimEnd());
}

/** Something that happened by itself. */
export function alarm(line: string): void {
  console.log(red(`!! ${line}`));
}
