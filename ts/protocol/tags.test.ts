import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  formatTag,
  type LinkName,
  type TagAllocation,
  type TsiId,
  unwrap,
  type Vid,
  type VnId,
  type VnInfo,
  type VnRef,
} from '#model';
import { QUARANTINE_MS, type TagDomain, type VidRange } from './tag-pool.js';
import { type LinkTagging, TagAllocator } from './tags.js';

const link = 'acc0' as LinkName;
const other = 'acc1' as LinkName;
const range = (from: number, to: number): VidRange => ({ from: from as Vid, to: to as Vid });
const domain = (pool: VidRange[], reserve: Record<number, string | number> = {}, name = 'acc0'): TagDomain => ({
  name,
  pool,
  reserve: Object.entries(reserve).map(([vid, vn]) => ({ vid: Number(vid) as Vid, vn: vn as VnRef })),
});
const cTag = (of: TagDomain, explicitVids = true): LinkTagging => ({ kind: 'c-tag', domain: of, explicitVids });

function make(tagging: LinkTagging, ...links: LinkName[]): TagAllocator {
  const tags = new TagAllocator();
  for (const name of links.length === 0 ? [link] : links) unwrap(tags.addLink(name, tagging));
  return tags;
}
const pool = (from: number, to: number, ...links: LinkName[]) => make(cTag(domain([range(from, to)])), ...links);
const vnInfo = (vn: number) => ({ vn, name: `vn${vn}`, vni: 5000 + vn, mtu: 1500, gateway: null }) as unknown as VnInfo;
const keyOf = (tsi: string, on: LinkName) => ({ tsi: tsi as TsiId, link: on });

function acquire(tags: TagAllocator, vn: number, { tsi = 't', on = link, wish = null as number | null } = {}) {
  const tag = tags.acquire(keyOf(tsi, on), vnInfo(vn), wish as Vid | null);
  if (!tag.ok) return `${tag.error.code} ${tag.error.message}`;
  return tag.value.kind === 'c-tag' ? tag.value.vid : formatTag(tag.value);
}
const release = (tags: TagAllocator, vn: number, tsi = 't', on = link) => tags.release(keyOf(tsi, on), vn as VnId);
const held = (tags: TagAllocator) =>
  tags.allocations().flatMap(({ vn, vid, held: is }) => (is ? [`${vn}: ${vid}`] : []));

