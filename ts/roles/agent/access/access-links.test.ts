// VDP at the agent, octets in and octets out: a station's frames are punted, the agent's frames are injected.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { HypervisorClient } from '#hypervisor';
import type { MappingChange } from '#nva';
import { AccessRig, blue } from '../../testing/access-rig.js';
import type { FakeEngine } from '../../testing/fake-engine.js';
import type { FakeNva } from '../../testing/fake-nva.js';

const NCB = '0180c2000000';
const STATION = '02aa00000001';
const AGENT = '02fe00000001';
const MANAGER = `0a10${'00'.repeat(15)}01`;
const VSI = '11111111222233334444555555555555';
const TSI = '11111111-2222-3333-4444-555555555555/5001';
/** Type 1.1, VSIID format 5, filter format 4 with one entry. */
const association = (type: string, status: string, vni: string, vid: string): string =>
  `${type}25${status}0000010105${VSI}040001${vni}020000000001${vid}`;
const BLUE = '00001389';

const SOON = { timeout: 2_000, interval: 5 };

let rig: AccessRig;
let engine: FakeEngine;
let nva: FakeNva;
let client: HypervisorClient;

beforeEach(() => start());
/** The agent, with this in its `[[access]]`. */
async function start(access = ''): Promise<void> {
  rig = await AccessRig.start(`[[access]]\nport = "access0"\nvlan_pool = "100-101"\n${access}`);
  ({ engine, nva, client } = rig);
}
afterEach(() => rig.close());
async function restart(access: string): Promise<void> {
  await rig.close();
  await start(access);
}

const punt = (hex: string, kind?: string): void => rig.punt(hex, kind);
/** ECP frames that the agent has sent since the last time, without their addresses and ethertype. */
const sent = (): string[] =>
  engine.injected
    .splice(0)
    .map(({ frame }) => Buffer.from(frame).toString('hex'))
    .filter((hex) => hex.startsWith(`${NCB}${AGENT}8940`))
    .map((hex) => hex.slice(28));
const request = (sequence: string, payload: string): void => punt(`${NCB}${STATION}8940${`1001${sequence}${payload}`}`);
/** The agent's answer, which is acknowledged at once. */
async function response(): Promise<string> {
  const frames: string[] = [];
  await vi.waitFor(() => {
    frames.push(...sent());
    expect(frames.filter((hex) => hex.startsWith('1001'))).toHaveLength(1);
  }, SOON);
  const frame = frames.find((hex) => hex.startsWith('1001')) ?? '';
  punt(`${NCB}${STATION}89401401${frame.slice(4, 8)}`);
  return frame.slice(8);
}

const dropped = async (asked: string): Promise<number> => {
  const { rows } = await client.request('show.drops', {});
  return rows.find(({ reason }) => reason === asked)?.packets ?? 0;
};

describe('a station at an access link', () => {
  it('hears LLDP with an EVB TLV: bridge, GroupIDs understood', () => {
    const [first] = engine.injected.map(({ frame }) => Buffer.from(frame).toString('hex'));
    // D.2.12: BGID; no station yet; R 3 and RTE 14; EVB mode 1; RWD 20, RKA 20.
    expect(first).toMatch(new RegExp(`^${NCB}${AGENT}88cc.*fe090080c20d04006e5414`));
  });

  it('associates and de-associates a VSI', async () => {
    request('0001', MANAGER + association('06', '00', BLUE, '0000'));
    // The acknowledgement says nothing of the result; that comes as a request of the agent's own.
    expect(sent().length).toBeLessThanOrEqual(1);
    expect(await response()).toBe(`${MANAGER}${association('06', '40', BLUE, '0064')}0000`);
    expect(await client.list()).toMatchObject([
      { tsi: TSI, vn: 'blue', link: 'access0', state: 'activated', tag: { kind: 'c-tag', vid: 100 } },
    ]);
    expect([...engine.objects.values()]).toContainEqual(
      expect.objectContaining({ op: 'VapSet', port: 1, selector: { kind: 'c-tag', vid: 100 } }),
    );
    request('0002', MANAGER + association('08', '00', BLUE, '0064'));
    expect(await response()).toBe(`${MANAGER}${association('08', '40', BLUE, '0064')}0000`);
    expect(await client.list()).toEqual([]);
    expect([...engine.objects.keys()].filter((key) => key.startsWith('vap'))).toEqual([]);
  });

  it('is refused what the NVA refuses, and de-associated when the VN goes', async () => {
    const UNKNOWN = '0000176f';
    request('0001', MANAGER + association('06', '00', UNKNOWN, '0000'));
    // Error 5 and HARD.
    expect(await response()).toBe(`${MANAGER}${association('06', '55', UNKNOWN, '0000')}0000`);
    request('0002', MANAGER + association('06', '00', BLUE, '0000'));
    await response();
    const deleted = {
      vn: blue.vn,
      info: null,
      members: { set: [], removed: [] },
      hosts: { set: [], removed: [] },
      revision: 1n,
    };
    nva.handlers.onMapping?.(deleted as unknown as MappingChange);
    // Unsolicited: not a response, no error.
    expect(await response()).toBe(`${MANAGER}${association('08', '00', BLUE, '0064')}0000`);
    expect(await client.list()).toEqual([]);
  });

  it('is served when its first frame is quicker than the news of its carrier', async () => {
    engine.down.add(1);
    engine.emit({ kind: 'link', port: 1, up: false });
    request('0001', MANAGER + association('06', '00', BLUE, '0000'));
    // That one is from before the carrier was lost.
    await vi.waitFor(async () => expect(await dropped('link_down')).toBe(1), SOON);
    engine.down.delete(1);
    request('0001', MANAGER + association('06', '00', BLUE, '0000'));
    expect(await response()).toBe(`${MANAGER}${association('06', '40', BLUE, '0064')}0000`);
    engine.emit({ kind: 'link', port: 1, up: true });
    expect(await client.list()).toMatchObject([{ tsi: TSI, state: 'activated' }]);
  });

  it('does no harm with frames that are none: they are counted', async () => {
    punt('0180c2');
    punt(`${NCB}${STATION}89402001`);
    punt(`${NCB}${STATION}8940100100010e00`);
    punt(`${NCB}${STATION}88cc0000`, 'lldp');
    punt(`${NCB}${STATION}8100006489401001`);
    const { rows } = await client.request('show.drops', {});
    const counted = rows
      .filter(({ reason }) => reason !== 'source_guard')
      .map(({ reason, packets }) => [reason, packets]);
    expect(Object.fromEntries(counted)).toMatchObject({ bad_ethernet: 1, bad_lldp: 1, bad_vdp: 1 });
    expect(await client.list()).toEqual([]);
  });
});

