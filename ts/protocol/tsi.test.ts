/** Scenarios of the TSI life cycle. The single steps are in tsi-table.test.ts. */
import { describe, expect, it } from 'vitest';
import { vidOfTag } from '#model';
import type { TsiEvent } from './index.js';
import { QUARANTINE_MS } from './tag-pool.js';
import { key, mac, TsiRig, vnInfo } from './testing/tsi-rig.js';

describe('attach and detach', () => {
  it('asks the NVA, reserves, programs, reports, and takes all back', () => {
    const rig = new TsiRig();
    expect(rig.attach()).toEqual(['askAuth t1@acc0 blue [1]']);
    expect(rig.allow()).toEqual(['connectVn blue', 'reserve t1@acc0 100']);
    expect(rig.applied()).toEqual(['program t1@acc0 100 [1] first']);
    expect(rig.applied()).toEqual(['report attach t1@acc0 [1]', 'answer 1 activated']);
    expect(rig.table.rows()).toEqual([
      {
        tsi: 't1',
        vn: 'blue',
        link: 'acc0',
        state: 'activated',
        tag: { kind: 'c-tag', vid: 100 },
        macs: ['02:00:00:00:00:01'],
        ips: ['10.0.0.1'],
        gateway: null,
        mtu: 1450,
        suspended: false,
        migrating: false,
        cause: null,
      },
    ]);
    expect(rig.ask('deassociate')).toEqual(['report detach t1@acc0 [1]', 'unprogram t1@acc0 100 [1] last']);
    expect(rig.applied()).toEqual(['release t1@acc0 100']);
    expect(rig.applied()).toEqual(['disconnectVn blue', 'answer 2 gone']);
    expect(rig.table.rows()).toEqual([]);
  });

  it('is idempotent at every level', () => {
    const rig = new TsiRig();
    rig.settle('activated');
    expect(rig.associate()).toEqual(['answer 2 activated']);
    expect(rig.attach()).toEqual(['answer 3 activated']);
    expect(rig.ask('activate')).toEqual(['answer 4 activated']);
    rig.ask('deassociate');
    rig.applied();
    rig.applied();
    expect(rig.ask('deassociate')).toEqual(['answer 6 gone']);
  });

  it('answers two who ask for the same with one run', () => {
    const rig = new TsiRig();
    rig.attach();
    expect(rig.associate()).toEqual([]);
    rig.allow();
    expect(rig.applied()).toEqual(['answer 2 associated', 'program t1@acc0 100 [1] first']);
    expect(rig.applied()).toEqual(['report attach t1@acc0 [1]', 'answer 1 activated']);
  });

  it('an association that meets a de-association begins anew after it', () => {
    const rig = new TsiRig();
    rig.settle('activated');
    rig.ask('deassociate');
    expect(rig.attach([2])).toEqual([]);
    rig.applied();
    expect(rig.applied()).toEqual(['disconnectVn blue', 'answer 2 gone', 'askAuth t1@acc0 blue [2]']);
    // Its deadline counts while it waits.
    rig.ask('deassociate');
    rig.settle('associated', [1]);
    rig.ask('deassociate');
    rig.attach([4]);
    expect(rig.expire()).toEqual([`answer ${rig.request} NVE-RPC-004`]);
    expect(rig.applied()).toEqual(['disconnectVn blue', `answer ${rig.request - 1} gone`]);
  });

  it('a denial and an answer too late leave nothing behind', () => {
    const rig = new TsiRig();
    rig.attach();
    const late = rig.asked.get(JSON.stringify(key()));
    expect(rig.deny()).toEqual(['answer 1 NVE-NVA-002']);
    rig.attach();
    expect(rig.do({ type: 'auth', key: key(), ask: late ?? 0, result: { ok: true, value: vnInfo() } })).toEqual([]);
    expect(rig.state()).toBe('authorizing');
  });

  it('an attach that the engine refuses half way is rolled back to nothing', () => {
    const rig = new TsiRig();
    rig.attach();
    rig.allow();
    rig.applied();
    expect(rig.refused()).toEqual(['answer 1 NVE-ENG-000', 'release t1@acc0 100']);
    expect(rig.applied()).toEqual(['disconnectVn blue']);
    expect(rig.table.rows()).toEqual([]);
  });

  it('an activation that the engine refuses leaves the association, with its cause', () => {
    const rig = new TsiRig();
    rig.settle('associated');
    rig.ask('activate');
    rig.refused();
    expect(rig.table.row(key())?.cause).toBe('NVE-ENG-000: the engine failed: table full');
    rig.ask('activate');
    rig.applied();
    expect(rig.table.row(key())?.cause).toBeNull();
  });

  it('an attach whose deadline passes while the engine works is undone, and never reported', () => {
    const rig = new TsiRig();
    rig.attach();
    rig.allow();
    rig.applied();
    expect(rig.expire()).toEqual(['answer 1 NVE-RPC-004']);
    expect(rig.applied()).toEqual(['unprogram t1@acc0 100 [1] last']);
    expect(rig.applied()).toEqual(['release t1@acc0 100']);
    expect(rig.applied()).toEqual(['disconnectVn blue']);
  });

  it('a deadline does not take back what somebody else waits for', () => {
    const rig = new TsiRig();
    rig.attach();
    rig.associate();
    expect(rig.expire(1)).toEqual(['answer 1 NVE-RPC-004']);
    rig.allow();
    expect(rig.applied()).toEqual(['answer 2 associated']);
  });
});

