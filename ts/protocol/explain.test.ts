import { describe, expect, it } from 'vitest';
import type { LinkName, VnRef } from '#model';
import { filterFormats } from '#wire';
import { pcapOf } from '../../test/lib/pcap.js';
import { explainCapture, explainFrame } from './explain.js';
import { vdpRules } from './vdp-mapping.js';

const octetsOf = (hex: string): Uint8Array => Buffer.from(hex.replaceAll(' ', ''), 'hex');
const explain = (hex: string): string => explainFrame(octetsOf(hex)).join('\n');
const ECP = '0180c2000000 02aa00000001 8940 1001 0001';
const MANAGER = '0a10 6e76656d677200000000000000000000';
/** Reference vector: Associate, format 4, VNI 5000, null VID. */
const association = (type: string, status: string, filter: string): string =>
  `${type} ${status} 000005 01 05 11111111222233334444555555555555 ${filter}`;

describe('explainFrame', () => {
  it('says what an Associate asks for and what would be answered', () => {
    const text = explain(`${ECP} ${MANAGER} ${association('0625', '10', '04 0001 00001388 525400112233 0000')}`);
    expect(text).toContain('ECP from 02:aa:00:00:00:01 to 01:80:c2:00:00:00');
    expect(text).toContain('associate of VSI 11111111-2222-3333-4444-555555555555');
    expect(text).toContain('migrating: true');
    expect(text).toMatch(/=> success \(0x40\).*in VNI 5000 with 52:54:00:11:22:33, the VN's VID$/);
  });

  it.each([
    ['an unknown filter format', association('0625', '00', '09 0001 00001388 525400112233 0000'), 'error 1 and HARD'],
    ['more entries than octets', association('0625', '00', '04 ffff 00001388 525400112233 0000'), 'error 1 and HARD'],
    ['a GroupID that is no VNI', association('0625', '00', '04 0001 ff001388 525400112233 0000'), 'error 5 and HARD'],
    ['a De-Associate', association('0825', '00', '04 0001 00001388 525400112233 0064'), 'success (0x40)'],
    ['a response', association('0625', '40', '04 0001 00001388 525400112233 0064'), 'a response: success; an agent'],
    [
      'a refusal',
      association('0625', '75', '04 0001 00001388 525400112233 0064'),
      'a response: error 5 and HARD, KEEP: the earlier association holds;',
    ],
  ])('%s', (_, tlv, expected) => {
    expect(explain(`${ECP} ${MANAGER} ${tlv}`)).toContain(`=> ${expected}`);
  });

  it('says where a malformed frame is wrong', () => {
    expect(explain(`${ECP} 0625 00`)).toMatch(/MALFORMED at vdp\.tlv\[0\]\S*: expected .*, got .*bad_vdp/s);
    expect(explain('0180c2')).toMatch(/MALFORMED at ethernet/);
    expect(explain(`0180c2000000 02aa00000001 8940 2001 0001`)).toMatch(/MALFORMED at ecp\.version: expected 1, got 2/);
  });

  it('knows the filter formats and the VNs of a configuration', () => {
    const formats = filterFormats({ 5: ['groupId', 'ipv4', 'vid'] });
    const rules = vdpRules({ ports: { ['access0' as LinkName]: 'red' as VnRef } });
    const options = { link: 'access0' as LinkName, rules, ...(formats.ok ? { formats: formats.value } : {}) };
    const of = (tlv: string) => explainFrame(octetsOf(`${ECP} ${MANAGER} ${tlv}`), options).join('\n');
    expect(of(association('0623', '00', '05 0001 00001388 c6336407 0000'))).toMatch(
      /=> success.*VNI 5000 with 198.51.100.7,/,
    );
    expect(of(association('061b', '00', '01 0001 0000'))).toMatch(/=> success.*in VN red with MACs to be learned,/);
  });

  it('says what CDCP lists', () => {
    const cdcp = 'fe11 0080c2 0e 88 00 00 a7 001001 002000 003065';
    const text = explain(`0180c2000003 02aa00000001 88cc 0207 04 02aa00000001 0403 05 7630 0602 0078 ${cdcp} 0000`);
    expect(text).toContain('=> a CDCP neighbour: SCID 1 is SVID 1, SCID 2 without SVID yet, SCID 3 is SVID 101');
  });
});

describe('explainCapture', () => {
  const associate = octetsOf(`${ECP} ${MANAGER} ${association('0625', '00', '04 0001 00001388 525400112233 0000')}`);
  const arp = octetsOf('ffffffffffff 02aa00000001 0806 0001');

  it('gives LLDP and ECP under their numbers, and counts the rest', () => {
    const got = explainCapture(pcapOf([arp, associate, arp, associate.subarray(0, 30), octetsOf('0180c2')]));
    const text = got.ok ? got.value.lines.join('\n') : '';
    expect(text.match(/^Frame \d+/gm)).toEqual(['Frame 2', 'Frame 4', 'Frame 5']);
    expect(text).toMatch(/^Frame 2\nECP from 02:aa:00:00:00:01 .*^=> success \(0x40\)/ms);
    expect(text).toMatch(/^Frame 5\n {2}MALFORMED at ethernet/m);
    expect(text).toMatch(/Frames: 5, of these neither LLDP nor ECP: 2$/);
    expect(got.ok && got.value.problem).toBeNull();
  });

  it('says which frames are cut, and where the file is', () => {
    const whole = pcapOf([associate, associate], { snap: 40 });
    const got = explainCapture(whole.subarray(0, whole.length - 1));
    expect(got.ok && got.value.lines[0]).toBe(`Frame 1, cut by the capture: 40 of ${associate.length} octets`);
    expect(got.ok && got.value.problem?.message).toContain('pcap.frame 2 is 39 octets, expected 40 octets');
    expect(explainCapture(octetsOf('0a0d0d0a'))).toMatchObject({ ok: false, error: { code: 'NVE-WIRE-007' } });
  });
});
