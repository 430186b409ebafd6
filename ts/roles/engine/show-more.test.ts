import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Call } from '#hypervisor';
import type { IpAddr, MacAddr, Mtu, NveId, Vid, VnId, Vni, VnName } from '#model';
import { FakeEngine } from '../testing/fake-engine.js';
import { captureHandlers } from './capture.js';
import { PortNames } from './ports.js';
import { type ShowNames, showHandlers } from './show.js';

const ports = new PortNames();
ports.set('access0', 0);
ports.set('fabric0', 1);
const names: ShowNames = {
  ports,
  vnName: () => 'blue' as VnName,
  tsiOf: () => null,
  nveOf: (_, remote) => (remote === '192.0.2.2' ? ('nve2' as NveId) : null),
};
const call = { signal: new AbortController().signal } as Call;
const vn = 7 as VnId;
const remote = '192.0.2.2' as IpAddr;

let engine: FakeEngine;
beforeEach(async () => {
  engine = new FakeEngine();
  const kind = { driver: 'net_ring' } as const;
  const { refused } = await engine.apply([
    { op: 'PortAdd', port: 0, name: 'access0', mtu: 1500, kind },
    { op: 'PortAdd', port: 1, name: 'fabric0', mtu: 1600, kind },
    { op: 'UnderlaySet', port: 1, ip: '192.0.2.1' as IpAddr, prefixLen: 24 },
    { op: 'VnSet', vn, vni: 5001 as Vni, mtu: 1500 as Mtu },
    { op: 'VapSet', vap: 3, vn, port: 0, selector: { kind: 'c-tag', vid: 100 as Vid }, guard: true, uplink: false },
    { op: 'NextHopSet', nh: 1, remote, encap: 1, contextId: 6001 },
    { op: 'NextHopSet', nh: 2, remote, encap: 1, contextId: 6002 },
    { op: 'FdbSet', vn, mac: '02:00:00:00:00:01' as MacAddr, dest: { kind: 'nh', nh: 1 } },
    { op: 'FloodSet', vn, dests: [{ kind: 'nh', nh: 1 }] },
    { op: 'SourcesSet', vn, ips: [remote] },
  ]);
  expect(refused).toEqual([]);
});

describe('show', () => {
  it('vn and vap: their options, or what holds without', async () => {
    const list = (acl: number) => ({ op: 'AclSet', acl, default: 'deny', rules: [] }) as const;
    const green = { vn: 8 as VnId, vni: 5002 as Vni, mtu: 1500 as Mtu };
    const { refused } = await engine.apply([
      list(1),
      list(2),
      { op: 'VnSet', ...green, options: { unknown: 'flood', learn: true, dscpOut: 'uniform', aclOut: 2 } },
      {
        op: 'VapSet',
        ...{ vap: 4, vn: green.vn, port: 0, selector: { kind: 'untagged' }, guard: false, uplink: false, learn: true },
        tags: { kind: 'list', vids: [5 as Vid] },
        options: { aclIn: 1, police: [1_000_000, 9000], storm: [10, 20], guardIp: true },
      },
    ]);
    expect(refused).toEqual([]);
    const handlers = showHandlers(engine, names);
    const plain = { unknown: 'drop', learn: false, suppress: false, strict: false, dscp_out: 'pipe' };
    expect((await handlers['show.vn']({}, call)).rows).toMatchObject([
      { ...plain, acl_in: null, acl_out: null },
      { ...plain, unknown: 'flood', learn: true, dscp_out: 'uniform', acl_in: null, acl_out: 2 },
    ]);
    const free = { reflect: false, learn: false, guard_ip: false, police: null, storm: null, suppressed: 0 };
    expect((await handlers['show.vap']({}, call)).rows).toMatchObject([
      { vap: 3, ...free, tags: { policy: 'refuse', vids: [] }, acl_in: null, acl_out: null },
      {
        ...{ vap: 4, reflect: false, learn: true, tags: { policy: 'list', vids: [5] }, guard_ip: true },
        police: { bits_per_s: 1_000_000, burst_bytes: 9000 },
        storm: { packets_per_s: 10, burst: 20 },
        ...{ acl_in: 1, acl_out: null, suppressed: 0 },
      },
    ]);
  });

  it('nve: one row for each NVE and encapsulation', async () => {
    const { rows } = await showHandlers(engine, names)['show.nve']({}, call);
    const place = { port: 'access0', neighbour: null };
    expect(rows).toEqual([{ nve: 'nve2', remote, encap: 'vxlan', ...place, next_hops: 2, vns: 1 }]);
  });

  it('flood: the VAPs of a VN, and its NVEs', async () => {
    const { rows } = await showHandlers(engine, names)['show.flood']({}, call);
    expect(rows).toEqual([
      expect.objectContaining({ vn: 'blue', to: 'vap', vap: 3, port: 'access0', tag: { kind: 'c-tag', vid: 100 } }),
      expect.objectContaining({ vn: 'blue', to: 'nve', nve: 'nve2', remote, encap: 'vxlan', context_id: 6001 }),
    ]);
  });

  it('memory: the heap and the process at least', async () => {
    const { rows } = await showHandlers(engine, names)['show.memory']({}, call);
    expect(rows.map(({ table }) => table)).toEqual(['heap', 'process']);
    for (const { bytes } of rows) expect(bytes).toBeGreaterThan(1_000_000);
  });
});

