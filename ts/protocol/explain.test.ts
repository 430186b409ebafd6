import { describe, expect, it } from 'vitest';
import { explainFrame } from './explain.js';

const explain = (hex: string): string => explainFrame(Buffer.from(hex.replaceAll(' ', ''), 'hex')).join('\n');
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
    ['a response', association('0625', '40', '04 0001 00001388 525400112233 0064'), 'a response: ignored'],
  ])('%s', (_, tlv, expected) => {
    expect(explain(`${ECP} ${MANAGER} ${tlv}`)).toContain(`=> ${expected}`);
  });

  it('says where a malformed frame is wrong', () => {
    expect(explain(`${ECP} 0625 00`)).toMatch(/MALFORMED at vdp\.tlv\[0\]\S*: expected .*, got .*bad_vdp/s);
    expect(explain('0180c2')).toMatch(/MALFORMED at ethernet/);
    expect(explain(`0180c2000000 02aa00000001 8940 2001 0001`)).toMatch(/MALFORMED at ecp\.version: expected 1, got 2/);
  });
});