describe('what TSIs share', () => {
  it('one tag and one VAP per (link, VN), one connection per VN', () => {
    const rig = new TsiRig();
    rig.settle('activated', [1], key('t1'));
    rig.attach([2], key('t2'));
    expect(rig.allow(key('t2'))).toEqual(['reserve t2@acc0 100']);
    expect(rig.applied(key('t2'))).toEqual(['program t2@acc0 100 [2]']);
    rig.applied(key('t2'));
    rig.attach([3], key('t3', 'acc1'));
    expect(rig.allow(key('t3', 'acc1'))).toEqual(['reserve t3@acc1 100']);
    rig.attach([1], key('t4'), 'red');
    expect(rig.allow(key('t4'), vnInfo('red', 8))).toEqual(['connectVn red', 'reserve t4@acc0 101']);

    expect(rig.ask('deassociate', key('t1'))).toEqual(['report detach t1@acc0 [1]', 'unprogram t1@acc0 100 [1]']);
    rig.applied(key('t1'));
    expect(rig.applied(key('t1'))).toEqual(['answer 5 gone']);
    expect(rig.ask('deassociate', key('t2'))).toEqual(['report detach t2@acc0 [2]', 'unprogram t2@acc0 100 [2] last']);
  });

  it('a tag is free only after the engine has forgotten it, and a while', () => {
    const rig = new TsiRig([100, 100]);
    rig.settle('associated');
    rig.ask('deassociate');
    rig.associate([1], key('t2'), 'associated', 'red');
    expect(rig.allow(key('t2'), vnInfo('red', 8))).toEqual(['answer 3 NVE-TAG-001']);
    rig.applied();
    rig.now += QUARANTINE_MS;
    rig.associate([1], key('t2'), 'associated', 'red');
    expect(rig.allow(key('t2'), vnInfo('red', 8))).toEqual(['connectVn red', 'reserve t2@acc0 100']);
  });

  it('the same addresses in two VNs are two things', () => {
    const rig = new TsiRig();
    rig.settle('activated', [1], key('t1'));
    rig.settle('activated', [1], key('t2'), vnInfo('red', 8));
    expect(rig.table.rows().map((row) => `${row.vn} ${row.tag && vidOfTag(row.tag)} ${row.state}`)).toEqual([
      'blue 100 activated',
      'red 101 activated',
    ]);
  });
});

