import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { MacAddr, Tag, VnName } from '#model';
import { formatMetricsAddress, parseMetricsAddress } from './address.js';
import { exposition } from './exposition.js';
import { FAMILIES, familiesTable, type Scrape } from './families.js';
import { ProcessGauges } from './process.js';

const NVA = {
  nvaId: 'nva1',
  epoch: 'e',
  endpoint: null,
  term: 1n,
  endpoints: [],
  vns: [],
  error: null,
  unknownFrames: 0,
  refusedCertificates: 0,
  pulls: { found: 2, negative: 1, asked: 5, unanswered: 1, overflow: 0 },
};
const ENGINE = {
  schema: 1,
  epoch: 1n,
  dpdk: '22.11.1',
  hugepages: false,
  pollers: 1,
  fdbCapacity: 65_536,
  maxPorts: 32,
};

function scrape(more: Partial<Scrape> = {}): Scrape {
  return {
    version: '0.1.0',
    node: '20.1.0',
    startTime: 1_700_000_000.5,
    loopDelay: [{ quantile: '0.99', seconds: 0.002 }],
    residentBytes: 100,
    heapBytes: 50,
    engine: ENGINE,
    ports: [],
    drops: [{ port: 'access0', reason: 'source_guard', packets: 7 }],
    pollers: [{ poller: 0, polls: 9, emptyPolls: 4, packets: 5, busyCycles: 6, idleCycles: 7, tscHz: 1e9, copies: 8 }],
    vns: [{ vn: 'blue' as VnName, id: 1, vni: 5001, vaps: 1, rows: 2 }],
    vaps: [],
    nextHops: 3,
    neighbours: new Map([['reachable', 2]]),
    tsis: new Map([['activated', 4]]),
    nva: { ...NVA, state: 'connected', subscriptions: 1, attachments: 4 },
    ...more,
  };
}

const textOf = (of: Scrape): string => [...exposition(of)].join('');
/** `name{labels}` to value, of every line that is a sample. */
function samplesOf(text: string): Map<string, number> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
  );
}

describe('the text', () => {
  it('has the help and the type of every metric once, before its samples, and a line for each sample', () => {
    const text = textOf(scrape());
    let current = '';
    for (const line of text.trimEnd().split('\n')) {
      const [, keyword, name = ''] = /^(?:# (HELP|TYPE) )?(\w+)/.exec(line) ?? [];
      if (keyword === 'HELP') current = name;
      expect(name).toBe(current);
      if (keyword === undefined) expect(line).toMatch(/^\w+(\{\w+="[^"]*"(,\w+="[^"]*")*\})? -?[\d.e+-]+$/);
    }
    for (const { name } of FAMILIES) expect(text.split(`# TYPE ${name} `).length, name).toBe(2);
  });

  it('tells what was read', () => {
    const samples = samplesOf(textOf(scrape()));
    expect(samples.get('splitnve_drops_total{port="access0",reason="source_guard"}')).toBe(7);
    expect(samples.get('splitnve_vn_fdb_rows{vn="blue",id="1",vni="5001"}')).toBe(2);
    expect(samples.get('splitnve_fdb_rows')).toBe(2);
    expect(samples.get('splitnve_tsis{state="activated"}')).toBe(4);
    expect(samples.get('splitnve_neighbours{state="reachable"}')).toBe(2);
    expect(samples.get('splitnve_nva_connected{nva="nva1"}')).toBe(1);
    expect(samples.get('splitnve_poller_cycles_total{poller="0",state="idle"}')).toBe(7);
    expect(samples.get('splitnve_event_loop_delay_seconds{quantile="0.99"}')).toBe(0.002);
    expect(samples.get('splitnve_build_info{version="0.1.0",dpdk="22.11.1",node="20.1.0"}')).toBe(1);
  });

  it('of ports and VAPs has their names, and escapes them', () => {
    const mac = '02:00:00:00:00:01' as MacAddr;
    const counters = { rx_packets: 1, rx_bytes: 2, tx_packets: 3, tx_bytes: 4, rx_missed: 5, rx_errors: 6 };
    const port = { port: 'a"\\\n', id: 0, driver: 'net_tap', mac, mtu: 1500, link: 'down', role: 'access' } as const;
    const tag = { kind: 'c-tag', vid: 100 } as unknown as Tag;
    const counted = { inPackets: 1, inBytes: 2, outPackets: 3, outBytes: 4, suppressed: 5 };
    const vap = { vap: 9, vn: null, port: 'a', tag, ...counted };
    const samples = samplesOf(textOf(scrape({ ports: [{ ...port, ...counters }], vaps: [vap] })));
    expect(samples.get('splitnve_port_up{port="a\\"\\\\\\n"}')).toBe(0);
    expect(samples.get('splitnve_vap_packets_total{vap="9",vn="",port="a",tag="c-tag 100",direction="out"}')).toBe(3);
    expect(samples.get('splitnve_vap_bytes_total{vap="9",vn="",port="a",tag="c-tag 100",direction="in"}')).toBe(2);
    expect(samples.get('splitnve_vap_suppressed_total{vap="9",vn="",port="a",tag="c-tag 100"}')).toBe(5);
  });

  it('of 10,000 VAPs comes in pieces of at most 500 lines', () => {
    const counted = { inPackets: 1, inBytes: 2, outPackets: 3, outBytes: 4, suppressed: 0 };
    const vap = { vn: 'blue' as VnName, port: 'a', tag: null, ...counted };
    const pieces = [...exposition(scrape({ vaps: Array.from({ length: 10_000 }, (_, n) => ({ vap: n, ...vap })) }))];
    expect(pieces.length).toBeGreaterThan(80);
    for (const piece of pieces) expect(piece.split('\n').length).toBeLessThanOrEqual(503);
    const samples = samplesOf(pieces.join(''));
    expect([...samples.keys()].filter((key) => key.startsWith('splitnve_vap_'))).toHaveLength(50_000);
  });
});

