// `splitnve nva` under `kill -9`: an NVE reports as fast as it can, another one follows, and the NVA is killed in the middle of it. What
// was acknowledged is there when it comes back, in the same epoch, and who followed knows nothing that was lost.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, expect, test } from 'vitest';
import { HypervisorClient } from '#hypervisor';
import { type IpAddr, type LinkName, type MacAddr, type NveId, type TsiId, unwrap, type VnId } from '#model';
import { type Attachment, NvaClient, type NvaClientHandlers } from '#nva';
import type { NnpToken } from '#wire';
import { RawPeer } from '../../ts/nva/testing/lab.js';
import { Lab } from '../lib/lab.js';
import { Role } from '../lib/role.js';

const ROUNDS = 10;
const TSIS = 30;
const VN = 5001 as VnId;

const folder = mkdtempSync(join(tmpdir(), 'splitnve-nva-'));
const lab = new Lab();
afterAll(async () => {
  await lab.close();
  rmSync(folder, { recursive: true });
});

const mac = (n: number) =>
  `02:00:00:00:${(n >> 8).toString(16).padStart(2, '0')}:${(n & 255).toString(16).padStart(2, '0')}`;
/** The TSI `n` at its count: what it has for IP address is how often it was changed. */
function attachment(n: number, count: number): Attachment {
  const ip = `10.${(count >> 16) & 255}.${(count >> 8) & 255}.${count & 255}` as IpAddr;
  return { vn: VN, tsi: `t${n}` as TsiId, port: 'acc0' as LinkName, macs: [mac(n) as MacAddr], ips: [ip] };
}
const countOf = (ip: string) => ip.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0) - 10 * 2 ** 24;

function client(nveId: string, tunnel: string, events: Partial<NvaClientHandlers> = {}): NvaClient {
  const endpoints = [{ address: { kind: 'unix', path: `${folder}/nnp.sock` } as const, priority: 0, weight: 1 }];
  const tunnels = [{ encap: 1, ip: tunnel as IpAddr }];
  const timing = { backoffMinMs: 5, backoffMaxMs: 50 };
  const made = new NvaClient(
    { nveId: nveId as NveId, endpoints, tunnels, timing },
    {
      ...events,
    },
  );
  made.start();
  return made;
}

/** How the NVA goes on with an NVE that shows this token. */
async function planFor(token: NnpToken): Promise<string> {
  const peer = new RawPeer({ kind: 'unix', path: `${folder}/nnp.sock` });
  peer.hello('probe');
  peer.send({ kind: 'sub', channel: 1, vn: VN, token });
  await peer.until(() => peer.closed || peer.frames.some(({ kind }) => kind === 'subAck'));
  peer.destroy();
  return peer.frames.flatMap((frame) => (frame.kind === 'subAck' ? [frame.plan] : [])).join();
}

test('an NVA that is killed at any moment has lost nothing that was acknowledged, and goes on in its epoch', async () => {
  const nva = lab.add(
    new Role(
      await lab.namespace('nva'),
      'nva',
      'nva',
      folder,
      `
listen.endpoints = ["unix:${folder}/nnp.sock"]
vn = [{ name = "blue", vni = ${VN} }]
nve = [{ id = "writer", addresses = ["192.0.2.1"] }, { id = "reader", addresses = ["192.0.2.2"] }, { id = "probe", addresses = ["192.0.2.3"] }]
tsi = [{ vn = "blue", tsi = "*" }]
`,
    ),
  );
  await nva.start();
  const rpc = new HypervisorClient({ socket: nva.socket });
  lab.add({ close: async () => rpc.close() });
  const reader: NvaClient = client('reader', '192.0.2.2', {
    onMapping: ({ vn, revision }) => reader.applied(vn, revision),
  });
  lab.add({ close: () => reader.stop() });
  unwrap(await reader.subscribe(VN));
  const epoch = reader.status().epoch ?? '';
  const acknowledged = new Map<number, number>();
  let count = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const writer = client('writer', '192.0.2.1');
    // It has no memory: what was attached before is to be said again, or is swept.
    for (const [n, last] of acknowledged) void writer.report('attach', attachment(n, last));
    const before = count;
    let killed = false;
    const writing = Array.from({ length: TSIS }, async (_, n) => {
      while (!killed) {
        count += 1;
        const mine = count;
        const result = await Promise.race([writer.report('attach', attachment(n, mine)), sleep(2_000, null)]);
        if (!killed && result?.ok) acknowledged.set(n, mine);
      }
    });
    while (count - before < 200) await sleep(5);
    await sleep(Math.random() * 150);
    killed = true;
    await nva.program.stop('SIGKILL');
    await writer.stop();
    await Promise.all(writing);
    const token = { epoch, revision: reader.view(VN)?.revision ?? 0n };
    await nva.start();
    expect(await planFor(token)).toBe('delta');
    const [blue] = await rpc.listVns();
    const stored = new Map(blue?.hosts.map((host) => [Number(host.tsi.slice(1)), countOf(host.ips[0] ?? '')]));
    expect(acknowledged.size).toBe(TSIS);
    for (const [n, last] of acknowledged) expect(stored.get(n)).toBeGreaterThanOrEqual(last);
    // Who followed has what the NVA has.
    await expect.poll(() => reader.status().state, { timeout: 10_000 }).toBe('connected');
    await expect
      .poll(
        () =>
          new Map(
            [...(reader.view(VN)?.hosts.values() ?? [])].map(({ tsi, ips }) => [
              Number(tsi.slice(1)),
              countOf(ips[0] ?? ''),
            ]),
          ),
      )
      .toEqual(stored);
    for (const [n, last] of stored) acknowledged.set(n, last);
  }
}, 120_000);
