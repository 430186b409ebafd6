import { describe, expect, it } from 'vitest';
import type { IpAddr, MacAddr, Mtu, Vid, VnId, Vni } from '#model';
import { batchesOf, decodeResult, encodeCommand } from './commands.js';
import { pack, unpack } from './msgpack.js';
import type { Command } from './types.js';

const vn = 7 as VnId;
const mac = '02:00:00:00:00:0a' as MacAddr;
const ip = '192.0.2.1' as IpAddr;
const macBytes = Buffer.from('02000000000a', 'hex');
const ipBytes = Buffer.from([192, 0, 2, 1]);

/** Every row of the table in docs/engine.md. */
const rows: [Command, unknown[]][] = [
  [
    { op: 'PortAdd', port: 3, name: 'access0', mtu: 1500, kind: { driver: 'net_af_xdp', iface: 'access0' } },
    [1, 3, 'access0', 1500, ['net_af_xdp', 'access0']],
  ],
  [
    { op: 'PortAdd', port: 3, name: 't', mtu: 1500, kind: { driver: 'net_tap', iface: 'blue1', mac } },
    [1, 3, 't', 1500, ['net_tap', 'blue1', macBytes]],
  ],
  [
    { op: 'PortAdd', port: 3, name: 't', mtu: 1500, kind: { driver: 'net_tap', iface: 'blue1', mac: null } },
    [1, 3, 't', 1500, ['net_tap', 'blue1', null]],
  ],
  [
    {
      op: 'PortAdd',
      port: 3,
      name: 'p',
      mtu: 1500,
      kind: { driver: 'net_pcap', rxFile: '/a', txFile: null, infiniteRx: true },
    },
    [1, 3, 'p', 1500, ['net_pcap', '/a', null, true]],
  ],
  [
    { op: 'PortAdd', port: 3, name: 'n', mtu: 1500, kind: { driver: 'net_null', packetSize: 64, noRx: true } },
    [1, 3, 'n', 1500, ['net_null', 64, true]],
  ],
  [{ op: 'PortAdd', port: 3, name: 'r', mtu: 1500, kind: { driver: 'net_ring' } }, [1, 3, 'r', 1500, ['net_ring']]],
  [
    { op: 'PortAdd', port: 3, name: 'v', mtu: 1500, kind: { driver: 'net_vhost', path: '/run/vm1.sock' } },
    [1, 3, 'v', 1500, ['net_vhost', '/run/vm1.sock']],
  ],
  [
    { op: 'PortAdd', port: 3, name: 'p', mtu: 1500, kind: { driver: 'pci', address: '0000:03:00.0' } },
    [1, 3, 'p', 1500, ['pci', '0000:03:00.0']],
  ],
  [
    { op: 'PortAdd', port: 3, name: 'd', mtu: 1500, kind: { driver: 'devargs', devargs: 'net_memif0,role=client' } },
    [1, 3, 'd', 1500, ['devargs', 'net_memif0,role=client']],
  ],
  [{ op: 'PortDel', port: 3 }, [2, 3]],
  [{ op: 'VnSet', vn, vni: 5001 as Vni, mtu: 1500 as Mtu }, [3, 7, 5001, 1500]],
  [{ op: 'VnSet', vn, vni: null, mtu: 1500 as Mtu }, [3, 7, null, 1500]],
  [{ op: 'VnDel', vn }, [4, 7]],
  [
    { op: 'VapSet', vap: 9, vn, port: 3, selector: { kind: 'c-tag', vid: 100 as Vid }, guard: true, uplink: false },
    [5, 9, 7, 3, ['c-tag', 100], 1, ['refuse']],
  ],
  [
    { op: 'VapSet', vap: 9, vn, port: 3, selector: { kind: 'port' }, guard: true, uplink: true },
    [5, 9, 7, 3, ['port'], 3, ['refuse']],
  ],
  [
    {
      op: 'VapSet',
      vap: 9,
      vn,
      port: 3,
      selector: { kind: 's-tag+c-tag', sVid: 300 as Vid, cVid: 55 as Vid },
      guard: false,
      uplink: false,
      reflect: true,
      tags: { kind: 'list', vids: [1 as Vid, 2 as Vid] },
    },
    [5, 9, 7, 3, ['s-tag+c-tag', 300, 55], 4, ['list', [1, 2]]],
  ],
  [
    {
      op: 'VapSet',
      vap: 9,
      vn,
      port: 3,
      selector: { kind: 's-tag', vid: 300 as Vid },
      guard: true,
      uplink: false,
      learn: true,
      tags: { kind: 'pass' },
    },
    [5, 9, 7, 3, ['s-tag', 300], 9, ['pass']],
  ],
  [{ op: 'VapDel', vap: 9 }, [6, 9]],
  [{ op: 'UnderlaySet', port: 1, ip, prefixLen: 24 }, [7, 1, ipBytes, 24]],
  [{ op: 'UnderlayDel', port: 1, ip }, [8, 1, ipBytes]],
  [{ op: 'UnderlaySet', port: 1, ip, prefixLen: 24, options: { vlan: 7 } }, [7, 1, ipBytes, 24, { vlan: 7 }]],
  [{ op: 'RouteSet', prefix: ip, prefixLen: 32, gateways: [ip] }, [20, ipBytes, 32, [ipBytes]]],
  [{ op: 'RouteDel', prefix: ip, prefixLen: 32 }, [21, ipBytes, 32]],
  [{ op: 'ExceptionSet', port: 1, tap: null }, [22, 1, null]],
  [{ op: 'McastSet', vn, port: 3, group: ip }, [23, 7, 3, ipBytes]],
  [{ op: 'McastDel', vn, group: ip }, [24, 7, ipBytes]],
  [{ op: 'NextHopSet', nh: 4, remote: ip, encap: 1, contextId: 5001 }, [9, 4, ipBytes, 1, 5001]],
  [{ op: 'NextHopDel', nh: 4 }, [10, 4]],
  [{ op: 'FdbSet', vn, mac, dest: { kind: 'vap', vap: 9 } }, [11, 7, macBytes, [0, 9]]],
  [{ op: 'FdbSet', vn, mac, dest: { kind: 'nh', nh: 4 } }, [11, 7, macBytes, [1, 4]]],
  [{ op: 'FdbDel', vn, mac }, [12, 7, macBytes]],
  [{ op: 'FdbSet', vn, mac, dest: { kind: 'group', group: 6 } }, [11, 7, macBytes, [2, 6]]],
  [
    {
      op: 'FloodSet',
      vn,
      dests: [
        { kind: 'nh', nh: 4 },
        { kind: 'group', group: 5 },
      ],
    },
    [
      13,
      7,
      [
        [1, 4],
        [2, 5],
      ],
    ],
  ],
  [
    {
      op: 'GroupSet',
      group: 5,
      members: [
        { nh: 4, weight: 1 },
        { nh: 6, weight: 255 },
      ],
    },
    [
      17,
      5,
      [
        [4, 1],
        [6, 255],
      ],
    ],
  ],
  [{ op: 'GroupDel', group: 5 }, [18, 5]],
  [{ op: 'NextHopAlive', nh: 4, alive: false }, [19, 4, false]],
  [{ op: 'SourcesSet', vn, ips: [ip] }, [14, 7, [ipBytes]]],
  [{ op: 'NeighbourSet', port: 1, ip, mac }, [15, 1, ipBytes, macBytes]],
  [{ op: 'NeighbourDel', port: 1, ip }, [16, 1, ipBytes]],
  [
    { op: 'VnSet', vn, vni: null, mtu: 1500 as Mtu, options: { aclIn: 1, aclOut: 2 } },
    [3, 7, null, 1500, { acl_in: 1, acl_out: 2 }],
  ],
  [
    {
      op: 'VapSet',
      vap: 9,
      vn,
      port: 3,
      selector: { kind: 'port' },
      guard: true,
      uplink: false,
      options: { aclIn: 1, police: [10_000_000_000, 9000], storm: [1000, 100], guardIp: true },
    },
    [
      5,
      9,
      7,
      3,
      ['port'],
      1,
      ['refuse'],
      { acl_in: 1, police: [10_000_000_000, 9000], storm: [1000, 100], guard_ip: true },
    ],
  ],
  [{ op: 'AclSet', acl: 1, default: 'deny', rules: [{ action: 'permit' }] }, [25, 1, 'deny', [{ action: 'permit' }]]],
  [{ op: 'AclDel', acl: 1 }, [26, 1]],
  [{ op: 'PoliceSet', class: 'ecp', rate: { perSecond: 100, burst: 10 } }, [29, 'ecp', 100, 10]],
  [{ op: 'PoliceSet', class: 'ecp', rate: null }, [29, 'ecp', null]],
  [{ op: 'PortAdmin', port: 1, up: false }, [30, 1, false]],
];

