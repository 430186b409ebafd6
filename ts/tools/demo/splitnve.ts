// What the roles say, asked as a reader would: `splitnve show …` and `splitnve tsi list`, with --json.

import type { ShowRows, TsiListRow } from '#hypervisor';
import { nveError } from '#model';
import { socketOf } from './paths.js';
import { must } from './shell.js';

interface Tables extends ShowRows {
  tsi: TsiListRow;
}

/** The command for a table of a role. */
export function tableLine(table: keyof Tables, role: string): string {
  return `splitnve ${table === 'tsi' ? 'tsi list' : `show ${table}`} --socket ${socketOf(role)}`;
}

/** The rows of a table of a role. */
export async function rows<T extends keyof Tables>(table: T, role: string, deadlineMs?: number): Promise<Tables[T][]> {
  const line = `${tableLine(table, role)} --json`;
  const printed = await must(line, { quiet: true, ...(deadlineMs === undefined ? {} : { deadlineMs }) });
  try {
    return JSON.parse(printed) as Tables[T][];
  } catch (error) {
    throw nveError('NVE-SYS-004', { command: line, reason: 'what it printed is not JSON' }, error);
  }
}
