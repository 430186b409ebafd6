// The commands that ask a running role: their common options, and the client that they use.

import { type Command, InvalidArgumentError, Option } from 'commander';
import { HypervisorClient, type RpcEndpoint } from '#hypervisor';
import { nveError } from '#model';
import type { Io } from './io.js';
import { type Column, formatTable } from './table.js';

export interface RpcOptions {
  readonly socket: string;
  readonly tls?: { readonly host: string; readonly port: number };
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
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

/** For what an agent also serves over TLS. */
export function withTlsOptions(command: Command): Command {
  return withRpcOptions(command)
    .addOption(
      new Option('--tls <host:port>', 'the agent on another node, instead of --socket; with --ca, --cert and --key')
        .env('SPLITNVE_TLS')
        .argParser(hostAndPort),
    )
    .addOption(new Option('--ca <file>', "PEM: the authority of the agent's certificate").env('SPLITNVE_CA'))
    .addOption(new Option('--cert <file>', 'PEM: the certificate to show').env('SPLITNVE_CERT'))
    .addOption(new Option('--key <file>', 'PEM: its private key').env('SPLITNVE_KEY'));
}

function hostAndPort(text: string): { host: string; port: number } {
  const [, bracketed, plain, digits] = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  const port = Number(digits);
  if (host === undefined || port < 1 || port > 65_535)
    throw new InvalidArgumentError('Expected a name or an address, and a port, such as nve1.example:7891.');
  return { host, port };
}

export function endpointOf({ socket, tls, ca, cert, key }: RpcOptions): RpcEndpoint {
  if (tls === undefined) return { socket };
  for (const [option, value] of Object.entries({ ca, cert, key }))
    if (value === undefined) throw nveError('NVE-CLI-002', { problem: `--tls needs --${option} as well` });
  return { tls: { ...tls, ca: `${ca}`, cert: `${cert}`, key: `${key}` } };
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

export async function withClient<T>(options: RpcOptions, use: (client: HypervisorClient) => Promise<T>): Promise<T> {
  const client = new HypervisorClient({
    ...endpointOf(options),
    client: 'splitnve cli',
    deadlineMs: options.timeout,
  });
  try {
    return await use(client);
  } finally {
    client.close();
  }
}

/** Prints rows: as JSON exactly what the role answered, else as columns. */
/** Does what has no answer: nothing is printed, or with --json an empty object. */
export async function runSilently(
  io: Io,
  options: RpcOptions,
  use: (client: HypervisorClient) => Promise<void>,
): Promise<void> {
  await withClient(options, use);
  if (options.json === true) io.out('{}\n');
}

export function printRows<Row>(
  io: Io,
  { json }: RpcOptions,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
): void {
  io.out(json === true ? `${JSON.stringify(rows, null, 2)}\n` : formatTable(columns, rows));
}
