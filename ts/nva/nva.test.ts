/** NVEs and the embedded NVA over real sockets. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { DEFAULT_VN_SETTINGS, type IpAddr, type Result, unwrap, type VnName } from '#model';
import { attachment, CONFIG, Lab, mac, nveId, request, vnId, vnInfo } from './testing/lab.js';

// They wait for events, however busy the machine is.
vi.setConfig({ testTimeout: 60_000 });

const fail = (): Result<never> => {
  throw new Error('no server');
};

let lab: Lab;
afterEach(() => lab.close());

async function two(kind: 'tcp' | 'unix' = 'unix') {
  lab = new Lab(kind);
  await lab.startServer();
  const a = lab.nve('a');
  const b = lab.nve('b');
  unwrap(await a.client.subscribe(vnId(7)));
  unwrap(await b.client.subscribe(vnId(7)));
  return { a, b };
}

describe.each(['unix', 'tcp'] as const)('over %s', (kind) => {
  it('what is attached at one NVE is a member and a host at the other', async () => {
    const { a, b } = await two(kind);
    expect(unwrap(await a.client.authorize(request('t1')))).toEqual(vnInfo('blue', 7));
    unwrap(await a.attach('t1'));
    await b.sees(['01 a#0']);
    expect(b.members()).toEqual(['a 5007 192.0.2.1']);
    const host = b.client.view(vnId(7))?.hosts.get(mac(1));
    expect(host).toEqual({ vn: 7, mac: mac(1), tsi: 't1', nveId: 'a', ips: ['10.0.0.1'], mobilitySeq: 0 });
    // Member and host come in one change, so that the engine takes them in one batch.
    const change = b.changes.find(({ hosts }) => hosts.set.length > 0);
    expect(change).toMatchObject({ vn: 7, info: undefined, members: { set: [{ nveId: 'a' }], removed: [] } });
    unwrap(await a.detach('t1'));
    await b.sees([]);
    expect(b.members()).toEqual([]);
    expect(b.changes.at(-1)).toMatchObject({ members: { removed: ['a'] }, hosts: { removed: [mac(1)] } });
  });
});

describe('MACs that were learned', () => {
  const learned = (n: number, tsi: string) => `learned:${mac(n)}@${tsi}`;

  it('move to where they were learned last, by whatever TSI', async () => {
    const { a, b } = await two();
    unwrap(await a.attach(learned(1, 't1'), [1]));
    await b.sees(['01 a#0']);
    unwrap(await b.attach(learned(1, 't2'), [1]));
    await a.sees(['01 b#1']);
    unwrap(await a.detach(learned(1, 't1')));
    unwrap(await b.detach(learned(1, 't2')));
    await a.sees([]);
  });

  it('are taken over by a TSI that names them, and never from one', async () => {
    const { a, b } = await two();
    unwrap(await a.attach(learned(1, 't1'), [1]));
    unwrap(await b.client.authorize(request('t2', [1])));
    unwrap(await b.attach('t2', [1]));
    await a.sees(['01 b#1']);
    const again = await a.attach(learned(1, 't1'), [1]);
    expect(again).toMatchObject({ ok: false, error: { code: 'NVE-NVA-003' } });
    await a.sees(['01 b#1']);
  });

  it('are allowed as the TSI behind which they were learned', async () => {
    const { a } = await two();
    const report = (n: number) => a.client.report('attach', attachment(learned(n, 'strict'), [n], 8));
    unwrap(await report(9));
    expect(await report(8)).toMatchObject({ ok: false, error: { code: 'NVE-NVA-002' } });
  });
});

describe('how a VN is served', () => {
  const node = { kind: 'node' as const, nveId: nveId('b') };
  const settings = { ...DEFAULT_VN_SETTINGS, unknown: 'flood' as const, learn: true };

  it('comes with the VN, and again when it changes', async () => {
    const { a } = await two();
    expect(a.client.view(vnId(7))?.info).toEqual(vnInfo('blue', 7));
    unwrap(lab.server?.putVn({ ...vnInfo('blue', 7), settings }) ?? fail());
    await a.until(() => a.client.view(vnId(7))?.info?.settings !== undefined);
    expect(a.changes.at(-1)?.info).toEqual({ ...vnInfo('blue', 7), settings });
    expect(unwrap(await a.client.authorize(request('t1'))).settings).toEqual(settings);
  });

  it('a replication node is told before it has a session, and is gone when the VN has none any more', async () => {
    lab = new Lab();
    const server = await lab.startServer();
    unwrap(server.putVn({ ...vnInfo('blue', 7), settings: { ...settings, delivery: node } }));
    const a = lab.nve('a');
    unwrap(await a.client.subscribe(vnId(7)));
    const reached = () =>
      a.client
        .view(vnId(7))
        ?.nves.get(nveId('b'))
        ?.tunnels.map(({ ip }) => ip);
    expect(reached()).toEqual(['192.0.2.2']);
    expect(a.members()).toEqual([]);
    // One that attaches something and leaves again is still the node.
    const b = lab.nve('b');
    unwrap(await b.attach('t1'));
    await a.sees(['01 b#0']);
    unwrap(await b.detach('t1'));
    await a.sees([]);
    expect(reached()).toEqual(['192.0.2.2']);
    unwrap(server.putVn({ ...vnInfo('blue', 7), settings }));
    await a.until(() => reached() === undefined);
  });

  it('an NVE uses registered encapsulations only', async () => {
    lab = new Lab();
    const nves = [{ nveId: nveId('a'), underlay: ['192.0.2.1' as IpAddr], encaps: [1] }];
    await lab.startServer({ authority: { ...CONFIG, nves } });
    const peer = lab.peer();
    peer.hello('a', { encaps: [{ encap: 2, ip: '192.0.2.1' as IpAddr }] });
    expect(await peer.end()).toBe('NVE-NVA-010');
  });
});

describe('subscriptions', () => {
  it('a late subscriber gets a snapshot with everything', async () => {
    const { a } = await two();
    unwrap(await a.attach('t1', [1, 2]));
    const late = lab.nve('blue-only');
    const view = unwrap(await late.client.subscribe(vnId(7)));
    expect(view.live).toBe(true);
    expect(view.info).toEqual(vnInfo('blue', 7));
    expect(late.hosts()).toEqual(['01 a#0', '02 a#0']);
    expect(late.changes.at(-1)?.synced).toBe(true);
  });

  it('are denied for a VN that is not there, or not for this NVE', async () => {
    lab = new Lab();
    await lab.startServer();
    const nve = lab.nve('blue-only');
    const code = async (vn: number) => {
      const result = await nve.client.subscribe(vnId(vn));
      return result.ok ? 'ok' : result.error.code;
    };
    expect(await code(7)).toBe('ok');
    expect(await code(8)).toBe('NVE-NVA-004');
    expect(await code(9)).toBe('NVE-NVA-001');
    expect(nve.client.status().subscriptions).toBe(1);
  });

  it('end with unsubscribe, and can be made again', async () => {
    const { a, b } = await two();
    b.client.unsubscribe(vnId(7));
    expect(b.client.view(vnId(7))).toBeNull();
    unwrap(await a.attach('t1'));
    unwrap(await b.client.subscribe(vnId(7)));
    expect(b.hosts()).toEqual(['01 a#0']);
  });

  it('tell the NVA what was applied', async () => {
    const { a, b } = await two();
    unwrap(await a.attach('t1'));
    await b.sees(['01 a#0']);
    // An answered request after the ACK: the ACK was read before it.
    unwrap(await b.client.authorize(request('t9', [9])));
    const session = lab.server?.sessions().find(({ nveId: id }) => id === 'b');
    const [{ sent, received, applied } = { sent: 0n, received: 0n, applied: 0n }] = session?.subscriptions ?? [];
    expect([received, applied]).toEqual([sent, sent]);
  });

  it('many VNs and TSIs at once', async () => {
    lab = new Lab();
    const vns = Array.from({ length: 40 }, (_, i) => vnInfo(`vn${i}`, 100 + i));
    const tsis = vns.map(({ name }) => ({ vn: name, tsi: '*' }));
    await lab.startServer({ authority: { ...CONFIG, vns, tsis } });
    const [a, b] = [lab.nve('a'), lab.nve('b')];
    await Promise.all(vns.map(async ({ vn }) => unwrap(await b.client.subscribe(vn))));
    const all = vns.flatMap(({ vn }) => [1, 2, 3, 4, 5].map((n) => a.attach(`t${n}`, [n, n + 100], vn)));
    for (const result of await Promise.all(all)) unwrap(result);
    for (const { vn } of vns) await b.until(() => b.hosts(vn).length === 10);
    expect(b.members(vns[0]?.vn)).toEqual(['a 5100 192.0.2.1']);
  });
});

describe('a move between NVEs', () => {
  it('does not flap: the host goes from one to the other with the next mobility number', async () => {
    const { a, b } = await two();
    unwrap(await a.attach('t1'));
    await b.sees(['01 a#0']);
    unwrap(await b.client.authorize(request('t1')));
    unwrap(await b.attach('t1'));
    await a.sees(['01 b#1']);
    unwrap(await a.detach('t1'));
    await b.until(() => b.members().length === 1);
    expect(b.hosts()).toEqual(['01 b#1']);
    for (const nve of [a, b]) {
      expect(nve.changes.flatMap(({ hosts }) => hosts.removed)).toEqual([]);
      const places = nve.changes.flatMap(({ hosts }) => hosts.set.map((host) => `${host.nveId}#${host.mobilitySeq}`));
      expect(places).toEqual(['a#0', 'b#1']);
    }
  });

  it('called off, the host goes back to where it came from', async () => {
    const { a, b } = await two();
    unwrap(await a.attach('t1'));
    unwrap(await b.attach('t1'));
    unwrap(await b.detach('t1'));
    await a.sees(['01 a#2']);
  });

  it('between two ports of one NVE is none for the others', async () => {
    const { a, b } = await two();
    unwrap(await a.attach('t1', [1], 7, 'acc0'));
    unwrap(await a.attach('t1', [1], 7, 'acc1'));
    unwrap(await a.detach('t1', [1], 7, 'acc0'));
    unwrap(await a.attach('t2', [2]));
    await b.sees(['01 a#0', '02 a#0']);
    expect(b.changes.flatMap(({ hosts }) => hosts.set.map((host) => host.mac))).toEqual([mac(1), mac(2)]);
  });

  it('a source that reconnects does not take the host back', async () => {
    const { a, b } = await two();
    unwrap(await a.attach('t1'));
    unwrap(await b.attach('t1'));
    await a.sees(['01 b#1']);
    await a.client.stop();
    a.client.start();
    await a.until(() => a.connects === 2);
    // The full report was read before this is answered.
    unwrap(await a.attach('t2', [2]));
    await b.sees(['01 b#1', '02 a#0']);
  });
});

describe('refusals', () => {
  const code = async (result: Promise<{ ok: boolean; error?: { code: string; message: string } }>) => {
    const { error } = await result;
    return `${error?.code} ${error?.message}`;
  };

  it('of AUTH: unknown VN, no rule, a rule that does not fit, a foreign MAC', async () => {
    const { a, b } = await two();
    unwrap(await a.attach('t1'));
    expect(await code(b.client.authorize(request('t1', [1], 'green')))).toBe('NVE-NVA-001 no VN green at the NVA');
    expect(await code(b.client.authorize(request('x1')))).toBe(
      'NVE-NVA-002 TSI x1 may not join VN blue: no rule names it',
    );
    expect(await code(a.client.authorize(request('strict', [8], 'red')))).toContain(
      'MAC 02:00:00:00:00:08 is not its own',
    );
    expect(await code(b.client.authorize(request('strict', [9], 'red')))).toContain('not at NVE b');
    expect((await a.client.authorize(request('strict', [9], 'red'))).ok).toBe(true);
    expect(await code(b.client.authorize(request('t2', [1])))).toBe(
      'NVE-NVA-003 MAC 02:00:00:00:00:01 of VN blue is held by TSI t1 at NVE a',
    );
    // The same TSI elsewhere is a move.
    expect((await b.client.authorize(request('t1', [1]))).ok).toBe(true);
  });

  it('AUTH of an asker that is gone: the NVA is not asked', async () => {
    lab = new Lab('unix');
    await lab.startServer();
    const { client } = lab.nve('a');
    const ask = new AbortController();
    const verdict = client.authorize(request('t1'), 60_000, ask.signal);
    ask.abort();
    expect(await code(verdict)).toBe('NVE-NNP-010 AUTH was called off');
    expect((await client.authorize(request('t1'))).ok).toBe(true);
  });

  it('of REPORT: the same rules', async () => {
    const { a, b } = await two();
    const limited = lab.nve('blue-only');
    unwrap(await a.attach('t1'));
    expect(await code(b.attach('t2', [1]))).toContain('NVE-NVA-003');
    expect(await code(b.attach('x1', [2]))).toContain('NVE-NVA-002');
    expect(await code(b.attach('t3', [3], 99))).toContain('NVE-NVA-001');
    expect(await code(limited.attach('t3', [3], 8))).toContain('NVE-NVA-004');
    expect(b.client.status().attachments).toBe(0);
    expect(b.hosts()).toEqual(['01 a#0']);
  });

  it('of sessions: unknown NVEs and foreign underlay addresses', async () => {
    lab = new Lab();
    await lab.startServer();
    const unknown = lab.nve('zz');
    const wrong = lab.nve('a', { tunnels: [{ encap: 1, ip: '192.0.2.99' as IpAddr }] });
    await unknown.until(() => unknown.errors.length > 0);
    await wrong.until(() => wrong.errors.length > 0);
    expect(unknown.errors[0]?.message).toBe('the session ended: NVE-NVA-006 NVE zz is unknown');
    expect(wrong.errors[0]?.message).toContain('NVE-NVA-005 underlay address 192.0.2.99 is not registered for NVE a');
  });

  it('too many MACs of one NVE', async () => {
    lab = new Lab();
    await lab.startServer({ limits: { macsPerNve: 3 } });
    const a = lab.nve('a');
    unwrap(await a.attach('t1', [1, 2]));
    expect(await code(a.attach('t2', [3, 4]))).toContain('NVE-NVA-007 the NVA allows at most 3 MACs of NVE a');
    unwrap(await a.detach('t1', [1, 2]));
    unwrap(await a.attach('t2', [3, 4]));
  });

  it('a late refusal reaches the role: the rules changed while it was away', async () => {
    lab = new Lab();
    await lab.startServer();
    const a = lab.nve('a');
    unwrap(await a.attach('t1'));
    await lab.stopServer();
    await lab.startServer({ authority: { ...CONFIG, tsis: [{ vn: 'blue' as VnName, tsi: 'other' }] } });
    await a.until(() => a.refused.length > 0);
    expect(a.refused[0]?.attachment).toEqual(attachment('t1'));
    expect(a.refused[0]?.error.code).toBe('NVE-NVA-002');
    expect(a.client.status().attachments).toBe(0);
  });
});

describe('VNs at run time', () => {
  it('are created, changed and deleted under subscribers', async () => {
    const { a, b } = await two();
    unwrap(await a.attach('t1'));
    await b.sees(['01 a#0']);
    unwrap(lab.server?.putVn({ ...vnInfo('blue', 7), vni: 6000 as never }) ?? { ok: true, value: null });
    await b.until(() => b.client.view(vnId(7))?.info?.vni === 6000);
    expect(b.members()).toEqual(['a 6000 192.0.2.1']);

    unwrap(lab.server?.deleteVn('blue' as VnName) ?? { ok: true, value: null });
    await b.until(() => b.client.view(vnId(7))?.info === null);
    expect(b.hosts()).toEqual([]);
    expect(b.members()).toEqual([]);
    const late = await b.attach('t2', [2]);
    expect(late.ok ? 'ok' : late.error.code).toBe('NVE-NVA-001');

    // The same id again: the subscription goes on, with nothing of the old one.
    unwrap(lab.server?.putVn(vnInfo('blue', 7)) ?? { ok: true, value: null });
    await b.until(() => b.client.view(vnId(7))?.info?.name === 'blue');
    unwrap(await b.attach('t2', [2]));
    await a.sees(['02 b#0']);
  });

  it('deleted and created again at once, nothing of the old one is left anywhere', async () => {
    const { a, b } = await two();
    unwrap(await a.attach('t1'));
    await b.sees(['01 a#0']);
    lab.server?.deleteVn('blue' as VnName);
    lab.server?.putVn(vnInfo('blue', 7, 7777));
    await a.until(() => a.client.view(vnId(7))?.info?.vni === 7777);
    expect(a.changes.some(({ info }) => info === null)).toBe(true);
    expect(a.client.status().attachments).toBe(0);
    unwrap(await a.attach('t2', [2]));
    await b.sees(['02 a#0']);
    expect(b.members()).toEqual(['a 7777 192.0.2.1']);
  });

  it('a verdict for a deleted VN does not outlive it', async () => {
    const { a } = await two();
    unwrap(await a.client.authorize(request('t1')));
    lab.server?.deleteVn('blue' as VnName);
    await a.until(() => a.client.view(vnId(7))?.info === null);
    await lab.stopServer();
    await a.until(() => a.errors.length > 0);
    const result = await a.client.authorize(request('t1'));
    expect(result.ok ? 'ok' : result.error.code).toBe('NVE-NNP-001');
  });

  it('are listed with what is attached', async () => {
    const { a } = await two();
    unwrap(await a.attach('t1'));
    expect(lab.server?.list()).toEqual([
      {
        info: vnInfo('blue', 7),
        members: [{ vn: 7, nveId: nveId('a'), contextId: 5007 }],
        hosts: [{ vn: 7, mac: mac(1), tsi: 't1', nveId: nveId('a'), ips: ['10.0.0.1'], mobilitySeq: 0 }],
      },
      { info: vnInfo('red', 8), members: [], hosts: [] },
    ]);
  });
});
