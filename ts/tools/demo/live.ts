// After the verdict: a table that moves, until Ctrl-C. Gentle pings in both VNs give it something to show. It asks the agents by the RPC
// what `splitnve show vap` and `splitnve show drops` ask.

import { HypervisorClient, type ShowDropsRow, type ShowVapRow } from '#hypervisor';
import { formatTag } from '#model';
import type { Lab } from './lab.js';
import { socketOf } from './paths.js';
import * as screen from './screen.js';
import { tenantOf, VNS } from './tenants.js';

const AGENTS = ['agent1', 'agent2'] as const;
const TERMINAL_MS = 1_000;
/** Into a file or a pipe: a table now and then. */
const FILE_MS = 10_000;

interface Sample {
  readonly at: number;
  readonly vaps: readonly (ShowVapRow & { readonly agent: string })[];
  readonly drops: readonly (ShowDropsRow & { readonly agent: string })[];
}

/** Resolves when `signal` aborts (true), or when a process has died (false). */
export async function live(lab: Lab, signal: AbortSignal): Promise<boolean> {
  screen.section('Live: until Ctrl-C');
  for (const { vn } of VNS) {
    const [from, to] = [tenantOf(vn, 1), tenantOf(vn, 2)];
    lab.processes.start(`ping-${vn}`, `ip netns exec ${from.place} ping -i 0.1 -q ${to.ip}`);
  }
  const clients = AGENTS.map((agent) => ({
    agent,
    client: new HypervisorClient({ socket: socketOf(agent), client: 'demo' }),
  }));
  const death = new AbortController();
  lab.processes.onDeath(() => death.abort());
  const end = AbortSignal.any([signal, death.signal]);
  const isTerminal = process.stdout.isTTY === true;
  let last: Sample | undefined;
  let height = 0;
  while (!end.aborted) {
    const now = await sample(clients).catch(() => undefined);
    if (now !== undefined && last !== undefined) {
      const lines = table(last, now);
      if (isTerminal && height > 0) process.stdout.write(`\u001b[${height}A\u001b[J`);
      // A line that wraps would be two to go back over.
      for (const line of lines) console.log(isTerminal ? line.slice(0, (process.stdout.columns || 80) - 1) : line);
      height = lines.length;
    }
    last = now ?? last;
    await pause(isTerminal ? TERMINAL_MS : FILE_MS, end);
  }
  for (const { client } of clients) client.close();
  return !death.signal.aborted;
}

async function sample(clients: readonly { agent: string; client: HypervisorClient }[]): Promise<Sample> {
  const all = await Promise.all(
    clients.map(async ({ agent, client }) => ({
      vaps: (await client.show('vap')).map((row) => ({ agent, ...row })),
      drops: (await client.show('drops')).map((row) => ({ agent, ...row })),
    })),
  );
  return { at: performance.now(), vaps: all.flatMap(({ vaps }) => vaps), drops: all.flatMap(({ drops }) => drops) };
}

/** Rates between two samples, as lines. */
export function table(last: Sample, now: Sample): string[] {
  const seconds = (now.at - last.at) / 1000;
  const rate = (value: number, before: number | undefined): string =>
    ((value - (before ?? value)) / seconds).toFixed(0);
  const vaps = now.vaps.map((row) => {
    const before = last.vaps.find(({ agent, vap }) => agent === row.agent && vap === row.vap);
    const kbits = (bytes: number, earlier: number | undefined): string => rate(bytes / 125, earlier && earlier / 125);
    return [
      ...[row.agent, `${row.vap}`, row.vn ?? '-', row.port, row.tag === null ? '-' : formatTag(row.tag)],
      ...[rate(row.in_packets, before?.in_packets), rate(row.out_packets, before?.out_packets)],
      ...[kbits(row.in_bytes, before?.in_bytes), kbits(row.out_bytes, before?.out_bytes)],
    ];
  });
  const drops = now.drops
    .filter(({ packets }) => packets > 0)
    .map((row) => {
      const isSame = (other: typeof row): boolean =>
        other.agent === row.agent && other.port === row.port && other.reason === row.reason;
      return [
        row.agent,
        row.port,
        row.reason,
        `${row.packets}`,
        rate(row.packets, last.drops.find(isSame)?.packets ?? 0),
      ];
    });
  return [
    ...aligned(['AGENT', 'VAP', 'VN', 'PORT', 'TAG', 'IN/s', 'OUT/s', 'IN-KBIT/s', 'OUT-KBIT/s'], vaps),
    '',
    ...aligned(['AGENT', 'PORT', 'DROPPED', 'PACKETS', 'PER-s'], drops),
  ];
}

function aligned(titles: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const all = [titles, ...rows];
  const widths = titles.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  const isNumber = titles.map(
    (_, column) => column > 1 && rows.length > 0 && rows.every((row) => /^\d+$/.test(row[column] ?? '')),
  );
  const cell = (text: string, column: number): string =>
    isNumber[column] === true ? text.padStart(widths[column] ?? 0) : text.padEnd(widths[column] ?? 0);
  return all.map((row) => `  ${row.map(cell).join('  ')}`.trimEnd());
}

function pause(ms: number, end: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    end.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