describe('reflective relay', () => {
  /** Chassis and port id, TTL 120, an EVB TLV of a station whose status octet is `status`: SGID, and RRREQ with 4. */
  const lldp = (status: string): void =>
    punt(`${NCB}${STATION}88cc0204070061610404070062620602` + `0078fe090080c20d00${status}6894140000`, 'lldp');
  /** Bridge status and mirrored station status of the last LLDPDU. */
  const advertised = (): string | undefined =>
    engine.injected
      .map(({ frame }) => /fe090080c20d(....)/.exec(Buffer.from(frame).toString('hex'))?.[1])
      .filter((found) => found !== undefined)
      .at(-1);
  const vap = () => [...engine.objects.values()].find(({ op }) => op === 'VapSet');

  it('is not offered, and refused, unless the configuration allows it', async () => {
    lldp('0c');
    // BGID alone.
    expect(advertised()).toBe('040c');
    request('0001', MANAGER + association('06', '00', BLUE, '0000'));
    await response();
    expect(vap()).toMatchObject({ reflect: false });
  });

  it('is granted when the station asks, before and after it has VSIs, and ends when it asks no more', async () => {
    await restart('reflective_relay = true');
    expect(advertised()).toBe('0600');
    lldp('0c');
    expect(advertised()).toBe('070c');
    request('0001', MANAGER + association('06', '00', BLUE, '0000'));
    await response();
    expect(vap()).toMatchObject({ reflect: true });
    lldp('08');
    expect(advertised()).toBe('0608');
    await vi.waitFor(() => expect(vap()).toMatchObject({ reflect: false }), SOON);
    lldp('0c');
    await vi.waitFor(() => expect(vap()).toMatchObject({ reflect: true }), SOON);
  });
});

describe('stations behind a bridge', () => {
  const injected = (): string[] => engine.injected.splice(0).map(({ frame }) => Buffer.from(frame).toString('hex'));
  const answers = async (): Promise<string[]> => {
    const frames: string[] = [];
    await vi.waitFor(() => {
      frames.push(...injected().filter((hex) => hex.slice(24, 28) === '8940'));
      expect(frames).toHaveLength(2);
    }, SOON);
    return frames.map((hex) => hex.slice(0, 32));
  };
  const asked = (dst: string): void => {
    injected();
    punt(`${dst}${STATION}894010010001${MANAGER}${association('06', '00', BLUE, '0000')}`);
  };

  it('are answered where they spoke to: at a group, or at their own address', async () => {
    const GROUP = '0180c200000e';
    asked(GROUP);
    expect(await answers()).toEqual([`${GROUP}${AGENT}89401401`, `${GROUP}${AGENT}89401001`]);
    await restart('');
    asked(AGENT);
    expect(await answers()).toEqual([`${STATION}${AGENT}89401401`, `${STATION}${AGENT}89401001`]);
  });

  it('hear LLDP and ECP at the configured group', async () => {
    await restart('ecp_address = "01:80:c2:00:00:0e"');
    expect(injected()[0]).toMatch(new RegExp(`^0180c200000e${AGENT}88cc`));
  });

  it('are spoken to at their own address, if so configured', async () => {
    await restart('ecp_address = "unicast"');
    asked(NCB);
    expect(await answers()).toEqual([`${STATION}${AGENT}89401401`, `${STATION}${AGENT}89401001`]);
  });
});
