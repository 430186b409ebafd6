/** The TSI life cycle under random events: what must hold whatever happens. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { key, TsiRig, vnInfo } from './testing/tsi-rig.js';

describe('under any sequence of events', () => {
  const request = fc.oneof(
    fc.record({
      do: fc.constantFrom('associate', 'attach'),
      tsi: fc.nat(2),
      link: fc.nat(1),
      mac: fc.nat(3),
      vn: fc.nat(1),
    }),
    fc.record({ do: fc.constantFrom('activate', 'deactivate', 'deassociate'), tsi: fc.nat(2), link: fc.nat(1) }),
    fc.record({ do: fc.constantFrom('allow', 'deny', 'applied', 'refused'), tsi: fc.nat(2), link: fc.nat(1) }),
    fc.record({ do: fc.constant('addresses'), tsi: fc.nat(2), link: fc.nat(1), mac: fc.nat(3) }),
    fc.record({ do: fc.constant('expire'), back: fc.nat(5) }),
    fc.record({ do: fc.constantFrom('linkDown', 'linkUp'), link: fc.nat(1) }),
    fc.record({ do: fc.constant('revoke'), vn: fc.nat(1) }),
  ) as fc.Arbitrary<{ do: string; tsi?: number; link?: number; mac?: number; vn?: number; back?: number }>;
  const vns = [vnInfo('blue', 7), vnInfo('red', 8)] as const;

  it('every request has one answer, rows of the engine and reports match the states, and all can be taken back', () => {
    fc.assert(
      fc.property(fc.array(request, { maxLength: 120 }), (steps) => {
        const rig = new TsiRig([100, 101]);
        const answers = new Map<number, number>();
        const reported = new Set<string>();
        const note = (effects: string[]) => {
          for (const effect of effects) {
            const [what = '', ...rest] = effect.split(' ');
            if (what === 'answer') answers.set(Number(rest[0]), (answers.get(Number(rest[0])) ?? 0) + 1);
            if (what === 'report') {
              if (rest[0] === 'attach') reported.add(rest[1] ?? '');
              else expect(reported.delete(rest[1] ?? '')).toBe(true);
            }
          }
        };
        const fire = (step: (typeof steps)[number]) => {
          const of = key(`t${step.tsi}`, `acc${step.link}`);
          const vn = vns[step.vn ?? 0] ?? vns[0];
          const { link } = of;
          switch (step.do) {
            case 'associate':
              return rig.associate([step.mac ?? 0], of, 'associated', vn.name);
            case 'attach':
              return rig.attach([step.mac ?? 0], of, vn.name);
            case 'activate':
            case 'deactivate':
            case 'deassociate':
              return rig.ask(step.do, of);
            case 'addresses':
              return rig.addresses([step.mac ?? 0], of);
            case 'allow':
              return rig.allow(of, vns.find(({ name }) => name === rig.table.row(of)?.vn) ?? vn);
            case 'deny':
              return rig.deny(of);
            case 'applied':
              return rig.applied(of);
            case 'refused':
              return rig.refused(of);
            case 'expire':
              return rig.expire(rig.request - (step.back ?? 0));
            case 'linkDown':
            case 'linkUp':
              return rig.do({ type: step.do, link });
            default:
              return rig.do({ type: 'revoke', scope: { vn: vn.vn }, reason: 'test' });
          }
        };
        for (const step of steps) {
          note(fire(step));
          // A MAC of a VN belongs to one TSI.
          const holders = new Map<string, string>();
          for (const row of rig.table.rows()) {
            for (const one of row.macs) {
              const held = `${row.vn} ${one}`;
              expect(holders.get(held) ?? row.tsi).toBe(row.tsi);
              holders.set(held, row.tsi);
            }
            // Nothing is allocated before the NVA allowed it, and what is there has its tag.
            expect(row.tag === null).toBe(row.state === 'authorizing');
          }
          // Only what forwards is reported.
          for (const where of reported) {
            expect(['activated']).toContain(rig.state(key(...(where.split('@') as [string, string]))));
          }
        }
        // Take all back: the tables must be empty, and everybody must have an answer.
        for (let round = 0; round < 20 && (round < 6 || rig.table.rows().length > 0); round++) {
          for (const tsi of [0, 1, 2]) {
            for (const link of [0, 1]) {
              if (round < 3) note(rig.ask('deassociate', key(`t${tsi}`, `acc${link}`)));
              note(rig.applied(key(`t${tsi}`, `acc${link}`)));
              note(rig.deny(key(`t${tsi}`, `acc${link}`)));
            }
          }
        }
        expect(rig.table.rows()).toEqual([]);
        expect(reported.size).toBe(0);
        for (let asked = 1; asked <= rig.request; asked++) expect(answers.get(asked)).toBe(1);
      }),
      { numRuns: 400 },
    );
  });
});
