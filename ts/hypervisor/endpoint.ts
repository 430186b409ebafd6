// Where an RPC server is, and how a client gets there: the Unix socket of the local node, or TLS 1.3 with certificates on both sides.
// What goes wrong on the way becomes an error that says which certificate or which place is at fault.

import { connect, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { type NveError, nveError } from '#model';
import { errnoOf } from './socket-file.js';
import { readPem, type TlsFiles } from './tls-files.js';

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
 * A connected socket. Rejects with NVE-RPC-001 if nobody is there, NVE-SYS-005 if this user may not connect, NVE-RPC-014 if the
 * server's certificate is not acceptable, NVE-RPC-015 if the own files are not.
 */
export async function openEndpoint(endpoint: RpcEndpoint, timeoutMs: number): Promise<Socket> {
  const [socket, event] =
    'socket' in endpoint
      ? ([connect(endpoint.socket), 'connect'] as const)
      : ([openTls(endpoint.tls), 'secureConnect'] as const);
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

function openTls({ host, port, ...files }: TlsEndpoint): TLSSocket {
  return connectTls({
    ...readPem(files),
    host,
    port,
    minVersion: 'TLSv1.3',
    servername: /^[\d.]+$|:/.test(host) ? '' : host,
  });
}

function connectError(endpoint: RpcEndpoint, error: Error): NveError {
  const code = errnoOf(error) ?? '';
  const place = endpointText(endpoint);
  if (code === 'EACCES' || code === 'EPERM') return nveError('NVE-SYS-005', { what: place, reason: code }, error);
  if ('tls' in endpoint) {
    const tls = tlsReason(endpoint.tls, code);
    if (tls !== undefined) return nveError('NVE-RPC-014', { endpoint: place, ...tls }, error);
  }
  const reason =
    code === 'ENOENT' ? 'there is no such socket' : code === 'ECONNREFUSED' ? 'nobody listens on it' : error.message;
  return nveError('NVE-RPC-001', { socket: place, reason }, error);
}

function tlsReason({ host, ca }: TlsEndpoint, code: string): { reason: string; remedy: string } | undefined {
  switch (code) {
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'CERT_SIGNATURE_FAILURE':
      return {
        reason: `the server's certificate is not of the CA in ${ca}`,
        remedy: "Name the CA that issued the agent's certificate.",
      };
    case 'CERT_HAS_EXPIRED':
    case 'CERT_NOT_YET_VALID':
      return { reason: "the server's certificate is not valid now", remedy: 'Renew it, or set the clock.' };
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return {
        reason: `the server's certificate is not for ${host}`,
        remedy: 'Use a name or address that its subjectAltName has, or issue it one with this.',
      };
    case 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION':
    case 'ERR_SSL_UNSUPPORTED_PROTOCOL':
      return { reason: 'the server has no TLS 1.3', remedy: 'Name the address of an agent of this release.' };
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
    case 'ERR_SSL_PACKET_LENGTH_TOO_LONG':
      return { reason: 'what listens there does not speak TLS', remedy: 'Name the address of [rpc.tls] of the agent.' };
    default:
      return undefined;
  }
}
