// After the verdict: a table that moves, until Ctrl-C. Gentle pings in both VNs give it something to show. It asks the agents by the RPC
// what `splitnve show vap` and `splitnve show drops` ask.

import { HypervisorClient, type ShowDropsRow, type ShowVapRow } from '#hypervisor';
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
      for (const line of lines) console.log(line);
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
  const rows = [['AGENT', 'VAP', 'VN', 'PORT', 'TAG', 'IN/s', 'OUT/s', 'IN kbit/s', 'OUT kbit/s']];
  for (const row of now.vaps) {
    const before = last.vaps.find(({ agent, vap }) => agent === row.agent && vap === row.vap);
    const rate = (key: 'in_packets' | 'out_packets' | 'in_bytes' | 'out_bytes'): number =>
      (row[key] - (before?.[key] ?? 0)) / seconds;
    const kbits = (key: 'in_bytes' | 'out_bytes'): string => ((rate(key) * 8) / 1000).toFixed(1);
    const { agent, vap, vn, port, tag } = row;
    const cells = [agent, `${vap}`, vn ?? '-', port, tag === null ? '-' : `${tag.kind} ${tag.vid}`];
    rows.push([
      ...cells,
      rate('in_packets').toFixed(0),
      rate('out_packets').toFixed(0),
      kbits('in_bytes'),
      kbits('out_bytes'),
    ]);
  }
  const drops = now.drops.filter(({ packets }) => packets > 0);
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  const lines = rows.map(
    (row) =>
      `  ${row.map((cell, n) => (n < 5 ? cell.padEnd(widths[n] ?? 0) : cell.padStart(widths[n] ?? 0))).join('  ')}`,
  );
  const texts = drops.map(({ agent, port, reason, packets }) => `${agent} ${port} ${reason} ${packets}`);
  return [...lines, `  drops: ${texts.join(', ') || 'none'}`];
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
