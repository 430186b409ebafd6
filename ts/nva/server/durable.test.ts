/** What an NVA remembers: over restarts, and what may leave before something is written. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { err, nveError, ok, type Result, unwrap, type VnName } from '#model';
import { CONFIG, Lab, mac, vnId, vnInfo } from '../testing/lab.js';
import type { RecordStore } from './records.js';

/** A store in memory whose writes wait for the test. */
class HeldStore implements RecordStore {
  readonly path = 'held';
  readonly rows = new Map<string, unknown>();
  readonly #waiting: (() => void)[] = [];
  holds = false;
  fails = false;

  *records() {
    for (const [key, value] of this.rows) yield [key, JSON.parse(JSON.stringify(value))] as const;
  }

  async commit(batch: ReadonlyMap<string, unknown>): Promise<Result<null>> {
    if (this.holds) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    if (this.fails) return err(nveError('NVE-STO-005', { path: this.path, reason: 'no space' }));
    for (const [key, value] of batch) {
      if (value === null) this.rows.delete(key);
      else this.rows.set(key, value);
    }
    return ok(null);
  }

  release(): void {
    this.holds = false;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

let lab: Lab;
let store: HeldStore;
beforeEach(() => {
  lab = new Lab();
  store = new HeldStore();
});
afterEach(async () => {
  store.fails = false;
  store.release();
  await lab.close();
});

async function restart(options: Parameters<Lab['startServer']>[0] = {}) {
  await lab.stopServer();
  return lab.startServer({ store, ...options });
}

describe('an NVA that comes back', () => {
  it('is in its epoch, and NVEs resume by delta', async () => {
    const first = await lab.startServer({ store });
    const a = lab.nve('a');
    const b = lab.nve('b');
    unwrap(await a.attach('t1', [1]));
    unwrap(await b.attach('t2', [2]));
    unwrap(await a.client.subscribe(vnId(7)));
    await a.sees(['01 a#0', '02 b#0']);
    const { epoch } = first;
    const { revision } = a.client.view(vnId(7)) ?? { revision: 0n };
    const second = await restart();
    expect(second.epoch).toBe(epoch);
    expect(
      second
        .list()[0]
        ?.hosts.map((host) => host.mac)
        .sort(),
    ).toEqual([mac(1), mac(2)]);
    await a.until(() => a.connects === 2);
    await b.until(() => b.connects === 2);
    unwrap(await b.attach('t3', [3]));
    await a.sees(['01 a#0', '02 b#0', '03 b#0']);
    const peer = lab.peer();
    peer.hello('blue-only');
    peer.send({ kind: 'sub', channel: 1, vn: vnId(7), token: { epoch, revision } });
    await peer.until(() => peer.frames.some(({ kind }) => kind === 'delta'));
    expect(peer.frames).toContainEqual(
      expect.objectContaining({ kind: 'subAck', plan: 'delta', fromRevision: revision }),
    );
  });

  it('has forgotten no move', async () => {
    await lab.startServer({ store });
    const a = lab.nve('a');
    const b = lab.nve('b');
    unwrap(await a.attach('t1', [1]));
    unwrap(await b.attach('t1', [1]));
    const server = await restart();
    const hosts = () => server.list()[0]?.hosts.map(({ nveId, mobilitySeq }) => `${nveId}#${mobilitySeq}`);
    expect(hosts()).toEqual(['b#1']);
    await b.until(() => b.connects === 2);
    unwrap(await b.detach('t1', [1]));
    expect(hosts()).toEqual(['a#2']);
  });

  it('drops what an NVE reported that does not come back', async () => {
    await lab.startServer({ store, holdMs: 50 });
    const a = lab.nve('a');
    unwrap(await a.attach('t1', [1]));
    await a.client.stop();
    const server = await restart({ holdMs: 50 });
    expect(server.list()[0]?.hosts).toHaveLength(1);
    await expect.poll(() => server.list()[0]?.hosts).toEqual([]);
  });

  it('makes what the configuration changed meanwhile a change as any', async () => {
    await lab.startServer({ store });
    const a = lab.nve('a');
    unwrap(await a.attach('t1', [1]));
    unwrap(await a.client.subscribe(vnId(7)));
    await a.sees(['01 a#0']);
    // The two exchange their VNIs, so that each is taken for a moment.
    await restart({ authority: { ...CONFIG, vns: [vnInfo('blue', 7, 5008), vnInfo('red', 8, 5007)] } });
    await a.until(() => a.members()[0] === 'a 5008 192.0.2.1');
    await restart({ authority: { ...CONFIG, vns: [vnInfo('red', 8, 5007)] } });
    await a.until(() => a.hosts().length === 0);
  });

  it('refuses a store with a record that is none', async () => {
    store.rows.set('vn 7', { vn: 7 });
    await expect(restart()).rejects.toMatchObject({ code: 'NVE-STO-002', message: expect.stringContaining('"vn 7"') });
  });
});

describe('what is not written', () => {
  it('is neither acknowledged nor told', async () => {
    await lab.startServer({ store });
    const a = lab.nve('a');
    const b = lab.nve('b');
    unwrap(await a.attach('t1', [1]));
    unwrap(await b.client.subscribe(vnId(7)));
    await b.sees(['01 a#0']);
    store.holds = true;
    let acknowledged = false;
    const attached = a.attach('t2', [2]).then((result) => {
      acknowledged = result.ok;
    });
    await expect.poll(() => lab.server?.list()[0]?.hosts.length).toBe(2);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect([acknowledged, b.hosts()]).toEqual([false, ['01 a#0']]);
    store.release();
    await attached;
    await b.sees(['01 a#0', '02 a#0']);
  });

  it('is an error for who asked by command, and written when there is room', async () => {
    const server = await lab.startServer({ store });
    store.fails = true;
    unwrap(server.putVn(vnInfo('green', 9)));
    expect(await server.written()).toMatchObject({ error: { code: 'NVE-STO-005' } });
    store.fails = false;
    expect(await server.written()).toMatchObject({ ok: true });
    await expect.poll(() => [...store.rows.keys()]).toContain('vn 9');
    expect(server.list().map(({ info }) => info.name)).toContain('green' as VnName);
  });
});
