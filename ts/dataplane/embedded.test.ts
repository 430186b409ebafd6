import { describe, expect, it, vi } from 'vitest';
import type { NveError, VnId } from '#model';
import type { Addon, NativeEngine } from './addon.js';
import { openEmbedded } from './embedded.js';
import { pack, unpack } from './msgpack.js';
import type { Command, EngineOptions } from './types.js';

const OPTIONS: EngineOptions = {
  hugepages: 'auto',
  memoryMb: 256,
  mbufs: 16384,
  mbufSize: 2176,
  pollers: 1,
  poll: 'sleep',
  fdbCapacity: 1024,
  cpus: null,
  extraEal: [],
};

type Batch = [schema: number, epoch: bigint, id: number, commands: unknown[]];

/** A stand-in for the addon that answers as docs/engine.md says; `answers` replaces single calls. */
function addon(answers: Partial<NativeEngine> = {}) {
  const batches: Batch[] = [];
  const seen: { options?: unknown[]; ring?: () => void } = {};
  const native: NativeEngine = {
    info: () =>
      pack([
        1,
        (seen.options as [number, number, bigint])[2],
        { dpdk: '22.11.11', hugepages: false, pollers: 1, fdb_capacity: 1024, max_ports: 64 },
      ]),
    apply: async (bytes) => {
      const batch = unpack(bytes) as Batch;
      batches.push(batch);
      return pack([batch[1], batch[2], true, []]);
    },
    dump: async () => pack([[], null]),
    stats: async () => pack([[], [], []]),
    capture: async () => pack(1),
    captured: () => Buffer.alloc(0),
    events: () => Buffer.alloc(0),
    punts: () => Buffer.alloc(0),
    inject: async () => Buffer.alloc(0),
    trace: async () => pack(['dropped', 'untagged', 'No tag.', [], [['untagged', 1]], [], [], []]),
    close: async () => undefined,
    shutdownNow: () => undefined,
    ...answers,
  };
  const made: Addon = {
    open: async (options, doorbell) => {
      seen.options = unpack(options) as unknown[];
      seen.ring = doorbell;
      return native;
    },
  };
  return { made, batches, seen };
}

const failure = (code: string, context: string) => Object.assign(new Error('text'), { code, context });
const vnDel = (n: number): Command => ({ op: 'VnDel', vn: n as VnId });

describe('openEmbedded', () => {
  it('opens schema 2 with the settings under the names of docs/engine.md', async () => {
    const { made, seen } = addon();
    const engine = await openEmbedded(OPTIONS, made);
    expect(seen.options).toMatchObject([
      2,
      2,
      engine.info().epoch,
      { memory_mb: 256, mbuf_size: 2176, cpus: null, extra_eal: [] },
    ]);
    expect(engine.info()).toMatchObject({ dpdk: '22.11.11', maxPorts: 64 });
  });

  it('turns the addon error into one with code, context and cause', async () => {
    const open = () => Promise.reject(failure('NVE-EAL-003', '{"reason":"no memory"}'));
    await expect(openEmbedded(OPTIONS, { open })).rejects.toMatchObject({
      name: 'NveError',
      code: 'NVE-EAL-003',
      context: { reason: 'no memory' },
    });
  });

  it('survives a context that is not JSON, and an error without code', async () => {
    await expect(
      openEmbedded(OPTIONS, { open: () => Promise.reject(failure('NVE-ENG-001', '{')) }),
    ).rejects.toMatchObject({ code: 'NVE-ENG-001' });
    await expect(openEmbedded(OPTIONS, { open: () => Promise.reject(new Error('boom')) })).rejects.toMatchObject({
      code: 'NVE-SYS-003',
    });
  });
});

