// Where an RPC server is, and how a client gets there: the Unix socket of the local node, or TLS 1.3 with certificates on both sides.
// What goes wrong on the way becomes an error that says which certificate or which place is at fault.

import { connect, type Socket } from 'node:net';
import { type NveError, nveError } from '#model';
import { openTls, readPem, type TlsFiles, tlsProblem } from '#tls';
import { errnoOf } from './socket-file.js';

/** A server that is reached with TLS. The files are read for each connection, so that they may be renewed meanwhile. */
export interface TlsEndpoint extends TlsFiles {
  /** A name or an address; the server's certificate must be for it. */
  readonly host: string;
  readonly port: number;
}

export type RpcEndpoint = { readonly socket: string } | { readonly tls: TlsEndpoint };

export function endpointText(endpoint: RpcEndpoint): string {
  if ('socket' in endpoint) return endpoint.socket;
  const { host, port } = endpoint.tls;
  return `tls:${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/**
 * A connected socket. Rejects with NVE-RPC-001 if nobody is there, NVE-SYS-005 if this user may not connect, NVE-TLS-002 if the
 * server's certificate is not acceptable, NVE-TLS-001 if the own files are not.
 */
export async function openEndpoint(endpoint: RpcEndpoint, timeoutMs: number): Promise<Socket> {
  const [socket, event] =
    'socket' in endpoint
      ? ([connect(endpoint.socket), 'connect'] as const)
      : ([openTls({ ...endpoint.tls, pem: readPem(endpoint.tls) }), 'secureConnect'] as const);
  const place = endpointText(endpoint);
  return new Promise((resolve, reject) => {
    const fail = (error: NveError): void => {
      clearTimeout(timer);
      socket.destroy();
      reject(error);
    };
    const onError = (error: Error): void => fail(connectError(endpoint, error));
    const timer = setTimeout(
      () => fail(nveError('NVE-RPC-001', { socket: place, reason: 'it does not accept connections' })),
      timeoutMs,
    );
    socket.once('error', onError);
    socket.once(event, () => {
      clearTimeout(timer);
      socket.removeListener('error', onError);
      resolve(socket);
    });
  });
}

function connectError(endpoint: RpcEndpoint, error: Error): NveError {
  const code = errnoOf(error) ?? '';
  const place = endpointText(endpoint);
  if (code === 'EACCES' || code === 'EPERM') return nveError('NVE-SYS-005', { what: place, reason: code }, error);
  if ('tls' in endpoint) {
    const tls = tlsProblem(code, endpoint.tls);
    if (tls !== undefined) return nveError('NVE-TLS-002', { endpoint: place, ...tls }, error);
  }
  const reason =
    code === 'ENOENT' ? 'there is no such socket' : code === 'ECONNREFUSED' ? 'nobody listens on it' : error.message;
  return nveError('NVE-RPC-001', { socket: place, reason }, error);
}