describe('refusals', () => {
  const code = (effects: string[]) => effects.map((effect) => effect.split(' ').at(-1));

  it('a MAC that another TSI of the VN holds, wants, or is about to have', () => {
    const rig = new TsiRig();
    rig.associate([1], key('t1'));
    expect(code(rig.associate([1], key('t2')))).toEqual(['NVE-TSI-003']);
    rig.allow(key('t1'));
    rig.applied(key('t1'));
    rig.addresses([5], key('t1'));
    expect(code(rig.associate([5], key('t2', 'acc1')))).toEqual(['NVE-TSI-003']);
    rig.settle('associated', [2], key('t2'));
    expect(code(rig.addresses([2], key('t1')))).toEqual(['NVE-TSI-003']);
    expect(code(rig.associate([2], key('t1')))).toEqual(['NVE-TSI-003']);
  });

  it('a TSI in two VNs, an unknown link, no MAC, too many addresses, a full link', () => {
    const rig = new TsiRig([100, 199], 2);
    rig.settle('associated');
    expect(code(rig.associate([1], key(), 'associated', 'red'))).toEqual(['NVE-TSI-002']);
    expect(code(rig.associate([1], key('t1', 'acc1'), 'associated', 'red'))).toEqual(['NVE-TSI-002']);
    expect(code(rig.associate([2], key('t2', 'no')))).toEqual(['NVE-TSI-004']);
    expect(code(rig.associate([], key('t2')))).toEqual(['NVE-TSI-009']);
    expect(code(rig.addresses(Array.from({ length: 65 }, (_, i) => i)))).toEqual(['NVE-TSI-010']);
    rig.settle('associated', [2], key('t2'));
    expect(code(rig.associate([3], key('t3')))).toEqual(['NVE-TSI-008']);
  });

  it('activation on a link that is down, but not association', () => {
    const rig = new TsiRig();
    rig.do({ type: 'linkDown', link: key().link });
    expect(code(rig.attach())).toEqual(['NVE-TSI-005']);
    rig.settle('associated');
    expect(code(rig.ask('activate'))).toEqual(['NVE-TSI-005']);
  });
});

describe('addresses', () => {
  it('are asked for, then programmed as a difference, then reported whole', () => {
    const rig = new TsiRig();
    rig.settle('activated', [1, 2]);
    expect(rig.addresses([2, 3])).toEqual(['askAuth t1@acc0 blue [2 3]']);
    expect(rig.table.row(key())?.macs).toHaveLength(2);
    expect(rig.allow()).toEqual(['program t1@acc0 100 [3] -[1]']);
    expect(rig.applied()).toEqual(['report attach t1@acc0 [2 3]', 'answer 2 activated']);
    expect(rig.table.row(key())?.macs).toEqual(['02:00:00:00:00:02', '02:00:00:00:00:03']);
  });

  it('changed while reserving are asked for as soon as it is associated', () => {
    const rig = new TsiRig();
    rig.attach([1]);
    rig.allow();
    rig.addresses([2]);
    expect(rig.applied()).toEqual(['askAuth t1@acc0 blue [2]']);
    expect(rig.allow()).toEqual(['answer 2 associated', 'program t1@acc0 100 [2] first']);
    expect(rig.applied()).toEqual(['report attach t1@acc0 [2]', 'answer 1 activated']);
  });

  it('a second change while the engine takes the first: both are done, in turn', () => {
    const rig = new TsiRig();
    rig.settle('activated', [1]);
    rig.addresses([2]);
    rig.allow();
    expect(rig.addresses([3])).toEqual([]);
    expect(rig.applied()).toEqual(['report attach t1@acc0 [2]', 'answer 2 activated', 'askAuth t1@acc0 blue [3]']);
    expect(rig.allow()).toEqual(['program t1@acc0 100 [3] -[2]']);
    expect(rig.applied()).toEqual(['report attach t1@acc0 [3]', 'answer 3 activated']);
  });

  it('a second change after the engine refused the first', () => {
    const rig = new TsiRig();
    rig.settle('activated', [1]);
    rig.addresses([2]);
    rig.allow();
    rig.addresses([3]);
    expect(rig.refused()).toEqual(['answer 2 NVE-ENG-000', 'askAuth t1@acc0 blue [3]']);
    expect(rig.allow()).toEqual(['program t1@acc0 100 [3] -[1]']);
    expect(rig.applied()).toEqual(['report attach t1@acc0 [3]', 'answer 3 activated']);
  });

  it('denied, they stay as they were', () => {
    const rig = new TsiRig();
    rig.settle('activated', [1]);
    rig.addresses([2]);
    expect(rig.deny()).toEqual(['answer 2 NVE-NVA-002']);
    expect(rig.table.row(key())?.macs).toEqual(['02:00:00:00:00:01']);
  });

  it('a VN that was made anew ends the TSI', () => {
    const rig = new TsiRig();
    rig.settle('activated', [1]);
    rig.addresses([2]);
    expect(rig.allow(key(), vnInfo('blue', 9))).toEqual([
      'ended t1@acc0 NVE-TSI-007',
      'answer 2 NVE-TSI-007',
      'report detach t1@acc0 [1]',
      'unprogram t1@acc0 100 [1] last',
    ]);
  });
});

