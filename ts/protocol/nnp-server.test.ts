/** One session of the NVA, step by step, with an authority that says what the test wants. */
import { describe, expect, it } from 'vitest';
import { err, type MacAddr, type NveId, nveError, ok, type VnId } from '#model';
import type { NnpFrame, NnpOp } from '#wire';
import type { NnpAuthority, NnpChanges } from './nnp-authority.js';
import { type NnpServerEvent, NnpServerSession } from './nnp-server.js';
import { mac, object, set, unsetHost, vn, vnInfo } from './testing/nnp-rig.js';

class FakeAuthority implements NnpAuthority {
  nvaId = 'nva1';
  epoch = 'e1';
  term = 1n;
  holdMs = 1;
  revision = 10n;
  settles: number | null = null;
  objects: NnpOp[] = set(object.vn());
  /** By VN: the revisions of its changes, each with one op; null: the log is gone. */
  log: { revision: bigint; op: NnpOp }[] | null = [];

  hello = (nveId: NveId) => (nveId === 'a' ? ok(null) : err(nveError('NVE-NVA-006', { nve: nveId })));
  ends = (nveId: NveId) => this.hello(nveId);
  authorize = () => ({ result: ok(vnInfo()), ttlS: 60 });
  maySubscribe = (_: NveId, of: VnId) => (of < 100 ? ok(null) : err(nveError('NVE-NVA-001', { vn: of })));
  report = () => [];
  snapshot = (): NnpChanges => ({ revision: this.revision, ops: this.objects });
  changes = (_: VnId, from: bigint, maxOps: number): NnpChanges | null => {
    if (this.log === null) return null;
    const entries = this.log.filter(({ revision }) => revision > from).slice(0, maxOps);
    return { revision: entries.at(-1)?.revision ?? this.revision, ops: entries.map(({ op }) => op) };
  };
  pulled = false;
  isPulled = () => this.pulled;
  host = (_: VnId, of: MacAddr) => {
    const op = this.objects.find((one) => one.op === 'set' && one.object.kind === 'host' && one.object.mac === of);
    return op?.op === 'set' && op.object.kind === 'host' ? op.object : null;
  };
  settlesAt = (now: number) => (this.settles !== null && now < this.settles ? this.settles : null);

  change(op: NnpOp): void {
    this.revision += 1n;
    this.log?.push({ revision: this.revision, op });
  }
}

class Rig {
  readonly authority = new FakeAuthority();
  readonly session = new NnpServerSession(this.authority);
  now = 1000;

  constructor() {
    this.do({ type: 'open' });
  }

  do(event: NnpServerEvent): string[] {
    return this.session.handle(event, this.now).map((effect) => {
      switch (effect.type) {
        case 'send':
          return frameLine(effect.frame);
        case 'close':
          return `close ${effect.error?.code ?? ''}`;
        case 'nacked':
          return `nacked ${effect.vn} ${effect.code}`;
        default:
          return effect.type;
      }
    });
  }

  frame(frame: NnpFrame): string[] {
    return this.do({ type: 'frame', frame });
  }

  hello(nveId = 'a'): string[] {
    const fixed = { channel: 0, protoMin: 1, protoMax: 1, instance: 'i', encaps: [], maxFrame: 1 << 20 };
    return this.frame({ kind: 'hello', nveId: nveId as NveId, ...fixed });
  }

  sub(of = 7, channel = 1, token: { epoch: string; revision: bigint } | null = null): string[] {
    return this.frame({ kind: 'sub', channel, vn: vn(of), token });
  }

  tick(ms: number): string[] {
    this.now += ms;
    return this.do({ type: 'tick' });
  }
}

function frameLine(frame: NnpFrame): string {
  switch (frame.kind) {
    case 'subAck':
      return `subAck#${frame.channel} ${frame.plan}${frame.code === null ? '' : ` ${frame.code}`}`;
    case 'snapBegin':
    case 'bookmark':
      return `${frame.kind}#${frame.channel} ${frame.revision}`;
    case 'snap':
      return `snap#${frame.channel} ${frame.ops.length}`;
    case 'sync':
      return `sync#${frame.channel} ${frame.revision}/${frame.count}`;
    case 'delta':
      return `delta#${frame.channel} ${frame.prevRevision}-${frame.revision} ${frame.ops.length}`;
    case 'answer':
      return `answer ${frame.answers.map(({ mac, host }) => `${host ? '+' : '-'}${mac.slice(-2)}`).join(' ')}`;
    case 'error':
      return `error ${frame.code}`;
    default:
      return frame.kind;
  }
}

