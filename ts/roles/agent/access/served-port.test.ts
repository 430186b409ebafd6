import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { LinkName, Vid } from '#model';
import { Store } from '#store';
import type { AccessConfig } from '../links.js';
import { channelsBefore, rememberChannel } from './served-port.js';

const port = 'access0' as LinkName;
const access = (more: object = {}): AccessConfig =>
  ({ port, scheme: 's-channel', vdp: true, channels: 3, svid_pool: [{ from: 100, to: 109 }], ...more }) as AccessConfig;
const channel = (scid: number, svid: number, peer = 'a') => ({ scid, svid: svid as Vid, peer });

let path: string;
let store: Store;
beforeEach(async () => {
  path = mkdtempSync(join(tmpdir(), 'splitnve-served-'));
  store = await Store.open(path);
});
afterEach(async () => {
  await store.close();
  rmSync(path, { recursive: true });
});
const before = async (config = access()): Promise<string[]> => {
  await store.written();
  return channelsBefore(store, config).map(({ station, scid, svid }) => `${station} ${scid}:${svid}`);
};

it('are those that were up, of this port', async () => {
  for (const one of [channel(2, 100), channel(3, 101), channel(4, 102)]) rememberChannel(store, port, one, true);
  rememberChannel(store, 'access1' as LinkName, channel(2, 105), true);
  rememberChannel(store, port, { ...channel(3, 101), peer: null }, false);
  expect(await before()).toEqual(['a 2:100', 'a 4:102']);
});

it('are those that the configuration still allows; others are forgotten', async () => {
  for (const one of [channel(2, 100), channel(3, 101), channel(4, 102)]) rememberChannel(store, port, one, true);
  expect(await before(access({ svid_pool: [{ from: 101, to: 109 }], channels: 1 }))).toEqual(['a 3:101']);
  expect(await before()).toEqual(['a 3:101']);
  expect(await before(access({ scheme: 'c-tag' }))).toEqual([]);
  expect(await before()).toEqual([]);
});

it('are one station’s, and sound', async () => {
  rememberChannel(store, port, channel(2, 100), true);
  rememberChannel(store, port, channel(3, 101, 'b'), true);
  store.putFact('s-channel', `${port} 102`, { port, station: 'a', scid: 4, svid: 'x' });
  expect(await before()).toEqual(['a 2:100']);
});
