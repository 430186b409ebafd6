/**
 * Which process has a store: two agents on one store would take each other's tags. A process that was killed leaves its mark,
 * so the mark counts only while that very process runs (its number may be another's by now).
 */
import { readFileSync } from 'node:fs';
import type { Database } from 'lmdb';

interface Owner {
  readonly pid: number;
  /** In clock ticks since the machine started. */
  readonly started: string;
}

/** Inside a transaction: makes this process the owner. Gives the process that is it already; null: nobody was. */
export function claim(meta: Database<unknown, string>): number | null {
  const owner = meta.get('owner') as Partial<Owner> | undefined;
  const { pid } = owner ?? {};
  if (pid !== undefined && pid !== process.pid && startOf(pid) !== null && startOf(pid) === owner?.started) return pid;
  void meta.put('owner', { pid: process.pid, started: startOf(process.pid) });
  return null;
}

/** Field 22 of /proc/PID/stat; the name before may hold anything, but no later parenthesis. */
function startOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null;
  }
}
