import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type IpAddr, ipFromBytes, type MacAddr, macFromBytes } from '#model';
import { decodeRule, encodeRule } from './acl.js';
import { pack, unpack } from './msgpack.js';
import type { AclRule } from './types.js';

const mac = fc.uint8Array({ minLength: 6, maxLength: 6 }).map((bytes) => {
  const parsed = macFromBytes(bytes);
  return (parsed.ok ? parsed.value : '') as MacAddr;
});
const ip = fc
  .oneof(...[4, 16].map((length) => fc.uint8Array({ minLength: length, maxLength: length })))
  .map((bytes) => {
    const parsed = ipFromBytes(bytes);
    return (parsed.ok ? parsed.value : '') as IpAddr;
  });
const number = (max: number) => fc.integer({ min: 0, max });
const range = fc.record({ first: number(0xffff), last: number(0xffff) });
const rule: fc.Arbitrary<AclRule> = fc.record(
  {
    action: fc.constantFrom('permit', 'deny'),
    srcMac: fc.record({ mac, mask: mac }),
    dstMac: fc.record({ mac, mask: mac }),
    etherType: number(0xffff),
    vid: number(4094),
    srcIp: fc.record({ ip, prefixLen: number(128) }),
    dstIp: fc.record({ ip, prefixLen: number(128) }),
    protocol: number(255),
    srcPort: range,
    dstPort: range,
    tcpFlags: fc.record({ flags: number(255), mask: number(255) }),
    icmpType: number(255),
    icmpCode: number(255),
  },
  { requiredKeys: ['action'] },
);

describe('a rule', () => {
  it('is a map of what it says, in the words of docs/engine.md', () => {
    const bytes = (hex: string) => Buffer.from(hex, 'hex');
    const written = encodeRule({
      action: 'deny',
      srcMac: { mac: '02:00:00:00:00:0a' as MacAddr, mask: 'ff:ff:ff:00:00:00' as MacAddr },
      etherType: 0x800,
      dstIp: { ip: '10.0.0.0' as IpAddr, prefixLen: 8 },
      protocol: 6,
      dstPort: { first: 80, last: 90 },
      tcpFlags: { flags: 2, mask: 18 },
    });
    expect(unpack(pack(written))).toEqual({
      action: 'deny',
      src_mac: [bytes('02000000000a'), bytes('ffffff000000')],
      ether_type: 0x800,
      dst_ip: [bytes('0a000000'), 8],
      protocol: 6,
      dst_port: [80, 90],
      tcp_flags: [2, 18],
    });
    expect(encodeRule({ action: 'permit', protocol: 1, icmpType: 0, icmpCode: 0 })).toEqual({
      action: 'permit',
      protocol: 1,
      icmp_type: 0,
      icmp_code: 0,
    });
  });

  it('comes back as it went', () => {
    fc.assert(
      fc.property(rule, (one) => {
        expect(decodeRule(unpack(pack(encodeRule(one))), 'rule')).toEqual({ ...one });
      }),
    );
  });

  it('throws nothing but the error of an answer, whatever comes', () => {
    fc.assert(
      fc.property(fc.anything(), (value) => {
        try {
          decodeRule(value, 'rule');
        } catch (caught) {
          expect(caught).toMatchObject({ code: 'NVE-ENG-900' });
        }
      }),
    );
    expect(() => decodeRule({ protocol: 6 }, 'acls.match')).toThrow(/acls.match.action/);
    expect(() => decodeRule({ action: 'deny', src_mac: [Buffer.alloc(5), Buffer.alloc(6)] }, 'acls.match')).toThrow(
      /acls.match.src_mac/,
    );
  });
});