describe('encodeCommand', () => {
  it.each(rows)('%j', (command, array) => {
    expect(unpack(pack(encodeCommand(command)))).toEqual(array);
  });

  it('packs bytes as MessagePack bin, and a u64 as uint 64', () => {
    expect(pack([ipBytes, 2n ** 62n]).toString('hex')).toBe('92c404c0000201d34000000000000000');
    const [command] = rows.flatMap(([row]) => (row.op === 'VapSet' && row.options !== undefined ? [row] : []));
    expect(pack(encodeCommand(command!)).toString('hex'), '10 Gbit/s is no float').toContain('d300000002540be400');
  });
});

async function all<T>(generator: AsyncGenerator<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of generator) items.push(item);
  return items;
}

describe('batchesOf', () => {
  it('leaves a load of one batch as it is', async () => {
    const commands = rows.map(([command]) => command);
    expect(await all(batchesOf(commands))).toEqual([commands]);
    expect(await all(batchesOf([]))).toEqual([]);
  });

  it('puts objects before what names them, and deletions last, in reverse', async () => {
    const commands = rows.map(([command]) => command).reverse();
    const batches = await all(batchesOf(commands, 1));
    expect(batches.every((batch) => batch.length === 1)).toBe(true);
    const order = batches.map(([command]) => command!.op).filter((op, n, all) => all.indexOf(op) === n);
    expect(order).toEqual([
      'PortAdd',
      'PortAdmin',
      'PoliceSet',
      'UnderlaySet',
      'NeighbourSet',
      'RouteSet',
      'ExceptionSet',
      'AclSet',
      'VnSet',
      'McastSet',
      'VapSet',
      'NextHopSet',
      'GroupSet',
      'NextHopAlive',
      'SourcesSet',
      'FdbSet',
      'FloodSet',
      'FdbDel',
      'GroupDel',
      'NextHopDel',
      'McastDel',
      'VapDel',
      'VnDel',
      'AclDel',
      'RouteDel',
      'NeighbourDel',
      'UnderlayDel',
      'PortDel',
    ]);
    expect(batches.flat()).toHaveLength(commands.length);
  });

  it('fills its batches, also where one rank ends and the next begins', async () => {
    const commands = Array.from(
      { length: 250 },
      (_, n): Command =>
        n % 2 === 0 ? { op: 'VnDel', vn: n as VnId } : { op: 'VnSet', vn: n as VnId, vni: null, mtu: 1500 as Mtu },
    );
    const batches = await all(batchesOf(commands, 100));
    expect(batches.map((batch) => batch.length)).toEqual([100, 100, 50]);
    expect(batches.flat().map(({ op }) => op)).toEqual([...Array(125).fill('VnSet'), ...Array(125).fill('VnDel')]);
  });
});

describe('decodeResult', () => {
  const commands: Command[] = [{ op: 'VnDel', vn }];
  const sent = { epoch: 5n, batchId: 2n, commands };

  it('gives the refused commands with code and context', () => {
    expect(decodeResult([5n, 2, false, [[0, 'NVE-ENG-004', { vn: 7 }]]], sent)).toEqual([
      { command: commands[0], code: 'NVE-ENG-004', context: { vn: 7 } },
    ]);
    expect(decodeResult([5, 2n, true, [], 'a later field'], sent)).toEqual([]);
  });

  it.each([
    ['another epoch', [6, 2, true, []]],
    ['another batch', [5, 3, true, []]],
    ['an index without a command', [5, 2, false, [[1, 'NVE-ENG-004', {}]]]],
    ['a code that is none', [5, 2, false, [[0, 'ENOENT', {}]]]],
    ['applied and refused at once', [5, 2, true, [[0, 'NVE-ENG-004', {}]]]],
    ['neither', [5, 2, false, []]],
    ['not an array', { applied: true }],
  ])('refuses %s', (_, value) => {
    expect(() => decodeResult(value, sent)).toThrow(/the engine answered/);
  });
});
