// Long tables in pages that fit into a frame. A cursor is the key of the last row that was given, so rows that come and go meanwhile
// neither repeat others nor hide them.

/** Rows of a page at most, and about how many octets: a row with many addresses is long. */
const ROWS = 1_000;
const OCTETS = 262_144;

export interface Page<T> {
  readonly rows: T[];
  readonly cursor: string | null;
}

/**
 * The page after `cursor`, in the order of the items' keys, which are unique; what is no cursor: the first one. `rowOf` makes a row of an
 * item, and is called for those of the page alone; without it the items are the rows.
 */
export function pageOf<T>(items: readonly T[], keyOf: (item: T) => string, cursor: unknown): Page<T>;
export function pageOf<T, Row>(
  items: readonly T[],
  keyOf: (item: T) => string,
  cursor: unknown,
  rowOf: (item: T) => Row,
): Page<Row>;
export function pageOf<T>(
  items: readonly T[],
  keyOf: (item: T) => string,
  cursor: unknown,
  rowOf: (item: T) => unknown = (item) => item,
): Page<unknown> {
  const after = typeof cursor === 'string' ? cursor : '';
  const rest = items.map((item) => ({ key: keyOf(item), item })).filter(({ key }) => key > after);
  rest.sort((a, b) => (a.key < b.key ? -1 : 1));
  const page: unknown[] = [];
  let octets = 0;
  for (const { key, item } of rest) {
    const row = rowOf(item);
    page.push(row);
    octets += JSON.stringify(row).length;
    if (page.length < ROWS && octets < OCTETS) continue;
    return { rows: page, cursor: page.length < rest.length ? key : null };
  }
  return { rows: page, cursor: null };
}
