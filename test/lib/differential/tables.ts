// Random commands for the comparison of the engine with its reference model.
import fc from 'fast-check';
import type { AclRule, Command, NextHopOptions, RemoteDest } from '#dataplane';
import type { MacAddr, Vid } from '#model';
import {
  anyGateway,
  anyNeighbour,
  anyNve,
  anyPrefix,
  mac,
  ONE,
  OURS,
  pick,
  STATIONS,
  station,
  TWO,
  tenantIp,
  UNDERLAYS,
  USUAL,
  VIDS,
  VLAN,
} from './network.js';

const vn = pick(ONE, ONE, TWO);
const vap = fc.integer({ min: 0, max: 4 });
const nh = fc.integer({ min: 0, max: 5 });
const group = fc.integer({ min: 0, max: 1 });
const acl = pick(0, 0, 1, 1, 2);
const vid = pick(...VIDS);
const remote: fc.Arbitrary<RemoteDest> = fc.oneof(
  { weight: 3, arbitrary: nh.map((nh) => ({ kind: 'nh', nh }) as const) },
  group.map((group) => ({ kind: 'group', group }) as const),
);
/** Nothing, or some of these. */
const some = <T extends object>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<{ options?: T }> =>
  fc.oneof(fc.constant({}), {
    weight: 2,
    arbitrary: fc.record(model, { requiredKeys: [] }).map((options) => ({ options: options as T })),
  });

const selector = fc.oneof(
  { weight: 4, arbitrary: vid.map((vid) => ({ kind: 'c-tag', vid }) as const) },
  fc.constant({ kind: 'untagged' } as const),
  fc.constant({ kind: 'port' } as const),
  vid.map((vid) => ({ kind: 's-tag', vid }) as const),
  fc.tuple(vid, vid).map(([sVid, cVid]) => ({ kind: 's-tag+c-tag', sVid, cVid }) as const),
);
const tags = fc.oneof(
  { weight: 2, arbitrary: fc.constant({ kind: 'refuse' } as const) },
  fc.constant({ kind: 'pass' } as const),
  fc.constant({ kind: 'strip' } as const),
  fc.uniqueArray(vid, { minLength: 1 }).map((vids) => ({ kind: 'list', vids }) as const),
);

const GENEVE = [
  [1, 2, 3, 0],
  [1, 2, 3, 1, 9, 9, 9, 9],
  [1, 2, 0x83, 0],
  [1, 2, 3, 0, 1, 3, 0x84, 2, 1, 2, 3, 4, 5, 6, 7, 8],
].map((options) => Uint8Array.from(options));
const nextHop = fc
  .tuple(
    nh,
    anyNve,
    pick(1, 1, 2),
    pick(5001, 5001, 5002, 0xabcdef),
    some<NextHopOptions>({
      ttl: pick<number | 'inherit'>(1, 255, 'inherit'),
      df: pick('set', 'unset', 'inherit'),
      dscp: pick<NonNullable<NextHopOptions['dscp']>>(
        46,
        'inherit',
        Uint8Array.from({ length: 64 }, (_, at) => 63 - at),
      ),
      ecn: pick('standard', 'kernel', 'off'),
      checksum: fc.boolean(),
      ports: pick<readonly [number, number]>([7, 7], [1000, 1003], [1, 65_535]),
      options: pick(...GENEVE),
      pcp: pick<number | 'inherit'>(5, 'inherit'),
      mtu: pick(68, 1000, 1400, 9000),
    }),
  )
  .map(([nh, remote, encap, contextId, { options }]): Command => {
    // VXLAN has no options, and is refused with some: seldom enough that other things are seen.
    const { options: geneve, ...rest } = options ?? {};
    const all = encap === 2 && geneve !== undefined ? { ...rest, options: geneve } : rest;
    return { op: 'NextHopSet', nh, remote, encap, contextId, ...(options === undefined ? {} : { options: all }) };
  });

const masked = fc
  .tuple(
    pick(...STATIONS, mac('ff:ff:ff:ff:ff:ff')),
    pick('ff:ff:ff:ff:ff:ff', '01:00:00:00:00:00', '00:00:00:00:00:03'),
  )
  .map(([of, mask]) => ({ mac: of, mask: mask as MacAddr }));
const range = pick({ first: 0, last: 0xffff }, { first: 7, last: 7 }, { first: 256, last: 700 });
const prefix = fc.tuple(tenantIp, pick(0, 8, 31, 32)).map(([ip, length]) => ({
  ip,
  prefixLen: ip.includes(':') ? length * 4 : length,
}));
/** What a rule says beside its action. */
const match: fc.Arbitrary<Partial<AclRule>> = fc.oneof(
  fc.record(
    { srcMac: masked, dstMac: masked, etherType: pick(0x0800, 0x86dd, 0x0806, 0x88b5), vid: pick(...VIDS, 7 as Vid) },
    { requiredKeys: [] },
  ),
  prefix.map((srcIp) => ({ srcIp })),
  fc.tuple(prefix, pick(6, 17, 58)).map(([dstIp, protocol]) => ({ dstIp, protocol })),
  fc
    .tuple(pick(6, 17, 17, 132), fc.record({ srcPort: range, dstPort: range }, { requiredKeys: [] }))
    .map(([protocol, ports]) => ({ protocol, ...ports })),
  pick({ flags: 2, mask: 2 }, { flags: 0, mask: 0x12 }).map((tcpFlags) => ({ protocol: 6, tcpFlags })),
  fc
    .tuple(pick(1, 58), pick(8, 128, 135), pick({}, { icmpCode: 0 }))
    .map(([protocol, icmpType, code]) => ({ protocol, icmpType, ...code })),
  pick(0, 44, 50, 51, 59).map((protocol) => ({ protocol })),
);
const rule = fc
  .tuple(pick('permit', 'deny', 'deny'), match)
  .map(([action, match]) => ({ action, ...match }) as AclRule);
