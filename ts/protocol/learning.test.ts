import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import type { LinkName, MacAddr, TsiId, TsiKey, VnId } from '#model';
import { HOLD_MS, MAX_MOVES, MOVES_MS } from './damping.js';
import { Learning, type LearningEffect, type LearningEvent, MAX_LEARNED } from './learning.js';

const VN = 1 as VnId;
const key = (tsi: string, link: string): TsiKey => ({ tsi: tsi as TsiId, link: link as LinkName });
const A = key('a', 'access0');
const B = key('b', 'access1');
const macOf = (n: number) =>
  `02:00:00:00:${(n >> 8).toString(16).padStart(2, '0')}:${(n & 255).toString(16).padStart(2, '0')}` as MacAddr;
const MAC = macOf(1);

let learning: Learning;
let now: number;
beforeEach(() => {
  learning = new Learning();
  now = 0;
});

/** In words: `place a`, `attach a 1`, `refuse full a 1`. */
const words = (effect: LearningEffect): string => {
  const { tsi } = effect.key;
  if (effect.type === 'report') return `${effect.change} ${tsi}`;
  return effect.type === 'refuse' ? `refuse ${effect.reason} ${effect.count}` : `${effect.type} ${tsi}`;
};
const handle = (event: LearningEvent): string[] => learning.handle(event, now).map(words);
type SeenWith = { mac?: MacAddr; isNamed?: boolean; isElsewhere?: boolean };
const seen = (at: TsiKey, { mac = MAC, isNamed = false, isElsewhere = false }: SeenWith = {}): string[] =>
  handle({ type: 'seen', vn: VN, mac, key: at, isNamed, isElsewhere });
const reported = (result: 'taken' | 'refused' | 'away', ask?: number, at = A): string[] =>
  handle({ type: 'reported', vn: VN, mac: MAC, key: at, result, ...(ask === undefined ? {} : { ask }) });
const left = (at: TsiKey): string[] => handle({ type: 'left', vn: VN, key: at });

/** Ways into each phase of a MAC; its report has the number 1. */
const PHASES = {
  unknown: () => undefined,
  placed: () => seen(A),
  asking: () => seen(A, { isElsewhere: true }),
  held: () => [seen(A), reported('refused', 1)],
} as const;

const TABLE: Record<string, Record<keyof typeof PHASES, string[]>> = {
  'seen there': { unknown: ['place a', 'attach a'], placed: [], asking: [], held: [] },
  'seen, and the NVA places it elsewhere': { unknown: ['attach a'], placed: [], asking: [], held: [] },
  'seen, and a TSI names it': {
    unknown: ['refuse named 1'],
    placed: ['refuse named 1'],
    asking: ['refuse named 1'],
    held: ['refuse named 1'],
  },
  'seen at another VAP': {
    unknown: ['place b', 'attach b'],
    placed: ['place b', 'attach b', 'detach a'],
    asking: [],
    held: [],
  },
  'its TSI leaves': { unknown: [], placed: ['remove a', 'detach a'], asking: ['detach a'], held: [] },
  'another TSI leaves': { unknown: [], placed: [], asking: [], held: [] },
  'a TSI names it': { unknown: [], placed: ['remove a', 'detach a'], asking: ['detach a'], held: [] },
  'the NVA says that it moved': { unknown: [], placed: ['remove a', 'detach a'], asking: [], held: [] },
  'the NVA takes it': { unknown: [], placed: [], asking: ['place a'], held: [] },
  'the NVA refuses it': { unknown: [], placed: ['remove a'], asking: [], held: [] },
  'the NVA is away': { unknown: [], placed: [], asking: ['detach a'], held: [] },
  'the NVA answers what is over': { unknown: [], placed: [], asking: [], held: [] },
  'the NVA refuses it later': { unknown: [], placed: ['remove a'], asking: [], held: [] },
  'the NVA refuses another later': { unknown: [], placed: [], asking: [], held: [] },
  'the engine refuses the row': { unknown: [], placed: ['remove a', 'detach a'], asking: [], held: [] },
};
const EVENTS: Record<string, () => string[]> = {
  'seen there': () => seen(A),
  'seen, and the NVA places it elsewhere': () => seen(A, { isElsewhere: true }),
  'seen, and a TSI names it': () => seen(A, { isNamed: true }),
  'seen at another VAP': () => seen(B),
  'its TSI leaves': () => left(A),
  'another TSI leaves': () => [...left(B), ...left(key('c', 'access0'))],
  'a TSI names it': () => handle({ type: 'claimed', vn: VN, mac: MAC }),
  'the NVA says that it moved': () => handle({ type: 'moved', vn: VN, mac: MAC }),
  'the NVA takes it': () => reported('taken', 1),
  'the NVA refuses it': () => reported('refused', 1),
  'the NVA is away': () => reported('away', 1),
  'the NVA answers what is over': () => reported('refused', 99),
  'the NVA refuses it later': () => reported('refused'),
  'the NVA refuses another later': () => reported('refused', undefined, B),
  'the engine refuses the row': () => handle({ type: 'failed', vn: VN, mac: MAC }),
};

describe.each(Object.entries(TABLE))('%s', (event, expected) => {
  it.each(Object.entries(expected))('while %s', (phase, effects) => {
    PHASES[phase as keyof typeof PHASES]();
    expect(EVENTS[event]?.()).toEqual(effects);
  });
});

