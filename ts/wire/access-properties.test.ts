import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseIp } from '#model';
import { ACCESS_CODECS, type AccessCodec, type AccessCodecName, FURTHER_FORMATS } from './testing/access-codecs.js';
import { decodeVdp, encodeVdp, type VdpPdu, vdpTlvLength } from './vdp.js';
import { type CiscoTlv, decodeCisco, encodeCisco } from './vdp-cisco.js';
import { entryWidth, type FilterField, filterFormats, STANDARD_FILTER_FORMATS } from './vdp-filter.js';
import { isVdpResponse, readRequestStatus, readResponseStatus, requestStatus, responseStatus } from './vdp-status.js';

const must = <T>(result: { ok: true; value: T } | { ok: false; error: Error }): T => {
  if (!result.ok) throw result.error;
  return result.value;
};

const bits = (n: number) => fc.integer({ min: 0, max: 2 ** n - 1 });
const hex = (min: number, max = min) =>
  fc
    .uint8Array({ minLength: min, maxLength: max })
    .map((octets) => Array.from(octets, (octet) => octet.toString(16).padStart(2, '0')).join(''));
const mac = hex(6).map((text) => (text.match(/../g) as string[]).join(':'));
const tag = fc.record({ kind: fc.constantFrom('c-tag', 's-tag'), pcp: bits(3), dei: fc.boolean(), vid: bits(12) });
const header = { dst: mac, src: mac, tags: fc.array(tag, { maxLength: 2 }) };
const ip4 = fc.ipV4().map((text) => must(parseIp(text)));
const ip6 = fc.ipV6().map((text) => must(parseIp(text)));

/** Qcy-like formats: what configuration may add. */
const FURTHER: Record<number, FilterField[]> = { 5: ['groupId', 'ipv4', 'vid'], 6: ['groupId', 'mac', 'ipv6', 'vid'] };
const FORMATS = must(filterFormats(FURTHER));

const entry = (fields: readonly FilterField[]) =>
  fc.record({
    vid: bits(12),
    ps: fc.boolean(),
    pcp: bits(3),
    groupId: fields.includes('groupId') ? bits(32) : fc.constant(null),
    mac: fields.includes('mac') ? mac : fc.constant(null),
    ip: fields.includes('ipv4') ? ip4 : fields.includes('ipv6') ? ip6 : fc.constant(null),
  });
const filter = (formats: ReadonlyMap<number, readonly FilterField[]>) =>
  fc.oneof(
    ...[...formats].map(([format, fields]) =>
      fc.record({
        kind: fc.constant('entries'),
        format: fc.constant(format),
        entries: fc.array(entry(fields), { minLength: 1, maxLength: 4 }),
      }),
    ),
    fc.record({
      kind: fc.constant('opaque'),
      format: fc.integer({ min: 7, max: 255 }),
      count: bits(16),
      octets: hex(0, 40),
    }),
  );
const vdpOf = (formats: ReadonlyMap<number, readonly FilterField[]>) =>
  fc.record({
    managerId: hex(16),
    tlvs: fc.array(
      fc.oneof(
        fc.record({
          kind: fc.constant('association'),
          command: fc.constantFrom('preAssociate', 'preAssociateRr', 'associate', 'deAssociate'),
          status: bits(8),
          typeId: bits(24),
          typeVersion: bits(8),
          vsiidFormat: bits(8),
          vsiid: hex(16),
          filter: filter(formats),
        }),
        fc.record({ kind: fc.constant('oui'), oui: hex(3), subtype: bits(8), octets: hex(0, 60) }),
        fc.record({
          kind: fc.constant('other'),
          type: fc.integer({ min: 6, max: 126 }),
          octets: hex(0, 60),
          problem: fc.constant(null),
        }),
      ),
      { maxLength: 6 },
    ),
  });