describe('move', () => {
  const target = key('t1', 'acc1');

  it('the target takes the rows over; the source goes without touching them', () => {
    const rig = new TsiRig();
    rig.settle('activated', [1]);
    rig.associate([1], target);
    rig.allow(target);
    expect(rig.applied(target)).toEqual(['answer 2 associated']);
    expect(rig.ask('activate', target)).toEqual(['program t1@acc1 100 [1] first']);
    expect(rig.applied(target)).toEqual(['report attach t1@acc1 [1]', 'answer 3 activated']);
    expect(rig.ask('deassociate')).toEqual(['report detach t1@acc0 [1]', 'unprogram t1@acc0 100 [] last']);
    rig.applied();
    expect(rig.applied()).toEqual(['answer 4 gone']);
    expect(rig.table.rows().map((row) => `${row.link} ${row.state}`)).toEqual(['acc1 activated']);
  });

  it('called off, the rows go back to the source', () => {
    const rig = new TsiRig();
    rig.settle('activated', [1]);
    rig.settle('activated', [1], target);
    expect(rig.ask('deassociate', target)).toEqual([
      'report detach t1@acc1 [1]',
      'unprogram t1@acc1 100 [] 1->acc0/100 last',
    ]);
    rig.applied(target);
    rig.applied(target);
    expect(rig.ask('deassociate')).toEqual(['report detach t1@acc0 [1]', 'unprogram t1@acc0 100 [1] last']);
  });

  it('refused by the engine, the source still owns its rows', () => {
    const rig = new TsiRig();
    rig.settle('activated', [1]);
    rig.settle('associated', [1], target);
    rig.ask('activate', target);
    rig.refused(target);
    expect(rig.ask('deassociate')).toEqual(['report detach t1@acc0 [1]', 'unprogram t1@acc0 100 [1] last']);
    // The engine would not let go: as before.
    expect(rig.refused()).toEqual(['report attach t1@acc0 [1]', `answer ${rig.request} NVE-ENG-000`]);
    expect(rig.ask('deassociate')).toEqual(['report detach t1@acc0 [1]', 'unprogram t1@acc0 100 [1] last']);
  });

  it('a source that cannot go while the target has the rows does not get them back', () => {
    const rig = new TsiRig();
    rig.settle('activated', [1]);
    rig.settle('activated', [1], target);
    rig.ask('deassociate');
    rig.refused();
    expect(rig.ask('deassociate', target).at(-1)).toBe('unprogram t1@acc1 100 [] 1->acc0/100 last');
  });
});

