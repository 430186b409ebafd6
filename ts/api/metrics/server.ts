// GET /metrics over HTTP. Whoever connects is a stranger: few connections, short requests, nobody is waited for, and answers go out piece
// by piece, so that neither a reader nor the number of VAPs holds up the agent.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { setImmediate as turn } from 'node:timers/promises';
import { listenOnSocket } from '#hypervisor';
import { nveError, toNveError } from '#model';
import type { Readings } from '#roles';
import { formatMetricsAddress, type MetricsAddress } from './address.js';
import { CONTENT_TYPE, exposition } from './exposition.js';
import { ProcessGauges } from './process.js';

/** More connections are closed as they come. */
export const CONNECTIONS_MAX = 16;
/** Request line and headers together. */
export const REQUEST_MAX = 4096;
/** For a request to arrive, and for a reader to take something of the answer. */
const PATIENCE_MS = 5_000;

export interface MetricsServer {
  /** As it was asked for; a port of 0 is replaced by the chosen one. */
  readonly address: MetricsAddress;
  close(): Promise<void>;
}

/** Throws NVE-SYS-001, or another `NveError`, if it cannot listen there. */
export async function serveMetrics(address: MetricsAddress, read: () => Promise<Readings>): Promise<MetricsServer> {
  const gauges = new ProcessGauges();
  let reading: Promise<Readings> | undefined;
  // Several at once are answered with one look.
  const readOnce = (): Promise<Readings> => {
    reading ??= read().finally(() => {
      reading = undefined;
    });
    return reading;
  };
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    // A body is nobody's: what follows it is not read.
    const { headers } = request;
    if ('content-length' in headers || 'transfer-encoding' in headers) response.setHeader('Connection', 'close');
    if (request.url?.split('?', 1)[0] !== '/metrics') return refuse(response, 404, 'Not here: GET /metrics');
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('Allow', 'GET, HEAD');
      return refuse(response, 405, 'Only GET and HEAD');
    }
    response.setHeader('Content-Type', CONTENT_TYPE);
    if (request.method === 'HEAD') return void response.end();
    const scrape = { ...(await readOnce()), ...gauges.read() };
    for (const piece of exposition(scrape)) {
      if (response.destroyed) return;
      if (!response.write(piece)) await drained(response);
      await turn();
    }
    response.end();
  };
  const server = createServer(
    {
      maxHeaderSize: REQUEST_MAX,
      headersTimeout: PATIENCE_MS,
      requestTimeout: PATIENCE_MS,
      keepAliveTimeout: PATIENCE_MS,
      connectionsCheckingInterval: 1_000,
    },
    (request, response) => void answer(request, response).catch((error: unknown) => fail(response, error)),
  );
  server.maxConnections = CONNECTIONS_MAX;
  server.setTimeout(PATIENCE_MS, (socket) => socket.destroy());
  try {
    await listen(server, address);
  } catch (error) {
    gauges.close();
    throw error;
  }
  const bound = server.address();
  const real =
    'port' in address && typeof bound === 'object' && bound !== null ? { ...address, port: bound.port } : address;
  const close = async (): Promise<void> => {
    gauges.close();
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeAllConnections();
    await closed;
  };
  return { address: real, close };
}

/** Resolves when the reader has taken what waits, or is gone. */
function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done).off('close', done);
      resolve();
    };
    response.on('drain', done).on('close', done);
  });
}

function refuse(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8' }).end(`${text}\n`);
}

function fail(response: ServerResponse, caught: unknown): void {
  if (response.headersSent) return void response.destroy();
  const { code, message } = toNveError(caught);
  refuse(response, 503, `${code}: ${message}`);
}

async function listen(server: Server, address: MetricsAddress): Promise<void> {
  if ('path' in address) return listenOnSocket(server, address.path);
  await new Promise<void>((resolve, reject) => {
    const failed = (error: Error): void =>
      reject(nveError('NVE-SYS-001', { address: formatMetricsAddress(address), reason: error.message }, error));
    server.once('error', failed);
    server.listen({ ...address, exclusive: true }, () => {
      server.off('error', failed);
      resolve();
    });
  });
}
