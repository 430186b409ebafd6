import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { open } from 'lmdb';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Association, TagAllocation, TsiKey } from '#model';
import { STORE_FORMAT } from './database.js';
import { Store } from './store.js';

let path = '';
let stores: Store[] = [];
beforeEach(() => {
  path = join(mkdtempSync(join(tmpdir(), 'splitnve-store-')), 'agent');
});
afterEach(async () => {
  for (const store of stores) await store.close();
  stores = [];
  rmSync(join(path, '..'), { recursive: true });
});

async function opened(): Promise<Store> {
  const store = await Store.open(path);
  stores.push(store);
  return store;
}
async function closed(work: (store: Store) => void): Promise<void> {
  const store = await Store.open(path);
  work(store);
  await store.close();
}

const key = (n: number): TsiKey => ({ tsi: `t${n}`, link: 'access0' }) as unknown as TsiKey;
const association = (n: number, more: Partial<Association> = {}): Association =>
  ({
    key: key(n),
    vn: { vn: 7, name: 'blue', vni: 5001, mtu: 1450, gateway: null },
    macs: ['02:00:00:00:00:01'],
    ips: ['10.0.0.1'],
    learn: false,
    hints: { suspended: false, migrating: false },
    upTo: 'activated',
    asker: 'rpc',
    ...more,
  }) as unknown as Association;
const tag = (vn: number, vid: number, held = true): TagAllocation =>
  ({ domain: 'access0', vn, vnName: `vn${vn}`, vid, held }) as unknown as TagAllocation;

describe('Store', () => {
  it('gives back what was put, after it was closed or not', async () => {
    await closed((store) => {
      store.putAssociation(key(1), association(1));
      store.putAssociation(key(2), association(2));
      store.putAssociation(key(1), association(1, { upTo: 'associated' }));
      store.putAssociation(key(2), null);
      store.putTags([tag(1, 100), tag(2, 101)]);
      store.putTags([tag(3, 101, false)]);
      store.putFact('port', 'tap0', { iface: 'tap0' });
      store.putFact('port', 'tap1', { iface: 'tap1' });
      store.putFact('port', 'tap1', null);
      store.putFact('portal', 'x', 1);
    });
    const store = await opened();
    expect(store.associations()).toEqual([association(1, { upTo: 'associated' })]);
    expect(store.tags()).toEqual([tag(1, 100), tag(3, 101, false)]);
    expect(store.facts('port')).toEqual([{ name: 'tap0', value: { iface: 'tap0' } }]);
    expect(await store.written()).toEqual({ ok: true, value: null });
    expect(statSync(path).mode & 0o777).toBe(0o700);
  });

  it("is one process's; one that was killed leaves it to the next", async () => {
    await closed(() => undefined);
    const root = open({ path, noSubdir: false, encoding: 'json', maxDbs: 8 });
    const meta = root.openDB<unknown, string>({ name: 'meta', encoding: 'json' });
    const [, stat] = readFileSync('/proc/1/stat', 'utf8').split(/\) (?!.*\) )/);
    await meta.put('owner', { pid: 1, started: stat?.split(' ')[19] });
    await expect(Store.open(path)).rejects.toMatchObject({
      code: 'NVE-STO-004',
      message: `the store ${path} is in use by process 1`,
    });
    await meta.put('owner', { pid: 1, started: 'another life' });
    await root.close();
    await opened();
  });

  it('refuses what a newer release wrote', async () => {
    await closed(() => undefined);
    const root = open({ path, noSubdir: false, encoding: 'json', maxDbs: 8 });
    await root.openDB<unknown, string>({ name: 'meta', encoding: 'json' }).put('format', STORE_FORMAT + 1);
    await root.close();
    await expect(Store.open(path)).rejects.toMatchObject({
      code: 'NVE-STO-003',
      message: expect.stringContaining(`${path} has format ${STORE_FORMAT + 1}`),
      hint: expect.stringContaining('newer release'),
    });
  });

  it.each<[string, () => void]>([
    ['garbage', () => writeFileSync(join(path, 'data.mdb'), Buffer.alloc(65_536, 7))],
    ['cut off', () => writeFileSync(join(path, 'data.mdb'), readFileSync(join(path, 'data.mdb')).subarray(0, 9_000))],
    [
      'with a row that is none',
      () => {
        const file = join(path, 'data.mdb');
        const octets = readFileSync(file).toString('latin1');
        writeFileSync(file, octets.replaceAll('"activated"', '"actuvated"'), 'latin1');
      },
    ],
  ])('tells path and remedy when its file is %s', async (_, damage) => {
    await closed((store) => store.putAssociation(key(1), association(1)));
    damage();
    const use = async () => (await opened()).associations();
    await expect(use()).rejects.toMatchObject({
      code: 'NVE-STO-002',
      message: expect.stringContaining(`the store ${path} is damaged: `),
      hint: expect.stringContaining(`move it away`),
    });
  });

  it('tells why a directory cannot be used', async () => {
    writeFileSync(path, 'a file');
    await expect(Store.open(path)).rejects.toMatchObject({
      code: 'NVE-STO-001',
      message: expect.stringContaining(`cannot use the store ${path}: `),
    });
    path = join(path, 'agent');
    await expect(Store.open(path)).rejects.toMatchObject({ code: 'NVE-STO-001' });
    path = join(path, '..');
  });

  it('says so when it cannot write, and writes it later', async () => {
    const store = await opened();
    store.putFact('odd', 'x', 10n);
    store.putAssociation(key(1), association(1));
    expect(await store.written()).toMatchObject({
      ok: false,
      error: {
        code: 'NVE-STO-005',
        retryable: true,
        message: expect.stringContaining(`cannot write to the store ${path}: `),
      },
    });
    store.putFact('odd', 'x', 10);
    expect(await store.written()).toEqual({ ok: true, value: null });
    expect(store.associations()).toEqual([association(1)]);
    expect(store.facts('odd')).toEqual([{ name: 'x', value: 10 }]);
  });
});