const greeted = () => {
  const rig = new Rig();
  expect(rig.hello()).toEqual(['helloAck', 'greeted', 'changed']);
  return rig;
};

describe('a session of the NVA', () => {
  it('is refused by the authority', () => {
    expect(new Rig().hello('zz')).toEqual(['error NVE-NVA-006', 'close NVE-NVA-006']);
  });

  it('waits so long for HELLO, and so long for anything', () => {
    const rig = new Rig();
    expect(rig.session.nextDeadline(rig.now)).toBe(rig.now + 5000);
    expect(rig.tick(5000)).toEqual(['error NVE-NNP-005', 'close NVE-NNP-005']);
    expect(rig.hello()).toEqual([]);
    const other = greeted();
    expect(other.tick(14_999)).toEqual([]);
    expect(other.frame({ kind: 'ping', channel: 0, nonce: 1 })).toEqual(['pong']);
    expect(other.tick(15_000)).toEqual(['error NVE-NNP-005', 'close NVE-NNP-005']);
  });

  it('answers AUTH and REPORT', () => {
    const rig = greeted();
    const request = { vn: vnInfo().name, tsi: 't1' as never, macs: [], ips: [], port: 'p' as never };
    expect(rig.frame({ kind: 'auth', channel: 0, qid: 1, ...request })).toEqual(['authAck']);
    expect(rig.frame({ kind: 'report', channel: 0, seq: 1n, mode: 'delta', items: [] })).toEqual(['reportAck']);
    expect(rig.frame({ kind: 'report', channel: 0, seq: 2n, mode: 'full', items: [] })).toEqual([
      'reportAck',
      'changed',
    ]);
  });

  it.each<NnpFrame['kind']>([
    'helloAck',
    'authAck',
    'subAck',
    'snapBegin',
    'snap',
    'sync',
    'delta',
    'bookmark',
    'answer',
    'reportAck',
    'hello',
  ])('ends when the NVE sends %s', (kind) => {
    expect(greeted().frame({ kind, channel: 1 } as NnpFrame)).toEqual(['error NVE-NNP-004', 'close NVE-NNP-004']);
  });

  it.each<NnpFrame['kind']>(['auth', 'sub', 'unsub', 'ack', 'nack', 'report', 'ping', 'pong', 'unknown'])(
    'does not begin with %s',
    (kind) => {
      expect(new Rig().frame({ kind, channel: 1 } as NnpFrame)).toEqual(['error NVE-NNP-004', 'close NVE-NNP-004']);
    },
  );
});

