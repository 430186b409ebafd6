import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ACL_RULES_MAX,
  type AclRule,
  DEFAULT_VN_SETTINGS,
  HOMES_MAX,
  parseIp,
  parseMac,
  type Result,
  UNKNOWN_UNICAST,
  type VnId,
  type VnSettings,
} from '#model';
import { encodeMsgpack } from './msgpack.js';
import { keyText, NNP_KINDS, type NnpFrame, type NnpKey, type NnpObject, objectKey } from './nnp.js';
import { decodeNnp } from './nnp-decode.js';
import { encodeNnp } from './nnp-encode.js';

const must = <T>(result: Result<T>): T => {
  if (!result.ok) throw result.error;
  return result.value;
};
// Arbitrary values are in range by construction; the brands are for the compiler.
const branded = <T>(arbitrary: fc.Arbitrary<unknown>) => arbitrary as fc.Arbitrary<never> as fc.Arbitrary<T>;

const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const name = branded<never>(fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.:@/-]{0,30}$/));
const id = fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 60 });
const text = fc.string({ unit: 'grapheme', maxLength: 80 });
const vn = branded<never>(fc.integer({ min: 1, max: 2 ** 32 - 1 }));
const vni = branded<never>(fc.integer({ min: 1, max: 2 ** 24 - 1 }));
const mtu = branded<never>(fc.integer({ min: 68, max: 9216 }));
const mac = fc
  .uint8Array({ minLength: 5, maxLength: 5 })
  .map((bytes) => must(parseMac(`02:${Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join(':')}`)));
const ip = fc.oneof(fc.ipV4(), fc.ipV6()).map((value) => must(parseIp(value)));
const macs = fc.array(mac, { maxLength: 4 });
const ips = fc.array(ip, { maxLength: 4 });
const tunnel = fc.record(
  {
    encap: fc.nat(255),
    ip,
    checksum: fc.boolean(),
    options: fc.constantFrom('0102800100000007', '01028000'),
    weight: fc.integer({ min: 1, max: 255 }),
    down: fc.constant(true),
  },
  { requiredKeys: ['encap', 'ip'] },
);
const tunnels = fc.array(tunnel, { maxLength: 4 });
const groups = ['239.1.2.3', 'ff05::7'].map((group) => must(parseIp(group)));
const prefix = fc.tuple(fc.ipV4(), fc.nat(32)).map(([value, length]) => ({ ip: must(parseIp(value)), length }));
const range = fc.tuple(fc.nat(30_000), fc.nat(30_000)).map(([a, b]): [number, number] => [a, a + b]);
const action = fc.constantFrom('permit' as const, 'deny' as const);
const rule = fc.record(
  {
    action,
    srcMac: mac,
    dstMac: mac,
    etherType: fc.constant(0x0800),
    src: prefix,
    dst: prefix,
    protocol: fc.constantFrom(6, 17),
    srcPorts: range,
    dstPorts: range,
  },
  { requiredKeys: ['action', 'protocol'] },
);
const acl = fc.option(fc.record({ default: action, rules: fc.array(rule, { maxLength: 4 }) }));
const settings: fc.Arbitrary<VnSettings> = fc.record({
  unknown: fc.constantFrom(...UNKNOWN_UNICAST),
  learn: fc.boolean(),
  suppress: fc.boolean(),
  delivery: fc.oneof(
    fc.constant({ kind: 'head-end' as const }),
    fc.constantFrom(...groups).map((group) => ({ kind: 'multicast' as const, group })),
    name.map((nveId) => ({ kind: 'node' as const, nveId })),
  ),
  dscp: fc.constantFrom('pipe' as const, 'uniform' as const),
  strict: fc.boolean(),
  aclIn: acl,
  aclOut: acl,
});
const vnInfo = fc.record(
  { vn, name, vni, mtu, gateway: fc.option(ip), settings },
  { requiredKeys: ['vn', 'name', 'vni', 'mtu', 'gateway'] },
);

