// What the configuration changes of VDP: filter formats, VSI types, limits, who may join.
import { afterEach, describe, expect, it } from 'vitest';
import { err, nveError } from '#model';
import { AccessRig, association, blueFilter, tsiOf } from '../../testing/access-rig.js';

let rig: AccessRig;
afterEach(() => rig.close());

describe('[[vdp.filter_format]]', () => {
  const FORMATS = `
[[vdp.filter_format]]
code = 5
fields = ["group_id", "mac", "ipv4", "vid"]
[[vdp.filter_format]]
code = 6
fields = ["vid", "ipv6", "mac", "group_id"]
`;

  it('takes the addresses of the filter to the TSI, and answers in the same format', async () => {
    rig = await AccessRig.start(FORMATS);
    const four = (vid: string): string => `05000100001389020000000001c6336407${vid}`;
    expect(await rig.ask(association('06', '00', 1, four('0000')))).toBe(association('06', '40', 1, four('0064')));
    const six = (vid: string): string => `060001${vid}20010db8000000000000000000000007${'020000000002'}00001389`;
    expect(await rig.ask(association('06', '00', 2, six('0000')))).toBe(association('06', '40', 2, six('0064')));
    expect(await rig.client.list()).toMatchObject([
      { tsi: `${tsiOf(1)}/5001`, vn: 'blue', macs: ['02:00:00:00:00:01'], ips: ['198.51.100.7'] },
      { tsi: `${tsiOf(2)}/5001`, vn: 'blue', macs: ['02:00:00:00:00:02'], ips: ['2001:db8::7'] },
    ]);
    expect(rig.nva.reports.map(({ attachment }) => attachment.ips)).toEqual([['198.51.100.7'], ['2001:db8::7']]);
  });

  it('refuses a format that is not there, and entries that do not fill the TLV, with error 1 and HARD', async () => {
    rig = await AccessRig.start(FORMATS);
    for (const filter of [
      '07000100001389020000000001c63364070000',
      // 65535 entries in one.
      '05ffff00001389020000000001c63364070000',
      '05000100001389020000000001c6336407000000',
      '050000',
    ]) {
      const answer = await rig.ask(association('06', '00', 1, filter));
      expect(answer).toBe(association('06', '51', 1, filter));
    }
    expect(await rig.client.list()).toEqual([]);
  });

  it('is off as long as nobody configures it', async () => {
    rig = await AccessRig.start();
    const filter = '05000100001389020000000001c63364070000';
    expect(await rig.ask(association('06', '00', 1, filter))).toBe(association('06', '51', 1, filter));
  });
});

describe('[[vdp.vsi_type]]', () => {
  /** Format 2: no GroupID. */
  const filter = '020001020000000001';

  it('names the VN of VSIs without GroupID, by manager, type and version', async () => {
    rig = await AccessRig.start(`
[[vdp.vsi_type]]
vn = "red"
vsi_manager = "another"
[[vdp.vsi_type]]
vn = "red"
vsi_type = 5
vsi_type_version = 2
[[vdp.vsi_type]]
vn = "blue"
vsi_manager = "nvemgr"
vsi_type = 5
`);
    expect(await rig.ask(association('06', '00', 1, `${filter}0000`))).toBe(
      association('06', '40', 1, `${filter}0064`),
    );
    expect(await rig.client.list()).toMatchObject([{ tsi: tsiOf(1), vn: 'blue' }]);
  });

  it('does not apply to others: error 5 and HARD', async () => {
    rig = await AccessRig.start('[[vdp.vsi_type]]\nvn = "blue"\nvsi_type = 6\n');
    expect(await rig.ask(association('06', '00', 1, `${filter}0000`))).toBe(
      association('06', '55', 1, `${filter}0000`),
    );
  });
});

describe('max_vsis', () => {
  it('refuses one too many with error 2, and admits it when another is gone', async () => {
    rig = await AccessRig.start('[[access]]\nport = "access0"\nmax_vsis = 2\n');
    const ask = (type: string, n: number, vid = '0000') => rig.ask(association(type, '00', n, blueFilter(n, vid)));
    await ask('06', 1);
    // Another station's count too.
    await rig.ask(association('06', '00', 2, blueFilter(2)), '02aa00000002');
    expect(await ask('06', 3)).toBe(association('06', '42', 3, blueFilter(3)));
    expect(await ask('06', 1, '0002')).toBe(association('06', '40', 1, blueFilter(1, '0002')));
    await ask('08', 1, '0002');
    expect(await ask('06', 3)).toBe(association('06', '40', 3, blueFilter(3, '0002')));
  });
});

