import { describe, expect, it } from 'vitest';
import { type MacAddr, parseMac } from '#model';
import { fromHex, GROUP_ADDRESSES, type Lldpdu, lldpText } from '#wire';
import {
  type AccessFrame,
  accessHeader,
  accessTlvs,
  accessTlvsOf,
  channelOf,
  decodeAccessFrame,
  encodeAccessFrame,
} from './access-frames.js';
import { EVB_DEFAULTS, NO_BRIDGE, NO_STATION } from './evb-tlv.js';

const must = <T>(result: { ok: true; value: T } | { ok: false; error: Error }): T => {
  if (!result.ok) throw result.error;
  return result.value;
};
const SRC: MacAddr = must(parseMac('02:00:00:00:00:fe'));
const GROUP = GROUP_ADDRESSES.nearestCustomerBridge;
const evb = {
  bridge: { ...NO_BRIDGE, groupId: true },
  station: NO_STATION,
  mode: 'bridge',
  rwdRemote: false,
  rkaRemote: false,
  reserved: 0,
  ...EVB_DEFAULTS,
} as const;
const cdcp = {
  role: 0,
  sComponent: true,
  channels: 9,
  pairs: [{ scid: 1, svid: 1 }],
  reserved1: 0,
  reserved2: 0,
} as const;
const lldp = (tlvs: Lldpdu['tlvs']): Lldpdu => ({
  chassisId: { subtype: 7, octets: lldpText('nve') },
  portId: { subtype: 7, octets: lldpText('p') },
  ttl: 121,
  tlvs,
});

describe('access frames', () => {
  it.each([null, 101])('of LLDP and ECP come back as they were (S-channel %s)', (svid) => {
    const header = accessHeader(SRC, GROUP, svid);
    const frames: AccessFrame[] = [
      { kind: 'lldp', ...header, pdu: lldp(must(accessTlvs({ evb, cdcp }))) },
      { kind: 'ecp', ...header, pdu: { operation: 'request', subtype: 1, sequence: 7, payload: Uint8Array.of(1, 2) } },
    ];
    for (const frame of frames) {
      const again = must(decodeAccessFrame(must(encodeAccessFrame(frame))));
      expect(again).toEqual(frame);
      expect(channelOf(again)).toBe(svid);
    }
  });

  it('of anything else are refused by name', () => {
    const arp = fromHex(`ffffffffffff0200000000fe0806${'00'.repeat(46)}`) ?? new Uint8Array(0);
    const result = decodeAccessFrame(arp);
    expect(result.ok ? null : result.error.message).toBe(
      'ethernet.ethertype is 0x0806, expected 0x88cc (LLDP) or 0x8940 (ECP)',
    );
  });

  it('with a C-TAG or two tags are of no channel', () => {
    const tag = { pcp: 0, dei: false, vid: 5 } as const;
    expect(channelOf({ dst: GROUP, src: SRC, tags: [{ kind: 'c-tag', ...tag }] })).toBeUndefined();
    expect(
      channelOf({
        dst: GROUP,
        src: SRC,
        tags: [
          { kind: 's-tag', ...tag },
          { kind: 'c-tag', ...tag },
        ],
      }),
    ).toBeUndefined();
  });
});

describe('TLVs of the access link', () => {
  it('are found among others; one that cannot be read counts as missing and is named', () => {
    const tlvs = must(accessTlvs({ evb, cdcp }));
    expect(accessTlvsOf(lldp([{ kind: 'other', type: 5, octets: 'aa' }, ...tlvs]))).toEqual({
      evb,
      cdcp,
      problems: [],
    });
    const short = { kind: 'organization', oui: '0080c2', subtype: 0x0d, octets: '04' } as const;
    const found = accessTlvsOf(lldp([short]));
    expect([found.evb, found.cdcp, found.problems.map(({ context }) => context['at'])]).toEqual([
      null,
      null,
      ['evb.stationStatus'],
    ]);
    expect(accessTlvsOf(lldp([short, ...tlvs])).evb).toEqual(evb);
  });
});