const object: fc.Arbitrary<NnpObject> = fc.oneof(
  vnInfo.map((info) => ({ kind: 'vn' as const, ...info })),
  fc.record({ kind: fc.constant('nve' as const), nveId: name, tunnels }),
  fc.record({ kind: fc.constant('member' as const), vn, nveId: name, contextId: vni }),
  fc.record(
    {
      kind: fc.constant('host' as const),
      vn,
      mac,
      tsi: name,
      nveId: name,
      ips,
      mobilitySeq: u32,
      others: fc.array(name, { maxLength: HOMES_MAX - 1 }),
    },
    { requiredKeys: ['kind', 'vn', 'mac', 'tsi', 'nveId', 'ips', 'mobilitySeq'] },
  ),
);
const key: fc.Arbitrary<NnpKey> = object.map(objectKey);
const op = fc.oneof(
  fc.record({ op: fc.constant('set' as const), revision: u64, object }),
  fc.record({ op: fc.constant('delete' as const), revision: u64, key }),
);
const ops = fc.array(op, { maxLength: 8 });
const item = fc.record(
  {
    change: fc.constantFrom('attach' as const, 'detach' as const),
    vn,
    tsi: name,
    macs,
    ips,
    port: name,
    multihomed: fc.constant(true),
  },
  { requiredKeys: ['change', 'vn', 'tsi', 'macs', 'ips', 'port'] },
);

const answersOf = (vn: VnId) =>
  fc.array(
    mac.chain((mac) => {
      const host = fc.record({
        vn: fc.constant(vn),
        mac: fc.constant(mac),
        tsi: name,
        nveId: name,
        ips,
        mobilitySeq: u32,
      });
      return fc.record({ mac: fc.constant(mac), host: fc.option(host) });
    }),
    { maxLength: 5 },
  );

type Bodies = { [K in NnpFrame['kind']]: fc.Arbitrary<Omit<Extract<NnpFrame, { kind: K }>, 'channel' | 'kind'>> };
const bodies: Bodies = {
  hello: fc.record({
    protoMin: fc.nat(255),
    protoMax: fc.nat(255),
    nveId: name,
    instance: id,
    encaps: tunnels,
    maxFrame: u32,
  }),
  helloAck: fc.record(
    {
      proto: fc.nat(255),
      nvaId: id,
      epoch: id,
      term: u64,
      revision: u64,
      holdMs: u32,
      alternates: fc.array(
        fc.record({
          name: fc.constantFrom('tls:a:1', 'unix:/x'),
          priority: fc.nat(255),
          weight: fc.integer({ min: 1, max: 255 }),
        }),
        { maxLength: 16 },
      ),
    },
    { requiredKeys: ['proto', 'nvaId', 'epoch', 'term', 'revision', 'holdMs'] },
  ),
  auth: fc.record({
    qid: u32,
    vn: fc.oneof(
      name,
      fc.integer({ min: 1, max: 2 ** 24 - 1 }).map((vni) => vni as never),
    ),
    tsi: name,
    macs,
    ips,
    port: name,
  }),
  authAck: fc.oneof(
    fc.record({
      qid: u32,
      allow: fc.constant(true),
      code: fc.option(id),
      text: fc.option(text),
      vn: vnInfo,
      ttlS: u32,
    }),
    fc.record({
      qid: u32,
      allow: fc.constant(false),
      code: id,
      text: fc.option(text),
      vn: fc.constant(null),
      ttlS: u32,
    }),
  ),
  sub: fc.record({ vn, token: fc.option(fc.record({ epoch: id, revision: u64 })) }),
  subAck: fc.record({
    vn,
    plan: fc.constantFrom('denied' as const, 'delta' as const, 'snapshot' as const),
    fromRevision: u64,
    code: fc.option(id),
  }),
  snapBegin: fc.record({ revision: u64 }),
  snap: fc.record({ ops }),
  sync: fc.record({ revision: u64, count: u32 }),
  delta: fc.record({ prevRevision: u64, revision: u64, ops }),
  bookmark: fc.record({ revision: u64 }),
  ack: fc.record({ receivedRevision: u64, appliedRevision: u64 }),
  nack: fc.record({ revision: u64, items: fc.array(fc.record({ key, code: id, text }), { maxLength: 5 }) }),
  ends: fc.record({ tunnels }),
  query: fc.record({ vn, qid: u32, macs }),
  answer: vn.chain((vn) =>
    fc.record({ vn: fc.constant(vn), qid: u32, ttlS: u32, negativeTtlS: u32, answers: answersOf(vn) }),
  ),
  report: fc.record({
    seq: u64,
    mode: fc.constantFrom('delta' as const, 'full' as const, 'part' as const),
    items: fc.array(item, { maxLength: 5 }),
  }),
  reportAck: fc.record({
    seq: u64,
    rejects: fc.array(fc.record({ index: fc.nat(8191), code: id, text }), { maxLength: 5 }),
  }),
  ping: fc.record({ nonce: u32 }),
  goaway: fc.record({ code: id, text, graceMs: u32 }),
  pong: fc.record({ nonce: u32 }),
  error: fc.record({ code: id, text }),
  unsub: fc.record({ vn }),
  unknown: fc.record({ number: fc.constantFrom(0, 19, 99, 255), critical: fc.boolean() }),
};
const frame: fc.Arbitrary<NnpFrame> = fc.oneof(
  ...Object.entries(bodies).map(([kind, body]) =>
    fc.tuple(body, fc.nat(65535)).map(([fields, channel]) => ({ kind, channel, ...fields }) as NnpFrame),
  ),
);