describe('[authorization]', () => {
  const RULES = `
[[authorization.rule]]
verdict = "deny"
macs = ["02:00:00:00:00:03"]
[[authorization.rule]]
verdict = "allow"
vn = "blue"
link = "access0"
vsi_type = 5
[[authorization.rule]]
verdict = "allow"
tsi = "vm-*"
macs = ["02:00:00:00:00:07", "02:00:00:00:00:08"]
`;
  const VN = '[[authorization.vn]]\nname = "blue"\nvni = 5001\nid = 1\n';
  const attach = (tsi: string, ...macs: string[]) => rig.client.attach({ tsi, vn: 'blue', link: 'access0', macs });

  it('"local" asks nobody: allowed by a rule, denied by one (5 and HARD), or by none', async () => {
    rig = await AccessRig.start(`authorization.mode = "local"\n${RULES}${VN}`);
    expect(await rig.ask(association('06', '00', 1, blueFilter(1)))).toBe(
      association('06', '40', 1, blueFilter(1, '0064')),
    );
    expect(await rig.ask(association('06', '00', 3, blueFilter(3)))).toBe(association('06', '55', 3, blueFilter(3)));
    // A VN that is not there.
    const other = blueFilter(1).replace('00001389', '0000138a');
    expect(await rig.ask(association('06', '00', 4, other))).toBe(association('06', '55', 4, other));

    await expect(attach('vm-7', '02:00:00:00:00:07')).resolves.toMatchObject({ state: 'activated', vn: 'blue' });
    await expect(attach('vm-8', '02:00:00:00:00:08', '02:00:00:00:00:09')).rejects.toMatchObject({
      code: 'NVE-AUT-001',
      message: 'TSI vm-8 may not join VN blue on link access0: no rule fits it',
    });
    await expect(attach('vm-9', '02:00:00:00:00:08', '02:00:00:00:00:03')).rejects.toMatchObject({
      message: 'TSI vm-9 may not join VN blue on link access0: rule 1 denies it',
    });
    await expect(
      rig.client.attach({ tsi: 'vm-7', vn: 'red', link: 'access0', macs: ['02:00:00:00:00:07'] }),
    ).rejects.toMatchObject({ code: expect.stringMatching(/^NVE-(AUT-002|TSI-002)$/) });
    expect(rig.nva.calls.filter((call) => call.startsWith('authorize'))).toEqual([]);
    // Nothing was allocated for what was denied.
    expect((await rig.client.list()).map(({ tsi }) => tsi).sort()).toEqual([`${tsiOf(1)}/5001`, 'vm-7']);
  });

  it('"both" needs both', async () => {
    rig = await AccessRig.start(`authorization.mode = "both"\n${RULES}`);
    expect(await rig.ask(association('06', '00', 1, blueFilter(1)))).toBe(
      association('06', '40', 1, blueFilter(1, '0064')),
    );
    expect(await rig.ask(association('06', '00', 3, blueFilter(3)))).toBe(association('06', '55', 3, blueFilter(3)));
    rig.nva.verdict = ({ tsi }) => err(nveError('NVE-NVA-002', { tsi, vn: 'blue', reason: 'no rule names it' }));
    expect(await rig.ask(association('06', '00', 5, blueFilter(5)))).toBe(association('06', '55', 5, blueFilter(5)));
    await expect(attach('vm-8', '02:00:00:00:00:08')).rejects.toMatchObject({ code: 'NVE-NVA-002' });
  });

  it('judges a VSI that becomes one of another type anew, and keeps what it has', async () => {
    rig = await AccessRig.start(`authorization.mode = "both"\n${RULES}`);
    await rig.ask(association('06', '00', 1, blueFilter(1)));
    const retyped = (status: string) =>
      association('06', status, 1, blueFilter(1, '0064')).replace(`${status}00000501`, `${status}00000601`);
    // KEEP, HARD, error 5.
    expect(await rig.ask(retyped('00'))).toBe(retyped('75'));
    expect(await rig.client.list()).toMatchObject([{ state: 'activated' }]);
  });

  it('"nva" knows no rules: those of the file are for the other modes', async () => {
    rig = await AccessRig.start(RULES);
    expect(await rig.ask(association('06', '00', 3, blueFilter(3)))).toBe(
      association('06', '40', 3, blueFilter(3, '0064')),
    );
  });

  it('an NVA that is away, with no verdict at hand, is error 3, and not for good', async () => {
    rig = await AccessRig.start();
    rig.nva.verdict = () => err(nveError('NVE-NNP-001', { endpoints: 'tcp:198.51.100.1:7890', reason: 'refused' }));
    expect(await rig.ask(association('06', '00', 1, blueFilter(1)))).toBe(association('06', '43', 1, blueFilter(1)));
    expect(await rig.client.list()).toEqual([]);
  });
});

describe('a TSI that a station holds', () => {
  const key = { tsi: `${tsiOf(1)}/5001`, link: 'access0' };

  it('is changed by nobody else', async () => {
    rig = await AccessRig.start();
    await rig.ask(association('06', '00', 1, blueFilter(1)));
    const refused = {
      code: 'NVE-VDP-010',
      message: expect.stringContaining(`VSI ${tsiOf(1)} of station 02:aa:00:00:00:01`),
    };
    await expect(rig.client.deactivate(key)).rejects.toMatchObject(refused);
    await expect(rig.client.activate(key)).rejects.toMatchObject(refused);
    const params = { ...key, vn: 'blue', macs: ['02:00:00:00:00:09'] };
    await expect(rig.client.attach(params)).rejects.toMatchObject(refused);
    await expect(rig.client.associate(params)).rejects.toMatchObject(refused);
    expect(await rig.client.list()).toMatchObject([{ state: 'activated', macs: ['02:00:00:00:00:01'] }]);
  });

  it('can be detached: its station is told, and may associate it again', async () => {
    rig = await AccessRig.start();
    await rig.ask(association('06', '00', 1, blueFilter(1)));
    await rig.client.detach(key);
    expect(await rig.heard()).toBe(association('08', '00', 1, blueFilter(1, '0064')));
    expect(await rig.client.list()).toEqual([]);
    await expect(rig.client.attach({ ...key, vn: 'blue', macs: ['02:00:00:00:00:01'] })).resolves.toBeDefined();
  });
});
