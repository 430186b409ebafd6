// S-channels at the agent, octets in and octets out: a station's frames are punted, the agent's frames are injected.
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { HypervisorClient } from '#hypervisor';
import { AccessRig, blue, red } from '../../testing/access-rig.js';
import type { FakeEngine } from '../../testing/fake-engine.js';

const ACCESS = `
[[access]]
port = "access0"
vlan_pool = "100-101"
scheme = "s-channel"
channels = 3
svid_pool = "101-102,110"
`;

const NCB = '0180c2000000';
const TPMR = '0180c2000003';
const STATION = '02aa00000001';
const AGENT = '02fe00000001';
const MANAGER = `0a10${'00'.repeat(15)}01`;
const VSI = '11111111222233334444555555555555';
const TSI = '11111111-2222-3333-4444-555555555555';
const association = (type: string, status: string, vni: string, vid: string): string =>
  `${type}25${status}0000010105${VSI}040001${vni}020000000001${vid}`;
const BLUE = '00001389';
const RED = '0000138a';
/** PCP 7. */
const tag = (svid: number): string => `88a8e${svid.toString(16).padStart(3, '0')}`;
const pairs = (list: readonly (readonly [number, number])[]): string =>
  list.map(([scid, svid]) => ((scid << 12) | svid).toString(16).padStart(6, '0')).join('');
/** Role, SComp and 167 channels; each side lists the default channel first. */
const cdcp = (role: 0 | 1, ...list: (readonly [number, number])[]): string => {
  const value = `0080c20e${role === 1 ? '88' : '08'}0000a7${pairs([[1, 1], ...list])}`;
  return `fe${(value.length / 2).toString(16).padStart(2, '0')}${value}`;
};
const SOON = { timeout: 2_000, interval: 5 };

let rig: AccessRig;
let engine: FakeEngine;
let client: HypervisorClient;

async function start(cdcpSection = ''): Promise<void> {
  rig = await AccessRig.start(`${cdcpSection}${ACCESS}`, [blue, red]);
  ({ engine, client } = rig);
}
afterEach(() => rig.close());

const punt = (hex: string, kind: string): void => rig.punt(hex, kind);
const lldp = (tlv: string): void => punt(`${TPMR}${STATION}88cc02040700616104040700626206020078${tlv}0000`, 'lldp');
const injected = (): string[] => engine.injected.splice(0).map(({ frame }) => Buffer.from(frame).toString('hex'));
/** The CDCP TLV that was advertised last. */
const advertised = (): string | undefined =>
  injected()
    .filter((hex) => hex.startsWith(`${TPMR}${AGENT}88cc`))
    .map((hex) => /fe..0080c20e.*(?=0000$)/.exec(hex)?.[0])
    .at(-1);
/** What VDP in the channel was answered. The agent's request is acknowledged. */
async function answered(svid: number, sequence: string, tlv: string): Promise<string> {
  injected();
  punt(`${NCB}${STATION}${tag(svid)}89401001${sequence}${MANAGER}${tlv}`, 'ecp');
  const head = `${NCB}${AGENT}${tag(svid)}89401001`;
  let found: string | undefined;
  await vi.waitFor(() => {
    found ??= injected().find((hex) => hex.startsWith(head));
    expect(found).toBeDefined();
  }, SOON);
  const hex = (found ?? '').slice(head.length);
  punt(`${NCB}${STATION}${tag(svid)}89401401${hex.slice(0, 4)}`, 'ecp');
  return hex.slice(4);
}
const vaps = () =>
  [...engine.objects.values()].flatMap((object) => (object.op === 'VapSet' ? [[object.vn, object.selector]] : []));
const inChannel = (sVid: number, cVid: number) => ({ kind: 's-tag+c-tag', sVid, cVid });
const reasons = async (): Promise<Record<string, number>> => {
  const { rows } = await client.request('show.drops', {});
  return Object.fromEntries(rows.map(({ reason, packets }) => [reason, packets]));
};

describe('CDCP', () => {
  it('supplies SVIDs of the pool, in untagged LLDP to the nearest non-TPMR bridge', async () => {
    await start();
    expect(advertised()).toBe(`fe0b0080c20e08000004001001`);
    lldp(cdcp(1, [2, 0], [3, 0], [7, 0]));
    expect(advertised()).toBe(`fe140080c20e0800000400100100206500306600706e`);
    // In each channel LLDP and EVB are on.
    lldp(cdcp(1, [2, 101], [3, 102]));
    expect(advertised()).toBe(`fe110080c20e08000004001001002065003066`);
  });

  it('gives what the station asks for, and no more channels than it may have', async () => {
    await start();
    lldp(cdcp(1, [9, 110], [2, 110], [3, 200], [4, 0]));
    expect(advertised()).toBe(`fe140080c20e0800000400100100906e002065003066`);
    expect(await reasons()).toMatchObject({ cdcp_too_many_channels: 1 });
  });

  it.each([
    ['the bit of a station is 1, as we send 0', '', 1, '08'],
    ['the bit of a station is 0, and it lists channels', '', 0, '88'],
    ['the bit of a station is 0, as we are told to send 1', 'cdcp.role = 1', 0, '88'],
  ] as const)('finds a station: %s', async (_, section, role, first) => {
    await start(section);
    lldp(cdcp(role, [2, 0]));
    expect(advertised()).toBe(`fe0e0080c20e${first}000004001001002065`);
  });

  it('has an EVB TLV in each channel, under its tag', async () => {
    await start();
    injected();
    lldp(cdcp(1, [2, 0]));
    const frames = injected().filter((hex) => hex.startsWith(`${NCB}${AGENT}${tag(101)}88cc`));
    expect(frames).toHaveLength(1);
    // Its port is the link's name.
    expect(frames[0]).toContain(Buffer.from('access0.101').toString('hex'));
    expect(frames[0]).toContain('fe090080c20d04006e5414');
  });
});