describe('links', () => {
  const down: TsiEvent = { type: 'linkDown', link: key().link };
  const up: TsiEvent = { type: 'linkUp', link: key().link };

  it('what was activated falls back and comes again with the link', () => {
    const rig = new TsiRig();
    rig.settle('activated');
    rig.settle('associated', [2], key('t2'));
    expect(rig.do(down)).toEqual(['report detach t1@acc0 [1]', 'unprogram t1@acc0 100 [1] last']);
    rig.applied();
    expect(rig.table.row(key())).toMatchObject({ state: 'associated', cause: 'NVE-TSI-005: link acc0 is down' });
    expect(rig.do(up)).toEqual(['program t1@acc0 100 [1] first']);
    expect(rig.applied()).toEqual(['report attach t1@acc0 [1]']);
    expect(rig.table.row(key())?.cause).toBeNull();
    expect(rig.state(key('t2'))).toBe('associated');
  });

  it('a short flap does not lose it', () => {
    const rig = new TsiRig();
    rig.settle('activated');
    rig.do(down);
    rig.do(up);
    expect(rig.applied()).toEqual(['program t1@acc0 100 [1] first']);
  });

  it('deactivated meanwhile, it stays so', () => {
    const rig = new TsiRig();
    rig.settle('activated');
    rig.do(down);
    rig.ask('deactivate');
    expect(rig.applied()).toEqual(['answer 2 associated']);
    expect(rig.do(up)).toEqual([]);
  });
});

describe('revoke', () => {
  it('by VN, by link, by TSI', () => {
    const rig = new TsiRig();
    rig.settle('activated', [1], key('t1'));
    rig.settle('associated', [2], key('t2', 'acc1'));
    rig.settle('associated', [3], key('t3'), vnInfo('red', 8));
    expect(rig.do({ type: 'revoke', scope: { vn: vnInfo().vn }, reason: 'VN blue was deleted' })).toEqual([
      'ended t1@acc0 NVE-TSI-007',
      'report detach t1@acc0 [1]',
      'unprogram t1@acc0 100 [1] last',
      'ended t2@acc1 NVE-TSI-007',
      'release t2@acc1 100',
    ]);
    expect(rig.do({ type: 'revoke', scope: { link: key().link }, reason: 'x' })).toEqual([
      'ended t3@acc0 NVE-TSI-007',
      'release t3@acc0 101',
    ]);
    rig.settle('associated', [4], key('t4'));
    expect(rig.do({ type: 'revoke', scope: { tsi: key('t4').tsi }, reason: 'x' })).toEqual([
      'ended t4@acc0 NVE-TSI-007',
      'release t4@acc0 100',
    ]);
  });
});