describe('a subscription at the NVA', () => {
  it('begins with a snapshot, goes on with changes', () => {
    const rig = greeted();
    expect(rig.sub()).toEqual(['subAck#1 snapshot', 'snapBegin#1 10', 'snap#1 1', 'sync#1 10/1']);
    rig.authority.change(set(object.host(1))[0] as NnpOp);
    rig.authority.change(set(object.host(2))[0] as NnpOp);
    expect(rig.do({ type: 'changed' })).toEqual(['delta#1 10-12 2']);
    expect(rig.do({ type: 'changed' })).toEqual([]);
  });

  it('of a VN without objects has no SNAP', () => {
    const rig = greeted();
    rig.authority.objects = [];
    expect(rig.sub()).toEqual(['subAck#1 snapshot', 'snapBegin#1 10', 'sync#1 10/0']);
  });

  it('is denied for what is not there', () => {
    expect(greeted().sub(100)).toEqual(['subAck#1 denied NVE-NVA-001']);
  });

  it('resumes where the token says, if that is known', () => {
    const rig = greeted();
    rig.authority.change(set(object.host(1))[0] as NnpOp);
    expect(rig.sub(7, 1, { epoch: 'e1', revision: 10n })).toEqual(['subAck#1 delta', 'delta#1 10-11 1']);
    expect(rig.sub(7, 2, { epoch: 'e1', revision: 0n })[0]).toBe('subAck#2 snapshot');
    expect(rig.sub(7, 3, { epoch: 'e1', revision: 99n })[0]).toBe('subAck#3 snapshot');
    expect(rig.sub(7, 4, { epoch: 'other', revision: 10n })[0]).toBe('subAck#4 snapshot');
    rig.authority.log = null;
    expect(rig.sub(7, 5, { epoch: 'e1', revision: 10n })[0]).toBe('subAck#5 snapshot');
  });

  it('starts over when the change log does not reach back', () => {
    const rig = greeted();
    rig.sub();
    rig.authority.log = null;
    rig.authority.revision = 50n;
    expect(rig.do({ type: 'changed' })).toEqual(['subAck#1 snapshot', 'snapBegin#1 50', 'snap#1 1', 'sync#1 50/1']);
  });

  it('hears the revision from time to time', () => {
    const rig = greeted();
    rig.sub();
    rig.authority.revision = 20n;
    expect(rig.session.nextDeadline(rig.now)).toBe(rig.now + 10_000);
    expect(rig.tick(10_000)).toEqual(['bookmark#1 20']);
    rig.frame({ kind: 'pong', channel: 0, nonce: 1 });
    expect(rig.tick(10_000)).toEqual([]);
    rig.authority.change(set(object.host(1))[0] as NnpOp);
    expect(rig.do({ type: 'changed' })).toEqual(['delta#1 20-21 1']);
  });

  it('comes in pieces, and waits for room', () => {
    const rig = greeted();
    rig.authority.objects = set(...Array.from({ length: 10_000 }, (_, i) => object.host(i)));
    let lines = rig.sub();
    expect(lines.slice(0, 2)).toEqual(['subAck#1 snapshot', 'snapBegin#1 10']);
    let total = 0;
    let rounds = 0;
    for (;;) {
      const snaps = lines.filter((one) => one.startsWith('snap#')).map((one) => Number(one.split(' ')[1]));
      total += snaps.reduce((a, b) => a + b, 0);
      expect(Math.max(...snaps)).toBeLessThanOrEqual(512);
      if (lines.at(-1) !== 'more') break;
      rounds += 1;
      // Changes and further subscriptions wait their turn.
      expect(rig.do({ type: 'changed' })).toEqual([]);
      lines = rig.do({ type: 'writable' });
    }
    expect(total).toBe(10_000);
    expect(rounds).toBeGreaterThan(1);
    expect(lines.at(-1)).toBe('sync#1 10/10000');
  });

  it('with no room for too long ends the session', () => {
    const rig = greeted();
    rig.sub();
    rig.do({ type: 'full' });
    rig.authority.change(set(object.host(1))[0] as NnpOp);
    expect(rig.do({ type: 'changed' })).toEqual([]);
    rig.tick(14_000);
    // It is alive, but does not read.
    rig.frame({ kind: 'ping', channel: 0, nonce: 1 });
    expect(rig.session.nextDeadline(rig.now)).toBe(rig.now + 1000);
    expect(rig.tick(1000)).toEqual(['error NVE-NNP-006', 'close NVE-NNP-006']);
  });

  it('with room again in time gets the difference', () => {
    const rig = greeted();
    rig.sub();
    rig.do({ type: 'full' });
    for (let n = 1; n < 5; n++) rig.authority.change(set(object.host(n))[0] as NnpOp);
    rig.do({ type: 'changed' });
    expect(rig.do({ type: 'writable' })).toEqual(['delta#1 10-14 4']);
  });

  it('ended or begun anew in its snapshot, nothing more of that comes', () => {
    const rig = greeted();
    rig.authority.objects = set(...Array.from({ length: 10_000 }, (_, i) => object.host(i)));
    rig.sub();
    rig.frame({ kind: 'unsub', channel: 1, vn: vn(8) });
    rig.frame({ kind: 'unsub', channel: 1, vn: vn(7) });
    expect(rig.do({ type: 'writable' })).toEqual([]);
    rig.sub();
    rig.do({ type: 'writable' });
    expect(rig.sub()).toEqual(['subAck#1 snapshot']);
    expect(rig.do({ type: 'writable' })[0]).toBe('snapBegin#1 10');
  });

  it('with the mappings of a former life is not swept before the authority has settled', () => {
    const rig = greeted();
    rig.authority.settles = rig.now + 5000;
    const former = { epoch: 'e0', revision: 99n };
    expect(rig.sub(7, 1, former)).toEqual(['subAck#1 snapshot', 'snapBegin#1 10', 'snap#1 1']);
    // One that has nothing to lose is served at once.
    expect(rig.sub(8, 2)).toContain('sync#2 10/1');
    rig.authority.change(set(object.host(1))[0] as NnpOp);
    expect(rig.do({ type: 'changed' })).toEqual(['snap#1 1', 'delta#2 10-11 1']);
    rig.authority.objects = set(object.vn(), object.host(1));
    expect(rig.session.nextDeadline(rig.now)).toBe(rig.now + 5000);
    expect(rig.tick(5000)).toEqual(['sync#1 11/2']);
  });

  it('tells what the NVE has, and what it could not apply', () => {
    const rig = greeted();
    rig.sub();
    rig.frame({ kind: 'ack', channel: 1, receivedRevision: 10n, appliedRevision: 9n });
    expect(rig.session.subscriptions()).toEqual([{ vn: 7, sent: 10n, received: 10n, applied: 9n }]);
    const items = [{ key: { kind: 'vn' as const, vn: vn(7) }, code: 'NVE-ENG-001', text: 'full' }];
    expect(rig.frame({ kind: 'nack', channel: 1, revision: 10n, items })).toEqual(['nacked 7 NVE-ENG-001']);
  });
});

