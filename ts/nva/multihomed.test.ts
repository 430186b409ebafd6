/** TSIs behind several NVEs, and NVEs with several ends, at the embedded NVA over real sockets. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { homesOf, type IpAddr, unwrap } from '#model';
import { attachment, Lab, mac, type Nve, nveId, vnId } from './testing/lab.js';

// They wait for events, however busy the machine is.
vi.setConfig({ testTimeout: 60_000 });

let lab: Lab;
afterEach(() => lab.close());

async function two() {
  lab = new Lab();
  await lab.startServer();
  const [a, b] = [lab.nve('a'), lab.nve('b')];
  for (const { client } of [a, b]) unwrap(await client.subscribe(vnId(7)));
  return { a, b };
}

describe('a TSI behind several NVEs', () => {
  /** Of MAC 1, as `nve` sees it: its NVEs and its mobility number. */
  const homes = (nve: Nve): string => {
    const host = nve.client.view(vnId(7))?.hosts.get(mac(1));
    return host === undefined
      ? ''
      : `${homesOf(host)} ${host.others === undefined ? 'single' : 'multihomed'}#${host.mobilitySeq}`;
  };
  const sees = (nve: Nve, text: string) => nve.until(() => homes(nve) === text);
  const report = async (nve: Nve, change: 'attach' | 'detach', multihomed = true) =>
    unwrap(await nve.client.report(change, { ...attachment('t1'), multihomed }));

  it('is at all that say so, first at the oldest, and joining or leaving moves it for nobody else', async () => {
    const { a, b } = await two();
    await report(a, 'attach');
    await sees(b, 'a multihomed#0');
    await report(b, 'attach');
    await sees(a, 'a,b multihomed#0');
    expect([...(a.client.view(vnId(7))?.homes ?? [])]).toEqual([['a b', ['a', 'b']]]);
    await report(b, 'detach');
    await sees(a, 'a multihomed#0');
    expect(a.client.view(vnId(7))?.homes.size).toBe(0);
    await report(b, 'attach');
    await report(a, 'detach');
    await sees(b, 'b multihomed#1');
  });

  it('moves, if an NVE says nothing of others', async () => {
    const { a, b } = await two();
    await report(a, 'attach');
    await report(b, 'attach', false);
    await sees(a, 'b single#1');
    // It says so now: what it was is no move.
    await report(b, 'attach');
    await sees(a, 'a,b multihomed#2');
  });

  it('is reported in full again, and lost where it is not named any more', async () => {
    const { a, b } = await two();
    await report(a, 'attach');
    await report(b, 'attach');
    await a.client.stop();
    a.client.start();
    await a.until(() => a.connects === 2);
    unwrap(await a.attach('t2', [2]));
    await sees(b, 'a,b multihomed#0');
  });
});

describe('the ends of an NVE', () => {
  it('are what it says in its session, and what its next HELLO says', async () => {
    const { a, b } = await two();
    unwrap(await a.attach('t1'));
    const seen = () => JSON.stringify(b.client.view(vnId(7))?.members.get(nveId('a'))?.tunnels);
    const down = [{ encap: 1, ip: '192.0.2.1' as IpAddr, weight: 3, down: true }];
    a.client.ends(down);
    await b.until(() => seen() === JSON.stringify(down));
    await a.client.stop();
    const up = [{ encap: 1, ip: '192.0.2.1' as IpAddr }];
    a.client.ends(up);
    expect(seen(), 'it is away: nothing new is known').toBe(JSON.stringify(down));
    a.client.start();
    await b.until(() => seen() === JSON.stringify(up));
  });

  it('are registered ones, or the session ends', async () => {
    const { a } = await two();
    a.client.ends([{ encap: 1, ip: '192.0.2.99' as IpAddr }]);
    await a.until(() => a.errors.length > 0);
    expect(a.errors[0]?.message).toContain('192.0.2.99');
  });
});
