// The agent's store under `kill -9`: a process writes as fast as it can and says what is acknowledged; then it is killed in the middle of
// it, and what it had said is there.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, expect, test } from 'vitest';
import { Store } from '#store';

const path = join(mkdtempSync(join(tmpdir(), 'splitnve-store-')), 'agent');
const ROUNDS = 12;
const TSIS = 40;

/** Each TSI counts up, in the index of its only IP address; each tag in its VN's id. A line says how far all are on disk. */
const WRITER = `
const { Store } = await import(process.argv[1]);
const store = await Store.open(process.argv[2]);
let n = Number(process.argv[3]);
const row = (i) => ({
  key: { tsi: 't' + i, link: 'access0' },
  vn: { vn: 7, name: 'blue', vni: 5001, mtu: 1450, gateway: null },
  macs: ['02:00:00:00:00:01'],
  ips: ['10.' + ((n >> 16) & 255) + '.' + ((n >> 8) & 255) + '.' + (n & 255)],
  learn: false, hints: { suspended: false, migrating: false }, upTo: 'activated', asker: 'rpc',
});
for (;;) {
  n += 1;
  for (let i = 0; i < ${TSIS}; i++) {
    store.putAssociation(row(i).key, row(i));
    store.putTags([{ domain: 'access0', vn: n, vnName: 'v' + n, vid: 100 + i, held: true }]);
    if (Math.random() < 0.1) await new Promise(setImmediate);
  }
  const said = n;
  void store.written().then((result) => process.stdout.write(said + (result.ok ? '' : ' failed') + '\\n'));
  await new Promise(setImmediate);
}
`;

let writer: ChildProcess | undefined;
afterAll(() => {
  writer?.kill('SIGKILL');
  rmSync(join(path, '..'), { recursive: true });
});

test('a process that is killed at any moment has lost nothing that was acknowledged', async () => {
  const module = new URL('../../dist/store/index.js', import.meta.url).href;
  let acknowledged = 0;
  let rounds = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const args = ['--input-type=module', '-e', WRITER, module, path, `${acknowledged}`];
    writer = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const before = acknowledged;
    createInterface({ input: writer.stdout as NodeJS.ReadableStream }).on('line', (line) => {
      acknowledged = Number(line);
    });
    const exited = once(writer, 'exit');
    while (acknowledged === before) await sleep(5);
    await sleep(Math.random() * 100);
    writer.kill('SIGKILL');
    await exited;
    const store = await Store.open(path);
    const reached = store
      .associations()
      .map(({ ips }) => Buffer.from((ips[0] ?? '').split('.').map(Number)).readUIntBE(1, 3));
    const tags = store.tags().map(({ vn }) => Number(vn));
    await store.close();
    expect(reached).toHaveLength(TSIS);
    expect(tags).toHaveLength(TSIS);
    expect(Math.min(...reached, ...tags)).toBeGreaterThanOrEqual(acknowledged);
    if (acknowledged > before) rounds += 1;
    acknowledged = Math.max(...reached, ...tags);
  }
  expect(rounds).toBe(ROUNDS);
});
