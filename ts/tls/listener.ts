// A server of TLS 1.3, both sides with certificates. Who has not shown one yet gets little: a place among few, and a few seconds. Who
// has shown a wrong one is handed over all the same, with what is wrong: its owner gives one answer, and that is the reason.

import { createServer, type Server, type Socket } from 'node:net';
import {
  createServer as createTlsServer,
  type PeerCertificate,
  type SecureContextOptions,
  type TLSSocket,
  type Server as TlsServer,
} from 'node:tls';
import { nveError } from '#model';
import { readPem, type TlsFiles } from './files.js';

export interface TlsListenerOptions extends TlsFiles {
  readonly listen: { readonly host: string; readonly port: number };
  /** The application protocol (RFC 7301) that a client must name; without it none is asked for. */
  readonly alpn?: string | undefined;
  /** Connections that have not shown a certificate yet, at most; by default 32. */
  readonly handshakes?: number;
}

/** Who has ended the handshake: a certificate of the authority that is valid now, or what is wrong with it. */
export type TlsPeer = { readonly certificate: PeerCertificate } | { readonly problem: string };

export interface TlsHandlers {
  accept(socket: Socket, peer: TlsPeer): void;
  /** A connection that was not accepted. */
  refused(reason: 'too_many' | 'handshake', error: Error): void;
}

const HANDSHAKES_MAX = 32;
const HANDSHAKE_MS = 5_000;

export class TlsListener {
  readonly #options: TlsListenerOptions;
  readonly #handlers: TlsHandlers;
  readonly #tcp: Server;
  readonly #tls: TlsServer;
  /** By the address and port of the peer. */
  readonly #handshakes = new Map<string, Socket>();

  /** Throws NVE-TLS-001. */
  constructor(options: TlsListenerOptions, handlers: TlsHandlers) {
    this.#options = options;
    this.#handlers = handlers;
    this.#tls = createTlsServer({
      ...contextOf(options),
      ...(options.alpn !== undefined && { ALPNProtocols: [options.alpn] }),
      requestCert: true,
      // Looked at in `#secured`: Node would end the connection without a word, and nobody would know why.
      rejectUnauthorized: false,
      handshakeTimeout: HANDSHAKE_MS,
    });
    this.#tls.on('secureConnection', (socket) => this.#secured(socket));
    this.#tls.on('tlsClientError', (error, socket) => {
      socket.destroy();
      this.#handlers.refused('handshake', error);
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
        this.#tcp.on('error', (error) => this.#handlers.refused('too_many', error));
        const address = this.#tcp.address();
        resolve(typeof address === 'object' && address !== null ? address.port : port);
      });
    });
  }

  /**
   * Reads the files again, for handshakes from now on. Accepted connections go on as they are; a session of before is not resumed, since
   * its ticket was under the former context. Throws NVE-TLS-001, and nothing has changed then.
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
    const { handshakes: limit = HANDSHAKES_MAX } = this.#options;
    if (this.#handshakes.size >= limit) {
      socket.destroy();
      this.#handlers.refused('too_many', nveError('NVE-RPC-008', { what: 'TLS handshakes', limit }));
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
    const { alpn } = this.#options;
    const problem = socket.authorized ? null : whyUnauthorized(socket, certificate);
    if (alpn !== undefined && socket.alpnProtocol !== alpn) {
      // Node refuses a client that offers others only; one that offers none comes here.
      socket.destroy();
      this.#handlers.refused('handshake', new Error(`the client does not offer the protocol ${alpn} (ALPN)`));
    } else {
      this.#handlers.accept(socket, problem === null ? { certificate } : { problem });
    }
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
  return `it is not of the authority that is asked for (${code})`;
}

function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
