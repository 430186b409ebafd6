// TSIs whose filter names no MAC, in octets: a station associates by format 1 or 3, the engine tells what it sees, and the agent makes
// rows and reports of it.
import { afterEach, describe, expect, it, vi } from 'vitest';
import { err, type HostInfo, type MacAddr, nveError } from '#model';
import { AccessRig, association, blue, blueFilter, tsiOf } from '../../testing/access-rig.js';

const MAC = '02:00:00:00:00:77' as MacAddr;
const LEARNER = `${tsiOf(1)}/5001`;
const VAPS = (rig: AccessRig) => [...rig.engine.objects.values()].filter((object) => object.op === 'VapSet');
const ROWS = (rig: AccessRig) =>
  [...rig.engine.objects.values()].flatMap((object) =>
    object.op === 'FdbSet' ? [[object.mac, object.dest.kind]] : [],
  );
const REPORTS = (rig: AccessRig) => rig.nva.reports.map(({ change, attachment }) => `${change} ${attachment.tsi}`);
const soon = (check: () => unknown): Promise<unknown> => vi.waitFor(check, { timeout: 2_000, interval: 5 });
const host = (nveId: string, tsi: string, mobilitySeq = 0): HostInfo =>
  ({ vn: blue.vn, mac: MAC, tsi, nveId, ips: [], mobilitySeq }) as unknown as HostInfo;

let rig: AccessRig;
afterEach(() => rig.close());

/** Format 3: blue's VNI and a VID. */
const byGroup = (vid: string): string => `03000100001389${vid}`;

async function learner(): Promise<void> {
  rig = await AccessRig.start();
  expect(await rig.ask(association('06', '00', 1, byGroup('0000')))).toBe(association('06', '40', 1, byGroup('0064')));
}
function see(mac = MAC): void {
  const [vap] = VAPS(rig);
  rig.engine.emit({ kind: 'learned', vap: vap?.vap ?? 0, vn: blue.vn, mac });
}
async function learnIt(): Promise<void> {
  see();
  await soon(() => expect(ROWS(rig)).toEqual([[MAC, 'vap']]));
}
const ID = `learned:${MAC}@${LEARNER}`;

describe('a TSI without MACs', () => {
  it('by format 3 has a VAP that learns; what shows up there becomes a row and a report', async () => {
    await learner();
    expect(VAPS(rig)).toMatchObject([{ guard: true, learn: true }]);
    await learnIt();
    expect(REPORTS(rig)).toEqual([`attach ${LEARNER}`, `attach ${ID}`]);
    expect(rig.nva.reports[1]?.attachment).toEqual({ vn: 1, tsi: ID, port: 'access0', macs: [MAC], ips: [] });
    expect((await rig.client.show('fdb')).map(({ mac, tsi, to }) => ({ mac, tsi, to }))).toEqual([
      { mac: MAC, tsi: LEARNER, to: 'vap' },
    ]);
    see();
    expect(REPORTS(rig)).toHaveLength(2);
  });

  it('by format 1 too, in the VN of the link', async () => {
    rig = await AccessRig.start('\n[[access]]\nport = "access0"\nvlan_pool = "100-101"\nvn = "blue"\n');
    const filter = (vid: string): string => `010001${vid}`;
    expect(await rig.ask(association('06', '00', 1, filter('0000')))).toBe(association('06', '40', 1, filter('0064')));
    expect(VAPS(rig)).toMatchObject([{ guard: true, learn: true }]);
    await learnIt();
    expect(REPORTS(rig)).toEqual([`attach ${tsiOf(1)}`, `attach learned:${MAC}@${tsiOf(1)}`]);
  });

  it('takes what was learned with it when it goes', async () => {
    await learner();
    await learnIt();
    await rig.ask(association('08', '00', 1, byGroup('0064')));
    await soon(() => expect(ROWS(rig)).toEqual([]));
    expect(VAPS(rig)).toEqual([]);
    expect(REPORTS(rig).slice(2).sort()).toEqual([`detach ${ID}`, `detach ${LEARNER}`].sort());
    expect(rig.engine.violations).toEqual([]);
  });

  it('learns no MAC that a TSI names; one that is named later is that TSI’s', async () => {
    await learner();
    await learnIt();
    // Format 4 with 02:00:00:00:00:77, on the same VAP.
    await rig.ask(association('06', '00', 0x77, blueFilter(0x77)));
    expect(ROWS(rig)).toEqual([[MAC, 'vap']]);
    expect(REPORTS(rig).slice(2)).toEqual([`detach ${ID}`, `attach ${tsiOf(0x77)}/5001`]);
    see();
    expect(REPORTS(rig)).toHaveLength(4);
    // The VAP learns as long as one of its TSIs does.
    expect(VAPS(rig)).toMatchObject([{ learn: true }]);
    await rig.ask(association('08', '00', 1, byGroup('0064')));
    await soon(() => expect(VAPS(rig)).toMatchObject([{ guard: true, learn: false }]));
    see();
    expect(REPORTS(rig).slice(4)).toEqual([`detach ${LEARNER}`]);
    expect(ROWS(rig)).toEqual([[MAC, 'vap']]);
  });
});