const payload = (kind: keyof typeof NNP_KINDS, body: unknown) =>
  Uint8Array.from([NNP_KINDS[kind], 0, 0, 1, ...encodeMsgpack(body)]);
const problem = (kind: keyof typeof NNP_KINDS, body: unknown) => {
  const result = decodeNnp(payload(kind, body));
  return result.ok ? 'accepted' : `${result.error.code} ${result.error.message}`;
};

const MAC = Uint8Array.from([2, 0, 0, 0, 0, 1]);
const IP = Uint8Array.from([10, 0, 0, 1]);

const vnWith = (settings: unknown) => [1, 1, null, null, [1, 'b', 5, 1500, null, settings], 0];

describe('nnp', () => {
  it('round trip of every kind', () => {
    fc.assert(
      fc.property(frame, (given) => {
        expect(decodeNnp(encodeNnp(given))).toEqual({ ok: true, value: given });
      }),
      { numRuns: 1000 },
    );
  });

  it('refuses every proper prefix', () => {
    fc.assert(
      fc.property(frame, fc.nat(), (given, cut) => {
        fc.pre(given.kind !== 'unknown');
        const bytes = encodeNnp(given);
        expect(decodeNnp(bytes.subarray(0, cut % bytes.length)).ok).toBe(false);
      }),
    );
  });

  it('never throws on noise, neither in bytes nor in shape', () => {
    fc.assert(
      fc.property(fc.constantFrom(...Object.values(NNP_KINDS)), fc.uint8Array({ maxLength: 80 }), (kind, noise) => {
        const result = decodeNnp(Uint8Array.from([kind, 0, 0, 0, ...noise]));
        if (!result.ok) expect(result.error.code).toMatch(/^NVE-WIRE-00[23]$/);
      }),
      { numRuns: 1000 },
    );
    const shape = fc.letrec((tie) => ({
      any: fc.oneof(
        { depthSize: 'small' },
        fc.integer(),
        fc.string(),
        fc.constant(null),
        fc.uint8Array(),
        fc.array(tie('any')),
      ),
    })).any;
    fc.assert(
      fc.property(fc.constantFrom(...Object.keys(NNP_KINDS)), fc.array(shape), (kind, body) => {
        problem(kind as keyof typeof NNP_KINDS, body);
      }),
      { numRuns: 1000 },
    );
  });

  it('every byte of a frame counts: a changed one never throws', () => {
    fc.assert(
      fc.property(frame, fc.nat(), fc.nat(255), (given, at, byte) => {
        const bytes = encodeNnp(given).slice();
        bytes[at % bytes.length] = byte;
        decodeNnp(bytes);
      }),
      { numRuns: 1000 },
    );
  });

  it('ignores trailing elements at every level', () => {
    const body = [
      1n,
      2n,
      [[1, 2, ['n1', 'later'], 2n, [[[1, IP, null, null, null, null, 'later']], 'later'], 'later']],
      'later',
    ];
    expect(decodeNnp(payload('delta', body))).toEqual({
      ok: true,
      value: {
        kind: 'delta',
        channel: 1,
        prevRevision: 1n,
        revision: 2n,
        ops: [
          { op: 'set', revision: 2n, object: { kind: 'nve', nveId: 'n1', tunnels: [{ encap: 1, ip: '10.0.0.1' }] } },
        ],
      },
    });
  });

  it('takes the longest ACLs that there are, in one frame with their VN', () => {
    const rule: AclRule = { action: 'deny', etherType: 0x86dd, src: { ip: must(parseIp('2001:db8::')), length: 32 } };
    const acl = { default: 'permit' as const, rules: new Array<AclRule>(ACL_RULES_MAX).fill(rule) };
    const info = {
      vn: 1,
      name: 'b',
      vni: 5,
      mtu: 1500,
      gateway: null,
      settings: { ...DEFAULT_VN_SETTINGS, aclIn: acl, aclOut: acl },
    };
    const op = { op: 'set' as const, revision: 1n, object: { kind: 'vn' as const, ...info } };
    const given = { kind: 'snap', channel: 1, ops: [op] } as unknown as NnpFrame;
    expect(decodeNnp(encodeNnp(given))).toEqual({ ok: true, value: given });
  });

  it('gives unknown kinds with their flag, without looking inside', () => {
    expect(decodeNnp(Uint8Array.from([99, 1, 1, 2, 0xc1]))).toEqual({
      ok: true,
      value: { kind: 'unknown', number: 99, channel: 258, critical: true },
    });
    expect(decodeNnp(Uint8Array.from([99, 0, 0, 0]))).toMatchObject({ value: { critical: false } });
  });

  it.each([
    ['hello', [1, 1, '', 'i', [], 1], 'hello.nve_id is "", expected 1 to 64 characters'],
    ['hello', [1, 256, 'n', 'i', [], 1], 'hello.proto_max is 256, expected an integer from 0 to 255'],
    [
      'hello',
      [1, 1, 'n', 'i', [[1, MAC]], 1],
      'hello.encaps[0].ip is 6 bytes, expected an IP address of 4 or 16 bytes',
    ],
    [
      'hello',
      [1, 1, 'n', 'i', new Array(17).fill([1, IP]), 1],
      'hello.encaps is "17 elements", expected an array of at most 16',
    ],
    ['ends', [[[1, IP, null, null, 0]]], 'ends.tunnels[0].weight is 0, expected an integer from 1 to 255'],
    ['ends', [[[1, IP, null, null, 1, 2]]], 'ends.tunnels[0].state is 2, expected an integer from 0 to 1'],
    [
      'report',
      [1, 0, [[1, 1, 't', [MAC], [], 'p', 256]]],
      'report.items[0].flags is 256, expected an integer from 0 to 255',
    ],
    [
      'delta',
      [1, 2, [[1, 4, [1, MAC], 2, ['t', 'a', [], 0, new Array(8).fill('b')]]]],
      'delta.ops[0].body.others is "8 elements", expected an array of at most 7',
    ],
    [
      'auth',
      [1, 'blue', 't', [MAC, IP], [], 'p'],
      'auth.macs[1] is 4 bytes, expected a unicast MAC address of 6 bytes',
    ],
    [
      'auth',
      [1, 'blue', 't', [Uint8Array.from([1, 0, 0, 0, 0, 1])], [], 'p'],
      'auth.macs[0] is 6 bytes, expected a unicast MAC',
    ],
    ['auth', [-1, 'blue', 't', [], [], 'p'], 'auth.qid is -1, expected an integer from 0 to 4294967295'],
    ['authAck', [1, 1, null, null, null, 0], 'authAck.vn is null, expected a VN object, as the verdict is allow'],
    ['authAck', [1, 0, null, null, null, 0], 'authAck.code is null, expected an error code, as the verdict is deny'],
    [
      'authAck',
      [1, 1, null, null, [1, 'b', 2 ** 24, 1500, null], 0],
      'authAck.vn.vni is 16777216, expected an integer from 1 to',
    ],
    [
      'authAck',
      [1, 1, null, null, [1, 'b', 5, 67, null], 0],
      'authAck.vn.mtu is 67, expected an integer from 68 to 9216',
    ],
    ['sub', [0, null], 'sub.vn is 0, expected an integer from 1 to 4294967295'],
    ['sub', ['7', null], 'sub.vn is "7", expected an integer from 1 to 4294967295'],
    ['sub', [1, ['e', -1]], 'sub.token.revision is -1, expected an integer of 64 bits without sign'],
    ['subAck', [1, 3, 0, null], 'subAck.plan is 3, expected an integer from 0 to 2'],
    ['snap', [{}], 'snap.ops is {}, expected an array'],
    ['snap', [[[1, 5, [1], 1, []]]], 'snap.ops[0].kind is 5, expected an integer from 1 to 4'],
    ['snap', [[[1, 3, [1], 1, [5]]]], 'snap.ops[0].key.nve_id is missing, expected 1 to 64 characters'],
    ['snap', [[[1, 4, [1, MAC], 1, null]]], 'snap.ops[0].body is null, expected an array'],
    ['snap', [[[2, 4, [1, MAC], 1, null]]], 'snap.ops[0].op is 2, expected an integer from 0 to 1'],
    ['report', [1, 3, []], 'report.mode is 3, expected an integer from 0 to 2'],
    ['report', [1, 0, [[1, 1, 't', [], [], 'a b']]], 'report.items[0].port is "a b", expected 1 to 64 characters'],
    ['reportAck', [1, [[-1, 'c', 't']]], 'reportAck.rejects[0].index is -1, expected an integer from 0 to 8191'],
    ['error', [5], 'error.code is 5, expected text of 1 to 128 characters'],
    ['authAck', vnWith([3, 0, null]), 'authAck.vn.settings.unknown is 3, expected an integer from 0 to 2'],
    ['authAck', vnWith([0, 0, IP]), 'authAck.vn.settings.delivery is 4 bytes, expected a multicast group'],
    ['authAck', vnWith([0, 0, 5]), 'authAck.vn.settings.delivery is 5, expected an IP address'],
    [
      'authAck',
      vnWith([0, 0, null, [2, []]]),
      'authAck.vn.settings.acl_in.default is 2, expected an integer from 0 to 1',
    ],
    [
      'authAck',
      vnWith([0, 0, null, [0, new Array(ACL_RULES_MAX + 1).fill([1])]]),
      'authAck.vn.settings.acl_in.rules is "129 elements", expected an array of at most 128',
    ],
    [
      'authAck',
      vnWith([0, 0, null, null, [0, [[1, null, null, null, IP, 33]]]]),
      'authAck.vn.settings.acl_out.rules[0].src is {"ip":"10.0.0.1","length":33}, expected a prefix of at most 32 bits',
    ],
    [
      'authAck',
      vnWith([0, 0, null, null, [0, [[1, null, null, null, null, null, null, null, 1, 53]]]]),
      'acl_out.rules[0].srcPorts is [53,53], expected a rule for protocol 6, 17, 132',
    ],
    [
      'hello',
      [1, 1, 'n', 'i', [[2, IP, 0, Uint8Array.from([1, 2, 0x80, 1])]], 1],
      'hello.encaps[0].options is 4 bytes, expected Geneve options of at most 252 bytes',
    ],
    ['ping', 'x', 'ping is "x", expected an array'],
    ['ping', [1.5], 'a floating point number where integers are expected'],
  ] as const)('%s %j: %s', (kind, body, expected) => {
    expect(problem(kind, body)).toContain(expected);
  });

  it('keys are told apart by their text', () => {
    fc.assert(
      fc.property(key, key, (a, b) => {
        expect(keyText(a) === keyText(b)).toBe(JSON.stringify(a) === JSON.stringify(b));
      }),
    );
  });
});
