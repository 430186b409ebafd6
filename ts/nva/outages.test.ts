/** NVEs and the embedded NVA over real sockets, when one of them is away for a while. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { unwrap } from '#model';
import { CONFIG, Lab, mac, type Nve, request, vnId } from './testing/lab.js';

// They wait for events, however busy the machine is.
vi.setConfig({ testTimeout: 60_000 });

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

describe('outages', () => {
  it('mappings stay while the NVA is away; a new one (new epoch) is synced with a sweep', async () => {
    const { a, b } = await two();
    unwrap(await a.attach('t1', [1]));
    unwrap(await b.attach('t2', [2]));
    await a.sees(['01 a#0', '02 b#0']);
    await lab.stopServer();
    await a.until(() => a.errors.length > 0);
    expect(a.hosts()).toEqual(['01 a#0', '02 b#0']);
    expect(a.client.view(vnId(7))?.live).toBe(false);
    // What happens meanwhile is told afterwards.
    const detached = a.detach('t1', [1]);
    const attached = a.attach('t3', [3]);
    const nves = CONFIG.nves.slice(0, 2);
    await lab.startServer({ authority: { ...CONFIG, nves } });
    unwrap(await detached);
    unwrap(await attached);
    await a.sees(['02 b#0', '03 a#0']);
    await b.sees(['02 b#0', '03 a#0']);
    // Nobody saw the hosts of the other vanish in between.
    expect(a.changes.flatMap(({ hosts }) => hosts.removed)).toEqual([mac(1)]);
    expect(b.changes.flatMap(({ hosts }) => hosts.removed)).toEqual([mac(1)]);
  });

  it('a new NVA does not wait for an NVE that never comes', async () => {
    const { a, b } = await two();
    unwrap(await a.attach('t1', [1]));
    unwrap(await b.attach('t2', [2]));
    await a.sees(['01 a#0', '02 b#0']);
    await lab.stopServer();
    await b.client.stop();
    await lab.startServer({ settleMs: 1 });
    await a.sees(['01 a#0']);
  });

  it('while a new NVA waits for the others, new mappings come and old ones stay', async () => {
    const { a, b } = await two();
    unwrap(await a.attach('t1', [1]));
    unwrap(await b.attach('t2', [2]));
    await a.sees(['01 a#0', '02 b#0']);
    await lab.stopServer();
    await b.client.stop();
    await lab.startServer();
    const other = lab.nve('blue-only');
    unwrap(await other.attach('t3', [3]));
    await a.sees(['01 a#0', '02 b#0', '03 blue-only#0']);
    unwrap(await other.detach('t3', [3]));
    await a.sees(['01 a#0', '02 b#0']);
    expect(a.client.view(vnId(7))?.live).toBe(false);
    // The last one reports: now it is known that t2 is gone.
    void b.detach('t2', [2]);
    b.client.start();
    await a.sees(['01 a#0']);
    expect(a.client.view(vnId(7))?.live).toBe(true);
  });

  it('within an epoch a reconnect gets a delta', async () => {
    const { a, b } = await two();
    unwrap(await a.attach('t1', [1]));
    await b.sees(['01 a#0']);
    await b.client.stop();
    unwrap(await a.attach('t2', [2]));
    const before = b.changes.length;
    b.client.start();
    await b.sees(['01 a#0', '02 a#0']);
    expect(b.changes.slice(before).flatMap(({ hosts }) => hosts.set.map((host) => host.mac))).toEqual([mac(2)]);
  });

  it('beyond the change log it gets a snapshot', async () => {
    lab = new Lab();
    await lab.startServer({ limits: { logOps: 4 } });
    const [a, b] = [lab.nve('a'), lab.nve('b')];
    unwrap(await b.client.subscribe(vnId(7)));
    unwrap(await a.attach('t1', [1]));
    await b.sees(['01 a#0']);
    await b.client.stop();
    unwrap(await a.detach('t1', [1]));
    for (let n = 2; n < 8; n++) unwrap(await a.attach(`t${n}`, [n]));
    b.client.start();
    await b.sees([2, 3, 4, 5, 6, 7].map((n) => `0${n} a#0`));
  });

  it('AUTH while the NVA is away: a verdict within its time counts, anything else is an error', async () => {
    lab = new Lab();
    await lab.startServer();
    const a = lab.nve('a');
    unwrap(await a.client.authorize(request('t1')));
    const denied = await a.client.authorize(request('x1'));
    await lab.stopServer();
    await a.until(() => a.errors.length > 0);
    expect(unwrap(await a.client.authorize(request('t1'))).name).toBe('blue');
    expect(await a.client.authorize(request('x1'))).toEqual(denied);
    const other = await a.client.authorize(request('t2'));
    expect(other.ok ? 'ok' : other.error.code).toBe('NVE-NNP-001');
  });

  it('a client that starts before its NVA gets there', async () => {
    lab = new Lab();
    const a = lab.nve('a');
    const subscribed = a.client.subscribe(vnId(7), 60_000);
    await a.until(() => a.errors.length > 0);
    expect(a.errors[0]?.code).toBe('NVE-NNP-001');
    await lab.startServer();
    unwrap(await subscribed);
  });

  it('the reports of an NVE that does not come back are dropped after the hold', async () => {
    lab = new Lab();
    await lab.startServer({ holdMs: 1 });
    const [a, b] = [lab.nve('a'), lab.nve('b')];
    unwrap(await b.client.subscribe(vnId(7)));
    unwrap(await a.attach('t1'));
    await b.sees(['01 a#0']);
    await a.client.stop();
    await b.sees([]);
    expect(b.members()).toEqual([]);
  });

  it('within the hold they stay, and the full report sweeps what is gone', async () => {
    const { a, b } = await two();
    unwrap(await a.attach('t1', [1]));
    unwrap(await a.attach('t2', [2]));
    await b.sees(['01 a#0', '02 a#0']);
    await a.client.stop();
    const gone = a.detach('t2', [2]);
    unwrap(await b.attach('t3', [3]));
    await b.sees(['01 a#0', '02 a#0', '03 b#0']);
    a.client.start();
    unwrap(await gone);
    await b.sees(['01 a#0', '03 b#0']);
  });

  it('the next endpoint is tried when one is dead', async () => {
    lab = new Lab();
    await lab.startServer();
    const dead = { kind: 'unix', path: '/nonexistent/nva.sock' } as const;
    const a = lab.nve('a', {
      endpoints: [
        { address: dead, priority: 0, weight: 1 },
        { address: lab.address, priority: 1, weight: 1 },
      ],
    });
    unwrap(await a.client.subscribe(vnId(7)));
    expect(a.client.status().endpoint?.priority).toBe(1);
    expect(a.errors[0]?.message).toContain('/nonexistent/nva.sock');
  });
});

describe('two NVAs of the same configuration', () => {
  // As soon as both have reported, an NVA knows all there is.
  const authority = { ...CONFIG, nves: CONFIG.nves.slice(0, 2) };

  /** Two servers beside each other, and clients with short waits. */
  async function pair() {
    lab = new Lab();
    const other = new Lab();
    await lab.startServer({ authority });
    await other.startServer({ authority });
    const first = { address: lab.address, priority: 0, weight: 1 };
    const second = { address: other.address, priority: 1, weight: 1 };
    const timing = { backoffMinMs: 5, backoffMaxMs: 20, failbackMs: 50, stableMs: 0 };
    const [a, b] = ['a', 'b'].map((id) => lab.nve(id, { endpoints: [first, second], timing })) as [Nve, Nve];
    for (const nve of [a, b]) unwrap(await nve.client.subscribe(vnId(7)));
    unwrap(await a.attach('t1', [1]));
    unwrap(await b.attach('t2', [2]));
    for (const nve of [a, b]) await nve.sees(['01 a#0', '02 b#0']);
    const priority = (nve: Nve): number | undefined => nve.client.status().endpoint?.priority;
    return { a, b, other, priority };
  }
  const vanished = (...nves: Nve[]) => nves.flatMap(({ changes }) => changes.flatMap(({ hosts }) => hosts.removed));

  it('when one is gone the other takes over, and nobody sees a host vanish; when it is back, they go back', async () => {
    const { a, b, other, priority } = await pair();
    await lab.stopServer();
    for (const nve of [a, b]) await nve.until(() => priority(nve) === 1 && nve.client.view(vnId(7))?.live === true);
    unwrap(await a.attach('t3', [3]));
    await b.sees(['01 a#0', '02 b#0', '03 a#0']);
    await lab.startServer({ authority });
    for (const nve of [a, b]) await nve.until(() => priority(nve) === 0 && nve.client.view(vnId(7))?.live === true);
    unwrap(await b.attach('t4', [4]));
    await a.sees(['01 a#0', '02 b#0', '03 a#0', '04 b#0']);
    expect(vanished(a, b)).toEqual([]);
    await vi.waitFor(() => expect(other.server?.sessions()).toEqual([]), 5_000);
    await other.close();
  });

  it('one that drains loses nobody: the new session is in sync before the old one ends', async () => {
    const { a, b, other, priority } = await pair();
    await lab.server?.drain('maintenance', 60_000);
    for (const nve of [a, b]) await nve.until(() => priority(nve) === 1 && nve.client.view(vnId(7))?.live === true);
    expect([...a.errors, ...b.errors]).toEqual([]);
    expect(vanished(a, b)).toEqual([]);
    // Who comes is sent away, and told why.
    const late = lab.nve('a', { endpoints: [{ address: lab.address, priority: 0, weight: 1 }] });
    await late.until(() => late.errors.length > 0);
    expect(late.errors[0]?.message).toContain('NVE-NNP-016 the NVA nva1 goes away: maintenance');
    await other.close();
  });
});
