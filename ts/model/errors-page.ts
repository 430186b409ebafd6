/** `docs/errors.md`, made from the registry. */
import { AREAS, ERRORS, type ErrorArea, type ErrorRow } from './errors.js';

const HEAD = `# Errors

Made from \`ts/model/errors.ts\`; a test keeps them equal. A code never changes its meaning. The command line prints an error as \`error\`,
\`cause\` and \`fix\`, and exits with the code's number. *Retry*: the same request may succeed later without anybody changing it. Codes that a newer
peer sends and this page does not list are shown as they came.
`;

export function errorsPage(): string {
  const sections = (Object.keys(AREAS) as ErrorArea[]).map((area) => {
    const rows = Object.entries(ERRORS as Record<string, ErrorRow>)
      .filter(([code]) => code.startsWith(`NVE-${area}-`))
      .sort(([a], [b]) => (a < b ? -1 : 1));
    const lines = rows.map(([code, row]) =>
      ['', code, cell(row.message), cell(row.hint), row.exit, row.retryable ? 'yes' : '', ''].join(' | ').trim(),
    );
    const table = ['| code | message | what to do | exit | retry |', '|---|---|---|---|---|', ...lines];
    return `\n## ${area}: ${AREAS[area]}\n\n${table.join('\n')}\n`;
  });
  return HEAD + sections.join('');
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '\\<');
}