describe('TagAllocator', () => {
  it('never hands out 0, 1 or 4095', () => {
    const tags = make(cTag(domain([range(0, 3), range(4093, 4095)])));
    expect([1, 2, 3, 4].map((vn) => acquire(tags, vn))).toEqual([2, 3, 4093, 4094]);
    expect(acquire(tags, 5)).toContain('NVE-TAG-001');
  });

  it('is stable while the VN has a TSI on the link', () => {
    const tags = pool(100, 110);
    expect(acquire(tags, 1, { tsi: 'a' })).toBe(100);
    expect(acquire(tags, 1, { tsi: 'b' })).toBe(100);
    release(tags, 1, 'a');
    expect(acquire(tags, 2, { tsi: 'c' })).toBe(101);
    expect(acquire(tags, 1, { tsi: 'd' })).toBe(100);
    release(tags, 1, 'b');
    release(tags, 1, 'd');
    expect(held(tags)).toEqual(['2: 101']);
  });

  it('gives a VN again what it had, as long as nobody else has it; others get what was used least recently', () => {
    const tags = pool(100, 102);
    for (const vn of [1, 2]) acquire(tags, vn);
    release(tags, 2);
    release(tags, 1);
    expect(acquire(tags, 1)).toBe(100);
    release(tags, 1);
    tags.advance(QUARANTINE_MS);
    expect([3, 4, 5].map((vn) => acquire(tags, vn))).toEqual([102, 101, 100]);
    release(tags, 3);
    expect(acquire(tags, 1)).toContain('102 just given back by vn3');
  });

  it('a VID that was given back rests: frames may be under way', () => {
    const tags = pool(100, 100);
    tags.advance(1_000);
    acquire(tags, 1);
    release(tags, 1);
    const left = 'NVE-TAG-001 no free tag on link acc0: all 1 of its pool 100 are in use (100 just given back by vn1)';
    expect(acquire(tags, 2)).toBe(left);
    expect(acquire(tags, 2, { wish: 100 })).toContain('it named VN vn1 until a moment ago');
    tags.advance(1_000 + QUARANTINE_MS - 1);
    expect(acquire(tags, 2)).toBe(left);
    tags.advance(1_000 + QUARANTINE_MS);
    expect(acquire(tags, 2)).toBe(100);
  });

  it('names link, pool and holders when it is exhausted', () => {
    const tags = pool(100, 101);
    acquire(tags, 1);
    acquire(tags, 2);
    expect(acquire(tags, 3)).toBe(
      'NVE-TAG-001 no free tag on link acc0: all 2 of its pool 100-101 are in use (100 vn1, 101 vn2)',
    );
    const many = pool(100, 120);
    for (let vn = 1; vn <= 21; vn++) acquire(many, vn);
    expect(acquire(many, 22)).toMatch(/107 vn8 and 13 more\)$/);
  });

  it('refuses unknown links and domains without a usable VID', () => {
    expect(acquire(pool(2, 3), 1, { on: 'no' as LinkName })).toBe('NVE-TSI-004 unknown access link no');
    const refused = (of: TagDomain) => {
      const added = new TagAllocator().addLink(link, cTag(of));
      return added.ok ? null : added.error.message;
    };
    const start = 'of access link or domain acc0 is not usable';
    expect(refused(domain([range(1, 1)]))).toBe(`the VLAN pool 1 ${start}: it holds no VID from 2 to 4094`);
    expect(refused(domain([]))).toContain('the VLAN pool empty');
    expect(refused(domain([range(2, 9)], { 1: 'blue' }))).toContain('the reserved VID 1 is not from 2 to 4094');
    expect(refused(domain([], { 9: 'blue' }))).toBeNull();
  });

  it('keeps links apart that are domains of their own', () => {
    const tags = pool(100, 101);
    unwrap(tags.addLink(other, cTag(domain([range(100, 101)], {}, 'acc1'))));
    expect(acquire(tags, 1)).toBe(100);
    expect(acquire(tags, 2, { on: other })).toBe(100);
  });

  it('on the links of one domain a VID names one VN, and a VN has one VID', () => {
    const tags = pool(100, 101, link, other);
    expect(acquire(tags, 1)).toBe(100);
    expect(acquire(tags, 2, { on: other })).toBe(101);
    expect(acquire(tags, 1, { on: other })).toBe(100);
    expect(acquire(tags, 3)).toContain('NVE-TAG-001');
    release(tags, 1);
    expect(held(tags)).toEqual(['1: 100', '2: 101']);
    release(tags, 1, 't', other);
    expect(held(tags)).toEqual(['2: 101']);
  });

  it('a reserved VID goes to its VN alone, named by name or VNI', () => {
    const tags = make(cTag(domain([range(100, 101)], { 100: 'vn1', 4000: 5002 })));
    expect(acquire(tags, 3)).toBe(101);
    expect(acquire(tags, 4)).toContain('NVE-TAG-001');
    expect(acquire(tags, 4, { wish: 100 })).toContain('it is reserved for VN vn1');
    expect(acquire(tags, 4, { wish: 4000 })).toContain('it is reserved for VN vni:5002');
    expect(acquire(tags, 1, { wish: 101 })).toContain('VID 100 is reserved for it');
    expect(acquire(tags, 1)).toBe(100);
    expect(acquire(tags, 2, { wish: 4000 })).toBe(4000);
    release(tags, 1);
    tags.advance(QUARANTINE_MS);
    expect(acquire(tags, 4)).toContain('NVE-TAG-001');
    expect(acquire(tags, 1)).toBe(100);
  });

  it('a tag looks as the link says', () => {
    const tags = make({ kind: 's-tag', domain: domain([range(200, 300)]), explicitVids: true });
    unwrap(
      tags.addLink('acc1.101' as LinkName, {
        kind: 's-tag+c-tag',
        s_vid: 101 as Vid,
        domain: domain([range(5, 6)], {}, 'acc1.101'),
        explicitVids: true,
      }),
    );
    expect(acquire(tags, 1)).toBe('s-tag 200');
    expect(acquire(tags, 1, { on: 'acc1.101' as LinkName })).toBe('s-tag+c-tag 101.5');
  });

  it('a whole port is one VN at a time', () => {
    const tags = make({ kind: 'port' });
    expect(acquire(tags, 1, { tsi: 'a' })).toBe('port');
    expect(acquire(tags, 1, { tsi: 'b' })).toBe('port');
    expect(acquire(tags, 2)).toBe('NVE-TAG-004 link acc0 is as a whole VN vn1, and cannot be VN vn2 too');
    expect(acquire(tags, 1, { wish: 9 })).toContain('the VN has the whole port');
    release(tags, 1, 'a');
    expect(acquire(tags, 2)).toContain('NVE-TAG-004');
    release(tags, 1, 'b');
    expect(acquire(tags, 2)).toBe('port');
  });

  it('a link that goes takes nothing from whom it has; one that comes again has what it had', () => {
    const tags = pool(100, 101);
    acquire(tags, 1);
    tags.removeLink(link);
    expect(tags.links()).toEqual([]);
    expect(acquire(tags, 2)).toContain('NVE-TSI-004');
    expect(held(tags)).toEqual(['1: 100']);
    release(tags, 1);
    expect(tags.allocations()).toEqual([]);
    unwrap(tags.addLink(link, cTag(domain([range(100, 101)]))));
    expect([2, 3].map((vn) => acquire(tags, vn))).toEqual([101, expect.stringContaining('100 just given back by vn1')]);
    expect(acquire(tags, 1)).toBe(100);
    tags.removeLink('never' as LinkName);
  });

  describe('a wish for a VID', () => {
    it('is granted if the VID is free, or the VN has it already', () => {
      const tags = pool(100, 110);
      expect(acquire(tags, 1, { tsi: 'a', wish: 105 })).toBe(105);
      expect(acquire(tags, 1, { tsi: 'b', wish: 105 })).toBe(105);
      expect(acquire(tags, 1, { tsi: 'c' })).toBe(105);
      expect(acquire(tags, 2)).toBe(100);
    });

    it('is refused if the VID names another VN, or the VN has another one, or it is not in the pool', () => {
      const tags = pool(100, 110);
      const start = 'NVE-TAG-003 VID';
      expect(acquire(tags, 1, { wish: 105 })).toBe(105);
      expect(acquire(tags, 2, { wish: 105 })).toBe(`${start} 105 cannot name VN vn2 on link acc0: it names VN vn1`);
      expect(acquire(tags, 1, { wish: 106 })).toBe(
        `${start} 106 cannot name VN vn1 on link acc0: its tag there is 105`,
      );
      expect(acquire(tags, 2, { wish: 1 })).toBe(
        `${start} 1 cannot name VN vn2 on link acc0: it is not in the pool 100-110`,
      );
      expect(held(tags)).toEqual(['1: 105']);
    });

    it('where hypervisors may not choose, only for what the VN has or had', () => {
      const tags = make(cTag(domain([range(100, 110)]), false));
      expect(acquire(tags, 1, { wish: 105 })).toContain('the NVE alone chooses VIDs there (explicit_vids = "refuse")');
      expect(acquire(tags, 1)).toBe(100);
      expect(acquire(tags, 1, { tsi: 'b', wish: 100 })).toBe(100);
      release(tags, 1);
      release(tags, 1, 'b');
      expect(acquire(tags, 1, { wish: 100 })).toBe(100);
    });
  });

  describe('over a restart', () => {
    const row = (vn: number, vid: number, isHeld: boolean) =>
      ({ domain: 'acc0', vn, vnName: `vn${vn}`, vid, held: isHeld }) as unknown as TagAllocation;

    it.each(['before', 'after'])(
      'a VN gets the VID it had, which nobody else gets meanwhile (link added %s)',
      (when) => {
        const tags = new TagAllocator();
        const add = () => unwrap(tags.addLink(link, cTag(domain([range(100, 103)], { 103: 'vn9' }))));
        if (when === 'before') add();
        tags.restore([row(8, 103, true), row(2, 101, false), row(1, 100, true), row(1, 102, false)], 60_000);
        if (when === 'after') add();
        expect(acquire(tags, 3)).toBe(101);
        expect(acquire(tags, 4)).toBe(102);
        expect(acquire(tags, 5)).toContain('100 just given back by vn1');
        expect(acquire(tags, 1)).toBe(100);
        release(tags, 3);
        tags.advance(QUARANTINE_MS);
        expect(acquire(tags, 9)).toBe(103);
        tags.advance(60_000);
        expect(acquire(tags, 8)).toBe(101);
      },
    );

    it('what changes is told once', () => {
      const tags = pool(100, 110);
      acquire(tags, 1, { tsi: 'a' });
      acquire(tags, 1, { tsi: 'b' });
      expect(tags.takeChanges()).toEqual([row(1, 100, true)]);
      release(tags, 1, 'a');
      expect(tags.takeChanges()).toEqual([]);
      release(tags, 1, 'b');
      expect(tags.takeChanges()).toEqual([row(1, 100, false)]);
    });
  });

  it('under any sequence: no two VNs share a VID, none changes while held or rests too short, all come back', () => {
    const step = fc.record({
      vn: fc.integer({ min: 1, max: 8 }),
      tsi: fc.constantFrom('a', 'b'),
      on: fc.constantFrom(link, other),
      acquire: fc.boolean(),
      after: fc.integer({ min: 0, max: QUARANTINE_MS }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        const tags = pool(10, 14, link, other);
        const model = new Map<number, { vid: unknown; holders: Set<string> }>();
        const stored = new Map<unknown, TagAllocation>();
        const freed = new Map<unknown, { vn: number; at: number }>();
        let now = 0;
        for (const { vn, tsi, on, acquire: want, after } of steps) {
          now += after;
          tags.advance(now);
          const has = model.get(vn);
          if (want) {
            const vid = acquire(tags, vn, { tsi, on });
            if (has !== undefined) {
              expect(vid).toBe(has.vid);
              has.holders.add(`${tsi} ${on}`);
            } else if (typeof vid === 'string') {
              const resting = [...freed].filter(([, { at, vn: by }]) => at + QUARANTINE_MS > now && by !== vn);
              expect(model.size + resting.length).toBe(5);
            } else {
              expect([...model.values()].map((one) => one.vid)).not.toContain(vid);
              const last = freed.get(vid);
              if (last !== undefined && last.vn !== vn) expect(last.at + QUARANTINE_MS).toBeLessThanOrEqual(now);
              freed.delete(vid);
              model.set(vn, { vid, holders: new Set([`${tsi} ${on}`]) });
            }
          } else {
            release(tags, vn, tsi, on);
            has?.holders.delete(`${tsi} ${on}`);
            if (has?.holders.size === 0) {
              freed.set(has.vid, { vn, at: now });
              model.delete(vn);
            }
          }
          for (const change of tags.takeChanges()) stored.set(change.vid, change);
        }
        // What was told is what is so: a VID is its VN's.
        for (const [vn, { vid }] of model) expect(stored.get(vid)).toMatchObject({ vn, held: true });
        expect([...stored.values()].filter((one) => one.held)).toHaveLength(model.size);
        expect(held(tags)).toHaveLength(model.size);
      }),
    );
  });
});