const list = fc.record({
  op: fc.constant('AclSet' as const),
  acl,
  default: pick('permit', 'permit', 'deny'),
  rules: fc.array(rule, { maxLength: 3 }),
});

const vapOptions = some({
  aclIn: acl,
  aclOut: acl,
  guardIp: pick(true, true, false),
  // Never reached by one frame; a burst of less than the VN's longest frame is refused.
  police: pick<readonly [number, number]>([8_000, 2_000], [8_000, 2_000], [8_000, 1_200]),
  storm: pick<readonly [number, number]>([1, 1]),
});
const vapFlags = fc.record({
  guard: fc.boolean(),
  uplink: pick(false, false, false, false, true),
  reflect: pick(false, false, true),
  learn: pick(false, false, true),
});

type Weighted = { readonly weight: number; readonly arbitrary: fc.Arbitrary<Command> };
const weighted = (weight: number, arbitrary: fc.Arbitrary<unknown>): Weighted => ({
  weight,
  arbitrary: arbitrary as fc.Arbitrary<Command>,
});

export const anyCommand: fc.Arbitrary<Command> = fc.oneof(
  weighted(
    9,
    fc
      .tuple(
        vn,
        pick<number | null | 'its own'>('its own', 'its own', 'its own', 'its own', 5001, 5002, null),
        pick(1500, 1500, 1400, 1000),
        some({
          unknown: pick('drop', 'query', 'flood'),
          learn: fc.boolean(),
          suppress: pick(true, true, true, false),
          aclIn: acl,
          aclOut: acl,
          strict: fc.boolean(),
          dscpOut: pick('pipe', 'uniform'),
        }),
      )
      .map(([vn, vni, mtu, options]) => ({
        op: 'VnSet',
        vn,
        vni: vni === 'its own' ? 5000 + vn : vni,
        mtu,
        ...options,
      })),
  ),
  weighted(
    6,
    fc
      .tuple(vap, vn, pick(0, 0, 0, 1), selector, tags, vapOptions, vapFlags)
      .map(([vap, vn, port, selector, tags, options, flags]) => ({
        ...{ op: 'VapSet', vap, vn, port, selector, tags },
        ...flags,
        ...options,
      })),
  ),
  // One of the usual ones, and more asked of it.
  weighted(
    5,
    fc
      .tuple(pick(...USUAL.filter(({ op }) => op === 'VapSet')), vapOptions, vapFlags)
      .map(([usual, options, flags]) => ({ ...usual, ...flags, ...options })),
  ),
  weighted(
    10,
    fc.record({
      op: fc.constant('FdbSet'),
      vn,
      mac: station,
      dest: fc.oneof(
        vap.map((vap) => ({ kind: 'vap', vap })),
        remote,
      ),
    }),
  ),
  weighted(7, nextHop),
  weighted(3, list),
  weighted(2, fc.record({ op: fc.constant('FloodSet'), vn, dests: fc.array(remote, { maxLength: 3 }) })),
  weighted(1, fc.record({ op: fc.constant('SourcesSet'), vn, ips: fc.array(anyNve, { maxLength: 3 }) })),
  weighted(
    3,
    fc
      .tuple(anyNeighbour, station)
      .map(([[port, ip], of]) => ({ op: 'NeighbourSet', port, ip, mac: of.replace('02:00', '02:ee') })),
  ),
  weighted(
    3,
    fc.record({
      op: fc.constant('GroupSet'),
      group,
      members: fc.array(fc.record({ nh, weight: pick(1, 1, 2, 255) }), { minLength: 1, maxLength: 3 }),
    }),
  ),
  weighted(2, fc.record({ op: fc.constant('NextHopAlive'), nh, alive: pick(false, false, true) })),
  weighted(2, fc.record({ op: fc.constant('PairSet'), vn, ip: tenantIp, mac: station })),
  weighted(
    1,
    fc
      .tuple(anyPrefix, fc.array(anyGateway, { minLength: 1, maxLength: 2 }))
      .map(([[prefix, prefixLen], gateways]) => ({ op: 'RouteSet', prefix, prefixLen, gateways })),
  ),
  weighted(
    1,
    fc.tuple(pick(...UNDERLAYS), fc.boolean()).map(([port, zeroChecksum]) => ({
      ...{ op: 'UnderlaySet', port, ip: OURS[port][6], prefixLen: 64 },
      options: { zeroChecksum, ...(VLAN[port] === 0 ? {} : { vlan: VLAN[port] }) },
    })),
  ),
  weighted(
    1,
    vap.map((vap) => ({ op: 'VapDel', vap })),
  ),
  weighted(
    1,
    vn.map((vn) => ({ op: 'VnDel', vn })),
  ),
  weighted(
    1,
    nh.map((nh) => ({ op: 'NextHopDel', nh })),
  ),
  weighted(
    1,
    group.map((group) => ({ op: 'GroupDel', group })),
  ),
  weighted(
    1,
    acl.map((acl) => ({ op: 'AclDel', acl })),
  ),
  weighted(1, fc.record({ op: fc.constant('FdbDel'), vn, mac: station })),
  weighted(1, fc.record({ op: fc.constant('PairDel'), vn, ip: tenantIp })),
  weighted(
    1,
    anyNeighbour.map(([port, ip]) => ({ op: 'NeighbourDel', port, ip })),
  ),
  weighted(
    1,
    anyPrefix.map(([prefix, prefixLen]) => ({ op: 'RouteDel', prefix, prefixLen })),
  ),
);
