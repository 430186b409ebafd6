// What every command's help ends with.

export function examples(...lines: string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}`).join('\n')}\n`;
}

export const EXIT_CODES = `
Exit codes:
  0 done   1 failed   2 wrong usage   3 not found   69 nobody reachable   75 time-out   77 no permission   78 wrong configuration
`;