const id = fc.record({ subtype: bits(8), octets: hex(1, 255) });
const values: { [K in AccessCodecName]: fc.Arbitrary<unknown> } = {
  lldp: fc.record({
    chassisId: id,
    portId: id,
    ttl: bits(16),
    tlvs: fc.array(
      fc.oneof(
        fc.record({ kind: fc.constant('organization'), oui: hex(3), subtype: bits(8), octets: hex(0, 120) }),
        fc.record({ kind: fc.constant('other'), type: fc.integer({ min: 4, max: 126 }), octets: hex(0, 120) }),
      ),
      { maxLength: 6 },
    ),
  }),
  evb: fc.record({
    bridge: fc.record({
      groupId: fc.boolean(),
      reflectiveRelayCapable: fc.boolean(),
      reflectiveRelay: fc.boolean(),
      reserved: bits(5),
    }),
    station: fc.record({
      groupId: fc.boolean(),
      reflectiveRelayRequest: fc.boolean(),
      reflectiveRelayStatus: bits(2),
      reserved: bits(4),
    }),
    retries: bits(3),
    rte: bits(5),
    mode: fc.constantFrom('notSupported', 'bridge', 'station', 'nvo3'),
    rwdRemote: fc.boolean(),
    rwd: bits(5),
    rkaRemote: fc.boolean(),
    rka: bits(5),
    reserved: bits(2),
  }),
  cdcp: fc.record({
    role: fc.constantFrom(0, 1),
    reserved1: bits(3),
    sComponent: fc.boolean(),
    reserved2: bits(15),
    channels: bits(12),
    pairs: fc.array(fc.record({ scid: bits(12), svid: bits(12) }), { maxLength: 166 }),
  }),
  ecp: fc.record({
    ...header,
    pdu: fc.oneof(
      fc.record({ operation: fc.constant('request'), subtype: bits(10), sequence: bits(16), payload: hex(0, 200) }),
      fc.record({
        operation: fc.constant('ack'),
        subtype: bits(10),
        sequence: bits(16),
        payload: fc.constant(''),
      }),
    ),
  }),
  vdp: vdpOf(STANDARD_FILTER_FORMATS),
  vdpFormats: vdpOf(FURTHER_FORMATS),
};

/** `opaque` says in words what is wrong; a made-up value cannot know the words. */
const withoutProblem = (value: unknown) =>
  JSON.parse(JSON.stringify(value, (key, inner) => (key === 'problem' ? undefined : inner)));

describe.each(Object.keys(values) as AccessCodecName[])('%s', (name) => {
  const { decode, encode }: AccessCodec = ACCESS_CODECS[name];

  it('gives back what was put in', () => {
    fc.assert(
      fc.property(values[name], (value) => {
        const octets = must(encode(value));
        expect(withoutProblem(must(decode(octets)))).toEqual(withoutProblem(value));
      }),
    );
  });

  it('refuses or survives an end after every octet', () => {
    fc.assert(
      fc.property(values[name], (value) => {
        const octets = must(encode(value));
        for (let end = 0; end < octets.length; end++) {
          const result = decode(octets.subarray(0, end));
          if (!result.ok) expect(result.error.code).toBe('NVE-WIRE-006');
          else expect(must(encode(result.value)).length).toBeLessThanOrEqual(end + 2);
        }
      }),
      { numRuns: 20 },
    );
  });

  it('takes every flipped bit for another value or an error, and for nothing else', () => {
    fc.assert(
      fc.property(values[name], (value) => {
        const octets = must(encode(value));
        for (let bit = 0; bit < 8 * octets.length; bit++) {
          const mutated = octets.slice();
          mutated[bit >> 3] = (mutated[bit >> 3] as number) ^ (1 << (bit & 7));
          const result = decode(mutated);
          if (result.ok) expect(decode(must(encode(result.value)))).toEqual(result);
          else expect(result.error.context['at']).toMatch(/^(?:lldp|evb|cdcp|ecp|ethernet|vdp|tlv)/);
        }
      }),
      { numRuns: 5 },
    );
  });

  it('survives noise', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (octets) => {
        const result = decode(octets);
        if (!result.ok) expect(result.error.code).toBe('NVE-WIRE-006');
      }),
    );
  });
});

describe('VDP filter formats', () => {
  it('have the widths of the standard', () => {
    expect([...STANDARD_FILTER_FORMATS].map(([code, fields]) => [code, entryWidth(fields)])).toEqual([
      [1, 2],
      [2, 8],
      [3, 6],
      [4, 12],
    ]);
  });

  it('can be added by configuration', () => {
    fc.assert(
      fc.property(vdpOf(FORMATS), (value) => {
        const pdu = value as unknown as VdpPdu;
        const again = must(decodeVdp(must(encodeVdp(pdu, FORMATS)), FORMATS));
        expect(withoutProblem(again)).toEqual(withoutProblem(pdu));
      }),
    );
  });

  it.each([
    [{ 4: ['vid'] }],
    [{ 256: ['vid'] }],
    [{ 7: ['mac'] }],
    [{ 7: ['vid', 'vid'] }],
    [{ 7: ['vid', 'ipv4', 'ipv6'] }],
    [{ 7: ['vid', 'colour'] }],
  ])('refuses %j', (further) => {
    const result = filterFormats(further as never);
    expect(result.ok ? null : result.error.code).toBe('NVE-VAL-002');
  });
});

