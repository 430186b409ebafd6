import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type PcapngPacket, pcapngInterface, pcapngPacket, pcapngSection } from './pcapng.js';

/** The blocks of a file: type and body; throws if lengths do not agree. */
function blocksOf(file: Uint8Array): [type: number, body: Buffer][] {
  const octets = Buffer.from(file);
  const blocks: [number, Buffer][] = [];
  for (let at = 0; at < octets.length; ) {
    const length = octets.readUInt32LE(at + 4);
    expect([length % 4, octets.readUInt32LE(at + length - 4)]).toEqual([0, length]);
    blocks.push([octets.readUInt32LE(at), octets.subarray(at + 8, at + length - 4)]);
    at += length;
  }
  return blocks;
}

function optionsOf(octets: Buffer): Map<number, Buffer> {
  const options = new Map<number, Buffer>();
  for (let at = 0; at < octets.length; ) {
    const [code, length] = [octets.readUInt16LE(at), octets.readUInt16LE(at + 2)];
    if (code === 0) break;
    options.set(code, octets.subarray(at + 4, at + 4 + length));
    at += 4 + Math.ceil(length / 4) * 4;
  }
  return options;
}

const PACKET: PcapngPacket = {
  interface: 1,
  timeNs: 1_700_000_000_123_456_789n,
  length: 100,
  frame: Uint8Array.of(1, 2, 3, 4, 5),
  direction: 'out',
  comment: 'dropped: vn_mtu',
};

describe('pcapng', () => {
  it('begins with a section and tells its interfaces', () => {
    const file = Buffer.concat([pcapngSection('splitnve'), pcapngInterface('access0', 96)]);
    const [[section, head] = [], [kind, body] = []] = blocksOf(file);
    expect([section, head?.readUInt32LE(0), head?.readUInt16LE(4)]).toEqual([0x0a0d0d0a, 0x1a2b3c4d, 1]);
    expect([kind, body?.readUInt16LE(0), body?.readUInt32LE(4)]).toEqual([1, 1, 96]);
    const options = optionsOf((body ?? Buffer.alloc(8)).subarray(8));
    expect(options.get(2)?.toString()).toBe('access0');
    expect([...(options.get(9) ?? [])]).toEqual([9]);
  });

  it('tells of a packet its time, lengths, direction and comment', () => {
    const [[kind, body = Buffer.alloc(28)] = []] = blocksOf(pcapngPacket(PACKET));
    const time = (BigInt(body.readUInt32LE(4)) << 32n) | BigInt(body.readUInt32LE(8));
    expect([kind, body.readUInt32LE(0), time]).toEqual([6, 1, PACKET.timeNs]);
    expect([body.readUInt32LE(12), body.readUInt32LE(16)]).toEqual([5, 100]);
    expect([...body.subarray(20, 28)]).toEqual([1, 2, 3, 4, 5, 0, 0, 0]);
    const options = optionsOf(body.subarray(28));
    expect(options.get(1)?.toString()).toBe('dropped: vn_mtu');
    expect(options.get(2)?.readUInt32LE(0)).toBe(2);
    const [[, plain = Buffer.alloc(0)] = []] = blocksOf(pcapngPacket({ ...PACKET, direction: null, comment: null }));
    expect(plain).toHaveLength(28);
  });

  it('holds together whatever is written', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.string({ maxLength: 90 }), (frame, comment) => {
        const [[, body = Buffer.alloc(0)] = []] = blocksOf(pcapngPacket({ ...PACKET, frame, comment }));
        expect(body.subarray(20, 20 + frame.length).equals(frame)).toBe(true);
        expect(
          optionsOf(body.subarray(20 + Math.ceil(frame.length / 4) * 4))
            .get(1)
            ?.toString(),
        ).toBe(Buffer.from(comment).toString());
      }),
    );
  });
});
