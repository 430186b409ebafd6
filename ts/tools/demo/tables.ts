// The product's own tables, as a reader would ask for them.

import * as screen from './screen.js';
import { must } from './shell.js';
import { tableLine } from './splitnve.js';

/** What was negotiated and programmed on host 1. */
export async function showTables(): Promise<void> {
  await show('tsi', 'tnve1');
  for (const table of ['vn', 'vap', 'fdb', 'ports'] as const) await show(table, 'agent1');
}

export async function show(table: Parameters<typeof tableLine>[0], role: string): Promise<void> {
  screen.text(await must(tableLine(table, role)));
}