describe('limits', () => {
  it('a refused MAC is tried again after a while, and not before', () => {
    seen(A);
    reported('refused', 1);
    now = HOLD_MS - 1;
    expect(seen(A)).toEqual([]);
    now = HOLD_MS;
    expect(seen(A)).toEqual(['place a', 'attach a']);
  });

  it('a VAP has so many MACs; the refusal is told once in a while, with its count', () => {
    for (let n = 0; n < MAX_LEARNED; n++) expect(seen(A, { mac: macOf(n) })).toHaveLength(2);
    const another = { mac: macOf(MAX_LEARNED) };
    expect(seen(A, another)).toEqual(['refuse full 1']);
    expect(seen(A, another)).toEqual([]);
    now = HOLD_MS;
    expect(seen(A, another)).toEqual(['refuse full 2']);
    expect(seen(B, another)).toEqual(['place b', 'attach b']);
    handle({ type: 'claimed', vn: VN, mac: macOf(0) });
    expect(seen(A, { mac: macOf(0) })).toEqual(['place a', 'attach a']);
    expect(left(A)).toHaveLength(2 * MAX_LEARNED);
    expect(learning.size).toBe(1);
  });

  it('a MAC moves so often in a while, here or to other NVEs, then it stays', () => {
    expect(seen(A)).toHaveLength(2);
    for (let moves = 0; moves < MAX_MOVES; moves++) {
      now += 1_000;
      expect(seen(moves % 2 === 0 ? B : A)).toHaveLength(3);
    }
    expect(seen(A)).toEqual(['refuse restless 1']);
    handle({ type: 'moved', vn: VN, mac: MAC });
    expect(seen(A)).toEqual([]);
    now = MOVES_MS;
    expect(seen(A, { isElsewhere: true })).toEqual(['attach a']);
  });

  it('what is gone is forgotten in the end', () => {
    seen(A);
    handle({ type: 'moved', vn: VN, mac: MAC });
    expect(learning.size).toBe(1);
    now = MOVES_MS;
    expect(seen(A, { mac: macOf(2), isNamed: true })).toEqual(['refuse named 1']);
    expect(learning.size).toBe(0);
  });
});

/** What the effects have come to: whose row and whose report each MAC is. */
class World {
  readonly rows = new Map<MacAddr, string>();
  readonly reports = new Map<MacAddr, Set<string>>();
  readonly asks: { mac: MacAddr; key: TsiKey; ask: number }[] = [];

  execute(effects: readonly LearningEffect[]): void {
    for (const effect of effects) {
      const { type, mac, key: to } = effect;
      const whose = `${to.tsi} ${to.link}`;
      if (type === 'place') this.rows.set(mac, whose);
      if (type === 'remove') {
        expect(this.rows.get(mac)).toBe(whose);
        this.rows.delete(mac);
      }
      if (type !== 'report') continue;
      const reports = this.reports.get(mac) ?? new Set();
      this.reports.set(mac, reports);
      if (effect.change === 'detach') expect(reports.delete(whose)).toBe(true);
      else {
        reports.add(whose);
        this.asks.push({ mac, key: to, ask: effect.ask });
      }
    }
  }
}

it('whatever happens in whatever order: each row is reported once by its owner, nothing is left when all TSIs are gone', () => {
  const keys = [A, B, key('c', 'access0')];
  const mac = fc.integer({ min: 0, max: 3 }).map(macOf);
  const event = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        type: fc.constant('seen' as const),
        mac,
        key: fc.constantFrom(...keys),
        isNamed: fc.boolean(),
        isElsewhere: fc.boolean(),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        type: fc.constant('answer' as const),
        pick: fc.nat(),
        result: fc.constantFrom('taken' as const, 'refused' as const, 'away' as const),
      }),
    },
    fc.record({ type: fc.constantFrom('claimed' as const, 'moved' as const, 'failed' as const), mac }),
    fc.record({ type: fc.constant('left' as const), key: fc.constantFrom(...keys) }),
    fc.record({ type: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: MOVES_MS }) }),
  );
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), (events) => {
      const machine = new Learning();
      const world = new World();
      let time = 0;
      for (const one of events) {
        if (one.type === 'wait') {
          time += one.ms;
        } else if (one.type === 'answer') {
          const [asked] = world.asks.splice(one.pick % Math.max(1, world.asks.length), 1);
          if (asked === undefined) continue;
          const { result } = one;
          const whose = `${asked.key.tsi} ${asked.key.link}`;
          const effects = machine.handle({ type: 'reported', vn: VN, ...asked, result }, time);
          // What the NVA refused is not there; an answer to what is over changes nothing.
          if (result === 'refused' && (effects.length > 0 || !world.rows.has(asked.mac))) {
            const isLast = !world.asks.some(({ mac: other, ask }) => other === asked.mac && ask > asked.ask);
            if (isLast) world.reports.get(asked.mac)?.delete(whose);
          }
          world.execute(effects);
        } else {
          world.execute(machine.handle({ vn: VN, ...one } as LearningEvent, time));
        }
        for (const [of, owner] of world.rows) expect([...(world.reports.get(of) ?? [])]).toEqual([owner]);
      }
      for (const at of keys) world.execute(machine.handle({ type: 'left', vn: VN, key: at }, time));
      expect([...world.rows]).toEqual([]);
      expect([...world.reports.values()].flatMap((owners) => [...owners])).toEqual([]);
      expect(machine.size).toBe(0);
    }),
  );
});