describe('the NVA', () => {
  it('refuses a learned MAC: the row goes, the TSI stays, and it is not tried again at once', async () => {
    await learner();
    rig.nva.reportResult = err(nveError('NVE-NVA-003', { mac: MAC, vn: 'blue', holder: 'x', nve: 'nve2' }));
    see();
    await soon(() => expect(REPORTS(rig)).toContain(`attach ${ID}`));
    await soon(() => expect(ROWS(rig)).toEqual([]));
    see();
    expect(REPORTS(rig)).toHaveLength(2);
    expect(await rig.client.list()).toMatchObject([{ tsi: LEARNER, state: 'activated' }]);
  });

  it('refuses it after the fact: the same', async () => {
    await learner();
    await learnIt();
    const attachment = rig.nva.reports[1]?.attachment;
    if (attachment === undefined) throw new Error('not reported');
    rig.nva.handlers.onReportRefused?.(attachment, nveError('NVE-NVA-007', { limit: 1, what: 'MACs' }));
    await soon(() => expect(ROWS(rig)).toEqual([]));
    expect(await rig.client.list()).toMatchObject([{ tsi: LEARNER, state: 'activated' }]);
  });

  it('says that it moved: the row goes to the other NVE; the TSI stays', async () => {
    await learner();
    await learnIt();
    rig.nva.push(blue.vn, {
      members: [{ nveId: 'nve2', contextId: 5001, tunnels: [{ encap: 1, ip: '192.0.2.2' }] } as never],
      hosts: [host('nve1', ID)],
    });
    rig.nva.push(blue.vn, { hosts: [host('nve2', `learned:${MAC}@another`, 1)] });
    await soon(() => expect(ROWS(rig)).toEqual([[MAC, 'nh']]));
    expect(REPORTS(rig).slice(2)).toEqual([`detach ${ID}`]);
    expect(await rig.client.list()).toMatchObject([{ tsi: LEARNER, state: 'activated' }]);
    expect((await rig.client.show('fdb')).map(({ mac, tsi }) => [mac, tsi])).toEqual([[MAC, 'another']]);
  });

  it('places it elsewhere when it shows up here: it has a row only when the NVA has taken it', async () => {
    await learner();
    rig.nva.push(blue.vn, {
      members: [{ nveId: 'nve2', contextId: 5001, tunnels: [{ encap: 1, ip: '192.0.2.2' }] } as never],
      hosts: [host('nve2', `learned:${MAC}@another`)],
    });
    await soon(() => expect(ROWS(rig)).toEqual([[MAC, 'nh']]));
    let take: (result: { ok: true; value: null }) => void = () => undefined;
    rig.nva.reportResult = new Promise((resolve) => {
      take = resolve;
    });
    see();
    await soon(() => expect(REPORTS(rig)).toContain(`attach ${ID}`));
    expect(ROWS(rig)).toEqual([[MAC, 'nh']]);
    take({ ok: true, value: null });
    await soon(() => expect(ROWS(rig)).toEqual([[MAC, 'vap']]));
  });
});

it('[authorization] denies MACs that were learned, too', async () => {
  rig = await AccessRig.start(`
[authorization]
mode = "both"
rule = [{ verdict = "deny", macs = ["${MAC}"] }, { verdict = "allow" }]
`);
  await rig.ask(association('06', '00', 1, byGroup('0000')));
  see();
  see('02:00:00:00:00:78' as MacAddr);
  await soon(() => expect(ROWS(rig)).toEqual([['02:00:00:00:00:78', 'vap']]));
  expect(REPORTS(rig)).toHaveLength(2);
});

it('the engine has no room for the row: it is not reported any more, and the TSI stays', async () => {
  await learner();
  rig.engine.refuse = ({ op }) => (op === 'FdbSet' ? 'NVE-ENG-008' : undefined);
  see();
  await soon(() => expect(REPORTS(rig).slice(1)).toEqual([`attach ${ID}`, `detach ${ID}`]));
  expect(await rig.client.list()).toMatchObject([{ tsi: LEARNER, state: 'activated' }]);
});
