/** The NVE's session with its NVA, step by step. Over real sockets it is tested in ts/nva. */
import { describe, expect, it } from 'vitest';
import type { NnpFrame } from '#wire';
import { attachment, NnpRig, request, set, vnInfo } from './testing/nnp-rig.js';

const authAck = (qid: number, ttlS = 60, allow = true): NnpFrame => ({
  kind: 'authAck',
  channel: 0,
  qid,
  allow,
  code: allow ? null : 'NVE-NVA-002',
  text: allow ? null : 'no',
  vn: allow ? vnInfo() : null,
  ttlS,
});

describe('a session', () => {
  it('greets, reports in full, then subscribes', () => {
    const rig = new NnpRig();
    rig.subscribe();
    rig.report('attach');
    expect(rig.do({ type: 'start' })).toEqual(['dial tls:nva:1']);
    expect(rig.do({ type: 'open' })).toEqual(['send hello']);
    expect(rig.greet()).toEqual(['connected nva1 e1', 'send report 1 full [attach t1]', 'send sub#1 7 nil']);
    expect(rig.client.status()).toMatchObject({ state: 'connected', nvaId: 'nva1', subscriptions: 1, attachments: 1 });
  });

  it('pings in silence, and dies of it', () => {
    const rig = new NnpRig().up();
    expect(rig.tick(2999)).toEqual([]);
    expect(rig.tick(1)).toEqual(['send ping 1']);
    rig.frame({ kind: 'pong', channel: 0, nonce: 1 });
    expect(rig.tick(3000)).toEqual(['send ping 2']);
    expect(rig.tick(3000)).toEqual(['send ping 3']);
    expect(rig.tick(3999)).toEqual(['send ping 4']);
    expect(rig.tick(1)).toEqual(['send error NVE-NNP-005', 'close', 'disconnected NVE-NNP-005']);
  });

  it('answers PING', () => {
    const rig = new NnpRig().up();
    expect(rig.frame({ kind: 'ping', channel: 0, nonce: 9 })).toEqual(['send pong 9']);
  });

  it('says when `tick` is due', () => {
    const rig = new NnpRig();
    expect(rig.client.nextDeadline()).toBeNull();
    rig.do({ type: 'start' });
    expect(rig.client.nextDeadline()).toBe(rig.now + 2000);
    rig.do({ type: 'open' });
    expect(rig.client.nextDeadline()).toBe(rig.now + 5000);
    rig.greet();
    rig.frame({ kind: 'reportAck', channel: 0, seq: 1n, rejects: [] });
    expect(rig.client.nextDeadline()).toBe(rig.now + 3000);
    rig.authorize(request(), 100);
    expect(rig.client.nextDeadline()).toBe(rig.now + 100);
    rig.do({ type: 'stop' });
    expect(rig.client.nextDeadline()).toBeNull();
  });

  it('is given up when the NVA does not answer SUB or REPORT', () => {
    const sub = new NnpRig().up();
    sub.subscribe(7, 60_000);
    for (let i = 0; i < 9; i++) {
      sub.tick(1000);
      sub.frame({ kind: 'ping', channel: 0, nonce: 1 });
    }
    expect(sub.tick(1000)).toEqual(['send error NVE-NNP-002', 'close', 'disconnected NVE-NNP-002']);
  });

  it('doubles its back-off up to the limit, with full jitter, and begins anew after a good session', () => {
    const rig = new NnpRig({ random: () => 1 - Number.EPSILON });
    rig.do({ type: 'start' });
    const waits: number[] = [];
    for (let i = 0; i < 10; i++) {
      rig.do({ type: 'closed', cause: 'refused' });
      const wait = (rig.client.nextDeadline() ?? 0) - rig.now;
      waits.push(Math.round(wait));
      rig.tick(wait);
    }
    expect(waits).toEqual([200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000]);
    rig.do({ type: 'open' });
    rig.greet();
    rig.do({ type: 'closed', cause: 'gone' });
    expect(Math.round((rig.client.nextDeadline() ?? 0) - rig.now)).toBe(30_000);
    rig.tick(30_000);
    rig.do({ type: 'open' });
    rig.greet();
    rig.now += 10_000;
    rig.do({ type: 'closed', cause: 'gone' });
    expect(Math.round((rig.client.nextDeadline() ?? 0) - rig.now)).toBe(200);
  });

  it('stop calls everything off', () => {
    const rig = new NnpRig().up();
    rig.subscribe();
    rig.authorize();
    rig.report('attach');
    expect(rig.do({ type: 'stop' })).toEqual([
      'close',
      'done 1 NVE-NNP-010',
      'done 2 NVE-NNP-010',
      'done 3 NVE-NNP-010',
    ]);
    expect(rig.client.status().state).toBe('stopped');
  });

  it('frames after the end of a session are of no account', () => {
    const rig = new NnpRig().up();
    rig.do({ type: 'closed', cause: 'gone' });
    expect(rig.frame({ kind: 'ping', channel: 0, nonce: 1 })).toEqual([]);
    expect(rig.do({ type: 'open' })).toEqual([]);
    expect(rig.do({ type: 'closed', cause: 'again' })).toEqual([]);
  });

  it.each<NnpFrame['kind']>(['hello', 'helloAck', 'auth', 'sub', 'unsub', 'ack', 'nack', 'report'])(
    'ends when the NVA sends %s',
    (kind) => {
      const rig = new NnpRig().up();
      const effects = rig.frame({ kind, channel: 0 } as NnpFrame);
      expect(effects).toEqual(['send error NVE-NNP-004', 'close', 'disconnected NVE-NNP-004']);
    },
  );

  it('an ERROR of the NVA keeps its code and text', () => {
    const rig = new NnpRig().up();
    const effects = rig.raw({
      type: 'frame',
      frame: { kind: 'error', channel: 0, code: 'NVE-NVA-006', text: 'NVE a is unknown' },
    });
    const error = effects.flatMap((effect) => (effect.type === 'disconnected' ? [effect.error] : []))[0];
    expect(error?.message).toBe('the session ended: NVE-NVA-006 NVE a is unknown');
    expect(error?.cause).toMatchObject({ code: 'NVE-NVA-006', hint: expect.stringContaining('Register this NVE') });
  });
});

