// `show.vdp`, and what a stock lldpad tells in Cisco's TLVs: the TSI's IPv4 address and the VM.
import { afterEach, describe, expect, it } from 'vitest';
import type { LinkName, MacAddr } from '#model';
import type { VdpVsiRow } from '#protocol';
import { AccessRig, association, blueFilter, tsiOf, vsiOf } from '../../testing/access-rig.js';
import { type StationRow, vdpPage } from './vdp-rows.js';

let rig: AccessRig;
afterEach(() => rig.close());

/** An organizationally specific TLV after the association. */
function oui(text: string): string {
  return `fe${(text.length / 2).toString(16).padStart(2, '0')}${text}`;
}
const ip = (n: number, address: string): string => oui(`00000cf205${vsiOf(n)}0001${address}`);
const vm = (n: number, name: string): string =>
  oui(`00000cf105${vsiOf(n)}05${'ab'.repeat(16)}${Buffer.from(name).toString('hex')}`);

describe('show.vdp', () => {
  it('shows a VSI with its station, VM, VN, tag and addresses', async () => {
    rig = await AccessRig.start();
    const told = association('06', '10', 1, blueFilter(1)) + vm(1, 'web-1') + ip(1, 'c6336407') + oui('00123401ff');
    // The answer is the association alone: what qualified it is not the bridge's to repeat.
    expect(await rig.ask(told)).toBe(association('06', '40', 1, blueFilter(1, '0064')));
    const [row, ...others] = await rig.client.show('vdp');
    expect(others).toEqual([]);
    expect(row).toEqual({
      link: 'access0',
      station: '02:aa:00:00:00:01',
      vsi: tsiOf(1),
      vm: 'web-1',
      vm_uuid: 'ab'.repeat(16),
      state: 'associated',
      command: 'associate',
      manager: '6e76656d677200000000000000000000',
      vsi_type: 5,
      vsi_type_version: 1,
      filter_format: 4,
      macs: ['02:00:00:00:00:01'],
      tsis: [{ tsi: `${tsiOf(1)}/5001`, vn: 'blue', tag: { kind: 'c-tag', vid: 100 }, ips: ['198.51.100.7'] }],
      suspended: false,
      migrating: true,
      age_ms: expect.any(Number),
      evb: { retries: 3, rte: 14, rwd: 20, rka: 20 },
      ecp: { sent: 1, retried: 0, timed_out: 0, received: 1, duplicates: 0 },
      error: null,
    });
    // The address is known to the NVA too.
    expect(rig.nva.reports.map(({ attachment }) => attachment.ips)).toEqual([['198.51.100.7']]);
  });

  it('does not give a TSI the address that a TLV names for another VSI', async () => {
    rig = await AccessRig.start();
    await rig.ask(association('06', '00', 1, blueFilter(1)) + ip(2, 'c6336407'));
    expect(await rig.client.list()).toMatchObject([{ ips: [] }]);
  });

  it('shows a station without a VSI', async () => {
    rig = await AccessRig.start();
    expect(await rig.client.show('vdp')).toEqual([]);
    await rig.ask(association('08', '00', 1, blueFilter(1)));
    const [row, ...others] = await rig.client.show('vdp');
    expect(others).toEqual([]);
    expect(row).toMatchObject({ link: 'access0', station: '02:aa:00:00:00:01', vsi: null, state: null, evb: null });
    expect(row?.age_ms).toBeLessThan(60_000);
    expect(row?.ecp).toEqual({ sent: 1, retried: 0, timed_out: 0, received: 1, duplicates: 0 });
  });

  it('shows a VSI that was refused on its first command, until it is there', async () => {
    rig = await AccessRig.start();
    const bad = blueFilter(1).replace('00001389', '0000138a');
    // HARD, error 5: the NVA knows no such VN.
    expect(await rig.ask(association('06', '00', 1, bad))).toBe(association('06', '55', 1, bad));
    const [row, ...others] = await rig.client.show('vdp');
    expect(others).toEqual([]);
    expect(row).toMatchObject({
      vsi: tsiOf(1),
      state: 'refused',
      command: 'associate',
      filter_format: 4,
      macs: ['02:00:00:00:00:01'],
      tsis: [],
      ecp: { received: 1 },
      error: expect.stringMatching(/^NVE-NVA-001: /),
    });
    await rig.ask(association('06', '00', 1, blueFilter(1)));
    expect(await rig.client.show('vdp')).toMatchObject([{ vsi: tsiOf(1), state: 'associated', error: null }]);
    await rig.ask(association('08', '00', 1, blueFilter(1, '0064')));
    expect(await rig.client.show('vdp')).toMatchObject([{ vsi: null, state: null }]);
  });

  it('says why a change was refused, until one is granted', async () => {
    rig = await AccessRig.start();
    await rig.ask(association('06', '00', 1, blueFilter(1)));
    const bad = blueFilter(1, '0064').replace('00001389', '0000138a');
    // KEEP, HARD, error 5: the NVA knows no such VN.
    expect(await rig.ask(association('06', '00', 1, bad))).toBe(association('06', '75', 1, bad));
    expect(await rig.client.show('vdp')).toMatchObject([
      { state: 'associated', error: expect.stringMatching(/^NVE-/) },
    ]);
    await rig.ask(association('02', '20', 1, blueFilter(1, '0064')));
    expect(await rig.client.show('vdp')).toMatchObject([{ command: 'preAssociate', suspended: true, error: null }]);
  });

  it('comes page by page, each VSI and station once, also when some go meanwhile', async () => {
    rig = await AccessRig.start();
    await rig.ask(association('06', '00', 1, blueFilter(1)));
    const { rows, cursor } = await rig.client.request('show.vdp', {});
    expect([rows.length, cursor]).toEqual([1, null]);

    const keyOf = (n: number): string => `access0 ${`${n}`.padStart(4, '0')}`;
    const parameters = { retries: 3, rte: 14, rwd: 20, rka: 20 };
    // Long enough that 1000 rows do not fit into a page.
    const name = 'vm'.repeat(100);
    const vsi = { port: 'access0', svid: null, name, association: null, tsis: [], hints: {}, parameters, error: null };
    const stationOf = (n: number): StationRow => ({
      port: 'access0' as LinkName,
      svid: null,
      station: `${n}`.padStart(4, '0') as MacAddr,
      evb: null,
      ecp: null,
      heardAt: null,
    });
    // The last one has no VSI.
    const stations = Array.from({ length: 1002 }, (_, n) => stationOf(n));
    const vsiOf = (n: number): VdpVsiRow =>
      ({ ...vsi, key: keyOf(n), station: stationOf(n).station, vsi: `${n}` }) as unknown as VdpVsiRow;
    let all = Array.from({ length: 1001 }, (_, n) => vsiOf(n));
    const seen: string[] = [];
    let at: string | null = null;
    do {
      const page = vdpPage(all, stations, at, 0, () => null);
      seen.push(...page.rows.map((row) => row.vsi ?? `${row.station} alone`));
      at = page.cursor;
      all = all.filter((row) => Number(row.vsi) % 500 !== 499);
    } while (at !== null);
    const alone = new Set([999, 1001]);
    expect(seen).toEqual(
      Array.from({ length: 1002 }, (_, n) => (alone.has(n) ? `${n}`.padStart(4, '0').concat(' alone') : `${n}`)),
    );
  });
});
