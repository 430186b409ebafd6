// The server side of docs/rpc.md. It frames, checks, counts and keeps deadlines; what a method does is its handler's business. It
// must not know the engine.

import { createServer, type Server, type Socket } from 'node:net';
import { type NveError, nveError, toNveError } from '#model';
import { RPC_VERSION, type RpcMessage, type RpcRequest } from '#wire';
import { RpcConnection } from './connection.js';
import {
  firstProblem,
  isMethod,
  METHODS,
  type MethodName,
  type ParamsOf,
  type ResultOf,
  type TopicData,
  type TopicName,
} from './methods.js';
import { listenOnSocket } from './socket-file.js';

const CONNECTIONS_MAX = 128;
const OPEN_REQUESTS_MAX = 64;
const HELLO_MS = 5_000;
/** For requests without a deadline, and the longest that is granted. */
const DEADLINE_DEFAULT_MS = 30_000;
const DEADLINE_MAX_MS = 600_000;

export interface Call {
  /** Aborted when the deadline passes; the client has its NVE-RPC-004 then. What was started is to be rolled back or finished. */
  readonly signal: AbortSignal;
  readonly method: MethodName;
  /** How long the client waits from the moment that the request came, in ms. */
  readonly deadlineMs: number;
}

export type Handlers = {
  readonly [M in Exclude<MethodName, 'hello'>]?: (
    params: ParamsOf<M>,
    call: Call,
  ) => Promise<ResultOf<M>> | ResultOf<M>;
};

export interface RpcServerOptions {
  readonly socket: string;
  readonly role: 'agent' | 'tnve' | 'nva';
  readonly name: string;
  readonly handlers: Handlers;
  /** A connection that ended in an error. */
  readonly onProblem?: (error: Error) => void;
}

export class RpcServer {
  readonly #options: RpcServerOptions;
  readonly #server: Server;
  readonly #peers = new Set<Peer>();

  private constructor(options: RpcServerOptions) {
    this.#options = options;
    this.#server = createServer((socket) => this.#accept(socket));
  }

