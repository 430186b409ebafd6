/**
 * Random, mutated and truncated frames for every codec of the access link. `SPLITNVE_FUZZ_FRAMES` sets how many per codec,
 * `SPLITNVE_FUZZ_SEED` repeats a run. What it finds goes to test/vectors. Two test files share the codecs, so that two CPUs do.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { fromHex, toHex } from '../../ts/wire/octets.js';
import { ACCESS_CODECS, type AccessCodec, type AccessCodecName } from '../../ts/wire/testing/access-codecs.js';

const FRAMES = Number(process.env['SPLITNVE_FUZZ_FRAMES'] ?? 20_000);
const SEED = Number(process.env['SPLITNVE_FUZZ_SEED'] ?? Math.floor(Math.random() * 2 ** 32));
const TIMEOUT_MS = 60_000 + FRAMES;
const FRAME_MAX = 1600;

/** xorshift32: small and the same everywhere. */
function randomOf(seed: number): (below: number) => number {
  let state = (seed ^ 0x9e3779b9) >>> 0 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

const corpus = ['access.json', 'access-refused.json']
  .flatMap((name) => {
    const url = new URL(`../vectors/${name}`, import.meta.url);
    return JSON.parse(readFileSync(url, 'utf8')) as { codec: AccessCodecName; hex: string }[];
  })
  .map(({ codec, hex }) => ({ codec, octets: fromHex(hex.replaceAll(' ', '')) ?? new Uint8Array(0) }));

/** For further filter formats besides VDP's own vectors one PDU of each. */
function seedsOf(name: AccessCodecName): Uint8Array[] {
  const of = (codec: AccessCodecName) => corpus.filter((one) => one.codec === codec).map(({ octets }) => octets);
  if (name !== 'vdpFormats') return of(name);
  const pdu = (format: string, entry: string): Uint8Array => {
    const value = `0000000501${'05'}${'11'.repeat(16)}${format}0001${entry}`;
    const length = (value.length / 2).toString(16).padStart(2, '0');
    return fromHex(`0a10${'00'.repeat(16)}06${length}${value}`) ?? new Uint8Array(0);
  };
  const [group, ip4, ip6, mac] = ['00001389', 'c6336407', `20010db8${'00'.repeat(12)}`, '020000000001'];
  const further = [
    pdu('05', `${group}${ip4}0000`),
    pdu('06', `${group}${ip6}0064`),
    pdu('07', `0064${mac}${ip4}${group}`),
    pdu('ff', `${ip6}0000`),
  ];
  for (const octets of further) {
    const decoded = ACCESS_CODECS.vdpFormats.decode(octets);
    expect(JSON.stringify(decoded)).toContain('"kind":"entries"');
  }
  return [...of('vdp'), ...further];
}

function mutate(octets: Uint8Array, others: readonly Uint8Array[], random: (below: number) => number): Uint8Array {
  let out: number[] = [...octets];
  for (let times = 1 + random(4); times > 0; times--) {
    const at = random(out.length + 1);
    switch (random(6)) {
      case 0:
        out = out.slice(0, at);
        break;
      case 1:
        if (at < out.length) out[at] = (out[at] as number) ^ (1 << random(8));
        break;
      case 2:
        out[at] = [0, 1, 0x7f, 0x80, 0xfe, 0xff, random(256)][random(7)] as number;
        break;
      case 3:
        out.splice(at, 0, ...Array.from({ length: 1 + random(8) }, () => random(256)));
        break;
      case 4:
        out.splice(at, 1 + random(8));
        break;
      case 5: {
        const other = others[random(others.length)] ?? octets;
        out = [...out.slice(0, at), ...other.subarray(random(other.length + 1))];
        break;
      }
    }
  }
  return Uint8Array.from(out.slice(0, FRAME_MAX));
}

/** What is wrong with how the codec took the octets, or null. */
function problemOf({ decode, encode }: AccessCodec, octets: Uint8Array): string | null {
  const before = octets.slice();
  try {
    const first = decode(octets);
    if (Buffer.compare(before, octets) !== 0) return 'the input was changed';
    if (!first.ok) return first.error.code === 'NVE-WIRE-006' ? null : `error ${first.error.code}`;
    const encoded = encode(first.value);
    if (!encoded.ok) return `does not encode: ${encoded.error.message}`;
    const second = decode(encoded.value);
    if (!second.ok) return `does not decode again: ${second.error.message}`;
    return JSON.stringify(second.value) === JSON.stringify(first.value) ? null : 'decodes to another value';
  } catch (caught) {
    return `threw ${String(caught)}`;
  }
}

const LLDP: readonly AccessCodecName[] = ['lldp', 'evb', 'cdcp'];
const CODECS = {
  lldp: LLDP,
  ecp: (Object.keys(ACCESS_CODECS) as AccessCodecName[]).filter((name) => !LLDP.includes(name)),
};

/** The tests of the codecs of LLDPDUs, or of all others. */
export function fuzzAccessCodecs(part: keyof typeof CODECS): void {
  describe(`fuzz, SPLITNVE_FUZZ_SEED=${SEED}, ${FRAMES} frames per codec`, () => {
    process.stdout.write(`access codecs: SPLITNVE_FUZZ_SEED=${SEED}, ${FRAMES} frames each\n`);

    it.each(CODECS[part])(
      '%s',
      (name) => {
        const random = randomOf(SEED);
        const seeds = seedsOf(name);
        const heapBefore = process.memoryUsage().heapUsed;
        let decoded = 0;
        for (let n = 0; n < FRAMES; n++) {
          const octets =
            n % 8 === 0
              ? Uint8Array.from({ length: random(200) }, () => random(256))
              : mutate(seeds[random(seeds.length)] as Uint8Array, seeds, random);
          const problem = problemOf(ACCESS_CODECS[name], octets);
          if (problem !== null) expect.fail(`${problem}: ${toHex(octets)}`);
          if (ACCESS_CODECS[name].decode(octets).ok) decoded++;
        }
        // Neither all good nor all bad: both paths were taken.
        expect(decoded).toBeGreaterThan(FRAMES / 100);
        expect(decoded).toBeLessThan((FRAMES * 99) / 100);
        // Nothing is held on to: a thousand octets per frame would show.
        expect(process.memoryUsage().heapUsed - heapBefore).toBeLessThan(256 * 2 ** 20);
      },
      TIMEOUT_MS,
    );
  });
}
