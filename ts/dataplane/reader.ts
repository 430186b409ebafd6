// Reads the positional arrays that the engine answers with. Every read names what it reads, so that an answer of another release
// fails with the place of the difference, and not as `undefined` somewhere else.

import {
  type IpAddr,
  ipFromBytes,
  isErrorCodeShape,
  type MacAddr,
  macFromBytes,
  type NveError,
  nveError,
  parseVnId,
  type Result,
  show,
  type VnId,
} from '#model';

/** The engine answered something that docs/engine.md does not say. */
export function badReply(at: string, got: unknown, expected: string): NveError {
  return nveError('NVE-ENG-900', { at, got: show(got), expected });
}

/** One array, read field by field from the front; what stands behind the last field read is ignored (schema rule). */
export class Reader {
  private readonly items: readonly unknown[];
  private readonly what: string;
  private next = 0;

  constructor(value: unknown, what: string) {
    if (!Array.isArray(value)) throw badReply(what, value, 'an array');
    this.items = value;
    this.what = what;
  }

  private take(field: string): [value: unknown, at: string] {
    return [this.items[this.next++], `${this.what}.${field}`];
  }

  any(field: string): unknown {
    const [value, at] = this.take(field);
    if (value === undefined) throw badReply(at, value, 'a value');
    return value;
  }

  /** A whole number from 0 to `max`, which is at most 2^53 - 1. */
  uint(field: string, max: number): number {
    const [value, at] = this.take(field);
    if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= max) return value;
    throw badReply(at, value, `a whole number from 0 to ${max}`);
  }

  uintOrNil(field: string, max: number): number | null {
    if (this.items[this.next] === null) {
      this.next++;
      return null;
    }
    return this.uint(field, max);
  }

  /** A u64 counter as a number: above 2^53 it is rounded. */
  counter(field: string): number {
    return Number(this.u64(field));
  }

  counterOrNil(field: string): number | null {
    if (this.items[this.next] !== null) return this.counter(field);
    this.next++;
    return null;
  }

  u64(field: string): bigint {
    const [value, at] = this.take(field);
    if (typeof value === 'bigint' && value >= 0n) return value;
    if (typeof value === 'number' && Number.isInteger(value) && value >= 0) return BigInt(value);
    throw badReply(at, value, 'a whole number of 64 bits');
  }

  text(field: string): string {
    const [value, at] = this.take(field);
    if (typeof value === 'string') return value;
    throw badReply(at, value, 'text');
  }

  textOrNil(field: string): string | null {
    if (this.items[this.next] !== null) return this.text(field);
    this.next++;
    return null;
  }

  oneOf<const T extends string>(field: string, words: readonly T[]): T {
    const [value, at] = this.take(field);
    const word = words.find((candidate) => candidate === value);
    if (word === undefined) throw badReply(at, value, words.join(' or '));
    return word;
  }

  code(field: string): string {
    const [value, at] = this.take(field);
    if (typeof value === 'string' && isErrorCodeShape(value)) return value;
    throw badReply(at, value, 'an error code');
  }

  bool(field: string): boolean {
    const [value, at] = this.take(field);
    if (typeof value === 'boolean') return value;
    throw badReply(at, value, 'true or false');
  }

  bytes(field: string): Uint8Array {
    const [value, at] = this.take(field);
    if (value instanceof Uint8Array) return value;
    throw badReply(at, value, 'bytes');
  }

  mac(field: string): MacAddr {
    return this.address(field, macFromBytes, '6 bytes');
  }

  macOrNil(field: string): MacAddr | null {
    if (this.items[this.next] !== null) return this.mac(field);
    this.next++;
    return null;
  }

  ip(field: string): IpAddr {
    return this.address(field, ipFromBytes, '4 or 16 bytes');
  }

  private address<T>(field: string, parse: (bytes: Uint8Array) => Result<T>, expected: string): T {
    const [value, at] = this.take(field);
    if (value instanceof Uint8Array) {
      const address = parse(value);
      if (address.ok) return address.value;
    }
    throw badReply(at, value, expected);
  }

  map(field: string): Record<string, unknown> {
    const [value, at] = this.take(field);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
    throw badReply(at, value, 'a map');
  }

  /** A nested array, each item of it given to `read`. */
  list<T>(field: string, read: (item: unknown, at: string) => T): T[] {
    const [value, at] = this.take(field);
    if (!Array.isArray(value)) throw badReply(at, value, 'an array');
    return value.map((item) => read(item, at));
  }
}

/** A map with text keys, of which each may be absent: read key by key, undefined for what is not there. */
export class Keys {
  private readonly map: Record<string, unknown>;
  private readonly what: string;

  constructor(value: unknown, what: string) {
    this.map = new Reader([value], what).map('map');
    this.what = what;
  }

  /** A value as an array of one field, which `read` reads. */
  one<T>(key: string, read: (reader: Reader) => T): T | undefined {
    return this.given(key, (value, at) => read(new Reader([value], at)));
  }

  /** A value that is an array itself. */
  list<T>(key: string, read: (reader: Reader) => T): T | undefined {
    return this.given(key, (value, at) => read(new Reader(value, at)));
  }

  uint(key: string, max: number): number | undefined {
    return this.one(key, (reader) => reader.uint('value', max));
  }

  bool(key: string): boolean | undefined {
    return this.one(key, (reader) => reader.bool('value'));
  }

  private given<T>(key: string, read: (value: unknown, at: string) => T): T | undefined {
    const value = this.map[key];
    return value === undefined ? undefined : read(value, `${this.what}.${key}`);
  }
}

/** What is there of an object's fields. */
export function present<T extends object>(fields: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(fields).filter(([, field]) => field !== undefined)) as T;
}

/** A number that must be one of the model's nouns. */
export function noun<T>(parse: (value: unknown) => Result<T>, value: number, at: string): T {
  const parsed = parse(value);
  if (parsed.ok) return parsed.value;
  throw badReply(at, value, parsed.error.message);
}

export const vnIdOf = (reader: Reader): VnId => noun(parseVnId, reader.uint('vn', 0xffff_ffff), 'vn');