describe('apply', () => {
  it('splits a big load into batches with rising ids, one in flight', async () => {
    let inFlight = 0;
    const { made, batches } = addon();
    const open = made.open;
    made.open = async (options, doorbell) => {
      const native = await open(options, doorbell);
      const apply = native.apply;
      native.apply = async (bytes) => {
        expect(++inFlight).toBe(1);
        await new Promise((resolve) => setImmediate(resolve));
        inFlight--;
        return apply(bytes);
      };
      return native;
    };
    const engine = await openEmbedded(OPTIONS, made);
    const commands = Array.from({ length: 9_000 }, (_, n) => vnDel(n + 1));
    const [first, second] = await Promise.all([engine.apply(commands), engine.apply([vnDel(1)])]);
    expect(batches.map(([, , id, list]) => [id, list.length])).toEqual([
      [1, 4000],
      [2, 4000],
      [3, 1000],
      [4, 1],
    ]);
    expect([first.applied.length, second.applied.length]).toEqual([9_000, 1]);
  });

  it('stops at a batch that is refused, and tells what was applied', async () => {
    let calls = 0;
    const { made } = addon({
      apply: async (bytes) => {
        const [, epoch, id] = unpack(bytes) as Batch;
        return ++calls === 2 ? pack([epoch, id, false, [[5, 'NVE-ENG-007', { vn: 1 }]]]) : pack([epoch, id, true, []]);
      },
    });
    const engine = await openEmbedded(OPTIONS, made);
    const commands = Array.from({ length: 9_000 }, (_, n) => vnDel(n + 1));
    const result = await engine.apply(commands);
    expect(calls).toBe(2);
    expect(result.applied).toEqual(commands.slice(0, 4_000));
    expect(result.refused).toEqual([{ command: vnDel(4006), code: 'NVE-ENG-007', context: { vn: 1 } }]);
  });

  it('goes on after a failed batch', async () => {
    const apply = vi.fn<NativeEngine['apply']>().mockRejectedValueOnce(failure('NVE-ENG-009', '{}'));
    const { made } = addon({ apply });
    const engine = await openEmbedded(OPTIONS, made);
    await expect(engine.apply([vnDel(1)])).rejects.toMatchObject({ code: 'NVE-ENG-009' });
    apply.mockImplementation(async (bytes) => {
      const [, epoch, id] = unpack(bytes) as Batch;
      return pack([epoch, id, true, []]);
    });
    await expect(engine.apply([vnDel(1)])).resolves.toMatchObject({ refused: [] });
  });
});

describe('dump', () => {
  it('gives a cursor back with its MAC as the integer that the engine takes', async () => {
    const asked: string[] = [];
    const { made } = addon({
      dump: async (bytes) => {
        asked.push(Buffer.from(bytes).toString('hex'));
        return pack([[], asked.length === 1 ? [1, 0x02_00_00_00_00_01] : null]);
      },
    });
    const engine = await openEmbedded(OPTIONS, made);
    await engine.dump('fdb');
    // MessagePack's float would be cb.
    expect(asked[1]).toMatch(/92(01|d3|cf)[0-9a-f]*(cf|d3)0000020000000001/);
  });

  it('follows the cursor to the end', async () => {
    const requests: unknown[] = [];
    const { made } = addon({
      dump: async (bytes) => {
        const request = unpack(bytes) as [string, number | null, number];
        requests.push(request);
        const n = request[1] ?? 0;
        return pack([
          [[n, Buffer.from([192, 0, 2, 9]), 1, 5001, 0, n === 2 ? Buffer.from('020000000001', 'hex') : null]],
          n < 2 ? n + 1 : null,
        ]);
      },
    });
    const engine = await openEmbedded(OPTIONS, made);
    const rows = await engine.dump('nexthops');
    expect(requests).toEqual([
      ['nexthops', null, 2000],
      ['nexthops', 1, 2000],
      ['nexthops', 2, 2000],
    ]);
    expect(rows.map((row) => [row.nh, row.remote, row.neighbourMac])).toEqual([
      [0, '192.0.2.9', null],
      [1, '192.0.2.9', null],
      [2, '192.0.2.9', '02:00:00:00:00:01'],
    ]);
  });
});

describe('rings', () => {
  it('gives events and punts to the listeners when the doorbell rings, and ignores kinds it does not know', async () => {
    let events: Buffer = Buffer.alloc(0);
    let punts: Buffer = Buffer.alloc(0);
    const take = (which: 'events' | 'punts') => () => {
      const bytes = which === 'events' ? events : punts;
      if (which === 'events') events = Buffer.alloc(0);
      else punts = Buffer.alloc(0);
      return bytes;
    };
    const { made, seen } = addon({ events: take('events'), punts: take('punts') });
    const engine = await openEmbedded(OPTIONS, made);
    const heard: unknown[] = [];
    const stop = engine.onEvent((event) => heard.push(event));
    engine.onPunt((punt) => heard.push(punt));
    events = Buffer.concat([pack(['link', 2, true]), pack(['news', 1]), pack(['overflow', 'punts', 3n])]);
    punts = pack([2, null, 'link_local', 12n, Buffer.from('0180c200000e', 'hex')]);
    seen.ring?.();
    expect(heard).toEqual([
      { kind: 'link', port: 2, up: true },
      { kind: 'overflow', ring: 'punts', lost: 3 },
      { port: 2, vap: null, class: 'link_local', timestampNs: 12n, frame: Buffer.from('0180c200000e', 'hex') },
    ]);
    stop();
    events = pack(['link', 2, false]);
    seen.ring?.();
    expect(heard).toHaveLength(3);
  });
});

describe('close', () => {
  it('closes once, and refuses afterwards', async () => {
    const close = vi.fn(async () => undefined);
    const { made } = addon({ close });
    const engine = await openEmbedded(OPTIONS, made);
    await Promise.all([engine.close(), engine.close()]);
    expect(close).toHaveBeenCalledTimes(1);
    await expect(engine.stats()).rejects.toMatchObject({ code: 'NVE-ENG-013' } satisfies Partial<NveError>);
  });
});
