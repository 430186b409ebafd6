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

const packer = new Packr({ useRecords: false, encodeUndefinedAsNil: true });
// 'auto': a number where it is exact, a bigint above 2^53.
const unpacker = new Unpackr({ useRecords: false, mapsAsObjects: true, int64AsType: 'auto' as 'number' });

/**
 * The MessagePack bytes of a value. `undefined` becomes nil and a bigint a 64-bit integer; a number above 2^32 becomes a
 * float, so give those as bigint where the reader wants an integer. Throws for what has no MessagePack form (a programmer's
 * error).
 */
export function encodeMsgpack(value: unknown): Uint8Array {
  return packer.pack(value);
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

/**
 * Null if `bytes` are exactly one acceptable value, otherwise what is wrong and where. Takes one step per element; its only
 * memory is one counter per level of nesting.
 */
export function scan(bytes: Uint8Array, limits: MsgpackLimits): NveError | null {
  const size = bytes.length;
  // What is still to come of each open array or map. For a map: pairs times two, so an even rest means that a key is next.
  const open: { rest: number; readonly map: boolean }[] = [];
  let at = 0;
  let done = false;
  while (!done) {
    if (at >= size) return bad(at, 'ends in the middle of a value');
    const start = at;
    const byte = bytes[at++] as number;
    const level = open.at(-1);
    if (level?.map && level.rest % 2 === 0 && !isText(byte)) return bad(start, 'a map key is not text');
    // Bytes of content, or elements of a container; each format family of the MessagePack specification in turn.
    let content = 0;
    let items = -1;
    let map = false;
    if (byte <= 0x7f || byte >= 0xe0) {
      // positive and negative fixint
    } else if (byte <= 0x8f) {
      items = byte & 0x0f;
      map = true;
    } else if (byte <= 0x9f) {
      items = byte & 0x0f;
    } else if (byte <= 0xbf) {
      content = byte & 0x1f;
    } else if (byte === 0xc0 || byte === 0xc2 || byte === 0xc3) {
      // nil, false, true
    } else if (byte === 0xca || byte === 0xcb) {
      if (!limits.floats) return bad(start, 'a floating point number where integers are expected');
      content = byte === 0xca ? 4 : 8;
    } else if (byte >= 0xcc && byte <= 0xd3) {
      // uint 8 to 64, then int 8 to 64
      content = 1 << (byte & 3);
    } else {
      const lengthSize = LENGTH_SIZE[byte];
      if (lengthSize === undefined) return bad(start, byte === 0xc1 ? 'the never used byte 0xc1' : 'an extension type');
      if (at + lengthSize > size) return bad(start, 'ends in the middle of a length');
      let length = 0;
      for (let i = 0; i < lengthSize; i++) length = length * 256 + (bytes[at++] as number);
      if (byte >= 0xdc) {
        items = length;
        map = byte >= 0xde;
      } else {
        content = length;
      }
    }
    if (items < 0) {
      if (content > size - at) return bad(start, `announces ${content} bytes, ${size - at} are left`);
      at += content;
    } else {
      if (items > limits.maxItems) return bad(start, `${items} elements, the limit is ${limits.maxItems}`);
      const needed = map ? items * 2 : items;
      if (needed > size - at) return bad(start, `announces ${items} elements, ${size - at} bytes are left`);
      if (open.length >= limits.maxDepth) return bad(start, `nested deeper than ${limits.maxDepth}`);
      open.push({ rest: needed, map });
      if (needed > 0) continue;
      open.pop();
    }
    // One value is complete; it may complete those around it.
    done = true;
    for (let around = open.at(-1); around !== undefined; around = open.at(-1)) {
      around.rest--;
      if (around.rest > 0) {
        done = false;
        break;
      }
      open.pop();
    }
  }
  return at === size ? null : bad(at, `${size - at} bytes after the value`);
}

/** Formats with a length in front: bin 8/16/32, str 8/16/32, array 16/32, map 16/32, and how long the length is. */
const LENGTH_SIZE: Readonly<Record<number, number>> = {
  196: 1,
  197: 2,
  198: 4,
  217: 1,
  218: 2,
  219: 4,
  220: 2,
  221: 4,
  222: 2,
  223: 4,
};

function isText(byte: number): boolean {
  return (byte >= 0xa0 && byte <= 0xbf) || (byte >= 0xd9 && byte <= 0xdb);
}
