import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pack, unpack } from './msgpack.js';
import { decodeDump, decodeEvent, decodePunt, decodeStats } from './replies.js';
import type { DumpKind } from './rows.js';

const mac = Buffer.from('02000000000a', 'hex');
const ip = Buffer.from([192, 0, 2, 1]);

/** One row of each kind as docs/engine.md writes it, and as it reads. */
const rows: [DumpKind, unknown[], object][] = [
  [
    'ports',
    [0, 'a', 'net_tap', mac, 1500, true, 'access'],
    { port: 0, name: 'a', driver: 'net_tap', mac: '02:00:00:00:00:0a', mtu: 1500, linkUp: true, role: 'access' },
  ],
  [
    'vns',
    [
      7,
      5001,
      1500,
      1,
      2,
      [
        [1, 4],
        [2, 6],
      ],
      [ip],
      { unknown: 'flood', learn: true, suppress: true, strict: true, dscp_out: 'uniform', acl_in: 1, acl_out: 2 },
    ],
    {
      vn: 7,
      vni: 5001,
      mtu: 1500,
      vaps: 1,
      rows: 2,
      flood: [
        { kind: 'nh', nh: 4 },
        { kind: 'group', group: 6 },
      ],
      sources: ['192.0.2.1'],
      options: {
        unknown: 'flood',
        learn: true,
        suppress: true,
        strict: true,
        dscpOut: 'uniform',
        aclIn: 1,
        aclOut: 2,
      },
    },
  ],
  [
    'vns',
    [7, null, 1500, 0, 0, [], [], {}],
    { vn: 7, vni: null, mtu: 1500, vaps: 0, rows: 0, flood: [], sources: [], options: {} },
  ],
  [
    'vaps',
    [9, 7, 0, ['c-tag', 100], 3, ['refuse'], {}],
    {
      vap: 9,
      vn: 7,
      port: 0,
      selector: { kind: 'c-tag', vid: 100 },
      guard: true,
      uplink: true,
      reflect: false,
      learn: false,
      tags: { kind: 'refuse' },
      options: {},
    },
  ],
  [
    'vaps',
    [
      9,
      7,
      0,
      ['s-tag+c-tag', 300, 55],
      12,
      ['list', [1, 2]],
      { police: [5_000_000_000, 65_536], storm: [10, 20], guard_ip: true, acl_in: 3, acl_out: 4 },
    ],
    {
      vap: 9,
      vn: 7,
      port: 0,
      selector: { kind: 's-tag+c-tag', sVid: 300, cVid: 55 },
      guard: false,
      uplink: false,
      reflect: true,
      learn: true,
      tags: { kind: 'list', vids: [1, 2] },
      options: { police: [5_000_000_000, 65_536], storm: [10, 20], guardIp: true, aclIn: 3, aclOut: 4 },
    },
  ],
  [
    'underlays',
    [1, ip, 24, mac, 'tentative', 7],
    { port: 1, ip: '192.0.2.1', prefixLen: 24, mac: '02:00:00:00:00:0a', state: 'tentative', vlan: 7 },
  ],
  ['routes', [ip, 32, [ip]], { prefix: '192.0.2.1', prefixLen: 32, gateways: ['192.0.2.1'] }],
  ['exceptions', [1, 2], { port: 1, tap: 2 }],
  [
    'nexthops',
    [4, ip, 1, 5001, 1, null, 'link_down'],
    { nh: 4, remote: '192.0.2.1', encap: 1, contextId: 5001, port: 1, neighbourMac: null, state: 'link_down' },
  ],
  ['groups', [6, 7, [[4, 1, 60]]], { group: 6, vn: 7, members: [{ nh: 4, weight: 1, places: 60 }] }],
  [
    'mcasts',
    [1, ip, [7], 'igmpv2', 3, 4],
    { port: 1, group: '192.0.2.1', vns: [7], protocol: 'igmpv2', reports: 3, queries: 4 },
  ],
  ['groups', [6, null, []], { group: 6, vn: null, members: [] }],
  ['fdb', [7, mac, [2, 6], 0], { vn: 7, mac: '02:00:00:00:00:0a', dest: { kind: 'group', group: 6 }, ageS: 0 }],
  ['memory', ['fdb', 2, 64, 4096], { table: 'fdb', entries: 2, capacity: 64, bytes: 4096 }],
  ['memory', ['model', 2, null, 99], { table: 'model', entries: 2, capacity: null, bytes: 99 }],
  ['vap_counters', [9, 1, 2, 3, 4, 5], { vap: 9, inPackets: 1, inBytes: 2, outPackets: 3, outBytes: 4, suppressed: 5 }],
  ['fdb', [7, mac, [0, 9], 0], { vn: 7, mac: '02:00:00:00:00:0a', dest: { kind: 'vap', vap: 9 }, ageS: 0 }],
  ['fdb', [7, mac, [1, 4], 300], { vn: 7, mac: '02:00:00:00:00:0a', dest: { kind: 'nh', nh: 4 }, ageS: 300 }],
  ['neighbours', [1, ip, mac, 'reachable'], { port: 1, ip: '192.0.2.1', mac: '02:00:00:00:00:0a', state: 'reachable' }],
  ['acls', [1, null, { action: 'deny' }, 40], { acl: 1, rule: null, match: { action: 'deny' }, packets: 40 }],
  ['police', ['ecp', 2000, 500, true], { class: 'ecp', perSecond: 2000, burst: 500, isDefault: true }],
];

