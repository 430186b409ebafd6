import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type IpAddr, type LinkName, type MacAddr, type TsiId, unwrap, type Vid, type Vni } from '#model';
import { associationsOf, decodeVdp, encodeVdp } from '#wire';
import { stationVsiOf, vsiIdOf } from './station-vsi.js';
import { vsiText } from './vdp-events.js';
import { ciscoVm, vdpRules, wantsOf } from './vdp-mapping.js';

const sha1 = (octets: Uint8Array): Uint8Array => createHash('sha1').update(octets).digest();
const idOf = (tsi: string) => vsiIdOf(tsi as TsiId, sha1);
const PEER = { port: 'access0' as LinkName, svid: null, mac: '02:aa:00:00:00:01' as MacAddr };
const mac = (n: number): MacAddr => `02:00:00:00:00:${n.toString(16).padStart(2, '0')}` as MacAddr;
const ip = (text: string): IpAddr => text as IpAddr;

/** What an NVE makes of it, over the octets. */
function atNve(tsi: string, macs: MacAddr[], ips: IpAddr[], vid: number | null = null) {
  const id = idOf(tsi);
  const vsi = unwrap(stationVsiOf({ tsi: tsi as TsiId, vni: 5001 as Vni, macs, ips, vid: vid as Vid | null }, id));
  const { managerId, typeId, typeVersion, filterFormat: format, entries, qualifiers } = vsi;
  const filter = { kind: 'entries', format, entries } as const;
  const association = {
    kind: 'association',
    command: 'associate',
    status: 0,
    typeId,
    typeVersion,
    filter,
    ...id,
  } as const;
  const pdu = unwrap(decodeVdp(unwrap(encodeVdp({ managerId, tlvs: [association, ...qualifiers] }))));
  const [qualified] = associationsOf(pdu);
  return { wants: unwrap(wantsOf(qualified!, PEER, managerId, vdpRules())), name: ciscoVm(qualified!)?.name ?? null };
}

describe('the VSIID of a TSI', () => {
  it.each([
    ['a UUID as it is', '11111111-2222-3333-4444-55555555ABCD', '11111111-2222-3333-4444-55555555abcd'],
    ['a short name as ASCII', 'blue-1', 'blue-1'],
    ['16 characters as well', 'vm7.eth0@rack:01', 'vm7.eth0@rack:01'],
    // python3 -c 'import uuid; print(uuid.uuid5(uuid.UUID(VSI_NAMESPACE), "pod/default/web-0/eth0"))'
    ['else a UUID of version 5', 'pod/default/web-0/eth0', '1908f19f-3b08-5c7a-b698-dc5659987dc7'],
  ])('is %s', (_, tsi, text) => {
    expect(vsiText(idOf(tsi))).toBe(text);
    expect(atNve(tsi, [mac(1)], []).wants).toMatchObject([{ key: { tsi: `${text}/5001` } }]);
  });

  it('of an NVE that reads it is never mistaken for another kind', () => {
    // Only what begins like a TSI id, and ends with its zeros, is taken for text.
    expect(vsiText({ vsiidFormat: 4, vsiid: '62006c75650000000000000000000000' })).toMatch(/^6200/);
    expect(vsiText({ vsiidFormat: 4, vsiid: '2f626c75650000000000000000000000' })).toMatch(/^2f62/);
    expect(vsiText({ vsiidFormat: 4, vsiid: '00'.repeat(16) })).toBe('00'.repeat(16));
  });
});

describe('a TSI in VDP', () => {
  it('has its MACs, its IPv4 addresses and the VID that it wishes for', () => {
    const { wants, name } = atNve('blue-1', [mac(1), mac(2)], [ip('10.0.0.1'), ip('2001:db8::1')], 100);
    expect(wants).toEqual([
      expect.objectContaining({ vn: 5001, macs: [mac(1), mac(2)], ips: ['10.0.0.1'], vid: 100, learn: false }),
    ]);
    expect(name).toBeNull();
    expect(atNve('blue-1', [mac(1)], []).wants).toMatchObject([{ vid: null }]);
  });

  it('tells its id where the VSIID does not show it', () => {
    expect(atNve('pod/default/web-0/eth0', [mac(1)], []).name).toBe('pod/default/web-0/eth0');
  });

  it('fits in a PDU at its largest, and is refused beyond', () => {
    const macs = Array.from({ length: 40 }, (_, n) => mac(n + 1));
    const ips = Array.from({ length: 27 }, (_, n) => ip(`10.0.0.${n + 1}`));
    const longest = 'x'.repeat(128);
    expect(atNve(longest, macs, ips).wants).toMatchObject([{ macs, ips }]);
    const request = { tsi: 'blue-1' as TsiId, vni: 5001 as Vni, macs, ips, vid: null };
    for (const more of [{ macs: [...macs, mac(99)] }, { ips: [...ips, ip('10.0.1.1')] }]) {
      const result = stationVsiOf({ ...request, ...more }, idOf('blue-1'));
      expect(result).toMatchObject({ ok: false, error: { code: 'NVE-TSI-010' } });
    }
  });
});
