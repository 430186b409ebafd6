// Where in a TOML text each key and value stands, so that a mistake in the configuration can be shown with its line and column.
//
// The scanner walks a text that the TOML parser has already accepted: it therefore checks nothing, it only has to agree with the
// grammar (TOML 1.0) about where keys and values begin. On anything it does not understand it stops, and the positions that it
// has not reached fall back to those of their parents. It must not know what the keys mean.

export type Path = readonly (string | number)[];

/** Line and column count from 1; a column is a UTF-16 code unit. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

export interface Positions {
  /** Where the value at `path` begins; of a table, where its header or opening brace stands. */
  value(path: Path): Position;
  /** Where the key that ends `path` stands. */
  key(path: Path): Position;
}

const START: Position = { line: 1, column: 1 };

/** Indexes a TOML text that a TOML parser has accepted. */
export function positionsOf(text: string): Positions {
  const scanner = new Scanner(text);
  scanner.run();
  return {
    value: (path) => nearest(path, scanner.values),
    key: (path) => scanner.keys.get(id(path)) ?? nearest(path, scanner.values),
  };
}

function id(path: Path): string {
  return JSON.stringify(path);
}

function nearest(path: Path, index: ReadonlyMap<string, Position>): Position {
  for (let n = path.length; n > 0; n--) {
    const position = index.get(id(path.slice(0, n)));
    if (position !== undefined) return position;
  }
  return START;
}

const BARE_KEY = /[A-Za-z0-9_-]+/y;
const SPACE = /[ \t]*/y;
const SPACE_AND_COMMENTS = /(?:[ \t\r\n]|#[^\n]*)*/y;
const SCALAR = /[^,\]}#\r\n]+/y;

class Scanner {
  readonly keys = new Map<string, Position>();
  readonly values = new Map<string, Position>();
  private readonly text: string;
  private readonly lineStarts: number[] = [0];
  private readonly arrayLengths = new Map<string, number>();
  private at = 0;
  private table: (string | number)[] = [];

  constructor(text: string) {
    this.text = text;
    for (let i = text.indexOf('\n'); i !== -1; i = text.indexOf('\n', i + 1)) this.lineStarts.push(i + 1);
  }

  run(): void {
    for (;;) {
      this.skip(SPACE_AND_COMMENTS);
      if (this.at >= this.text.length) return;
      const before = this.at;
      if (this.text[this.at] === '[') this.header();
      else this.assignment(this.table);
      if (this.at === before) return;
    }
  }

  private header(): void {
    const start = this.at;
    const ofArray = this.text.startsWith('[[', this.at);
    this.at += ofArray ? 2 : 1;
    const parts = this.keyParts();
    this.skip(SPACE);
    this.at += ofArray ? 2 : 1;
    const path: (string | number)[] = [];
    for (const [n, part] of parts.entries()) {
      path.push(part.name);
      this.remember(this.keys, path, part.at);
      const length = this.arrayLengths.get(id(path)) ?? 0;
      if (ofArray && n === parts.length - 1) {
        this.remember(this.values, path, start);
        this.arrayLengths.set(id(path), length + 1);
        path.push(length);
      } else if (length > 0) {
        path.push(length - 1);
      }
    }
    this.remember(this.values, path, start, true);
    this.table = path;
  }

  private assignment(table: Path): void {
    const path = [...table];
    for (const part of this.keyParts()) {
      path.push(part.name);
      this.remember(this.keys, path, part.at);
      // A table that only dotted keys make has no place of its own but that of its first key.
      this.remember(this.values, path, part.at);
    }
    this.skip(SPACE);
    if (this.text[this.at] !== '=') return;
    this.at++;
    this.skip(SPACE);
    this.valueAt(path);
  }

  private keyParts(): { name: string; at: number }[] {
    const parts: { name: string; at: number }[] = [];
    for (;;) {
      this.skip(SPACE);
      const at = this.at;
      const quote = this.text[at];
      if (quote === '"' || quote === "'") {
        this.quoted(quote);
        const raw = this.text.slice(at, this.at);
        parts.push({ name: quote === '"' ? keyText(raw) : raw.slice(1, -1), at });
      } else {
        const name = this.take(BARE_KEY);
        if (name === '') return parts;
        parts.push({ name, at });
      }
      this.skip(SPACE);
      if (this.text[this.at] !== '.') return parts;
      this.at++;
    }
  }

  private valueAt(path: Path): void {
    this.remember(this.values, path, this.at, true);
    const first = this.text[this.at];
    if (first === '"' || first === "'") this.quoted(first);
    else if (first === '[') this.array(path);
    else if (first === '{') this.inlineTable(path);
    else this.take(SCALAR);
  }

  private array(path: Path): void {
    this.at++;
    for (let n = 0; ; n++) {
      this.skip(SPACE_AND_COMMENTS);
      const next = this.text[this.at];
      if (next === ']' || next === undefined) break;
      const before = this.at;
      this.valueAt([...path, n]);
      this.skip(SPACE_AND_COMMENTS);
      if (this.text[this.at] === ',') this.at++;
      if (this.at === before) return;
    }
    this.at++;
  }

  private inlineTable(path: Path): void {
    this.at++;
    for (;;) {
      this.skip(SPACE_AND_COMMENTS);
      const next = this.text[this.at];
      if (next === '}' || next === undefined) break;
      const before = this.at;
      this.assignment(path);
      this.skip(SPACE_AND_COMMENTS);
      if (this.text[this.at] === ',') this.at++;
      if (this.at === before) return;
    }
    this.at++;
  }

  /** Steps over a string of any of the four kinds, the opening quote being at the current place. */
  private quoted(quote: string): void {
    const fence = this.text.startsWith(quote.repeat(3), this.at) ? quote.repeat(3) : quote;
    this.at += fence.length;
    while (this.at < this.text.length && !this.text.startsWith(fence, this.at)) {
      this.at += quote === '"' && this.text[this.at] === '\\' ? 2 : 1;
    }
    this.at += fence.length;
    // Up to two quotes may stand directly before the closing three.
    if (fence.length === 3) while (this.text[this.at] === quote) this.at++;
  }

  private remember(index: Map<string, Position>, path: Path, at: number, overwrite = false): void {
    const key = id(path);
    if (overwrite || !index.has(key)) index.set(key, this.position(at));
  }

  private position(at: number): Position {
    let low = 0;
    let high = this.lineStarts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.lineStarts[middle] ?? 0) <= at) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: at - (this.lineStarts[low] ?? 0) + 1 };
  }

  private skip(pattern: RegExp): void {
    this.take(pattern);
  }

  private take(pattern: RegExp): string {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text)?.[0] ?? '';
    this.at += found.length;
    return found;
  }
}

/** The text of a basic string used as a key. Escapes that JSON does not know (`\e`, `\UXXXXXXXX`) stay as they are. */
function keyText(raw: string): string {
  try {
    const value: unknown = JSON.parse(raw);
    return typeof value === 'string' ? value : raw;
  } catch {
    return raw.slice(1, -1);
  }
}
