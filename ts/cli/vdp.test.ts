// `vdp explain` on what people have at hand: a frame, a capture, the configuration of an agent.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pcapOf } from '../../test/lib/pcap.js';
import { run } from './program.js';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'splitnve-explain-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

async function explain(args: string[], stdin: Uint8Array = new Uint8Array(0)) {
  const out: string[] = [];
  const err: string[] = [];
  const io = {
    out: (text: string) => void out.push(text),
    octets: async () => undefined,
    err: (text: string) => void err.push(text),
    stdin: async () => Buffer.from(stdin),
  };
  const code = await run(['vdp', 'explain', ...args], io);
  return { code, out: out.join(''), err: err.join('') };
}
function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const VSI = '000005 01 05 11111111222233334444555555555555';
const frame = (tlv: string): string =>
  `0180c2000000 02aa00000001 8940 1001 0001 0a10 6e76656d677200000000000000000000 ${tlv}`;
/** Format 4, VNI 5001. */
const IN_VN = frame(`0625 00 ${VSI} 04 0001 00001389 525400112233 0000`);
/** Format 1: the VN is not named. */
const NO_VN = frame(`061b 00 ${VSI} 01 0001 0000`);
/** Format 5, which the configuration defines: VNI and IPv4. */
const WITH_IP = frame(`0623 00 ${VSI} 05 0001 00001389 c6336407 0000`);
const octets = (hex: string): Uint8Array => Buffer.from(hex.replaceAll(' ', ''), 'hex');

const config = (access: string, rules = ''): string => `
node.name = "nve1"
nva.endpoints = ["tcp:198.51.100.1:7890"]
underlay = [{ port = "fabric0", address = "192.0.2.1/24" }]
port = [
  { name = "fabric0", driver = "net_ring", mtu = 1600 },
  { name = "access0", driver = "net_ring" },
  { name = "access1", driver = "net_ring" },
]
access = [${access}]
vdp.filter_format = [{ code = 5, fields = ["group_id", "ipv4", "vid"] }]
${rules}
`;
const ONE = '{ port = "access0", vlan_pool = "100-199", vn = "red" }';

describe('vdp explain', () => {
  it('takes a frame as argument or from standard input', async () => {
    const { code, out } = await explain([IN_VN]);
    expect([code, out]).toEqual([0, expect.stringContaining('=> success (0x40)')]);
    expect(await explain(['-'], Buffer.from(IN_VN))).toEqual({ code: 0, out, err: '' });
  });

  it('takes a capture from a file or standard input', async () => {
    const capture = pcapOf([octets(IN_VN), octets('ffffffffffff 02aa00000001 0806 0001'), octets(NO_VN)]);
    const { code, out } = await explain([file('a.pcap', capture)]);
    expect([code, out.match(/^Frame \d+/gm)]).toEqual([0, ['Frame 1', 'Frame 3']]);
    expect(await explain(['-'], capture)).toEqual({ code: 0, out, err: '' });
  });

  it('reads frames as an agent with the configuration would', async () => {
    const agent = file('agent.toml', config(ONE));
    for (const [hex, without, withIt] of [
      [NO_VN, '=> error 5 and HARD: NVE-VDP-002', 'in VN red with MACs to be learned'],
      [WITH_IP, '=> error 1 and HARD: NVE-VDP-001', 'in VNI 5001 with 198.51.100.7'],
    ] as const) {
      expect((await explain([hex])).out).toContain(without);
      expect((await explain([hex, '-c', agent])).out).toContain(withIt);
    }
  });

  it('knows what the rules of the configuration deny', async () => {
    const rules = `[authorization]
mode = "local"
vn = [{ name = "blue", vni = 5001 }]
rule = [{ verdict = "deny", macs = ["52:54:00:11:22:33"] }, { verdict = "allow" }]`;
    const agent = file('local.toml', config(ONE, rules));
    expect((await explain([IN_VN, '-c', agent])).out).toContain('=> error 5 and HARD: NVE-AUT-001');
    expect((await explain([WITH_IP, '-c', agent])).out).toContain('=> success');
  });

  it('wants to know the link, if there are several', async () => {
    const agent = file('two.toml', config(`${ONE}, { port = "access1", vlan_pool = "100-199" }`));
    const wrong = `error: wrong usage: --link has to be a link of ${agent} that speaks VDP: access0, access1 (NVE-CLI-002)`;
    for (const args of [[], ['--link', 'fabric0']]) {
      const { code, out, err } = await explain([NO_VN, '-c', agent, ...args]);
      expect([code, out, err]).toEqual([2, '', expect.stringContaining(wrong)]);
    }
    expect((await explain([NO_VN, '-c', agent, '--link', 'access0'])).out).toContain('=> success');
    expect((await explain([NO_VN, '-c', agent, '--link', 'access1'])).out).toContain('=> error 5 and HARD');
    expect((await explain([NO_VN, '--link', 'access1'])).err).toContain('--link needs -c');
  });

  it('tells what is wrong with a file, and explains what precedes it', async () => {
    const capture = pcapOf([octets(IN_VN), octets(IN_VN)]);
    const cut = await explain([file('cut.pcap', capture.subarray(0, capture.length - 1))]);
    expect([cut.code, cut.out.match(/^Frame \d+/gm)]).toEqual([2, ['Frame 1']]);
    expect(cut.err).toMatch(/pcap\.frame 2 is \d+ octets, expected \d+ octets \(NVE-WIRE-007\)\nfix: /);
    const ng = await explain([file('ng.pcapng', octets('0a0d0d0a 1c000000 4d3c2b1a'))]);
    expect([ng.code, ng.out]).toEqual([2, '']);
    expect(ng.err).toMatch(/pcap\.format is pcapng, expected classic pcap \(NVE-WIRE-007\)\nfix: .*tshark -F pcap/);
    expect((await explain([file('notes.txt', 'hello')])).err).toContain('not hexadecimal');
    const none = await explain([`${folder}/none.pcap`]);
    expect([none.code, none.err]).toEqual([2, expect.stringMatching(/cannot read .*none\.pcap: .*\(NVE-CLI-003\)/)]);
  });
});
