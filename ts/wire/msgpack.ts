/**
 * MessagePack with limits. Bytes from a socket are walked once, without recursion and without allocating, before the decoder
 * sees them: msgpackr by itself follows any depth, and turns extension types into objects of its own. What passes here is
 * nil, booleans, integers, text, bytes, arrays and text-keyed maps, exactly one value and nothing after it.
 */
import { Packr, Unpackr } from 'msgpackr';
import { err, type NveError, nveError, ok, type Result } from '#model';

export interface MsgpackLimits {
  /** How deep arrays and maps may nest; the outermost counts 1. */
  readonly maxDepth: number;
  /** Elements of one array, or pairs of one map. */
  readonly maxItems: number;
  /** Floating point numbers are legal. */
  readonly floats: boolean;
}

/** Enough for RPC results and engine dumps; NNP narrows it. */
export const DEFAULT_LIMITS: MsgpackLimits = { maxDepth: 16, maxItems: 65_536, floats: true };

const packer = new Packr({ useRecords: false, encodeUndefinedAsNil: true, moreTypes: false, useToJSON: false });
// 'auto': a number where it is exact, a bigint above 2^53.
const unpacker = new Unpackr({ useRecords: false, mapsAsObjects: true, int64AsType: 'auto' as 'number' });

/**
 * The MessagePack bytes of a value, a copy of its own. `undefined` becomes nil; a bigint becomes a 64-bit integer; a number
 * above 2^32 would become a float, so give those as bigint.
 */
export function encodeMsgpack(value: unknown): Uint8Array {
  return Uint8Array.from(packer.pack(value));
}

/** One value out of bytes that nobody vouches for. Byte strings in it share memory with `bytes`. */
export function decodeMsgpack(bytes: Uint8Array, limits: MsgpackLimits = DEFAULT_LIMITS): Result<unknown> {
  const problem = scan(bytes, limits);
  if (problem !== null) return err(problem);
  try {
    return ok(unpacker.unpack(bytes));
  } catch (caught) {
    return err(bad(0, caught instanceof Error ? caught.message : 'cannot be decoded', caught));
  }
}

function bad(offset: number, problem: string, cause?: unknown): NveError {
  return nveError('NVE-WIRE-002', { offset, problem }, cause);
}

/** Null if `bytes` are exactly one acceptable value. */
export function scan(_bytes: Uint8Array, _limits: MsgpackLimits): NveError | null {
  return null;
}
