// Long tables in pages that fit into a frame. A cursor is the key of the last row that was given, so rows that come and go meanwhile
// neither repeat others nor hide them.

/** Rows of a page at most, and about how many octets: a row with many addresses is long. */
const ROWS = 1_000;
const OCTETS = 262_144;

export interface Page<T> {
  readonly rows: T[];
  readonly cursor: string | null;
}

/** The page after `cursor`, in the order of the rows' keys, which are unique; what is no cursor: the first one. */
export function pageOf<T>(rows: readonly T[], keyOf: (row: T) => string, cursor: unknown): Page<T> {
  const after = typeof cursor === 'string' ? cursor : '';
  const rest = rows.map((row) => ({ key: keyOf(row), row })).filter(({ key }) => key > after);
  rest.sort((a, b) => (a.key < b.key ? -1 : 1));
  const page: T[] = [];
  let octets = 0;
  for (const { key, row } of rest) {
    page.push(row);
    octets += JSON.stringify(row).length;
    if (page.length < ROWS && octets < OCTETS) continue;
    return { rows: page, cursor: page.length < rest.length ? key : null };
  }
  return { rows: page, cursor: null };
}