describe('a recording', () => {
  const read = { timeNs: 1_700_000_000_000_000_007n, port: 0, place: 'in', reason: null, length: 60 } as const;
  const frame = Uint8Array.of(1, 2, 3);
  const start = { of: 'port', port: 'access0' as never, snap: 96 } as const;
  afterEach(() => {
    vi.useRealTimers();
  });

  it('begins without what was left of before, gives what comes, and ends', async () => {
    const handlers = captureHandlers(engine, ports);
    engine.recorded = { frames: [{ ...read, frame }], lost: 9 };
    const { capture } = await handlers['capture.start'](start, call);
    expect(engine.capturing).toEqual({ filter: { kind: 'port', port: 0 }, snap: 96 });
    engine.recorded = { frames: [{ ...read, frame }], lost: 2 };
    const row = { time_s: 1_700_000_000, time_ns: 7, port: 'access0', place: 'in', reason: null, length: 60, frame };
    expect(await handlers['capture.read']({ capture }, call)).toEqual({ frames: [row], lost: 2 });
    expect(await handlers['capture.read']({ capture }, call)).toEqual({ frames: [], lost: 0 });
    await handlers['capture.stop']({ capture }, call);
    expect(engine.capturing).toBeNull();
    await expect(handlers['capture.read']({ capture }, call)).rejects.toMatchObject({ code: 'NVE-RPC-019' });
  });

  it('is the only one, until it ends or nobody has read it for five seconds', async () => {
    vi.useFakeTimers();
    const handlers = captureHandlers(engine, ports);
    const both = [handlers['capture.start'](start, call), handlers['capture.start'](start, call)];
    expect((await Promise.allSettled(both)).map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    await expect(handlers['capture.start'](start, call)).rejects.toMatchObject({ code: 'NVE-RPC-018' });
    await vi.advanceTimersByTimeAsync(5_100);
    expect(engine.capturing).toBeNull();
    await handlers['capture.start']({ of: 'drops', port: null, reason: 'vn_mtu', snap: 1 }, call);
    expect(engine.capturing?.filter).toEqual({ kind: 'drops', port: null, reason: 'vn_mtu' });
  });

  it('of a port that is not there is refused, and the next one is not', async () => {
    const handlers = captureHandlers(engine, ports);
    const wrong = handlers['capture.start']({ ...start, port: 'nowhere' as never }, call);
    await expect(wrong).rejects.toMatchObject({ code: 'NVE-RPC-009' });
    await handlers['capture.start'](start, call);
  });
});
