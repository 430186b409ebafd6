// MessagePack as docs/engine.md wants it: plain arrays and maps, `bin` for bytes, u64 as bigint where a value may pass 2^53.

import { Packr, Unpackr } from 'msgpackr';

const packr = new Packr({ useRecords: false, variableMapSize: true });
const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true, int64AsType: 'auto' as 'number' });

export function pack(value: unknown): Buffer {
  return packr.pack(value);
}

export function unpack(bytes: Uint8Array): unknown {
  return unpackr.unpack(bytes);
}

/** Values that stand back to back. */
export function unpackAll(bytes: Uint8Array): unknown[] {
  if (bytes.length === 0) return [];
  const values = unpackr.unpackMultiple(bytes);
  return Array.isArray(values) ? values : [];
}
