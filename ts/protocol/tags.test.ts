import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LinkName, TsiId, Vid, VnId, VnName } from '#model';
import { TagAllocator, type VidRange } from './tags.js';

const link = 'acc0' as LinkName;
const range = (from: number, to: number): VidRange => ({ from: from as Vid, to: to as Vid });
const make = (...ranges: VidRange[]) => {
  const allocator = TagAllocator.create(new Map([[link, ranges]]));
  if (!allocator.ok) throw allocator.error;
  return allocator.value;
};
const acquire = (allocator: TagAllocator, vn: number, tsi = 't', on = link) => {
  const tag = allocator.acquire(on, vn as VnId, `vn${vn}` as VnName, tsi as TsiId);
  return tag.ok ? tag.value.vid : `${tag.error.code} ${tag.error.message}`;
};
const release = (allocator: TagAllocator, vn: number, tsi = 't') => allocator.release(link, vn as VnId, tsi as TsiId);

describe('TagAllocator', () => {
  it('never hands out 0, 1 or 4095', () => {
    const allocator = make(range(0, 3), range(4093, 4095));
    expect([1, 2, 3, 4].map((vn) => acquire(allocator, vn))).toEqual([2, 3, 4093, 4094]);
    expect(acquire(allocator, 5)).toContain('NVE-TAG-001');
  });

  it('is stable while the VN has a TSI on the link', () => {
    const allocator = make(range(100, 110));
    expect(acquire(allocator, 1, 'a')).toBe(100);
    expect(acquire(allocator, 1, 'b')).toBe(100);
    release(allocator, 1, 'a');
    expect(acquire(allocator, 2, 'c')).toBe(101);
    expect(acquire(allocator, 1, 'd')).toBe(100);
    release(allocator, 1, 'b');
    release(allocator, 1, 'd');
    expect(allocator.list().map((holding) => holding.vn)).toEqual([2]);
  });

  it('reuses the least recently used one', () => {
    const allocator = make(range(100, 102));
    acquire(allocator, 1);
    acquire(allocator, 2);
    release(allocator, 2);
    release(allocator, 1);
    expect([3, 4, 5].map((vn) => acquire(allocator, vn))).toEqual([102, 101, 100]);
  });

  it('names link, pool and holders when it is exhausted', () => {
    const allocator = make(range(100, 101));
    acquire(allocator, 1);
    acquire(allocator, 2);
    expect(acquire(allocator, 3)).toBe(
      'NVE-TAG-001 no free tag on link acc0: all 2 of its pool 100-101 are in use (100 vn1, 101 vn2)',
    );
    release(allocator, 1);
    expect(acquire(allocator, 3)).toBe(100);
  });

  it('names a few holders of many', () => {
    const allocator = make(range(100, 120));
    for (let vn = 1; vn <= 21; vn++) acquire(allocator, vn);
    expect(acquire(allocator, 22)).toMatch(/107 vn8 and 13 more\)$/);
  });

  it('refuses unknown links and pools without a usable VID', () => {
    expect(acquire(make(range(2, 3)), 1, 't', 'no' as LinkName)).toBe('NVE-TSI-004 unknown access link no');
    const unusable = TagAllocator.create(new Map([[link, [range(1, 1)]]]));
    expect(unusable.ok ? null : unusable.error.message).toBe(
      'the VLAN pool 1 of link acc0 is not usable: it holds no VID from 2 to 4094',
    );
    expect(TagAllocator.create(new Map([[link, []]])).ok).toBe(false);
  });

  it('keeps links apart', () => {
    const other = 'acc1' as LinkName;
    const both = TagAllocator.create(
      new Map([
        [link, [range(100, 101)]],
        [other, [range(100, 101)]],
      ]),
    );
    if (!both.ok) throw both.error;
    expect(acquire(both.value, 1)).toBe(100);
    expect(acquire(both.value, 2, 't', other)).toBe(100);
  });

  it('under any sequence: no two VNs share a tag, none changes while held, all come back', () => {
    const step = fc.record({
      vn: fc.integer({ min: 1, max: 8 }),
      tsi: fc.constantFrom('a', 'b'),
      acquire: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        const allocator = make(range(10, 14));
        const model = new Map<number, { vid: unknown; tsis: Set<string> }>();
        for (const { vn, tsi, acquire: want } of steps) {
          if (want) {
            const vid = acquire(allocator, vn, tsi);
            const held = model.get(vn);
            if (held !== undefined) {
              expect(vid).toBe(held.vid);
              held.tsis.add(tsi);
            } else if (model.size === 5) {
              expect(vid).toContain('NVE-TAG-001');
            } else {
              expect([...model.values()].map((other) => other.vid)).not.toContain(vid);
              model.set(vn, { vid, tsis: new Set([tsi]) });
            }
          } else {
            release(allocator, vn, tsi);
            const held = model.get(vn);
            held?.tsis.delete(tsi);
            if (held?.tsis.size === 0) model.delete(vn);
          }
        }
        expect(allocator.list().length).toBe(model.size);
      }),
    );
  });

  describe('a wish for a VID', () => {
    const wish = (allocator: TagAllocator, vn: number, vid: number, tsi = 't') => {
      const tag = allocator.acquire(link, vn as VnId, `vn${vn}` as VnName, tsi as TsiId, vid as Vid);
      return tag.ok ? tag.value.vid : `${tag.error.code} ${tag.error.message}`;
    };

    it('is granted if the VID is free, or the VN has it already', () => {
      const allocator = make(range(100, 110));
      expect(wish(allocator, 1, 105, 'a')).toBe(105);
      expect(wish(allocator, 1, 105, 'b')).toBe(105);
      expect(acquire(allocator, 1, 'c')).toBe(105);
      expect(acquire(allocator, 2)).toBe(100);
    });

    it('is refused if the VID names another VN, or the VN has another one, or it is not in the pool', () => {
      const allocator = make(range(100, 110));
      expect(wish(allocator, 1, 105)).toBe(105);
      expect(wish(allocator, 2, 105)).toBe('NVE-TAG-003 VID 105 cannot name VN vn2 on link acc0: it names VN vn1');
      expect(wish(allocator, 1, 106)).toBe('NVE-TAG-003 VID 106 cannot name VN vn1 on link acc0: its tag there is 105');
      expect(wish(allocator, 2, 1)).toBe(
        'NVE-TAG-003 VID 1 cannot name VN vn2 on link acc0: it is not in the pool 100-110',
      );
      expect(allocator.list().map((holding) => holding.vn)).toEqual([1]);
    });
  });
});
