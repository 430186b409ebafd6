// The commands that ask a running role: their common options, and the client that they use.

import { type Command, InvalidArgumentError, Option } from 'commander';
import { HypervisorClient } from '#hypervisor';
import type { Io } from './io.js';
import { type Column, formatTable } from './table.js';

export interface RpcOptions {
  readonly socket: string;
  readonly json?: boolean;
  readonly timeout: number;
}

export const AGENT_SOCKET = '/run/splitnve/agent.sock';
export const NVA_SOCKET = '/run/splitnve/nva.sock';

const TIMEOUT_MS = 10_000;

export function withRpcOptions(command: Command, socket: string = AGENT_SOCKET): Command {
  return command
    .addOption(
      new Option('--socket <path>', 'the RPC socket of the agent, tNVE or NVA').env('SPLITNVE_SOCKET').default(socket),
    )
    .option('--json', 'print JSON instead of columns')
    .addOption(
      new Option('--timeout <ms>', 'how long to wait for the answer').default(TIMEOUT_MS).argParser(milliseconds),
    );
}

function milliseconds(text: string): number {
  const value = Number(text);
  if (!/^\d{1,6}$/.test(text) || value === 0) throw new InvalidArgumentError('Expected milliseconds from 1 to 999999.');
  return value;
}

/** Collects an option that may be given several times. */
export function collect(value: string, before: readonly string[] | undefined): string[] {
  return [...(before ?? []), value];
}

export async function withClient<T>(
  { socket, timeout }: RpcOptions,
  use: (client: HypervisorClient) => Promise<T>,
): Promise<T> {
  const client = new HypervisorClient({ socket, client: 'splitnve cli', deadlineMs: timeout });
  try {
    return await use(client);
  } finally {
    client.close();
  }
}

/** Prints rows: as JSON exactly what the role answered, else as columns. */
export function printRows<Row>(
  io: Io,
  { json }: RpcOptions,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
): void {
  io.out(json === true ? `${JSON.stringify(rows, null, 2)}\n` : formatTable(columns, rows));
}
