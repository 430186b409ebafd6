// The TLS side of the RPC server: TLS 1.3, both sides with certificates. Who has not shown one yet gets little: a place among few, and
// a few seconds; who has shown a wrong one gets one answer, and that is the reason.

import { createServer, type Server, type Socket } from 'node:net';
import {
  createServer as createTlsServer,
  type PeerCertificate,
  type SecureContextOptions,
  type TLSSocket,
  type Server as TlsServer,
} from 'node:tls';
import { type AgentDropReason, nveError } from '#model';
import { Access, nameOfCertificate, type TlsClientRule } from './access.js';
import { readPem, type TlsFiles } from './tls-files.js';

export interface RpcTlsOptions extends TlsFiles {
  readonly listen: { readonly host: string; readonly port: number };
  /** Who may do what; a certificate whose name is not here opens nothing. */
  readonly client: readonly TlsClientRule[];
}

/** Why a connection was not accepted. */
export type TlsRefusal = Extract<AgentDropReason, 'rpc_too_many' | 'rpc_handshake'>;

/** Connections that have not shown a certificate yet. */
const HANDSHAKES_MAX = 32;
const HANDSHAKE_MS = 5_000;

export class TlsListener {
  readonly #options: RpcTlsOptions;
  readonly #accept: (socket: Socket, access: ReturnType<typeof Access.ofClient>) => void;
  readonly #refused: (reason: TlsRefusal, error: Error) => void;
  readonly #tcp: Server;
  readonly #tls: TlsServer;
  /** By the address and port of the peer. */
  readonly #handshakes = new Map<string, Socket>();

  /** `accept` gets who has ended the handshake, with what it may do or why that is nothing. Throws NVE-RPC-015. */
  constructor(
    options: RpcTlsOptions,
    accept: (socket: Socket, access: ReturnType<typeof Access.ofClient>) => void,
    refused: (reason: TlsRefusal, error: Error) => void,
  ) {
    this.#options = options;
    this.#accept = accept;
    this.#refused = refused;
    this.#tls = createTlsServer({
      ...contextOf(options),
      requestCert: true,
      // Looked at in `#secured`: Node would end the connection without a word, and nobody would know why.
      rejectUnauthorized: false,
      handshakeTimeout: HANDSHAKE_MS,
    });
    this.#tls.on('secureConnection', (socket) => this.#secured(socket));
    this.#tls.on('tlsClientError', (error, socket) => {
      socket.destroy();
      this.#refused('rpc_handshake', error);
    });
    this.#tcp = createServer((socket) => this.#connected(socket));
  }

  /** The port that it listens on. Rejects with NVE-SYS-001. */
  listen(): Promise<number> {
    const { host, port } = this.#options.listen;
    return new Promise((resolve, reject) => {
      const failed = (error: Error): void =>
        reject(nveError('NVE-SYS-001', { address: `${host}:${port}`, reason: error.message }, error));
      this.#tcp.once('error', failed);
      this.#tcp.listen({ host, port }, () => {
        this.#tcp.off('error', failed);
        // Of a single connection that could not be accepted (out of descriptors); the next one may be.
        this.#tcp.on('error', (error) => this.#refused('rpc_too_many', error));
        const address = this.#tcp.address();
        resolve(typeof address === 'object' && address !== null ? address.port : port);
      });
    });
  }

  /**
   * Reads the files again, for handshakes from now on. Accepted connections go on as they are; a session of before is not resumed, since
   * its ticket was under the former context. Throws NVE-RPC-015, and nothing has changed then.
   */
  renew(): void {
    this.#tls.setSecureContext(contextOf(this.#options));
  }

  /** Accepts no more. Accepted connections are their owner's business. */
  async close(): Promise<void> {
    if (!this.#tcp.listening) return;
    const closed = new Promise<void>((resolve) => this.#tcp.close(() => resolve()));
    for (const socket of this.#handshakes.values()) socket.destroy();
    await closed;
  }

  #connected(socket: Socket): void {
    if (this.#handshakes.size >= HANDSHAKES_MAX) {
      socket.destroy();
      this.#refused('rpc_too_many', nveError('NVE-RPC-008', { what: 'TLS handshakes', limit: HANDSHAKES_MAX }));
      return;
    }
    const peer = peerOf(socket);
    this.#handshakes.set(peer, socket);
    socket.once('close', () => this.#handshakes.delete(peer));
    // The documented way to hand a connection to a server that does not listen itself.
    this.#tls.emit('connection', socket);
  }

  #secured(socket: TLSSocket): void {
    this.#handshakes.delete(peerOf(socket));
    const certificate = socket.getPeerCertificate();
    const access = socket.authorized
      ? Access.ofClient(nameOfCertificate(certificate), this.#options.client)
      : nveError('NVE-RPC-016', { reason: whyUnauthorized(socket, certificate) });
    this.#accept(socket, access);
  }
}

/** What a renewal sets anew: Node would take its own least version where none is named. */
function contextOf(files: TlsFiles): SecureContextOptions {
  return { ...readPem(files), minVersion: 'TLSv1.3' };
}

function whyUnauthorized({ authorizationError }: TLSSocket, certificate: Partial<PeerCertificate>): string {
  if (certificate.raw === undefined) return 'there is none';
  const code = `${authorizationError}`;
  if (code === 'CERT_HAS_EXPIRED') return 'it has expired';
  if (code === 'CERT_NOT_YET_VALID') return 'it is not valid yet';
  return `it is not of the authority of [rpc.tls] (${code})`;
}

function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
