// The NVE's own addresses on a link with a kernel at the other end: echo over both families, duplicate address detection, a gateway, and a TCP
// session of this host's kernel over the exception path.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { IpAddr, MacAddr } from '#model';
import { must, obstacle, said } from '../lib/command.js';
import { type EngineProcess, eventually } from '../lib/engine.js';
import { Lab } from '../lib/lab.js';
import type { Namespace } from '../lib/namespace.js';
import { ping } from '../lib/ping.js';

const UNDERLAY = 1;
const TAP = 2;
const MAC = '02:ff:00:00:00:01' as MacAddr;
const [US, THEM, FAR] = ['192.0.2.1', '192.0.2.2', '203.0.113.9'] as IpAddr[] as [IpAddr, IpAddr, IpAddr];
const [US_6, THEM_6, TAKEN_6] = ['2001:db8::1', '2001:db8::2', '2001:db8::9'] as IpAddr[] as [IpAddr, IpAddr, IpAddr];
/** That of the port's MAC. */
const LINK_LOCAL = 'fe80::ff:ff:fe00:1' as IpAddr;
const TRANSFER = fileURLToPath(new URL('../lib/transfer.mjs', import.meta.url));
const TCP_PORT = 7_100;
const BYTES = 1_000_000;
const why = obstacle('ip', 'nsenter', 'ping');
const lab = new Lab();
let engine: EngineProcess;
let peer: Namespace;
let kernel: Namespace;

/** Gives an interface of a namespace addresses of both families, which nobody else checks. */
async function addresses(space: Namespace, iface: string, v4: IpAddr, ...v6: IpAddr[]): Promise<void> {
  await must(...space.inside('sh', '-c', 'echo 0 > /proc/sys/net/ipv6/conf/all/disable_ipv6'));
  const off = ['disable_ipv6=0', 'accept_dad=0', 'accept_ra=0'].map((one) => one.split('=') as [string, string]);
  for (const [name, value] of off)
    await must(...space.inside('sh', '-c', `echo ${value} > /proc/sys/net/ipv6/conf/${iface}/${name}`));
  await space.ip(`addr add ${v4}/24 dev ${iface}`, `link set ${iface} up`);
  for (const ip of v6) await space.ip(`addr add ${ip}/64 dev ${iface} nodad`);
}

beforeAll(async () => {
  if (why !== undefined) return;
  const nve = await lab.namespace('NVE');
  peer = await lab.namespace('peer');
  kernel = await lab.namespace('kernel');
  engine = await lab.engine('NVE', nve);
  const tap = (port: number, iface: string) =>
    ({ op: 'PortAdd', port, name: iface, mtu: 1500, kind: { driver: 'net_tap', iface, mac: MAC } }) as const;
  await engine.must(tap(UNDERLAY, 'under'), tap(TAP, 'kern'));
  await nve.ip(`link set under netns ${peer.pid}`, `link set kern netns ${kernel.pid}`);
  await peer.ip('link set under address 02:ff:00:00:00:02');
  await addresses(peer, 'under', THEM, THEM_6, TAKEN_6);
  await addresses(kernel, 'kern', US, US_6);
  await engine.must(
    { op: 'UnderlaySet', port: UNDERLAY, ip: US, prefixLen: 24 },
    { op: 'UnderlaySet', port: UNDERLAY, ip: US_6, prefixLen: 64 },
  );
});
afterAll(() => lab.close());
beforeEach((context) => {
  if (why !== undefined) context.skip(why);
});

const stateOf = async (ip: IpAddr) => (await engine.dump('underlays')).find((row) => row.ip === ip)?.state;
const told = (ip: IpAddr, state: string) =>
  engine.events.some((event) => event.kind === 'address' && event.ip === ip && event.state === state);

it('an IPv6 address is used when nobody has it, and both families answer', async () => {
  await eventually('the address', async () => (await stateOf(US_6)) === 'preferred');
  expect(told(US_6, 'preferred')).toBe(true);
  await ping(peer, US);
  await ping(peer, US_6);
});

it('a port with IPv6 has a link-local address, made of its MAC, until the last of its IPv6 addresses is gone', async () => {
  await eventually('the address', async () => (await stateOf(LINK_LOCAL)) === 'preferred');
  expect(told(LINK_LOCAL, 'preferred')).toBe(true);
  await ping(peer, `${LINK_LOCAL}%under`);
  await engine.must({ op: 'UnderlayDel', port: UNDERLAY, ip: US_6 });
  expect(await stateOf(LINK_LOCAL)).toBeUndefined();
  await engine.must({ op: 'UnderlaySet', port: UNDERLAY, ip: US_6, prefixLen: 64 });
  await eventually('the address again', async () => (await stateOf(LINK_LOCAL)) === 'preferred');
});

it('an address that another host has is told and not used', async () => {
  await engine.must({ op: 'UnderlaySet', port: UNDERLAY, ip: TAKEN_6, prefixLen: 64 });
  await eventually('the conflict', () => told(TAKEN_6, 'duplicate'));
  expect(await stateOf(TAKEN_6)).toBe('duplicate');
  await engine.must({ op: 'UnderlayDel', port: UNDERLAY, ip: TAKEN_6 });
  await ping(peer, US_6);
});

it('neighbours of both families are found, and a remote NVE behind a gateway', async () => {
  const nextHop = (nh: number, remote: IpAddr) =>
    ({ op: 'NextHopSet', nh, remote, encap: 1, contextId: 5001 }) as const;
  const refused = await engine.apply([nextHop(3, FAR)]);
  expect(refused.refused.map(({ code }) => code)).toEqual(['NVE-ENG-010']);
  await engine.must(
    { op: 'RouteSet', prefix: '203.0.113.0' as IpAddr, prefixLen: 24, gateways: ['192.0.2.77' as IpAddr, THEM] },
    nextHop(1, THEM),
    nextHop(2, THEM_6),
    nextHop(3, FAR),
  );
  // The first gateway never answers, and the second takes over.
  await eventually('all three', async () => {
    const rows = await engine.dump('nexthops');
    return rows.length === 3 && rows.every(({ neighbourMac }) => neighbourMac === '02:ff:00:00:00:02');
  });
  expect(await engine.dump('routes')).toHaveLength(1);
});

it('a TCP session of the kernel goes over the exception path, both families', async () => {
  const foreign = await engine.apply([{ op: 'ExceptionSet', port: TAP, tap: UNDERLAY }]);
  expect(foreign.refused.map(({ code }) => code)).toEqual(['NVE-ENG-007']);
  await engine.must({ op: 'ExceptionSet', port: UNDERLAY, tap: TAP });
  expect(await engine.dump('exceptions')).toEqual([{ port: UNDERLAY, tap: TAP }]);
  const server = spawn(...peer.inside(process.execPath, TRANSFER, 'serve', `${TCP_PORT}`, 'peer', '::'), {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = once(server, 'close');
  lab.add({
    close: () => {
      server.stdin.end();
      return ended;
    },
  });
  await said(server, server.stdout, 'listening');
  for (const to of [THEM, THEM_6]) {
    const fetch = kernel.inside(process.execPath, TRANSFER, 'fetch', `${TCP_PORT}`, 'kernel', to, `${BYTES}`);
    const result = JSON.parse(await must(...fetch)) as Record<'peerGot' | 'got' | 'sent' | 'peerSent', string>;
    expect([result.peerGot, result.got]).toEqual([result.sent, result.peerSent]);
  }
  await ping(kernel, THEM);
  await ping(kernel, THEM_6);
  // The engine answers for the shared addresses as before.
  await ping(peer, US);
});
