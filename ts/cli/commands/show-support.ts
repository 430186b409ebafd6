// splitnve show support: one file with what somebody needs who is to find out what is wrong with an agent.

import { writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { HypervisorClient, ShowRows } from '#hypervisor';
import { nveError, toNveError } from '#model';
import { examples } from '../help.js';
import type { Io } from '../io.js';
import { type RpcOptions, withClient, withRpcOptions } from '../rpc.js';

/** Whose rows are in it. The FDB, which may be very long, is told by its size alone. */
const TABLES = ['ports', 'drops', 'vn', 'vap', 'nve', 'flood', 'neigh', 'acl', 'memory', 'nva', 'vdp'] as const;
/** Rows of a table; what is more is told as a number. */
const ROWS_MAX = 2_000;

export function registerShowSupport(show: Command, io: Io): void {
  withRpcOptions(show.command('support'))
    .description(
      'Write one JSON file for whoever is to find out what is wrong with an agent: configuration without secrets, versions, tables (at most 2,000 rows of each), counters, sizes, the last lines of the log.',
    )
    .summary('one file with all that, for whoever is to help')
    .option('-o, --output <file>', 'the file; without it, standard output')
    .addHelpText('after', examples('splitnve show support -o support.json', 'splitnve show support | jq .versions'))
    .action(async (options: RpcOptions & { output?: string }) => {
      const text = `${JSON.stringify(await withClient(options, collect), null, 2)}\n`;
      if (options.output === undefined) io.out(text);
      else write(options.output, text);
    });
}

async function collect(client: HypervisorClient): Promise<Record<string, unknown>> {
  const { name } = await client.hello();
  const facts = await client.request('support', {});
  const tables: Record<string, unknown> = {};
  for (const kind of TABLES) tables[kind] = await table(client, kind);
  return { node: name, time: new Date().toISOString(), ...facts, tables };
}

/** A table that cannot be had does not keep the others back. */
async function table(client: HypervisorClient, kind: keyof ShowRows): Promise<unknown> {
  try {
    const rows: readonly unknown[] = await client.show(kind);
    return rows.length <= ROWS_MAX ? rows : { rows: rows.slice(0, ROWS_MAX), left_out: rows.length - ROWS_MAX };
  } catch (caught) {
    const { code, message } = toNveError(caught);
    return { error: `${code}: ${message}` };
  }
}

function write(file: string, text: string): void {
  try {
    writeFileSync(file, text, { mode: 0o600 });
  } catch (caught) {
    throw nveError('NVE-CLI-004', { file, reason: caught instanceof Error ? caught.message : String(caught) }, caught);
  }
}
