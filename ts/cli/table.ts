// Rows as aligned columns: a line of headings, two spaces between columns, no drawing. The look of `ip` and `bridge`.

/** How one column reads a row. */
export interface Column<Row> {
  readonly title: string;
  readonly value: (row: Row) => string | number | null | undefined;
  /** Numbers stand at the right. */
  readonly right?: boolean;
  /** The same as a number that only grows: it has a rate. */
  readonly counter?: (row: Row) => number;
}

/** A column of a counter. */
export function counter<Row>(title: string, value: (row: Row) => number): Column<Row> {
  return { title, value, right: true, counter: value };
}

export function formatTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const cells = [columns.map(({ title }) => title), ...rows.map((row) => columns.map(({ value }) => text(value(row))))];
  const widths = columns.map((_, n) => Math.max(...cells.map((line) => line[n]?.length ?? 0)));
  const lines = cells.map((line) =>
    line
      .map((cell, n) => (columns[n]?.right ? cell.padStart(widths[n] ?? 0) : cell.padEnd(widths[n] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
  return `${lines.join('\n')}\n`;
}

/** An absent value is a dash, so that columns stay countable for awk. */
function text(value: string | number | null | undefined): string {
  return value === null || value === undefined || value === '' ? '-' : `${value}`;
}