describe('VSIs in S-channels', () => {
  it('have tags of their own in each channel, also with equal VIDs', async () => {
    await start();
    lldp(cdcp(1, [2, 0], [3, 0]));
    // The same VSIID, MAC and VID in two channels, in two VNs; and the default channel with its C-TAG.
    for (const [svid, vni] of [
      [101, BLUE],
      [102, RED],
    ] as const)
      expect(await answered(svid, '0001', association('06', '00', vni, '0000'))).toBe(
        `${MANAGER}${association('06', '40', vni, '0064')}0000`,
      );
    expect(await client.list()).toMatchObject([
      { tsi: `${TSI}/5001`, vn: 'blue', link: 'access0.101', tag: { kind: 's-tag+c-tag', s_vid: 101, c_vid: 100 } },
      { tsi: `${TSI}/5002`, vn: 'red', link: 'access0.102', tag: { kind: 's-tag+c-tag', s_vid: 102, c_vid: 100 } },
    ]);
    expect(vaps()).toEqual([
      [1, inChannel(101, 100)],
      [2, inChannel(102, 100)],
    ]);
    await client.attach({ vn: 'red', tsi: 't1', macs: ['02:00:00:00:00:09'], link: 'access0' } as never);
    expect(vaps()).toContainEqual([2, { kind: 'c-tag', vid: 100 }]);
    expect(await answered(101, '0002', association('08', '00', BLUE, '0064'))).toBe(
      `${MANAGER}${association('08', '40', BLUE, '0064')}0000`,
    );
    expect(vaps().map(([vn]) => vn)).toEqual([2, 2]);
  });

  it('go with their channel, when it is no longer listed and not listed again in time', async () => {
    await start('cdcp.hold_ms = 60');
    lldp(cdcp(1, [2, 0], [3, 0]));
    await answered(101, '0001', association('06', '00', BLUE, '0000'));
    await answered(102, '0001', association('06', '00', RED, '0000'));
    lldp(cdcp(1, [3, 102]));
    expect(vaps()).toHaveLength(2);
    await vi.waitFor(() => expect(vaps()).toEqual([[2, inChannel(102, 100)]]), SOON);
    expect(await client.list()).toMatchObject([{ link: 'access0.102' }]);
    // Its link is no more, and frames with its tag are nobody's.
    const attach = client.attach({ vn: 'red', tsi: 't2', macs: ['02:00:00:00:00:09'], link: 'access0.101' } as never);
    await expect(attach).rejects.toMatchObject({ code: 'NVE-TSI-004' });
    punt(`${NCB}${STATION}${tag(101)}894010010002${MANAGER}`, 'ecp');
    expect(await reasons()).toMatchObject({ control_unknown_channel: 1 });
    // It gets the same SVID again, and its VSI the same VID.
    lldp(cdcp(1, [3, 102], [2, 0]));
    expect(await answered(101, '0001', association('06', '00', BLUE, '0000'))).toBe(
      `${MANAGER}${association('06', '40', BLUE, '0064')}0000`,
    );
  });

  it('stay while the control plane of the station restarts', async () => {
    await start();
    lldp(cdcp(1, [2, 0]));
    await answered(101, '0001', association('06', '00', BLUE, '0000'));
    const before = engine.batches.length;
    for (const tlv of ['', cdcp(1), cdcp(1, [2, 0])]) lldp(tlv);
    // Its ECP begins anew; it says what it held, or nothing of it.
    expect(await answered(101, '0009', association('06', '00', BLUE, '0064'))).toBe(
      `${MANAGER}${association('06', '40', BLUE, '0064')}0000`,
    );
    expect(engine.batches).toHaveLength(before);
    expect(vaps()).toEqual([[1, inChannel(101, 100)]]);
  });

  it('lose their forwarding with the carrier, and have it again with the next', async () => {
    await start();
    lldp(cdcp(1, [2, 0]));
    await answered(101, '0001', association('06', '00', BLUE, '0000'));
    engine.emit({ kind: 'link', port: 1, up: false } as never);
    await vi.waitFor(async () => expect(await client.list()).toMatchObject([{ state: 'associated' }]), SOON);
    engine.emit({ kind: 'link', port: 1, up: true } as never);
    await vi.waitFor(async () => expect(await client.list()).toMatchObject([{ state: 'activated' }]), SOON);
    lldp(cdcp(1, [2, 0]));
    expect(await answered(101, '0001', association('06', '00', BLUE, '0064'))).toBe(
      `${MANAGER}${association('06', '40', BLUE, '0064')}0000`,
    );
  });
});