describe('a VN whose hosts are not pushed', () => {
  const pulled = () => {
    const rig = greeted();
    rig.authority.pulled = true;
    rig.authority.objects = set(object.vn(), object.host(1, 'a'), object.host(2, 'b'));
    return rig;
  };
  const query = (rig: Rig, ...macs: number[]) =>
    rig.frame({ kind: 'query', channel: 1, vn: vn(7), qid: 1, macs: macs.map(mac) });

  it('has the own hosts of an NVE in its snapshot, whatever it had before', () => {
    const rig = pulled();
    expect(rig.sub(7, 1, { epoch: 'e1', revision: 10n })).toEqual([
      'subAck#1 snapshot',
      'snapBegin#1 10',
      'snap#1 2',
      'sync#1 10/2',
    ]);
  });

  it('answers what is asked for, and tells what changes of it until the answer’s time ends', () => {
    const rig = pulled();
    rig.sub();
    const moved = set(object.host(2, 'c'))[0] as NnpOp;
    rig.authority.change(moved);
    expect(rig.do({ type: 'changed' })).toEqual([]);
    expect(query(rig, 2, 3)).toEqual(['answer +02 -03']);
    rig.authority.change(moved);
    expect(rig.do({ type: 'changed' })).toEqual(['delta#1 10-12 1']);
    rig.authority.change(set(object.host(3))[0] as NnpOp);
    expect(rig.do({ type: 'changed' })).toEqual(['delta#1 12-13 1']);
    rig.authority.change(unsetHost(2));
    expect(rig.do({ type: 'changed' })).toEqual(['delta#1 13-14 1']);
    rig.authority.change(moved);
    expect(rig.do({ type: 'changed' })).toEqual([]);
    query(rig, 2);
    rig.now += 300_000;
    rig.authority.change(moved);
    expect(rig.do({ type: 'changed' })).toEqual([]);
  });

  it('tells an NVE that a host of its own has moved', () => {
    const rig = pulled();
    rig.sub();
    rig.authority.change(set(object.host(1, 'c'))[0] as NnpOp);
    expect(rig.do({ type: 'changed' })).toEqual(['delta#1 10-11 1']);
  });

  it('begins anew when its hosts are pushed from now on', () => {
    const rig = pulled();
    rig.sub();
    rig.authority.pulled = false;
    rig.authority.change(set(object.vn())[0] as NnpOp);
    expect(rig.do({ type: 'changed' })).toEqual(['subAck#1 snapshot', 'snapBegin#1 11', 'snap#1 3', 'sync#1 11/3']);
  });

  it('is asked about on its own channel only', () => {
    const rig = pulled();
    rig.sub();
    const alien = { kind: 'query' as const, channel: 1, vn: vn(8), qid: 1, macs: [mac(1)] };
    expect(rig.frame(alien)).toEqual(['error NVE-NNP-004', 'close NVE-NNP-004']);
    const other = pulled();
    expect(query(other, 1)).toEqual([]);
  });
});
