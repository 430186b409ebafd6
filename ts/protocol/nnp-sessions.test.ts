/** Several endpoints: fail-over, fail-back, GOAWAY and fencing of `NnpClient`, step by step. */
import { describe, expect, it } from 'vitest';
import type { NnpFrame } from '#wire';
import type { NnpEndpoint } from './nnp-endpoints.js';
import { attachment, NnpRig, object, request, set } from './testing/nnp-rig.js';

const A: NnpEndpoint = { name: 'tls:a:1', priority: 0, weight: 1 };
const B: NnpEndpoint = { name: 'tls:b:1', priority: 1, weight: 1 };
const C: NnpEndpoint = { name: 'tls:c:1', priority: 1, weight: 1 };

const goaway: NnpFrame = { kind: 'goaway', channel: 0, code: 'NVE-NVA-011', text: 'maintenance', graceMs: 5_000 };
const reportAck = (seq: bigint): NnpFrame => ({ kind: 'reportAck', channel: 0, seq, rejects: [] });

/** Waits until the next endpoint is dialled. */
function dialled(rig: NnpRig): string {
  for (let n = 0; n < 1000; n++) {
    const dial = rig.tick(100).find((line) => line.startsWith('dial'));
    if (dial !== undefined) return dial;
    for (const link of rig.links()) rig.frame({ kind: 'pong', channel: 0, nonce: 0 }, link);
  }
  return 'none';
}

/** Time passes, and every NVA answers. */
function pass(rig: NnpRig, ms: number): string[] {
  const told: string[] = [];
  for (let left = ms; left > 0; left -= 1000) {
    told.push(...rig.tick(Math.min(1000, left)).filter((line) => !line.includes('ping')));
    for (const link of rig.links()) rig.frame({ kind: 'pong', channel: 0, nonce: 0 }, link);
  }
  return told;
}

const rigOf = (...endpoints: NnpEndpoint[]): NnpRig => new NnpRig({ endpoints });
const states = (rig: NnpRig): string[] =>
  rig.client.status().endpoints.map(({ endpoint, state }) => `${endpoint.name[4]} ${state}`);

/** In session with B, in sync at revision 10, since A could not be reached. */
function atB(): NnpRig {
  const rig = rigOf(A, B);
  rig.do({ type: 'start' });
  rig.do({ type: 'closed', cause: 'refused' });
  rig.do({ type: 'open' });
  rig.greet();
  rig.frame(reportAck(1n));
  return rig.synced();
}

describe('fail-over', () => {
  it('tries the others at once, by priority, and goes on where it was', () => {
    const rig = rigOf(A, B).up().synced();
    rig.authorize(request('t1'), 60_000);
    rig.now += 20_000;
    expect(rig.do({ type: 'closed', cause: 'gone' })).toEqual(['dial tls:b:1', 'disconnected NVE-NNP-001']);
    // What was asked is asked again, nothing is forgotten.
    rig.do({ type: 'open' });
    expect(rig.greet()).toEqual(['connected nva1 e1', 'send report 2 full []', 'send auth 2 t1', 'send sub#1 7 e1:10']);
    expect(rig.subAck('delta', 10n)).toEqual(['mapping @10 synced']);
    expect(rig.hosts()).toEqual(['01 b']);
  });

  it('comes back to the lost one if there is no other, and waits when none is there', () => {
    const rig = rigOf(A, B).up();
    rig.now += 20_000;
    rig.do({ type: 'closed', cause: 'gone' });
    expect(rig.do({ type: 'closed', cause: 'refused' })[0]).toBe('dial tls:a:1');
    rig.do({ type: 'closed', cause: 'refused' });
    expect(rig.client.status()).toMatchObject({ state: 'waiting', endpoints: [{ state: 'idle' }, { state: 'idle' }] });
    expect(dialled(rig)).toBe('dial tls:a:1');
  });

  it('does not run around between NVAs that greet and fall', () => {
    const rig = rigOf(A, B).up();
    expect(rig.do({ type: 'closed', cause: 'gone' })[0]).toBe('dial tls:b:1');
    rig.do({ type: 'open' });
    rig.greet();
    expect(rig.do({ type: 'closed', cause: 'gone' })).toEqual(['disconnected NVE-NNP-001']);
    expect(rig.client.status().state).toBe('waiting');
  });

  it('gives a connection 2 s, and takes the next', () => {
    const rig = rigOf(A, B);
    expect(rig.do({ type: 'start' })).toEqual(['dial tls:a:1']);
    expect(rig.tick(1999)).toEqual([]);
    expect(rig.tick(1)).toEqual(['close', 'dial tls:b:1', 'disconnected NVE-NNP-002']);
  });

  it('asks meanwhile: a question waits for the session that comes', () => {
    const rig = rigOf(A, B).up();
    rig.now += 20_000;
    rig.do({ type: 'closed', cause: 'gone' });
    expect(rig.authorize()).toEqual([]);
    rig.do({ type: 'open' });
    expect(rig.greet()).toContain('send auth 1 t1');
  });
});