describe('AUTH', () => {
  it('asks the NVA each time while it is there', () => {
    const rig = new NnpRig().up();
    expect(rig.authorize()).toEqual(['send auth 1 t1']);
    expect(rig.frame(authAck(1))).toEqual(['done 1 ok']);
    expect(rig.authorize()).toEqual(['send auth 2 t1']);
    expect(rig.frame(authAck(2, 60, false))).toEqual(['done 2 NVE-NVA-002']);
    expect(rig.frame(authAck(2))).toEqual([]);
  });

  it('while it is away, a verdict counts within its time to live, and no longer', () => {
    const rig = new NnpRig().up();
    rig.authorize();
    rig.frame(authAck(1, 60));
    rig.authorize(request('t2'));
    rig.do({ type: 'closed', cause: 'gone' });
    expect(rig.authorize()).toEqual(['done 3 ok']);
    expect(rig.authorize(request('t3'))).toEqual(['done 4 NVE-NNP-001']);
    rig.now += 60_000;
    expect(rig.authorize()).toEqual(['done 5 NVE-NNP-001']);
  });

  it('one that is out when the session is lost is answered at once, from what is known', () => {
    const rig = new NnpRig().up();
    rig.authorize();
    rig.frame(authAck(1));
    rig.authorize();
    rig.authorize(request('t2'));
    expect(rig.do({ type: 'closed', cause: 'gone' })).toEqual([
      'disconnected NVE-NNP-001',
      'done 2 ok',
      'done 3 NVE-NNP-001',
    ]);
  });

  it('without an answer in time an earlier verdict counts, or it is an error', () => {
    const rig = new NnpRig().up();
    rig.authorize();
    rig.frame(authAck(1));
    rig.authorize(request(), 100);
    rig.authorize(request('t2'), 100);
    expect(rig.tick(100)).toEqual(['done 2 ok', 'done 3 NVE-NNP-002']);
  });

  it('a verdict of no duration is not kept', () => {
    const rig = new NnpRig().up();
    rig.authorize();
    rig.frame(authAck(1, 0));
    rig.do({ type: 'closed', cause: 'gone' });
    expect(rig.authorize()).toEqual(['done 2 NVE-NNP-001']);
  });

  it('before the first session it waits for that, and not for the second try', () => {
    const rig = new NnpRig();
    rig.do({ type: 'start' });
    expect(rig.authorize()).toEqual([]);
    rig.do({ type: 'open' });
    expect(rig.greet()).toContain('send auth 1 t1');
    const other = new NnpRig();
    other.do({ type: 'start' });
    other.authorize();
    expect(other.do({ type: 'closed', cause: 'refused' })).toEqual(['disconnected NVE-NNP-001', 'done 1 NVE-NNP-001']);
  });

  it('verdicts follow the VN object', () => {
    const rig = new NnpRig().up().synced();
    rig.authorize();
    rig.frame(authAck(1));
    const ops = set({ kind: 'vn', ...vnInfo(), vni: 6000 as never });
    rig.delta(10n, 11n, ops);
    rig.do({ type: 'closed', cause: 'gone' });
    const effects = rig.raw({ type: 'authorize', call: 99, request: request(), deadlineMs: 1000 });
    expect(effects).toMatchObject([{ type: 'done', result: { ok: true, value: { vni: 6000 } } }]);
  });
});

