/**
 * Reading and writing the octet strings of the access link (LLDP, EVB, CDCP, ECP, VDP). As in `fields.ts`, the first
 * mistake is kept with the name of its field and everything read afterwards is a harmless zero: a decoder reads all and
 * then asks for `error`. All numbers are big-endian.
 */
import { type MacAddr, macFromBytes, macToBytes, type NveError, nveError, show } from '#model';

/** Octets as lower-case hexadecimal text, two digits each: comparable, printable, a map key. */
export type Hex = string;

const HEX = /^(?:[0-9a-f]{2})*$/;

export function toHex(octets: Uint8Array): Hex {
  let text = '';
  for (const octet of octets) text += (octet < 16 ? '0' : '') + octet.toString(16);
  return text;
}

/** The octets of the text, or null when it is no `Hex`. */
export function fromHex(text: Hex): Uint8Array | null {
  if (!HEX.test(text)) return null;
  const octets = new Uint8Array(text.length / 2);
  for (let i = 0; i < octets.length; i++) octets[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return octets;
}

export function octetError(at: string, expected: string, got: unknown): NveError {
  return nveError('NVE-WIRE-006', { at, expected, got: typeof got === 'string' ? got : show(got) });
}

export class OctetReader {
  readonly #octets: Uint8Array;
  readonly #at: string;
  #next = 0;
  error: NveError | null = null;

  constructor(octets: Uint8Array, at: string) {
    this.#octets = octets;
    this.#at = at;
  }

  get remaining(): number {
    return this.#octets.length - this.#next;
  }

  /** The next `length` octets, not copied; zeros when there are not so many. */
  take(name: string, length: number): Uint8Array {
    if (length > this.remaining) {
      this.fail(name, `${length} octets`, `${this.remaining} octets`);
      this.#next = this.#octets.length;
      return new Uint8Array(length);
    }
    this.#next += length;
    return this.#octets.subarray(this.#next - length, this.#next);
  }

  rest(): Uint8Array {
    return this.take('', this.remaining);
  }

  hex(name: string, length: number): Hex {
    return toHex(this.take(name, length));
  }

  mac(name: string): MacAddr {
    return macFrom(this.take(name, 6));
  }

  u8(name: string): number {
    return this.#number(name, 1);
  }

  u16(name: string): number {
    return this.#number(name, 2);
  }

  u24(name: string): number {
    return this.#number(name, 3);
  }

  u32(name: string): number {
    return this.#number(name, 4);
  }

  #number(name: string, length: number): number {
    let value = 0;
    for (const octet of this.take(name, length)) value = value * 256 + octet;
    return value;
  }

  fail(name: string, expected: string, got: unknown): void {
    this.error ??= octetError(name === '' ? this.#at : `${this.#at}.${name}`, expected, got);
  }
}

/** The MAC of exactly six octets. */
export function macFrom(octets: Uint8Array): MacAddr {
  const mac = macFromBytes(octets);
  // Six octets are always a MAC; the other arm is for the compiler.
  return mac.ok ? mac.value : ('00:00:00:00:00:00' as MacAddr);
}

export class OctetWriter {
  readonly #at: string;
  readonly #limit: number;
  #octets = new Uint8Array(64);
  #length = 0;
  error: NveError | null = null;

  /** `limit`: how many octets may be written at most. */
  constructor(at: string, limit: number) {
    this.#at = at;
    this.#limit = limit;
  }

  get length(): number {
    return this.#length;
  }

  /** A copy of what was written. */
  octets(): Uint8Array {
    return this.#octets.slice(0, this.#length);
  }

  u8(name: string, value: number): void {
    this.#number(name, value, 1);
  }

  u16(name: string, value: number): void {
    this.#number(name, value, 2);
  }

  u24(name: string, value: number): void {
    this.#number(name, value, 3);
  }

  u32(name: string, value: number): void {
    this.#number(name, value, 4);
  }

  mac(mac: MacAddr): void {
    this.bytes('', macToBytes(mac));
  }

  /** `length`: how many octets the text has to have; absent, any number. */
  hex(name: string, text: Hex, length?: number): void {
    const octets = fromHex(text);
    if (octets !== null && (length === undefined || octets.length === length)) this.bytes(name, octets);
    else this.fail(name, `${length === undefined ? '' : `${length} octets of `}hexadecimal text`, text);
  }

  bytes(name: string, octets: Uint8Array): void {
    const end = this.#length + octets.length;
    if (end > this.#limit) {
      this.fail(name, `at most ${this.#limit} octets in all`, `${end} octets`);
      return;
    }
    if (end > this.#octets.length) {
      const larger = new Uint8Array(Math.max(end, 2 * this.#octets.length));
      larger.set(this.#octets);
      this.#octets = larger;
    }
    this.#octets.set(octets, this.#length);
    this.#length = end;
  }

  /** A number of `bits` bits that goes into a larger field: zero and an error when it does not fit. */
  bits(name: string, value: number, bits: number): number {
    if (Number.isInteger(value) && value >= 0 && value < 2 ** bits) return value;
    this.fail(name, `an integer from 0 to ${2 ** bits - 1}`, value);
    return 0;
  }

  #number(name: string, value: number, length: number): void {
    const fits = this.bits(name, value, 8 * length);
    const octets = new Uint8Array(length);
    for (let i = 0; i < length; i++) octets[i] = Math.floor(fits / 256 ** (length - 1 - i)) % 256;
    this.bytes(name, octets);
  }

  fail(name: string, expected: string, got: unknown): void {
    this.error ??= octetError(name === '' ? this.#at : `${this.#at}.${name}`, expected, got);
  }
}
