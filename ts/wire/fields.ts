/**
 * Reading positional arrays that a peer sent. A reader walks one array; the first mistake is kept with the path of its
 * field, and everything read afterwards is a harmless default, so that decoders need no branch per field: read all, then
 * ask `error`. Elements after the last one read are ignored (room for later versions).
 */
import {
  type IpAddr,
  ipFromBytes,
  isUnicastMac,
  type MacAddr,
  macFromBytes,
  type NveError,
  nveError,
  type Result,
  show,
} from '#model';

/** Shared by all readers of one frame. */
export class FieldErrors {
  first: NveError | null = null;

  fail(at: string, expected: string, got: unknown): void {
    this.first ??= nveError('NVE-WIRE-003', { at, expected, got: got === undefined ? 'missing' : show(got) });
  }
}

export class ArrayReader {
  readonly #items: readonly unknown[];
  readonly #at: string;
  readonly #errors: FieldErrors;
  #next = 0;

  constructor(value: unknown, at: string, errors: FieldErrors) {
    this.#at = at;
    this.#errors = errors;
    this.#items = Array.isArray(value) ? value : [];
    if (!Array.isArray(value)) errors.fail(at, 'an array', value);
  }

  /** The next element, whatever it is. */
  any(): unknown {
    return this.#items[this.#next++];
  }

  uint(name: string, max: number, min = 0): number {
    const value = this.any();
    if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
    this.#errors.fail(`${this.#at}.${name}`, `an integer from ${min} to ${max}`, value);
    return min;
  }

  u64(name: string): bigint {
    const value = this.any();
    if (typeof value === 'bigint' && value >= 0n && value < 1n << 64n) return value;
    if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 2 ** 53) return BigInt(value);
    this.#errors.fail(`${this.#at}.${name}`, 'an integer of 64 bits without sign', value);
    return 0n;
  }

  /** Text of 1 to `max` characters. */
  text(name: string, max: number): string {
    const value = this.any();
    if (typeof value === 'string' && value.length >= 1 && value.length <= max) return value;
    this.#errors.fail(`${this.#at}.${name}`, `text of 1 to ${max} characters`, value);
    return '';
  }

  textOrNil(name: string, max: number): string | null {
    const value = this.any();
    if (value === null || value === undefined) return null;
    if (typeof value === 'string' && value.length <= max) return value;
    this.#errors.fail(`${this.#at}.${name}`, `text of at most ${max} characters, or nil`, value);
    return null;
  }

  /**
   * A value with rules: `parse` is one of the parse functions of the model. Those of numbers also take decimal text, for
   * people; a peer has to send a number, hence `type`.
   */
  parsed<T>(name: string, parse: (value: unknown) => Result<T>, type: 'string' | 'number' = 'string'): T {
    const value = this.any();
    const result = parse(typeof value === type ? value : null);
    if (result.ok) return result.value;
    this.#errors.fail(`${this.#at}.${name}`, ruleOf(result.error), value);
    // Never seen by anyone: a reader with an error gives no frame.
    return undefined as T;
  }

  /** Nil or absent, or what `read` makes of it. */
  optional<T>(name: string, read: (value: unknown, at: string, errors: FieldErrors) => T): T | null {
    const value = this.any();
    return value === null || value === undefined ? null : read(value, `${this.#at}.${name}`, this.#errors);
  }

  /** For rules over several fields. */
  fail(name: string, expected: string, got: unknown): void {
    this.#errors.fail(`${this.#at}.${name}`, expected, got);
  }

  mac(name: string): MacAddr {
    return macOf(this.any(), `${this.#at}.${name}`, this.#errors);
  }

  ip(name: string): IpAddr {
    return ipOf(this.any(), `${this.#at}.${name}`, this.#errors);
  }

  ipOrNil(name: string): IpAddr | null {
    return this.optional(name, ipOf);
  }

  /** An array of at most `max` elements, each read by `read`. */
  list<T>(name: string, max: number, read: (value: unknown, at: string, errors: FieldErrors) => T): T[] {
    const value = this.any();
    const at = `${this.#at}.${name}`;
    if (!Array.isArray(value)) {
      this.#errors.fail(at, 'an array', value);
      return [];
    }
    if (value.length > max) {
      this.#errors.fail(at, `an array of at most ${max} elements`, `${value.length} elements`);
      return [];
    }
    return value.map((item, i) => read(item, `${at}[${i}]`, this.#errors));
  }
}

/** What a parse function of the model asked for. */
function ruleOf({ context }: NveError): string {
  const { rule, min, max } = context;
  return typeof rule === 'string' ? rule : `an integer from ${min} to ${max}`;
}

/** A station's MAC: 6 bytes, unicast. */
export function macOf(value: unknown, at: string, errors: FieldErrors): MacAddr {
  if (value instanceof Uint8Array) {
    const mac = macFromBytes(value);
    if (mac.ok && isUnicastMac(mac.value)) return mac.value;
  }
  errors.fail(at, 'a unicast MAC address of 6 bytes', value);
  return undefined as unknown as MacAddr;
}

export function ipOf(value: unknown, at: string, errors: FieldErrors): IpAddr {
  if (value instanceof Uint8Array) {
    const ip = ipFromBytes(value);
    if (ip.ok) return ip.value;
  }
  errors.fail(at, 'an IP address of 4 or 16 bytes', value);
  return undefined as unknown as IpAddr;
}
