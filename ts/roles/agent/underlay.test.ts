import { describe, expect, it } from 'vitest';
import { type AgentConfig, type ConfigProblem, formatProblem, type IpAddr, parseConfig } from '#model';
import { nextHopOptions, ownEnds, sendingOf, underlayObjects, usableEnds } from './underlay.js';

const BASE = `
node.name = "nve1"
nva.endpoints = ["unix:/run/nnp.sock"]
port = [{ name = "f0", driver = "net_ring" }, { name = "f1", driver = "net_ring" }, { name = "a0", driver = "net_ring" }]
access = [{ port = "a0" }]
`;

function config(text: string): AgentConfig {
  const parsed = parseConfig('agent', `${BASE}${text}`, 'f.toml');
  if (parsed.ok) return parsed.value;
  throw new Error((parsed.error.context['problems'] as ConfigProblem[]).map(formatProblem).join('\n'));
}

const V4 = 'underlay = [{ port = "f0", address = "192.0.2.1/24" }]\n';
const BOTH = `underlay = [
  { port = "f0", address = "192.0.2.1/24", encaps = ["geneve", "vxlan"], geneve_options = "01028001000000FF", checksum = false },
  { port = "f1", address = "2001:db8::1/64", vlan = 100, zero_checksum = true },
]
`;
const end = (encap: number, ip: string) => ({ encap, ip: ip as IpAddr });

describe('the underlay of an agent', () => {
  it('is addresses of its ports, with what is not the default', () => {
    const ids = new Map([
      ['f0', 0],
      ['f1', 1],
    ]);
    expect(underlayObjects(config(BOTH), (name) => ids.get(name) ?? 9)).toEqual([
      { op: 'UnderlaySet', port: 0, ip: '192.0.2.1', prefixLen: 24 },
      { op: 'UnderlaySet', port: 1, ip: '2001:db8::1', prefixLen: 64, options: { vlan: 100, zeroChecksum: true } },
    ]);
  });

  it('is told to the NVA end by end, with its wishes', () => {
    expect(ownEnds(config(V4))).toEqual([end(1, '192.0.2.1')]);
    expect(ownEnds(config(BOTH))).toEqual([
      { ...end(2, '192.0.2.1'), checksum: false, options: '01028001000000ff' },
      { ...end(1, '192.0.2.1'), checksum: false },
      end(1, '2001:db8::1'),
    ]);
  });
});

describe('the ends of another NVE', () => {
  const ends = [end(1, '192.0.2.2'), end(2, '192.0.2.2'), end(2, '2001:db8::2'), end(9, '192.0.2.3')];
  const used = (text: string) =>
    usableEnds(
      ends,
      sendingOf(config(text), () => 0),
    ).map(({ encap, ip }) => `${encap} ${ip}`);

  it('are used by what both sides can, and by the encapsulation that this one prefers', () => {
    expect(used(V4)).toEqual(['1 192.0.2.2']);
    expect(used(`${BOTH}tunnel.encaps = ["geneve", "vxlan"]`)).toEqual(['2 192.0.2.2', '2 2001:db8::2']);
    expect(used(`${BOTH}tunnel.encaps = ["vxlan"]`)).toEqual(['1 192.0.2.2']);
  });

  it('are not used if they want more options than there is room for', () => {
    const greedy = [{ ...end(2, '192.0.2.2'), options: '0102800900'.padEnd(80, '0') }, end(1, '192.0.2.2')];
    const sending = sendingOf(config(`${V4}tunnel.encaps = ["geneve", "vxlan"]`), () => 0);
    expect(usableEnds(greedy, sending)).toEqual([end(1, '192.0.2.2')]);
  });

  it('are sent to as they wish, and else as is configured', () => {
    const { tunnel } = config(V4);
    expect(nextHopOptions(end(1, '192.0.2.2'), tunnel)).toEqual({});
    const other = config(`${V4}
      [tunnel]
      ttl = "inherit"
      df = "inherit"
      dscp = 46
      ecn = "off"
      pcp = 5
      checksum = true
      ports = "50000-50100"
      mtu = 1400
      geneve_options = "01028000"`).tunnel;
    const all = { ttl: 'inherit', df: 'inherit', dscp: 46, ecn: 'off', pcp: 5, ports: [50_000, 50_100], mtu: 1400 };
    expect(nextHopOptions(end(1, '192.0.2.2'), other)).toEqual({ ...all, checksum: true });
    const wishes = { ...end(2, '192.0.2.2'), checksum: false, options: '0102800100000007' };
    const options = Uint8Array.of(1, 2, 0x80, 1, 0, 0, 0, 7);
    expect(nextHopOptions(wishes, other)).toEqual({ ...all, checksum: false, options });
    expect(nextHopOptions(end(2, '192.0.2.2'), other)).toMatchObject({ options: Uint8Array.of(1, 2, 0x80, 0) });
  });
});
