import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { fromHex, toHex } from './octets.js';
import { ACCESS_CODECS, type AccessCodecName } from './testing/access-codecs.js';

interface Vector {
  readonly name: string;
  readonly codec: AccessCodecName;
  readonly hex: string;
  readonly canonical?: string;
  readonly decoded?: unknown;
}
interface Refused {
  readonly name: string;
  readonly codec: AccessCodecName;
  readonly hex: string;
  readonly at: string;
}
const file = (name: string) => new URL(`../../test/vectors/${name}`, import.meta.url);
const read = <T>(name: string): T[] => JSON.parse(readFileSync(file(name), 'utf8')) as T[];
const octets = (hex: string): Uint8Array => {
  const found = fromHex(hex.replaceAll(' ', ''));
  if (found === null) throw new Error(`not hexadecimal: ${hex}`);
  return found;
};

describe('vectors', () => {
  const vectors = read<Vector>('access.json');
  if (process.env['UPDATE_VECTORS']) {
    const blessed = vectors.map((vector) => {
      const value = ACCESS_CODECS[vector.codec].decode(octets(vector.hex));
      return JSON.stringify({ ...vector, decoded: value.ok ? value.value : value.error.message });
    });
    writeFileSync(file('access.json'), `[\n  ${blessed.join(',\n  ')}\n]\n`);
  }

  it.each(vectors.map((vector) => [vector.codec, vector.name, vector] as const))('%s: %s', (codec, _, vector) => {
    const { decode, encode } = ACCESS_CODECS[codec];
    expect(decode(octets(vector.hex))).toEqual({ ok: true, value: vector.decoded });
    const again = encode(vector.decoded);
    if (!again.ok) throw again.error;
    expect(toHex(again.value)).toBe(toHex(octets(vector.canonical ?? vector.hex)));
  });

  it.each(read<Refused>('access-refused.json').map((vector) => [vector.codec, vector.name, vector] as const))(
    '%s refuses: %s',
    (codec, _, { hex, at }) => {
      const result = ACCESS_CODECS[codec].decode(octets(hex));
      expect(result.ok ? 'decoded' : [result.error.code, result.error.context['at']]).toEqual(['NVE-WIRE-006', at]);
    },
  );
});