describe('REPORT', () => {
  it('is done when the NVA has it', () => {
    const rig = new NnpRig().up();
    expect(rig.report('attach')).toEqual(['send report 2 delta [attach t1]']);
    expect(rig.frame({ kind: 'reportAck', channel: 0, seq: 2n, rejects: [] })).toEqual(['done 1 ok']);
  });

  it('refused, it is not reported again', () => {
    const rig = new NnpRig().up();
    rig.report('attach');
    const rejects = [{ index: 0, code: 'NVE-NVA-003', text: 'held' }];
    expect(rig.frame({ kind: 'reportAck', channel: 0, seq: 2n, rejects })).toEqual(['done 1 NVE-NVA-003']);
    expect(rig.client.status().attachments).toBe(0);
  });

  it('an old refusal does not undo a newer attachment', () => {
    const rig = new NnpRig().up();
    rig.report('attach');
    rig.report('attach', attachment('t1', 2));
    const rejects = [{ index: 0, code: 'NVE-NVA-003', text: 'held' }];
    rig.frame({ kind: 'reportAck', channel: 0, seq: 2n, rejects });
    expect(rig.client.status().attachments).toBe(1);
  });

  it('while the NVA is away the present state is kept, and told in one full report', () => {
    const rig = new NnpRig().up();
    rig.report('attach', attachment('t1', 1));
    rig.do({ type: 'closed', cause: 'gone' });
    rig.report('attach', attachment('t2', 2));
    rig.report('detach', attachment('t2', 2));
    rig.report('attach', attachment('t3', 3));
    rig.now += 200;
    rig.do({ type: 'tick' });
    rig.do({ type: 'open' });
    expect(rig.greet()).toContain('send report 3 full [attach t1, attach t3]');
    const rejects = [{ index: 1, code: 'NVE-NVA-002', text: 'no' }];
    expect(rig.frame({ kind: 'reportAck', channel: 0, seq: 3n, rejects })).toEqual([
      'done 1 ok',
      'done 2 ok',
      'done 3 ok',
      'done 4 NVE-NVA-002',
    ]);
  });

  it('a refusal that nobody waits for is told by itself', () => {
    const rig = new NnpRig().up();
    rig.report('attach', attachment(), 100);
    expect(rig.tick(100)).toEqual(['done 1 NVE-NNP-002']);
    const rejects = [{ index: 0, code: 'NVE-NVA-002', text: 'no' }];
    expect(rig.frame({ kind: 'reportAck', channel: 0, seq: 2n, rejects })).toEqual(['reportRefused t1 NVE-NVA-002']);
    expect(rig.frame({ kind: 'reportAck', channel: 0, seq: 2n, rejects })).toEqual([]);
  });

  it('a full report that is too long for a frame comes in parts', () => {
    const rig = new NnpRig();
    const ips = Array.from({ length: 64 }, (_, i) => `10.0.0.${i}` as never);
    for (let i = 0; i < 1000; i++) rig.report('attach', { ...attachment(`t${i}`), ips });
    rig.do({ type: 'start' });
    rig.do({ type: 'open' });
    const reports = rig
      .raw({
        type: 'frame',
        frame: { kind: 'helloAck', channel: 0, proto: 1, nvaId: 'x', epoch: 'e', term: 1n, revision: 1n, holdMs: 1 },
      })
      .flatMap((effect) => (effect.type === 'send' && effect.frame.kind === 'report' ? [effect.frame] : []));
    expect(reports.map(({ mode }) => mode)).toEqual(['part', 'part', 'full']);
    expect(reports.reduce((sum, { items }) => sum + items.length, 0)).toBe(1000);
    const first = reports[0]?.items.length ?? 0;
    expect(rig.frame({ kind: 'reportAck', channel: 0, seq: 1n, rejects: [] })).toHaveLength(first);
  });
});
