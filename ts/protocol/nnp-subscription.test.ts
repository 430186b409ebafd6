/** What an NVE does with what its NVA pushes, step by step: snapshots, deltas, gaps, sweeps, tokens. */
import { describe, expect, it } from 'vitest';
import { nveError } from '#model';
import type { NnpFrame } from '#wire';
import { NnpRig, object, set, unsetHost, vn } from './testing/nnp-rig.js';

describe('a subscription', () => {
  it('takes a snapshot piece by piece; only its end is acknowledged', () => {
    const rig = new NnpRig().up();
    rig.subscribe();
    rig.subAck('snapshot');
    expect(rig.frame({ kind: 'snapBegin', channel: 1, revision: 10n })).toEqual([]);
    expect(rig.frame({ kind: 'snap', channel: 1, ops: set(object.vn(), object.nve(), object.member()) })).toEqual([
      'mapping vn=blue +b @0',
    ]);
    expect(rig.do({ type: 'applied', vn: vn(7), revision: 0n })).toEqual([]);
    expect(rig.frame({ kind: 'snap', channel: 1, ops: set(object.host(1), object.host(2)) })).toEqual([
      'mapping +01 +02 @0',
    ]);
    expect(rig.frame({ kind: 'sync', channel: 1, revision: 10n, count: 5 })).toEqual([
      'mapping @10 synced',
      'done 1 ok',
    ]);
    expect(rig.do({ type: 'applied', vn: vn(7), revision: 10n })).toEqual(['send ack#1 10/10']);
    expect(rig.do({ type: 'applied', vn: vn(7), revision: 10n })).toEqual([]);
  });

  it('tells the NVA what the engine refused', () => {
    const rig = new NnpRig().up().synced();
    const error = nveError('NVE-ENG-000', { reason: 'full' });
    expect(rig.do({ type: 'refused', vn: vn(7), revision: 10n, error })).toEqual(['send nack#1 10 NVE-ENG-000']);
  });

  it('takes deltas in order, and bookmarks', () => {
    const rig = new NnpRig().up().synced();
    expect(rig.delta(10n, 12n, set(object.host(2)))).toEqual(['mapping +02 @12']);
    expect(rig.frame({ kind: 'bookmark', channel: 1, revision: 20n })).toEqual([]);
    expect(rig.delta(20n, 21n, [unsetHost(1)])).toEqual(['mapping -01 @21']);
    expect(rig.hosts()).toEqual(['02 b']);
  });

  it('within one change a key is set or removed, whatever happened in between', () => {
    const rig = new NnpRig().up().synced();
    const ops = [unsetHost(1), ...set(object.host(2)), unsetHost(2), ...set(object.host(1, 'c'))];
    expect(rig.delta(10n, 11n, ops)).toEqual(['mapping +01 @11']);
  });

  it('a VN that is deleted and made anew within one frame is two changes, and takes the attachments with it', () => {
    const rig = new NnpRig().up().synced();
    rig.report('attach');
    const key = { kind: 'vn' as const, vn: vn(7) };
    const ops = [unsetHost(1), { op: 'delete' as const, revision: 11n, key }, ...set(object.vn(), object.host(2))];
    expect(rig.delta(10n, 12n, ops)).toEqual([
      'mapping no-vn -01 @0',
      'send report 3 delta [detach t1]',
      'mapping vn=blue +02 @12',
    ]);
    expect(rig.client.status().attachments).toBe(0);
  });

  it('heals a gap by subscribing again with its token, and ignores what comes before the answer', () => {
    const rig = new NnpRig().up().synced();
    expect(rig.delta(11n, 12n, set(object.host(2)))).toEqual(['send sub#1 7 e1:10']);
    expect(rig.delta(12n, 13n, set(object.host(3)))).toEqual([]);
    expect(rig.subAck('delta', 10n)).toEqual(['mapping @10 synced']);
    expect(rig.delta(10n, 13n, set(object.host(2), object.host(3)))).toEqual(['mapping +02 +03 @13']);
  });

  it('the second gap in a row asks for everything, the third ends the session', () => {
    const rig = new NnpRig().up().synced();
    rig.delta(11n, 12n, []);
    rig.subAck('delta', 10n);
    expect(rig.delta(11n, 12n, [])).toEqual(['send sub#1 7 e1:0']);
    rig.subAck('snapshot');
    expect(rig.snapshot(12n, [object.vn()], 99).at(-3)).toBe('send error NVE-NNP-004');
    expect(rig.hosts()).toEqual(['01 b']);
  });

  it('a snapshot that counts wrong is not swept with', () => {
    const rig = new NnpRig().up().synced();
    rig.delta(11n, 12n, []);
    rig.subAck('snapshot');
    expect(rig.snapshot(12n, [object.vn()], 2).at(-1)).toBe('send sub#1 7 e1:0');
    expect(rig.hosts()).toEqual(['01 b']);
    rig.subAck('snapshot');
    expect(rig.snapshot(12n, [object.vn()]).at(-1)).toBe('mapping -01 -b @12 synced');
    // All is well again: a gap is a first one.
    expect(rig.delta(1n, 2n, [])).toEqual(['send sub#1 7 e1:12']);
  });

  it('keeps its mappings without a session, and resumes by token', () => {
    const rig = new NnpRig().up().synced();
    rig.do({ type: 'closed', cause: 'gone' });
    expect(rig.hosts()).toEqual(['01 b']);
    expect(rig.client.view(vn(7))?.live).toBe(false);
    rig.tick(30_000);
    rig.do({ type: 'open' });
    expect(rig.greet()).toContain('send sub#1 7 e1:10');
    rig.subAck('delta', 10n);
    expect(rig.client.view(vn(7))?.live).toBe(true);
  });

  it('in a new epoch the snapshot sweeps, and only at its end', () => {
    const rig = new NnpRig()
      .up()
      .synced(10n, [object.vn(), object.nve(), object.member(), object.host(1), object.host(2)]);
    rig.do({ type: 'closed', cause: 'gone' });
    rig.tick(30_000);
    rig.do({ type: 'open' });
    expect(rig.greet('e2')).toContain('send sub#1 7 e1:10');
    rig.subAck('snapshot');
    rig.frame({ kind: 'snapBegin', channel: 1, revision: 3n });
    rig.frame({ kind: 'snap', channel: 1, ops: set(object.vn(), object.nve(), object.member(), object.host(2)) });
    expect(rig.hosts()).toEqual(['01 b', '02 b']);
    expect(rig.frame({ kind: 'sync', channel: 1, revision: 3n, count: 4 })).toEqual(['mapping -01 @3 synced']);
    expect(rig.do({ type: 'applied', vn: vn(7), revision: 3n })).toEqual(['send ack#1 3/3']);
  });

  it('an open snapshot may take back what it has set', () => {
    const rig = new NnpRig().up();
    rig.subscribe();
    rig.subAck('snapshot');
    rig.frame({ kind: 'snapBegin', channel: 1, revision: 3n });
    rig.frame({ kind: 'snap', channel: 1, ops: set(object.vn(), object.host(1)) });
    expect(rig.frame({ kind: 'snap', channel: 1, ops: [unsetHost(1)] })).toEqual(['mapping -01 @0']);
    expect(rig.frame({ kind: 'sync', channel: 1, revision: 5n, count: 1 })).toContain('mapping @5 synced');
  });

  it('broken off in a snapshot, it has no token that could be right', () => {
    const rig = new NnpRig().up().synced();
    rig.delta(11n, 12n, []);
    rig.subAck('snapshot');
    rig.frame({ kind: 'snapBegin', channel: 1, revision: 20n });
    rig.do({ type: 'closed', cause: 'gone' });
    rig.tick(30_000);
    rig.do({ type: 'open' });
    expect(rig.greet()).toContain('send sub#1 7 e1:0');
  });

  it('a snapshot without being asked for it begins with SUB_ACK', () => {
    const rig = new NnpRig().up().synced();
    expect(rig.subAck('snapshot')).toEqual([]);
    expect(rig.snapshot(30n, [object.vn()])).toEqual(['mapping -01 -b @30 synced']);
  });

  it.each<[string, NnpFrame]>([
    ['SNAP_BEGIN', { kind: 'snapBegin', channel: 1, revision: 20n }],
    ['SNAP', { kind: 'snap', channel: 1, ops: [] }],
    ['SYNC', { kind: 'sync', channel: 1, revision: 20n, count: 0 }],
    [
      'an object of another VN',
      { kind: 'delta', channel: 1, prevRevision: 10n, revision: 11n, ops: set(object.vn(8)) },
    ],
  ])('%s while it is live ends the session', (_, frame) => {
    const rig = new NnpRig().up().synced();
    expect(rig.frame(frame)).toContain('send error NVE-NNP-004');
  });

  it('denied, it is gone, with all its mappings', () => {
    const rig = new NnpRig().up().synced();
    rig.do({ type: 'closed', cause: 'gone' });
    rig.tick(30_000);
    rig.do({ type: 'open' });
    rig.greet();
    expect(rig.subAck('denied', 0n, 1, 'NVE-NVA-001')).toEqual(['mapping no-vn -01 -b @0']);
    expect(rig.client.view(vn(7))).toBeNull();
    rig.subscribe();
    expect(rig.subAck('denied', 0n, 2, 'NVE-NVA-004')).toEqual(['done 2 NVE-NVA-004']);
  });

  it('ended, its channel is left alone for long, and late frames meet nobody', () => {
    const rig = new NnpRig().up().synced();
    expect(rig.do({ type: 'unsubscribe', vn: vn(7) })).toEqual(['send unsub#1 7']);
    expect(rig.delta(10n, 11n, set(object.host(2)))).toEqual([]);
    expect(rig.subscribe()).toEqual(['send sub#2 7 nil']);
    expect(rig.do({ type: 'unsubscribe', vn: vn(7) })).toEqual(['send unsub#2 7', 'done 2 NVE-NNP-010']);
  });

  it('a call that waits too long ends; the subscription stays', () => {
    const rig = new NnpRig().up();
    rig.subscribe(7, 500);
    expect(rig.tick(500)).toEqual(['done 1 NVE-NNP-002']);
    rig.subAck('snapshot');
    expect(rig.snapshot(3n, [object.vn()]).at(-1)).toBe('mapping @3 synced');
    expect(rig.subscribe()).toEqual(['done 2 ok']);
  });
});