describe('fail-back', () => {
  it('is when the better one was up for 60 s; the old session stays until the new one is in sync', () => {
    const rig = atB();
    const old = rig.link;
    expect(dialled(rig)).toBe('dial tls:a:1');
    rig.do({ type: 'open' });
    expect(rig.greet('e1', 1n)).toEqual([]);
    expect(states(rig)).toEqual(['a standby', 'b active']);
    expect(pass(rig, 59_000)).toEqual([]);
    // B goes on as before.
    rig.frame({ kind: 'delta', channel: 1, prevRevision: 10n, revision: 11n, ops: set(object.host(2)) }, old);
    expect(pass(rig, 1_000)).toEqual(['connected nva1 e1', 'send report 2 full []', 'send sub#1 7 e1:11']);
    expect(states(rig)).toEqual(['a active', 'b retiring']);
    // What B still has under way is told by A.
    expect(
      rig.frame({ kind: 'delta', channel: 1, prevRevision: 11n, revision: 12n, ops: set(object.host(3)) }, old),
    ).toEqual([]);
    expect(rig.subAck('delta', 11n)).toEqual(['mapping @11 synced']);
    expect(rig.frame(reportAck(2n))).toEqual(['close']);
    expect(states(rig)).toEqual(['a active', 'b idle']);
    expect(rig.hosts()).toEqual(['01 b', '02 b']);
    // At the best one nothing more is looked for.
    expect(dialled(rig)).toBe('none');
  });

  it('goes back to the old session if the new one is lost before it is in sync', () => {
    const rig = atB();
    dialled(rig);
    rig.do({ type: 'open' });
    rig.greet();
    pass(rig, 60_000);
    rig.subAck('snapshot');
    rig.frame({ kind: 'snapBegin', channel: 1, revision: 20n });
    expect(rig.do({ type: 'closed', cause: 'gone' })).toEqual([
      'disconnected NVE-NNP-001',
      'connected nva1 e1',
      'send report 3 full []',
      'send sub#1 7 e1:0',
    ]);
    expect(states(rig)).toEqual(['a idle', 'b active']);
    expect(rig.hosts()).toEqual(['01 b']);
  });

  it('takes over at once when the session is lost while the better one is on trial', () => {
    const rig = atB();
    const old = rig.link;
    dialled(rig);
    rig.do({ type: 'open' });
    rig.greet();
    pass(rig, 5_000);
    expect(rig.do({ type: 'closed', link: old, cause: 'gone' })).toEqual([
      'disconnected NVE-NNP-001',
      'connected nva1 e1',
      'send report 2 full []',
      'send sub#1 7 e1:10',
    ]);
  });

  it('does not look for what is not better', () => {
    const rig = rigOf(B, C).up();
    expect(dialled(rig)).toBe('none');
  });

  it('an NVA that is not there is looked for with a growing back-off, and nobody is told', () => {
    const rig = atB();
    for (let n = 0; n < 5; n++) {
      expect(dialled(rig)).toBe('dial tls:a:1');
      expect(rig.do({ type: 'closed', cause: 'refused' })).toEqual([]);
    }
    expect(rig.client.status()).toMatchObject({ state: 'connected', error: null });
    expect(rig.client.status().endpoints[0]?.error?.code).toBe('NVE-NNP-001');
  });
});

