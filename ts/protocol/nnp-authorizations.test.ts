/** How many questions the NVA has at a time, and whose turn is next. */
import { describe, expect, it } from 'vitest';
import type { LinkName, TsiId } from '#model';
import type { NnpFrame } from '#wire';
import { MAX_OUT, MAX_WAITING } from './nnp-authorizations.js';
import type { AuthorizeRequest } from './nnp-types.js';
import { NnpRig, request } from './testing/nnp-rig.js';

/** Call `n` is the n-th question of a rig. */
const on = (link: string, n: number): AuthorizeRequest => ({
  ...request(),
  tsi: `${link}-${n}` as TsiId,
  port: link as LinkName,
});
const ask = (rig: NnpRig, link: string, count: number, deadlineMs?: number): string[] =>
  Array.from({ length: count }, (_, n) => rig.authorize(on(link, n + 1), deadlineMs)).flat();
const denied = (qid: number, ttlS = 0): NnpFrame => {
  return { kind: 'authAck', channel: 0, qid, allow: false, code: 'NVE-NVA-001', text: 'no VN', vn: null, ttlS };
};

describe('a flood of questions', () => {
  it('is out only in part; each answer lets the next one out', () => {
    const rig = new NnpRig().up();
    expect(ask(rig, 'acc0', 1000)).toHaveLength(MAX_OUT);
    const next = MAX_OUT + 1;
    expect(rig.frame(denied(7))).toEqual(['done 7 NVE-NVA-001', `send auth ${next} acc0-${next}`]);
    // One that was not asked, or is answered again, makes no room.
    expect(rig.frame(denied(7))).toEqual([]);
  });

  it('on one link does not hold up another: the links take turns', () => {
    const rig = new NnpRig().up();
    ask(rig, 'acc0', 1000);
    expect(ask(rig, 'acc1', 2)).toEqual([]);
    expect(ask(rig, 'acc2', 1)).toEqual([]);
    const asked = [1, 2, 3, 4, 5, 6].map((qid) => rig.frame(denied(qid))[1]?.split(' ').at(-1));
    expect(asked).toEqual(['acc0-257', 'acc1-1', 'acc2-1', 'acc0-258', 'acc1-2', 'acc0-259']);
  });

  it('is refused when too many of its link wait; another link is not', () => {
    const rig = new NnpRig().up();
    ask(rig, 'acc0', MAX_OUT + MAX_WAITING);
    const call = MAX_OUT + MAX_WAITING + 1;
    expect(rig.authorize(on('acc0', call))).toEqual([`done ${call} NVE-NNP-012`]);
    expect(rig.authorize(on('acc1', 1))).toEqual([]);
    rig.frame(denied(1));
    expect(rig.frame(denied(2))).toEqual(['done 2 NVE-NVA-001', `send auth ${MAX_OUT + 2} acc1-1`]);
    // There is room again.
    expect(rig.authorize(on('acc0', call))).toEqual([]);
  });

  it('before the first session goes out with it, as far as it may, in turns', () => {
    const rig = new NnpRig();
    rig.do({ type: 'start' });
    ask(rig, 'acc0', 1000);
    ask(rig, 'acc1', 1);
    rig.do({ type: 'open' });
    const sent = rig.greet().filter((effect) => effect.startsWith('send auth'));
    expect(sent).toHaveLength(MAX_OUT);
    expect(sent.slice(0, 3)).toEqual(['send auth 1 acc0-1', 'send auth 2 acc1-1', 'send auth 3 acc0-2']);
  });

  it('that the NVA never answers ends with its deadlines, those that wait too, and makes room', () => {
    const rig = new NnpRig().up();
    ask(rig, 'acc0', MAX_OUT + 1, 1000);
    rig.now += 500;
    expect(rig.authorize(on('acc1', 1), 1000)).toEqual([]);
    const effects = rig.tick(500);
    expect(effects.filter((effect) => /^done \d+ NVE-NNP-002$/.test(effect))).toHaveLength(MAX_OUT + 1);
    expect(effects.slice(MAX_OUT + 1)).toEqual([`send auth ${MAX_OUT + 1} acc1-1`]);
  });

  it('ends with the session: what is out and what waits', () => {
    const rig = new NnpRig().up();
    ask(rig, 'acc0', 1000);
    const effects = rig.do({ type: 'closed', cause: 'gone' });
    expect(effects.filter((effect) => /^done \d+ NVE-NNP-001$/.test(effect))).toHaveLength(1000);
    expect(rig.client.nextDeadline()).toBe(rig.now + 100);
  });
});

describe('a question that nobody wants answered any more', () => {
  it('is not asked if it waits, and its room is free', () => {
    const rig = new NnpRig().up();
    ask(rig, 'acc0', MAX_OUT + 2);
    expect(rig.do({ type: 'callOff', call: MAX_OUT + 1 })).toEqual([`done ${MAX_OUT + 1} NVE-NNP-010`]);
    expect(rig.do({ type: 'callOff', call: MAX_OUT + 1 })).toEqual([]);
    expect(rig.frame(denied(1))).toEqual(['done 1 NVE-NVA-001', `send auth ${MAX_OUT + 1} acc0-${MAX_OUT + 2}`]);
    expect(rig.frame(denied(2))).toEqual(['done 2 NVE-NVA-001']);
  });

  it('counts as out until the NVA has answered, if it is', () => {
    const rig = new NnpRig().up();
    ask(rig, 'acc0', MAX_OUT + 1);
    expect(rig.do({ type: 'callOff', call: 1 })).toEqual([]);
    expect(rig.frame(denied(1))).toEqual(['done 1 NVE-NVA-001', `send auth ${MAX_OUT + 1} acc0-${MAX_OUT + 1}`]);
  });
});
