// What a station may get wrong in ECP and VDP, octet by octet at a real agent: PDUs with several VSIs of which one is bad, PDUs that come
// twice or with numbers of long ago, PDUs that break clause 41. Each is answered or counted, and what is associated stays as it was.
// The frames are written here by hand: nothing of the product makes or reads them.
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { TsiListRow } from '#hypervisor';
import { obstacle } from '../lib/command.js';
import { ethernet } from '../lib/frames.js';
import { Lab } from '../lib/lab.js';
import type { RawSocket } from '../lib/raw.js';
import { TwoNves, VNS } from '../lib/two-nves.js';

const why = obstacle('ip', 'ethtool', 'python3', 'nsenter', 'unshare', 'setpriv');

// RTE 14 is 0.16 s: the machine may be busy.
const NEAR = `
access = [{ port = "access0", vlan_pool = "100-199" }]
evb = { rte = 14 }
`;
const GROUP = '01:80:c2:00:00:00';
const STATION = '02:aa:00:00:00:01';
const ECP = 0x8940;
const SOON = { timeout: 5_000, interval: 50 };

const lab = new Lab();
let nves: TwoNves;
let socket: RawSocket;

// Clauses 41 and 43. Octets are hex here.
const hex = (n: number, octets: number): string => n.toString(16).padStart(octets * 2, '0');
const tlv = (type: number, value: string): string => hex((type << 9) | (value.length / 2), 2) + value;
const MANAGER = tlv(5, `${'00'.repeat(15)}01`);
const COMMAND = { associate: 3, deAssociate: 4 } as const;
const NO_VN = 9999;
const vsiid = (n: number): string => `${'ab'.repeat(15)}${hex(n, 1)}`;
const macOf = (n: number): string => `02000000010${n}`;
interface Said {
  readonly command?: keyof typeof COMMAND;
  readonly status?: number;
  readonly vid?: number;
  readonly vni?: number;
  readonly format?: number;
  readonly count?: number;
}
/** VSI `n`: one entry of filter format 4, whatever else is announced. */
const vsi = (
  n: number,
  { command = 'associate', status = 0, vid = 0, vni = VNS.blue, format = 4, count = 1 }: Said,
) => {
  const entry = hex(vni, 4) + macOf(n) + hex(vid, 2);
  return tlv(COMMAND[command], `${hex(status, 1)}0000050105${vsiid(n)}${hex(format, 1)}${hex(count, 2)}${entry}`);
};
const frame = (ecp: string): Buffer => ethernet({ to: GROUP, from: STATION }, ECP, Buffer.from(ecp, 'hex'));
const request = (sequence: number, vdp: string): Buffer => frame(`1001${hex(sequence, 2)}${vdp}0000`);

/** Which requests of ours were acknowledged, and the VSI TLVs that came in requests of the agent. */
interface Heard {
  readonly acks: number[];
  readonly answers: string[];
}
/** Numbers of the agent's requests: one that comes again is acknowledged again, and no second answer. */
const seen = new Set<number>();

/** Acknowledges what the agent says within a while. */
async function hear(milliseconds: number): Promise<Heard> {
  const heard: Heard = { acks: [], answers: [] };
  const end = performance.now() + milliseconds;
  for (let left = milliseconds; left > 0; left = end - performance.now()) {
    for (const one of await socket.take({ count: 1, timeout: left, quiet: 0 })) {
      const text = one.toString('hex');
      if (one.readUInt16BE(12) !== ECP || text.slice(12, 24) === STATION.replaceAll(':', '')) continue;
      const sequence = one.readUInt16BE(16);
      if (one.readUInt16BE(14) === 0x1401) {
        heard.acks.push(sequence);
        continue;
      }
      expect(text.slice(28, 32)).toBe('1001');
      await socket.send([frame(`1401${hex(sequence, 2)}`)]);
      if (seen.has(sequence)) continue;
      seen.add(sequence);
      expect(text.slice(36, 36 + MANAGER.length)).toBe(MANAGER);
      heard.answers.push(...tlvs(text.slice(36 + MANAGER.length)));
    }
  }
  return heard;
}

function tlvs(text: string): string[] {
  const length = text.length < 4 ? 0 : (Number.parseInt(text.slice(0, 4), 16) & 0x1ff) * 2 + 4;
  return length <= 4 ? [] : [text.slice(0, length), ...tlvs(text.slice(length))];
}

async function say(...frames: Buffer[]): Promise<Heard> {
  await socket.send(frames);
  const heard = await hear(700);
  heard.answers.sort();
  return heard;
}

const drops = async (reason: string): Promise<number> =>
  (await nves.near.drops()).find((row) => row.port === 'access0' && row.reason === reason)?.packets ?? 0;
/** What is associated, with everything that its row says. */
const associated = (): Promise<TsiListRow[]> =>
  nves.near.tsis().then((rows) => rows.sort((a, b) => (a.tsi < b.tsi ? -1 : 1)));
const SUCCESS = 0x40;
/** The VID of blue on the link. */
const VID = 100;
const granted = (n: number): string => vsi(n, { status: SUCCESS, vid: VID });

beforeAll(async () => {
  if (why !== undefined) return;
  nves = await TwoNves.create(lab, { near: NEAR });
  const host = await lab.namespace('station');
  await lab.veth({ namespace: nves.near.namespace, iface: 'access0' }, { namespace: host, iface: 'v0' });
  await nves.start();
  socket = await lab.raw().socket(host, 'v0');
});
afterAll(() => lab.close());
beforeEach((context) => {
  if (why !== undefined) context.skip(why);
});