describe('GOAWAY', () => {
  it('opens another session first, then leaves', () => {
    const rig = rigOf(A, B).up().synced();
    const old = rig.link;
    expect(rig.frame(goaway)).toEqual(['dial tls:b:1']);
    expect(states(rig)).toEqual(['a leaving', 'b connecting']);
    // Until then everything goes on.
    expect(rig.report('attach', attachment('t1'))).toEqual(['send report 2 delta [attach t1]']);
    expect(rig.frame(reportAck(2n), old)).toEqual(['done 2 ok']);
    rig.do({ type: 'open' });
    expect(rig.greet()).toEqual(['connected nva1 e1', 'send report 3 full [attach t1]', 'send sub#1 7 e1:10']);
    rig.subAck('delta', 10n);
    expect(rig.frame(reportAck(3n))).toEqual(['close']);
    expect(states(rig)).toEqual(['a idle', 'b active']);
    expect(rig.client.status().endpoints[0]?.error?.code).toBe('NVE-NNP-015');
  });

  it('without another NVA the session is used to its end', () => {
    const rig = rigOf(A).up().synced();
    expect(rig.frame(goaway)).toEqual([]);
    expect(rig.delta(10n, 11n, set(object.host(2)))).toEqual(['mapping +02 @11']);
    expect(rig.frame({ kind: 'error', channel: 0, code: 'NVE-NVA-011', text: 'x' })).toEqual([
      'close',
      'disconnected NVE-NNP-009',
    ]);
    expect(rig.hosts()).toEqual(['01 b', '02 b']);
  });

  it('on trial means not to come', () => {
    const rig = atB();
    dialled(rig);
    rig.do({ type: 'open' });
    rig.greet();
    expect(rig.frame(goaway)).toEqual(['send error NVE-NNP-015', 'close']);
    expect(rig.client.status().state).toBe('connected');
  });
});

describe('fencing', () => {
  it('refuses an NVA of a lower term with ERROR, and tries the next', () => {
    const rig = rigOf(A, B);
    rig.do({ type: 'start' });
    rig.do({ type: 'open' });
    rig.greet('e1', 5n);
    rig.now += 20_000;
    rig.do({ type: 'closed', cause: 'gone' });
    rig.do({ type: 'open' });
    expect(rig.greet('e1', 4n)).toEqual([
      'send error NVE-NNP-008',
      'close',
      'dial tls:a:1',
      'disconnected NVE-NNP-008',
    ]);
  });

  it('remembers the term of each epoch, not of the last one only', () => {
    const rig = rigOf(A, B);
    rig.do({ type: 'start' });
    for (const [epoch, term] of [
      ['e1', 5n],
      ['e2', 1n],
    ] as const) {
      rig.do({ type: 'open' });
      expect(rig.greet(epoch, term)[0]).toBe(`connected nva1 ${epoch}`);
      rig.now += 20_000;
      rig.do({ type: 'closed', cause: 'gone' });
    }
    rig.do({ type: 'open' });
    expect(rig.greet('e1', 4n)[0]).toBe('send error NVE-NNP-008');
  });

  it('a higher term on trial takes over at once: the session of before is with one that was replaced', () => {
    const rig = atB();
    dialled(rig);
    rig.do({ type: 'open' });
    expect(rig.greet('e1', 2n)[0]).toBe('connected nva1 e1');
    expect(states(rig)).toEqual(['a active', 'b retiring']);
  });
});

it('endpoints that the NVA names are used beside those of the configuration', () => {
  const rig = rigOf(A);
  rig.do({ type: 'start' });
  rig.do({ type: 'open' });
  const alternates = [{ name: 'tls:b:1', priority: 1, weight: 1 }];
  rig.frame({
    kind: 'helloAck',
    channel: 0,
    proto: 1,
    nvaId: 'nva1',
    epoch: 'e1',
    term: 1n,
    revision: 1n,
    holdMs: 1,
    alternates,
  });
  rig.now += 20_000;
  expect(rig.do({ type: 'closed', cause: 'gone' })[0]).toBe('dial tls:b:1');
});

it('stop ends all sessions', () => {
  const rig = atB();
  dialled(rig);
  rig.do({ type: 'open' });
  rig.greet();
  expect(rig.do({ type: 'stop' }).filter((line) => line === 'close')).toHaveLength(2);
  expect(rig.client.nextDeadline()).toBeNull();
});
