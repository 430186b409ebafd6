import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pcapOf } from '../../test/lib/pcap.js';
import { decodePcap, isCapture } from './pcap.js';

const FRAMES = [Uint8Array.of(1, 2, 3), new Uint8Array(0), Uint8Array.of(9)];
const problemOf = (octets: Uint8Array): unknown => {
  const pcap = decodePcap(octets);
  return pcap.ok ? pcap.value.problem?.message : pcap.error.message;
};

describe('decodePcap', () => {
  for (const little of [true, false])
    for (const nanoseconds of [true, false])
      it(`reads ${little ? 'little' : 'big'} endian, ${nanoseconds ? 'nano' : 'micro'}seconds`, () => {
        const octets = pcapOf(FRAMES, { little, nanoseconds });
        expect(isCapture(octets)).toBe(true);
        const pcap = decodePcap(octets);
        expect(pcap.ok && pcap.value.problem).toBeNull();
        expect(pcap.ok && pcap.value.frames).toEqual(
          FRAMES.map((frame, i) => ({ number: i + 1, octets: frame, length: frame.length })),
        );
      });

  it('says which frames the capture has cut', () => {
    const pcap = decodePcap(pcapOf(FRAMES, { snap: 2 }));
    expect(pcap.ok && pcap.value.frames[0]).toEqual({ number: 1, octets: Uint8Array.of(1, 2), length: 3 });
  });

  it.each([
    ['pcapng', Uint8Array.of(0x0a, 0x0d, 0x0d, 0x0a, 0, 0, 0, 28), 'pcap.format is pcapng, expected classic pcap'],
    ['nothing', new Uint8Array(0), 'pcap.magic is missing, expected 0xa1b2c3d4 or 0xa1b23c4d'],
    ['text', Buffer.from('hello'), 'pcap.magic is 0x68656c6c'],
    ['half a header', pcapOf([]).subarray(0, 20), 'pcap.header is 20 octets, expected 24 octets'],
    ['another link type', pcapOf([], { linkType: 113 }), 'pcap.link type is 113, expected 1 (Ethernet'],
    ['half a record header', pcapOf(FRAMES).subarray(0, 24 + 19 + 9), 'pcap.frame 2 is the end of the file'],
    ['half a frame', pcapOf(FRAMES).subarray(0, 24 + 16 + 2), 'pcap.frame 1 is 2 octets, expected 3 octets'],
  ])('%s', (_, octets, expected) => {
    expect(problemOf(octets)).toContain(expected);
  });

  it('refuses a length that no frame has, and keeps what came before', () => {
    const octets = pcapOf(FRAMES);
    new DataView(octets.buffer).setUint32(24 + 16 + 3 + 8, 0xffff_ffff, true);
    const pcap = decodePcap(octets);
    expect(pcap.ok && pcap.value.frames.length).toBe(1);
    expect(problemOf(octets)).toContain('pcap.frame 2.length is 4294967295, expected at most 262144 octets');
  });

  it('takes any octets', () => {
    const any = fc.uint8Array({ maxLength: 200 });
    fc.assert(
      fc.property(any, fc.boolean(), (noise, little) => {
        const octets = new Uint8Array([...pcapOf([], { little }), ...noise]);
        const pcap = decodePcap(octets);
        if (!pcap.ok) throw pcap.error;
        const { frames, problem } = pcap.value;
        const read = frames.reduce((sum, frame) => sum + 16 + frame.octets.length, 0);
        expect(problem === null ? read : Math.min(read, noise.length - 1)).toBe(problem === null ? noise.length : read);
      }),
    );
  });
});
