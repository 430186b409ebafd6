import { describe, expect, it } from 'vitest';
import type { Acl, HostInfo, MacAddr, NveId } from '#model';
import type { VnView } from '#nva';
import { forwarderOf, homeAcl } from './multihoming.js';

const MACS = ['02:00:00:00:00:01', '02:00:00:00:00:02'] as MacAddr[];
const nve = (name: string) => name as NveId;

function viewOf(...homes: string[][]): VnView {
  const hosts = homes.map(([first = '', ...others], n): [MacAddr, HostInfo] => [
    MACS[n] as MacAddr,
    { nveId: nve(first), others: others.map(nve) } as unknown as HostInfo,
  ]);
  return { hosts: new Map(hosts) } as unknown as VnView;
}

describe('who passes broadcast on', () => {
  it('is the same NVE for all of them, whatever each MAC lists first', () => {
    const view = viewOf(['b', 'a'], ['a', 'b']);
    expect(['a', 'b'].map((self) => forwarderOf(MACS, view, nve(self)))).toEqual(['a', 'a']);
  });

  it('is this one while nobody says otherwise', () => {
    expect(forwarderOf(MACS, null, nve('b'))).toBe('b');
    expect(forwarderOf(MACS, viewOf(['b']), nve('b'))).toBe('b');
    const elsewhere = { hosts: new Map([[MACS[0], { nveId: 'a' }]]) } as unknown as VnView;
    expect(forwarderOf(MACS, elsewhere, nve('b')), 'a move is another matter').toBe('b');
  });
});

describe('the list of frames to the tenant', () => {
  const base: Acl = { default: 'deny', rules: [{ action: 'permit', etherType: 0x0806 }] };

  it('gives nothing back that the tenant sent by another NVE', () => {
    const list = homeAcl(9, MACS, true, base);
    expect(list).toEqual({
      op: 'AclSet',
      acl: 9,
      default: 'deny',
      rules: [
        ...MACS.map((mac) => ({ action: 'deny', srcMac: { mac, mask: 'ff:ff:ff:ff:ff:ff' } })),
        { action: 'permit', etherType: 0x0806 },
      ],
    });
  });

  it('has no group frames where another NVE passes them on', () => {
    const group = '01:00:00:00:00:00';
    expect(homeAcl(9, MACS, false, undefined)).toMatchObject({
      default: 'permit',
      rules: [{ action: 'deny', dstMac: { mac: group, mask: group } }],
    });
  });
});
