/** Numbers, names and addresses: what is in, what is out, and that schema and parse function agree. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { z } from 'zod';
import {
  type IpAddr,
  IpAddrSchema,
  Ipv4AddrSchema,
  ipFamily,
  ipFromBytes,
  ipToBytes,
  isUnicastMac,
  LinkNameSchema,
  MacAddrSchema,
  MtuSchema,
  macFromBytes,
  macToBytes,
  NveIdSchema,
  parseIp,
  parseIpv4,
  parseLinkName,
  parseMac,
  parseMtu,
  parseNveId,
  parseTsiId,
  parseUnicastMac,
  parseVid,
  parseVnId,
  parseVni,
  parseVnName,
  type Result,
  show,
  TsiIdSchema,
  TsiRowSchema,
  UnicastMacSchema,
  unwrap,
  VidSchema,
  VnIdSchema,
  VniSchema,
  VnNameSchema,
} from './index.js';

describe.each<[string, (value: unknown) => Result<unknown>, z.ZodType, number, number]>([
  ['Vni', parseVni, VniSchema, 1, 16_777_215],
  ['Vid', parseVid, VidSchema, 1, 4094],
  ['VnId', parseVnId, VnIdSchema, 1, 4_294_967_295],
  ['Mtu', parseMtu, MtuSchema, 68, 9216],
])('%s', (_, parse, schema, min, max) => {
  it.each([min, max])('takes %d', (value) => {
    expect(parse(value)).toEqual({ ok: true, value });
    expect(parse(`${value}`)).toEqual({ ok: true, value });
    expect(schema.parse(value)).toBe(value);
  });

  it.each([
    min - 1,
    max + 1,
    min + 0.5,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    -1,
    null,
    undefined,
    {},
    '',
    '0x10',
    '1e3',
    ' 5',
    '-1',
  ])('refuses %s', (value) => {
    const result = parse(value);
    expect(result.ok ? 'ok' : result.error.message).toContain(`expected an integer from ${min} to ${max}`);
    expect(schema.safeParse(value).success).toBe(false);
  });
});

describe.each<[string, (value: unknown) => Result<unknown>, z.ZodType, number]>([
  ['VnName', parseVnName, VnNameSchema, 64],
  ['TsiId', parseTsiId, TsiIdSchema, 128],
  ['NveId', parseNveId, NveIdSchema, 64],
  ['LinkName', parseLinkName, LinkNameSchema, 64],
])('%s', (_, parse, schema, max) => {
  it.each(['a', 'blue', '_x', '9', '550e8400-e29b-41d4-a716-446655440000', 'vm7/eth0', 'a@b:c.d', 'x'.repeat(max)])(
    'takes %s',
    (value) => {
      expect(parse(value)).toEqual({ ok: true, value });
      expect(schema.parse(value)).toBe(value);
    },
  );

  it.each(['', '-a', '.a', 'a b', 'a\n', 'ä', 'a"', 'x'.repeat(max + 1), 7, null, ['a']])('refuses %j', (value) => {
    const result = parse(value);
    expect(result.ok ? 'ok' : result.error.code).toBe('NVE-VAL-002');
    expect(schema.safeParse(value).success).toBe(false);
  });
});

describe('MacAddr', () => {
  it('is canonical whatever the spelling', () => {
    for (const text of ['02:AB:cd:00:00:0F', '02-ab-cd-00-00-0f']) {
      expect(parseMac(text)).toEqual({ ok: true, value: '02:ab:cd:00:00:0f' });
      expect(MacAddrSchema.parse(text)).toBe('02:ab:cd:00:00:0f');
    }
  });

  it.each([
    '',
    '02:ab:cd:00:00',
    '02:ab:cd:00:00:0f:00',
    '02:ab-cd:00:00:0f',
    '2:ab:cd:0:0:f',
    '02abcd00000f',
    '0g:00:00:00:00:00',
    5,
    null,
  ])('refuses %j', (value) => {
    expect(parseMac(value).ok).toBe(false);
    expect(MacAddrSchema.safeParse(value).success).toBe(false);
  });

  it('round trip over bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 6, maxLength: 6 }), (bytes) => {
        const mac = unwrap(macFromBytes(bytes));
        expect(macToBytes(mac)).toEqual(bytes);
        expect(parseMac(mac)).toEqual({ ok: true, value: mac });
        expect(isUnicastMac(mac)).toBe(((bytes[0] ?? 0) & 1) === 0 && bytes.some((byte) => byte !== 0));
        expect(parseUnicastMac(mac).ok).toBe(isUnicastMac(mac));
        expect(UnicastMacSchema.safeParse(mac).success).toBe(isUnicastMac(mac));
      }),
    );
    for (const length of [0, 5, 7]) expect(macFromBytes(new Uint8Array(length)).ok).toBe(false);
  });
});

describe('IpAddr', () => {
  it.each([
    ['10.0.0.1', '10.0.0.1', 4],
    ['255.255.255.255', '255.255.255.255', 4],
    ['::', '::', 6],
    ['::1', '::1', 6],
    ['1::', '1::', 6],
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1', 6],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1', 6],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1', 6],
    ['1:0:0:2:3:0:0:4', '1::2:3:0:0:4', 6],
    ['::ffff:192.0.2.1', '::ffff:c000:201', 6],
    ['64:ff9b::10.0.0.1', '64:ff9b::a00:1', 6],
  ] as const)('%s is %s', (text, canonical, family) => {
    expect(parseIp(text)).toEqual({ ok: true, value: canonical });
    expect(IpAddrSchema.parse(text)).toBe(canonical);
    expect(ipFamily(canonical as IpAddr)).toBe(family);
    expect(parseIpv4(text).ok).toBe(family === 4);
    expect(Ipv4AddrSchema.safeParse(text).success).toBe(family === 4);
  });

  it.each([
    '',
    '10.0.0',
    '10.0.0.256',
    '10.0.0.01',
    '10.0.0.1.',
    ' 10.0.0.1',
    '10.0.0.1/8',
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7::8',
    '12345::',
    '::g',
    '::1%eth0',
    '1.2.3.4::',
    '::1.2.3',
    'fe80:',
    7,
    null,
  ])('refuses %j', (value) => {
    expect(parseIp(value).ok).toBe(false);
    expect(IpAddrSchema.safeParse(value).success).toBe(false);
  });

  it('round trip over bytes', () => {
    const bytes = fc.oneof(...[4, 16].map((length) => fc.uint8Array({ minLength: length, maxLength: length })));
    const sparse = fc
      .array(fc.constantFrom(0, 0, 0, 1), { minLength: 16, maxLength: 16 })
      .map((list) => Uint8Array.from(list));
    fc.assert(
      fc.property(fc.oneof(bytes, sparse), (given) => {
        const ip = unwrap(ipFromBytes(given));
        expect(ipToBytes(ip)).toEqual(given);
        expect(parseIp(ip)).toEqual({ ok: true, value: ip });
      }),
    );
    for (const length of [0, 3, 5, 15, 17]) expect(ipFromBytes(new Uint8Array(length)).ok).toBe(false);
  });
});

describe('TsiRowSchema', () => {
  it('takes what the life cycle shows, and nothing out of range', () => {
    const row = {
      tsi: 't1',
      vn: 'blue',
      link: 'acc0',
      state: 'activated',
      tag: { kind: 'c-tag', vid: 100 },
      macs: ['02:00:00:00:00:01'],
      ips: ['10.0.0.1'],
      mtu: 1450,
      cause: null,
    };
    expect(TsiRowSchema.parse(row)).toEqual(row);
    expect(TsiRowSchema.safeParse({ ...row, tag: { kind: 'c-tag', vid: 4095 } }).success).toBe(false);
    expect(TsiRowSchema.safeParse({ ...row, state: 'running' }).success).toBe(false);
  });
});

describe('show', () => {
  it('never throws and stays in one short line', () => {
    fc.assert(
      fc.property(fc.anything({ withBigInt: true, withTypedArray: true, withNullPrototype: true }), (value) => {
        const text = show(value);
        expect(text.length).toBeLessThanOrEqual(80);
        expect(text).not.toContain('\n');
      }),
    );
  });
});
