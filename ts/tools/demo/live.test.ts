import { expect, it } from 'vitest';
import type { ShowDropsRow, ShowVapRow } from '#hypervisor';
import { table } from './live.js';

const vap = {
  agent: 'agent1',
  vap: 1,
  vn: 'blue',
  port: 'access0',
  tag: { kind: 'c-tag', vid: 2 },
  guard: true,
  uplink: false,
};
const counters = (n: number) => ({ in_packets: n, in_bytes: n * 125, out_packets: 2 * n, out_bytes: 2 * n * 125 });
const vaps = (n: number) => [{ ...vap, ...counters(n) }] as unknown as (ShowVapRow & { agent: string })[];
const drops = (packets: number) =>
  [{ agent: 'agent1', port: 'access0', reason: 'untagged', packets }] as (ShowDropsRow & { agent: string })[];

it('shows rates between two samples, and drops', () => {
  expect(table({ at: 0, vaps: vaps(100), drops: [] }, { at: 2000, vaps: vaps(300), drops: drops(4) })).toEqual([
    '  AGENT   VAP  VN    PORT     TAG      IN/s  OUT/s  IN-KBIT/s  OUT-KBIT/s',
    '  agent1  1    blue  access0  c-tag 2   100    200        100         200',
    '',
    '  AGENT   PORT     DROPPED   PACKETS  PER-s',
    '  agent1  access0  untagged        4      2',
  ]);
});

it('starts a VAP that is new at zero, and leaves out what was never dropped', () => {
  const lines = table({ at: 0, vaps: [], drops: drops(0) }, { at: 1000, vaps: vaps(50), drops: drops(0) });
  expect(lines[1]).toBe('  agent1  1    blue  access0  c-tag 2     0      0          0           0');
  expect(lines).toHaveLength(4);
});