describe('what VDP asks beyond the RPC', () => {
  const blue = vnInfo('blue', 7);
  const byVni = blue.vni as unknown as string;

  it('a VN by its VNI is the VN of that name as soon as the NVA says so', () => {
    const rig = new TsiRig();
    expect(rig.associate([1], key('t1'), 'associated', byVni)).toEqual(['askAuth t1@acc0 vni:5007 [1]']);
    expect(rig.table.row(key('t1'))).toMatchObject({ vn: 'vni:5007', state: 'authorizing' });
    rig.allow(key('t1'), blue);
    rig.applied(key('t1'));
    expect(rig.table.row(key('t1'))).toMatchObject({ vn: 'blue', tag: { vid: 100 } });
    // By either name from now on.
    expect(rig.associate([1], key('t1'))).toEqual(['answer 2 associated']);
    expect(rig.associate([1], key('t1'), 'associated', 'red')).toEqual(['answer 3 NVE-TSI-002']);
    expect(rig.associate([1], key('t2'), 'associated', byVni)).toEqual(['answer 4 NVE-TSI-003']);
  });

  it('of two that turn out to be in one VN with one MAC one is refused', () => {
    const named = new TsiRig();
    named.associate([1], key('t1'), 'associated', 'blue');
    named.associate([1], key('t2'), 'associated', byVni);
    expect(named.allow(key('t2'), blue)).toEqual(['answer 2 NVE-TSI-003']);
    expect(named.state(key('t2'))).toBe('init');
    const numbered = new TsiRig();
    numbered.associate([1], key('t1'), 'associated', byVni);
    numbered.associate([1], key('t2'), 'associated', 'blue');
    numbered.allow(key('t2'), blue);
    expect(numbered.allow(key('t1'), blue)).toEqual(['answer 1 NVE-TSI-003']);
    expect(numbered.state(key('t1'))).toBe('init');
  });

  it('one TSI on two links that turn out to be two VNs: the later one is refused', () => {
    const rig = new TsiRig();
    rig.associate([1], key('t1', 'acc0'), 'associated', 'red');
    rig.associate([1], key('t1', 'acc1'), 'associated', byVni);
    rig.allow(key('t1', 'acc1'), blue);
    expect(rig.allow(key('t1', 'acc0'), vnInfo('red', 8))).toEqual(['answer 1 NVE-TSI-002']);
  });

  const ask = (rig: TsiRig, request: number, more: object, macs: number[] = [1], of = key()) =>
    rig.do({
      type: 'associate',
      request,
      key: of,
      vn: blue.name,
      macs: macs.map(mac),
      ips: [],
      upTo: 'associated',
      ...more,
    });

  it('a wish for a tag: that one, or NVE-TAG-003', () => {
    const rig = new TsiRig();
    ask(rig, 1, { vid: 150 });
    expect(rig.allow()).toEqual(['connectVn blue', 'reserve t1@acc0 150']);
    rig.applied();
    expect(ask(rig, 2, { vid: 150 })).toEqual(['answer 2 associated']);
    expect(ask(rig, 3, { vid: 151 })).toEqual(['answer 3 NVE-TAG-003']);
    ask(rig, 4, { vid: 151 }, [2], key('t2'));
    expect(rig.allow(key('t2'))).toEqual(['answer 4 NVE-TAG-003']);
  });

  it('no MACs where they are to be learned, and nowhere else', () => {
    const rig = new TsiRig();
    expect(ask(rig, 1, {}, [])).toEqual(['answer 1 NVE-TSI-009']);
    expect(ask(rig, 2, { learn: true, upTo: 'activated' }, [])).toEqual(['askAuth t1@acc0 blue []']);
    rig.allow();
    expect(rig.applied()).toEqual(['program t1@acc0 100 [] first']);
    expect(rig.applied()).toEqual(['report attach t1@acc0 []', 'answer 2 activated']);
  });

  it('hints are shown and change nothing else', () => {
    const rig = new TsiRig();
    rig.settle('associated');
    expect(rig.table.row(key())).toMatchObject({ suspended: false, migrating: false });
    const hints = { suspended: true, migrating: false };
    expect(rig.do({ type: 'deactivate', request: 9, key: key(), hints })).toEqual(['answer 9 associated']);
    expect(rig.table.row(key())).toMatchObject({ state: 'associated', suspended: true });
    rig.ask('activate');
    rig.applied();
    expect(rig.table.row(key())).toMatchObject({ state: 'activated', suspended: true });
  });

  it('a MAC that was given up is free, however often the addresses change', () => {
    const rig = new TsiRig();
    rig.settle('associated', [1], key('t1'));
    for (let n = 0; n < 300; n++) {
      const macs = [`02:01:00:00:${(n >> 8).toString(16).padStart(2, '0')}:${(n & 255).toString(16).padStart(2, '0')}`];
      rig.do({ type: 'addresses', change: 'set', request: 1000 + n, key: key('t1'), macs: macs as never, ips: [] });
      rig.allow(key('t1'));
    }
    const take = (one: string) =>
      rig.do({
        type: 'associate',
        request: 1,
        key: key('t2'),
        vn: blue.name,
        macs: [one as never],
        ips: [],
        upTo: 'associated',
      });
    expect(take('02:01:00:00:01:2b')).toEqual(['answer 1 NVE-TSI-003']);
    expect(take('02:01:00:00:00:05')).toEqual(['askAuth t2@acc0 blue [5]']);
    rig.deny(key('t2'));
    rig.ask('deassociate', key('t1'));
    rig.applied(key('t1'));
    expect(take('02:01:00:00:01:2b')).toEqual(['askAuth t2@acc0 blue [43]']);
  });
});