describe('a PDU with several VSIs', () => {
  it('is answered for each, and one that is bad harms no other', async () => {
    const good = [1, 2].map((n) => vsi(n, {}));
    const noVn = vsi(3, { vni: NO_VN });
    const noFormat = vsi(4, { format: 9 });
    const heard = await say(request(1, MANAGER + good[0] + noVn + noFormat + good[1]));
    expect(heard.acks).toEqual([1]);
    expect(heard.answers).toHaveLength(4);
    const of = (n: number): string | undefined => heard.answers.find((answer) => answer.includes(vsiid(n)));
    expect([of(1), of(2)]).toEqual([granted(1), granted(2)]);
    // Refused, each with a code of its own; all else comes back as it was.
    const status = (answer: string | undefined): number => Number.parseInt(answer?.slice(4, 6) ?? '', 16);
    expect(of(3)).toBe(vsi(3, { vni: NO_VN, status: status(of(3)) }));
    expect(status(of(3)) & 0x4f).toBe(SUCCESS | 5);
    expect(of(4)).toBe(vsi(4, { format: 9, status: status(of(4)) }));
    expect(status(of(4)) & 0x4f).toBe(SUCCESS | 1);
    expect((await associated()).map(({ vn, macs, state }) => `${vn} ${macs} ${state}`)).toEqual([
      'blue 02:00:00:00:01:01 activated',
      'blue 02:00:00:00:01:02 activated',
    ]);
  });
});

describe('nothing of what is associated changes by', () => {
  let before: TsiListRow[];
  const unchanged = async (): Promise<void> => {
    expect(before).toHaveLength(2);
    expect(await associated()).toEqual(before);
  };
  beforeAll(async () => {
    if (why === undefined) before = await associated();
  });

  it('a PDU that comes again: it is acknowledged each time, counted, and not carried out', async () => {
    const other = request(2, MANAGER + vsi(5, { command: 'deAssociate' }));
    const first = await say(other);
    expect(first.acks).toEqual([2]);
    // It would end VSI 1, if it was not for its number.
    const heard = await say(request(2, MANAGER + vsi(1, { command: 'deAssociate' })), other);
    expect(heard).toEqual({ acks: [2, 2], answers: [] });
    await vi.waitFor(async () => expect(await drops('ecp_duplicate')).toBe(2), SOON);
    await unchanged();
  });

  it('a request with a number of long ago: it is acknowledged and answered with what holds', async () => {
    // Clause 43 asks for no order: only the number of the last one is a repetition.
    const heard = await say(request(1, MANAGER + vsi(1, {})), request(60_000, MANAGER + vsi(2, {})));
    expect(heard.acks).toEqual([1, 60_000]);
    expect(heard.answers).toEqual([granted(1), granted(2)]);
    await unchanged();
  });

  it('acknowledgements of what was never sent', async () => {
    const stray = await drops('ecp_stray_ack');
    const heard = await say(frame('14010007'), frame('1401ffff'));
    expect(heard).toEqual({ acks: [], answers: [] });
    await vi.waitFor(async () => expect(await drops('ecp_stray_ack')).toBe(stray + 2), SOON);
    await unchanged();
  });

  it('a second Manager ID in a PDU: nothing of it is carried out', async () => {
    const bad = await drops('bad_vdp');
    const end = vsi(1, { command: 'deAssociate' });
    const heard = await say(request(10, MANAGER + end + MANAGER + vsi(2, { command: 'deAssociate' })));
    expect(heard).toEqual({ acks: [10], answers: [] });
    await vi.waitFor(async () => expect(await drops('bad_vdp')).toBe(bad + 1), SOON);
    await unchanged();
  });

  it('65,535 entries announced and one sent: it is refused, and what holds is kept', async () => {
    const heard = await say(request(11, MANAGER + vsi(1, { count: 65_535 })));
    expect(heard.acks).toEqual([11]);
    expect(heard.answers).toHaveLength(1);
    const status = Number.parseInt(heard.answers[0]?.slice(4, 6) ?? '', 16);
    expect(heard.answers[0]).toBe(vsi(1, { count: 65_535, status }));
    // Ack, KEEP, invalid format.
    expect(status & 0x6f).toBe(0x61);
    await unchanged();
  });

  it('versions, operations and subtypes that there are not', async () => {
    const vdp = `${MANAGER}${vsi(1, { command: 'deAssociate' })}0000`;
    const bad = await drops('bad_ecp');
    const heard = await say(frame(`20010014${vdp}`), frame(`18010015${vdp}`), frame(`10030016${vdp}`));
    expect(heard.answers).toEqual([]);
    await vi.waitFor(async () => expect(await drops('bad_ecp')).toBe(bad + 2), SOON);
    await vi.waitFor(async () => expect(await drops('ecp_unknown_subtype')).toBe(1), SOON);
    await unchanged();
  });

  it('all of it: the station still ends its VSIs itself', async () => {
    const ends = [1, 2].map((n) => vsi(n, { command: 'deAssociate', vid: VID }));
    const heard = await say(request(30, MANAGER + ends.join('')));
    expect(heard.acks).toEqual([30]);
    expect(heard.answers).toEqual([1, 2].map((n) => vsi(n, { command: 'deAssociate', vid: VID, status: SUCCESS })));
    expect(await associated()).toEqual([]);
  });
});
