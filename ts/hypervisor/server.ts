// The server side of docs/rpc.md: the local socket, and TLS beside it. It accepts, counts and limits connections; what is said on one is
// peer.ts's, and what a method does its handler's business. It must not know the engine.

import { createServer, type Server, type Socket } from 'node:net';
import { type AgentDropReason, type LinkName, type NveError, nveError } from '#model';
import { nameOfCertificate, type TlsFiles, TlsListener } from '#tls';
import { Access, type TlsClientRule } from './access.js';
import type { MethodName, ParamsOf, ResultOf, TopicData, TopicName } from './methods.js';
import { Peer } from './peer.js';
import { listenOnSocket } from './socket-file.js';

/** Of each kind, so that neither keeps the other out. */
const CONNECTIONS_MAX = 128;
/** Of one client with a certificate: it cannot keep the others out. */
const CONNECTIONS_OF_CLIENT_MAX = 16;
/** What happens all the time is told once in so long; all of it is counted. */
const TELL_MS = 10_000;

export interface RpcTlsOptions extends TlsFiles {
  readonly listen: { readonly host: string; readonly port: number };
  /** Who may do what; a certificate whose name is not here opens nothing. */
  readonly client: readonly TlsClientRule[];
}

export interface Call {
  /** Aborted when the deadline passes; the client has its NVE-RPC-004 then. What was started is to be rolled back or finished. */
  readonly signal: AbortSignal;
  readonly method: MethodName;
  /** How long the client waits from the moment that the request came, in ms. */
  readonly deadlineMs: number;
  /** Whether the client may know of this link. The links that the request names are checked already. */
  readonly mayUse: (link: LinkName) => boolean;
}

export type Handlers = {
  readonly [M in Exclude<MethodName, 'hello' | 'watch'>]?: (
    params: ParamsOf<M>,
    call: Call,
  ) => Promise<ResultOf<M>> | ResultOf<M>;
};

export interface RpcServerOptions {
  readonly socket: string;
  readonly tls?: RpcTlsOptions | undefined;
  readonly role: 'agent' | 'tnve' | 'nva';
  readonly name: string;
  readonly handlers: Handlers;
  /** A connection that ended in an error, or was not accepted. */
  readonly onProblem?: (error: Error) => void;
}

export class RpcServer {
  readonly #options: RpcServerOptions;
  readonly #server: Server;
  readonly #tls: TlsListener | undefined;
  /** And what each is counted under. */
  readonly #peers = new Map<Peer, string>();
  readonly #refused = new Map<AgentDropReason, number>();
  readonly #told = new Map<AgentDropReason, number>();
  #tlsPort: number | null = null;

  private constructor(options: RpcServerOptions) {
    this.#options = options;
    this.#server = createServer((socket) => this.#accept(socket, Access.local, 'local'));
    const { tls } = options;
    if (tls === undefined) return;
    this.#tls = new TlsListener(tls, {
      accept: (socket, peer) => {
        const access =
          'problem' in peer
            ? nveError('NVE-RPC-016', { reason: peer.problem })
            : Access.ofClient(nameOfCertificate(peer.certificate), tls.client);
        this.#accept(socket, access, 'tls');
      },
      refused: (reason, error) => this.#refuse(`rpc_${reason}`, error),
    });
  }

  /** Throws an `NveError` if the socket, the TLS address or the certificate cannot be had. */
  static async listen(options: RpcServerOptions): Promise<RpcServer> {
    const server = new RpcServer(options);
    await listenOnSocket(server.#server, options.socket);
    try {
      server.#tlsPort = (await server.#tls?.listen()) ?? null;
    } catch (error) {
      await server.close();
      throw error;
    }
    return server;
  }

  /** The TCP port of TLS; null without. */
  get tlsPort(): number | null {
    return this.#tlsPort;
  }

  /** To everybody who watches the topic and may know of the link. */
  notify<T extends TopicName>(topic: T, data: TopicData<T>): void {
    for (const peer of this.#peers.keys()) peer.notify(topic, data);
  }

  /** Connections that were not accepted, by reason. */
  refusals(): ReadonlyMap<AgentDropReason, number> {
    return this.#refused;
  }

  /** Reads the files of TLS again, for connections from now on. Throws NVE-TLS-001; what was read before stands then. Nothing without TLS. */
  renewTls(): void {
    this.#tls?.renew();
  }

  /** Ends all connections; open requests are not answered. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    const tlsClosed = this.#tls?.close();
    for (const peer of this.#peers.keys()) peer.close();
    await Promise.all([closed, tlsClosed]);
  }

  #accept(socket: Socket, access: Access | NveError, kind: 'local' | 'tls'): void {
    const holder = access instanceof Error ? '' : access.name;
    const full = this.#fullness(kind, `${kind} ${holder}`);
    if (full !== undefined) {
      socket.on('error', () => undefined);
      socket.destroy();
      this.#refuse('rpc_too_many', full);
      return;
    }
    const { role, name, handlers } = this.#options;
    const peer: Peer = new Peer(socket, access, {
      role,
      name,
      handlers,
      onProblem: (error) => {
        // How the connection ends after its refusal says nothing more.
        if (error === access) this.#refuse('rpc_client', error);
        else if (!(access instanceof Error)) this.#options.onProblem?.(error);
      },
      onEnd: () => this.#peers.delete(peer),
    });
    this.#peers.set(peer, `${kind} ${holder}`);
  }

  #fullness(kind: 'local' | 'tls', holder: string): NveError | undefined {
    const holders = [...this.#peers.values()];
    const what = `RPC connections of ${kind === 'local' ? 'the local socket' : 'TLS'}`;
    if (holders.filter((one) => one.startsWith(kind)).length >= CONNECTIONS_MAX)
      return nveError('NVE-RPC-008', { what, limit: CONNECTIONS_MAX });
    if (kind === 'tls' && holders.filter((one) => one === holder).length >= CONNECTIONS_OF_CLIENT_MAX)
      return nveError('NVE-RPC-008', { what: `${what} of one client`, limit: CONNECTIONS_OF_CLIENT_MAX });
    return undefined;
  }

  #refuse(reason: AgentDropReason, error: Error): void {
    this.#refused.set(reason, (this.#refused.get(reason) ?? 0) + 1);
    const now = performance.now();
    if (now - (this.#told.get(reason) ?? -TELL_MS) < TELL_MS) return;
    this.#told.set(reason, now);
    this.#options.onProblem?.(error);
  }
}
