/**
 * The TLV header that LLDP (IEEE 802.1AB clause 8.4) and VDP (IEEE 802.1Q clause 41) share:
 *
 * ```
 *  | type (7 bits) | length (9 bits) | value: length octets |
 * ```
 */
import { err, type NveError, ok, type Result } from '#model';
import { OctetWriter, octetError } from './octets.js';

export const TLV_VALUE_MAX = 511;
const TYPE_MAX = 127;

export interface RawTlv {
  readonly type: number;
  /** Not copied. */
  readonly value: Uint8Array;
}

export interface RawTlvs {
  readonly tlvs: readonly RawTlv[];
  /** Whether a TLV of type 0 ended them; what follows it is padding. */
  readonly ended: boolean;
}

/** The TLVs up to the one of type 0 or to the end of the octets. A single last octet of zero is padding, too. */
export function splitTlvs(octets: Uint8Array, at: string): Result<RawTlvs> {
  const tlvs: RawTlv[] = [];
  let next = 0;
  while (next < octets.length) {
    const first = octets[next] as number;
    const second = octets[next + 1];
    if (second === undefined) {
      if (first === 0) break;
      return err(octetError(`${at}.tlv[${tlvs.length}].header`, '2 octets', '1 octet'));
    }
    const type = first >> 1;
    const length = ((first & 1) << 8) | second;
    if (type === 0) return ok({ tlvs, ended: true });
    const left = octets.length - next - 2;
    if (length > left)
      return err(octetError(`${at}.tlv[${tlvs.length}].length`, `at most the ${left} octets that are there`, length));
    tlvs.push({ type, value: octets.subarray(next + 2, next + 2 + length) });
    next += 2 + length;
  }
  return ok({ tlvs, ended: false });
}

/** One TLV, its value written by `fill`. */
export function writeTlv(into: OctetWriter, at: string, type: number, fill: (value: OctetWriter) => void): void {
  const value = new OctetWriter(at, TLV_VALUE_MAX);
  fill(value);
  if (type < 1 || type > TYPE_MAX) value.fail('type', `an integer from 1 to ${TYPE_MAX}`, type);
  const error: NveError | null = value.error;
  if (error !== null) {
    into.error ??= error;
    return;
  }
  into.u16('', (type << 9) | value.length);
  into.bytes('', value.octets());
}