describe('decodeDump', () => {
  it.each(rows)('%s %j', (kind, row, expected) => {
    const decoded = decodeDump(kind, unpack(pack([[[...row, 'a later field']], 12])));
    expect(decoded).toEqual({ rows: [expected], cursor: 12 });
  });

  it.each(rows)('%s %j: every field is checked', (kind, row) => {
    row.forEach((_, n) => {
      const isMap = Object.getPrototypeOf(row[n] ?? []) === Object.prototype;
      const broken = row.with(n, isMap ? 'not this' : { not: 'this' });
      expect(() => decodeDump(kind, [[broken], null]), `field ${n}`).toThrow(/^the engine answered /);
      expect(() => decodeDump(kind, [[row.slice(0, n)], null]), `without field ${n}`).toThrow(/^the engine answered /);
    });
  });

  it('throws nothing but its own error, whatever comes', () => {
    const kind = fc.constantFrom<DumpKind>(
      'ports',
      'vns',
      'vaps',
      'underlays',
      'nexthops',
      'groups',
      'fdb',
      'neighbours',
      'acls',
      'vap_counters',
    );
    fc.assert(
      fc.property(kind, fc.anything(), (which, value) => {
        try {
          decodeDump(which, [[value], null]);
        } catch (caught) {
          expect(caught).toMatchObject({ code: 'NVE-ENG-900' });
        }
      }),
    );
  });
});

describe('decodeStats', () => {
  it('names the counters, also those above 2^32', () => {
    const stats = decodeStats(
      unpack(
        pack([[[0, 1n, 2n ** 40n, 3, 4, 5, 6]], [[0, 'source_guard', 8]], [[0, 1, 2, 3, 4, 5, 2_450_000_000, 6]]]),
      ),
    );
    expect(stats).toEqual({
      ports: [{ port: 0, rxPackets: 1, rxBytes: 2 ** 40, txPackets: 3, txBytes: 4, rxMissed: 5, rxErrors: 6 }],
      drops: [{ port: 0, reason: 'source_guard', packets: 8 }],
      pollers: [
        {
          poller: 0,
          polls: 1,
          emptyPolls: 2,
          packets: 3,
          busyCycles: 4,
          idleCycles: 5,
          tscHz: 2_450_000_000,
          copies: 6,
        },
      ],
    });
  });
});

describe('events and punts', () => {
  it('reads each kind', () => {
    expect(decodeEvent(['neighbour', 1, ip, 'failed'])).toEqual({
      kind: 'neighbour',
      port: 1,
      ip: '192.0.2.1',
      state: 'failed',
    });
    expect(decodeEvent(['learned', 9, 7, mac])).toEqual({ kind: 'learned', vap: 9, vn: 7, mac: '02:00:00:00:00:0a' });
    expect(() => decodeEvent(['learned', 9, 7, ip])).toThrow(/event.mac/);
    expect(decodeEvent(['poller_failed', 0, 'panicked'])).toEqual({
      kind: 'poller_failed',
      poller: 0,
      message: 'panicked',
    });
    expect(decodeEvent(['tomorrow', 0])).toBeUndefined();
    expect(() => decodeEvent(['link', 1])).toThrow(/event.up/);
    expect(decodePunt([0, 9, 'link_local', 2n ** 60n, mac])).toMatchObject({ vap: 9, timestampNs: 2n ** 60n });
    expect(() => decodePunt([0, 9, 'link_local', 1, 'text'])).toThrow(/punt.frame/);
  });
});