  /** Throws an `NveError` if the socket cannot be had. */
  static async listen(options: RpcServerOptions): Promise<RpcServer> {
    const server = new RpcServer(options);
    await listenOnSocket(server.#server, options.socket);
    return server;
  }

  /** To everybody who said hello. */
  notify<T extends TopicName>(topic: T, data: TopicData<T>): void {
    for (const peer of this.#peers) peer.notify(topic, data);
  }

  /** Ends all connections; open requests are not answered. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const peer of this.#peers) peer.close();
    await closed;
  }

  #accept(socket: Socket): void {
    if (this.#peers.size >= CONNECTIONS_MAX) {
      socket.destroy();
      this.#options.onProblem?.(nveError('NVE-RPC-008', { what: 'RPC connections', limit: CONNECTIONS_MAX }));
      return;
    }
    const peer: Peer = new Peer(socket, this.#options, (error) => {
      this.#peers.delete(peer);
      if (error !== undefined) this.#options.onProblem?.(error);
    });
    this.#peers.add(peer);
  }
}

/** One client. */
class Peer {
  readonly #options: RpcServerOptions;
  readonly #connection: RpcConnection;
  readonly #open = new Map<number, AbortController>();
  readonly #helloTimer: NodeJS.Timeout;
  #greeted = false;

  constructor(socket: Socket, options: RpcServerOptions, onEnd: (error: Error | undefined) => void) {
    this.#options = options;
    this.#helloTimer = setTimeout(() => this.#connection.destroy(), HELLO_MS);
    this.#connection = new RpcConnection(
      socket,
      (message) => this.#receive(message),
      (error) => {
        clearTimeout(this.#helloTimer);
        // What the client began goes on: it may ask again, and finds what is so.
        this.#open.clear();
        onEnd(error);
      },
    );
  }

  notify(topic: string, data: Readonly<Record<string, unknown>>): void {
    if (this.#greeted) this.#connection.send({ type: 'notification', topic, data });
  }

  close(): void {
    this.#connection.destroy();
  }

  #receive(message: RpcMessage): void {
    if (message.type !== 'request' || this.#open.has(message.id)) {
      this.#connection.destroy();
    } else if (!this.#greeted || message.method === 'hello') {
      const problem = this.#hello(message);
      if (problem === undefined) return;
      this.#answer(message.id, problem);
      this.#connection.end();
    } else {
      const problem = this.#call(message);
      if (problem !== undefined) this.#answer(message.id, problem);
    }
  }

  #hello(message: RpcRequest): NveError | undefined {
    if (message.method !== 'hello') return nveError('NVE-RPC-006', { method: message.method });
    const params = METHODS.hello.params.safeParse(message.params);
    if (!params.success) return nveError('NVE-RPC-003', { method: 'hello', problem: firstProblem(params.error) });
    const { versions } = params.data;
    if (!versions.includes(RPC_VERSION))
      return nveError('NVE-RPC-005', { offered: versions, supported: [RPC_VERSION] });
    clearTimeout(this.#helloTimer);
    this.#greeted = true;
    const { role, name } = this.#options;
    this.#answer(message.id, { version: RPC_VERSION, role, name } satisfies ResultOf<'hello'>);
    return undefined;
  }

  /** Runs the method, or gives the reason why not. */
  #call(message: RpcRequest): NveError | undefined {
    const { method } = message;
    if (this.#open.size >= OPEN_REQUESTS_MAX)
      return nveError('NVE-RPC-008', { what: 'open requests', limit: OPEN_REQUESTS_MAX });
    const { role, handlers } = this.#options;
    if (!isMethod(method) || method === 'hello' || handlers[method] === undefined)
      return nveError('NVE-RPC-002', { method, role });
    const params = METHODS[method].params.safeParse(message.params);
    if (!params.success) return nveError('NVE-RPC-003', { method, problem: firstProblem(params.error) });
    this.#run(message, method, params.data);
    return undefined;
  }

  /** Runs the handler; the client gets its answer, or NVE-RPC-004 at the deadline, whichever is first. */
  #run(message: RpcRequest, method: Exclude<MethodName, 'hello'>, params: unknown): void {
    const { id } = message;
    const deadlineMs = Math.min(message.deadlineMs ?? DEADLINE_DEFAULT_MS, DEADLINE_MAX_MS);
    const controller = new AbortController();
    this.#open.set(id, controller);
    const finish = (outcome: unknown): void => {
      clearTimeout(timer);
      if (this.#open.get(id) !== controller) return;
      this.#open.delete(id);
      this.#answer(id, outcome);
    };
    const timer = setTimeout(() => {
      const error = nveError('NVE-RPC-004', { method, deadline_ms: deadlineMs });
      controller.abort(error);
      // The handler's own answer to the abort, if it gives one at once, is the better informed.
      setImmediate(finish, error);
    }, deadlineMs);
    // The table's types tie params and handler together; the compiler cannot follow a union of methods that far.
    const handler = this.#options.handlers[method] as (params: unknown, call: Call) => unknown;
    const run = async (): Promise<unknown> => handler(params, { signal: controller.signal, method, deadlineMs });
    run().then(finish, (caught: unknown) => finish(toNveError(caught)));
  }

  #answer(id: number, outcome: unknown): void {
    const answer = (value: unknown): NveError | undefined =>
      this.#connection.send({
        type: 'response',
        id,
        outcome: value instanceof Error ? { ok: false, error: toNveError(value).toMap() } : { ok: true, value },
      });
    const problem = answer(outcome);
    if (problem === undefined) return;
    this.#options.onProblem?.(problem);
    // The answer itself could not be sent: tell at least that. If even this fails, end the connection rather than leave the client waiting.
    if (answer(problem) !== undefined) this.#connection.destroy();
  }
}