describe('VDP', () => {
  const association = (entries: number): VdpPdu => ({
    managerId: '00'.repeat(16),
    tlvs: [
      {
        kind: 'association',
        command: 'associate',
        status: 0,
        typeId: 1,
        typeVersion: 1,
        vsiidFormat: 5,
        vsiid: '11'.repeat(16),
        filter: {
          kind: 'entries',
          format: 1,
          entries: Array.from({ length: entries }, (_, i) => ({
            vid: i + 2,
            ps: false,
            pcp: 0,
            groupId: null,
            mac: null,
            ip: null,
          })),
        },
      },
    ],
  });

  it('takes the most entries of a TLV and refuses one more', () => {
    expect(must(decodeVdp(must(encodeVdp(association(243)))))).toEqual(association(243));
    const result = encodeVdp(association(244));
    expect(result.ok ? null : result.error.message).toContain('at most 511 octets');
  });

  it.each([
    ['vid', { vid: 4096 }],
    ['pcp', { pcp: 8 }],
  ])('refuses to send a %s out of its range', (field, wrong) => {
    const [tlv] = association(1).tlvs;
    if (tlv?.kind !== 'association' || tlv.filter.kind !== 'entries') throw new Error('no association');
    const entries = tlv.filter.entries.map((one) => ({ ...one, ...wrong }));
    const result = encodeVdp({ managerId: '00'.repeat(16), tlvs: [{ ...tlv, filter: { ...tlv.filter, entries } }] });
    expect(result.ok ? null : result.error.context['at']).toContain(`.${field}`);
  });

  it('knows the length of a TLV', () => {
    const [tlv] = association(3).tlvs;
    expect(vdpTlvLength(tlv as never)).toBe(2 + 25 + 6);
  });
});

describe('VDP status', () => {
  it('has the octets of the standard', () => {
    expect(responseStatus()).toBe(0x40);
    expect(responseStatus({ code: 5, hard: true })).toBe(0x55);
    expect(responseStatus({ code: 2 })).toBe(0x42);
    expect(responseStatus({ code: 2, keep: true })).toBe(0x62);
    expect(requestStatus()).toBe(0);
    expect(requestStatus({ migrating: true })).toBe(0x10);
    expect(requestStatus({ suspended: true })).toBe(0x20);
  });

  it('reads every octet as it was written', () => {
    for (let octet = 0; octet < 128; octet++) {
      if (isVdpResponse(octet)) expect(responseStatus(readResponseStatus(octet))).toBe(octet);
      else expect(requestStatus(readRequestStatus(octet))).toBe(octet & 0x30);
    }
  });
});

describe('Cisco TLVs', () => {
  const of = { vsiidFormat: 5, vsiid: '11'.repeat(16) };

  it('come back as they were', () => {
    const tlvs: CiscoTlv[] = [
      { kind: 'vm', ...of, uuid: '33'.repeat(16), name: 'vm100' },
      { kind: 'ipv4', ...of, ip: must(parseIp('10.0.0.1')) },
    ];
    for (const tlv of tlvs) expect(decodeCisco(must(encodeCisco(tlv)))).toEqual(tlv);
  });

  it('are nothing when they are not as they should be', () => {
    const good = must(encodeCisco({ kind: 'ipv4', ...of, ip: must(parseIp('10.0.0.1')) }));
    expect(decodeCisco({ ...good, oui: '0080c2' })).toBeNull();
    expect(decodeCisco({ ...good, subtype: 0xf3 })).toBeNull();
    expect(decodeCisco({ ...good, octets: good.octets.slice(0, -2) })).toBeNull();
    const vm = must(encodeCisco({ kind: 'vm', ...of, uuid: '33'.repeat(16), name: 'v' }));
    expect(decodeCisco({ ...vm, octets: `${vm.octets.slice(0, -2)}1b` })).toBeNull();
    expect(encodeCisco({ kind: 'vm', ...of, uuid: '33'.repeat(16), name: 'ü' }).ok).toBe(false);
  });
});