describe('names', () => {
  it('are those of Prometheus: counters end in _total, and no name twice', () => {
    for (const { name, type } of FAMILIES) {
      expect(name).toMatch(/^splitnve_[a-z_]+$/);
      expect(name.endsWith('_total'), name).toBe(type === 'counter');
    }
    expect(new Set(FAMILIES.map(({ name }) => name)).size).toBe(FAMILIES.length);
  });

  it('are what docs/operations.md says', () => {
    const file = new URL('../../../docs/operations.md', import.meta.url);
    const page = readFileSync(file, 'utf8');
    const [before, , after] = page.split(/<!-- metrics -->\n|\n<!-- end of metrics -->/);
    const made = `${before}<!-- metrics -->\n${familiesTable()}\n<!-- end of metrics -->${after}`;
    if (process.env['UPDATE_DOCS'] === '1') writeFileSync(file, made);
    expect(readFileSync(file, 'utf8'), 'run UPDATE_DOCS=1 npx vitest run ts/api').toBe(made);
  });
});

describe('the address', () => {
  it.each(['127.0.0.1:9464', '192.0.2.1:1', '[::1]:65535', 'unix:/run/splitnve/metrics.sock'])('%s', (text) => {
    const address = parseMetricsAddress(text);
    expect(address.ok && formatMetricsAddress(address.value)).toBe(text);
  });

  const wrong = ['', '9464', ':9464', 'localhost:9464', '0.0.0.0:9464', '[::]:9464', '::1:9464', '[127.0.0.1]:9464'];
  it.each([...wrong, '127.0.0.1:0', '127.0.0.1:65536', 'unix:', `unix:/${'x'.repeat(107)}`])('not %s', (text) => {
    const address = parseMetricsAddress(text);
    expect(address.ok ? text : address.error).toMatchObject({ code: 'NVE-VAL-002' });
  });
});

describe('the process', () => {
  it('tells how late its event loop was since the last look', async () => {
    const gauges = new ProcessGauges();
    await new Promise((resolve) => setTimeout(resolve, 30));
    const until = performance.now() + 60;
    while (performance.now() < until);
    await new Promise((resolve) => setTimeout(resolve, 30));
    const worst = gauges.read().loopDelay.find(({ quantile }) => quantile === '1')?.seconds;
    expect(worst).toBeGreaterThan(0.03);
    expect(gauges.read().loopDelay).toEqual(['0.5', '0.99', '1'].map((quantile) => ({ quantile, seconds: 0 })));
    gauges.close();
  });
});
