// One client of the RPC server: its hello, its requests with their deadlines, the topics that it watches, and what it may do.

import type { Socket } from 'node:net';
import { type NveError, nveError, toNveError } from '#model';
import { MAX_FRAME, RPC_VERSION, type RpcMessage, type RpcRequest } from '#wire';
import type { Access } from './access.js';
import { RpcConnection } from './connection.js';
import { firstProblem, isMethod, METHODS, type MethodName, type ResultOf, type TopicName } from './methods.js';
import type { Call, Handlers } from './server.js';

const OPEN_REQUESTS_MAX = 64;
const HELLO_MS = 5_000;
/** Longest frame before hello, which itself is far shorter. */
const HELLO_FRAME_MAX = 4096;
/** For requests without a deadline, and the longest that is granted. */
const DEADLINE_DEFAULT_MS = 30_000;
const DEADLINE_MAX_MS = 600_000;

export interface PeerOptions {
  readonly role: 'agent' | 'tnve' | 'nva';
  readonly name: string;
  readonly handlers: Handlers;
  /** Something went wrong with the connection; it may go on. */
  readonly onProblem: (error: Error) => void;
  /** The connection is over. */
  readonly onEnd: () => void;
}

/** What the server itself answers. */
type Own = 'hello' | 'watch';

export class Peer {
  readonly #options: PeerOptions;
  readonly #access: Access | NveError;
  readonly #connection: RpcConnection;
  readonly #open = new Map<number, AbortController>();
  readonly #helloTimer: NodeJS.Timeout;
  #watched: ReadonlySet<TopicName> = new Set();
  #greeted = false;

  /** `access` may be the reason why the client may do nothing: its hello is answered with it. */
  constructor(socket: Socket, access: Access | NveError, options: PeerOptions) {
    this.#options = options;
    this.#access = access;
    this.#helloTimer = setTimeout(() => this.#connection.destroy(), HELLO_MS);
    this.#connection = new RpcConnection(
      socket,
      HELLO_FRAME_MAX,
      (message) => this.#receive(message),
      (error) => {
        clearTimeout(this.#helloTimer);
        // What the client began goes on: it may ask again, and finds what is so.
        this.#open.clear();
        if (error !== undefined) options.onProblem(error);
        options.onEnd();
      },
    );
  }

  /** A notification, if the client watches the topic and may know of the link. */
  notify(topic: TopicName, data: Readonly<Record<string, unknown>> & { readonly link: string }): void {
    if (this.#access instanceof Error || !this.#watched.has(topic) || !this.#access.mayUse(data.link)) return;
    this.#connection.send({ type: 'notification', topic, data });
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
      const problem = this.#call(message, this.#access);
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
    if (this.#access instanceof Error) {
      this.#options.onProblem(this.#access);
      return this.#access;
    }
    clearTimeout(this.#helloTimer);
    this.#greeted = true;
    this.#connection.allow(MAX_FRAME);
    const { role, name } = this.#options;
    this.#answer(message.id, { version: RPC_VERSION, role, name } satisfies ResultOf<'hello'>);
    return undefined;
  }

  /** Runs the method, or gives the reason why not. */
  #call(message: RpcRequest, access: Access | NveError): NveError | undefined {
    const { method } = message;
    if (access instanceof Error) return access;
    if (this.#open.size >= OPEN_REQUESTS_MAX)
      return nveError('NVE-RPC-008', { what: 'open requests', limit: OPEN_REQUESTS_MAX });
    const { role, handlers } = this.#options;
    if (!isMethod(method) || method === 'hello' || (method !== 'watch' && handlers[method] === undefined))
      return nveError('NVE-RPC-002', { method, role });
    const params = METHODS[method].params.safeParse(message.params);
    if (!params.success) return nveError('NVE-RPC-003', { method, problem: firstProblem(params.error) });
    const refusal = access.refusal(method, params.data);
    if (refusal !== undefined) return refusal;
    if (method === 'watch') this.#watch(message.id, params.data as ResultOf<'watch'>);
    else this.#run(message, method, params.data, access);
    return undefined;
  }

  #watch(id: number, { topics }: ResultOf<'watch'>): void {
    this.#watched = new Set(topics);
    this.#answer(id, { topics: [...this.#watched] } satisfies ResultOf<'watch'>);
  }

  /** Runs the handler; the client gets its answer, or NVE-RPC-004 at the deadline, whichever is first. */
  #run(message: RpcRequest, method: Exclude<MethodName, Own>, params: unknown, access: Access): void {
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
    const call: Call = { signal: controller.signal, method, deadlineMs, mayUse: (link) => access.mayUse(link) };
    const run = async (): Promise<unknown> => handler(params, call);
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
    this.#options.onProblem(problem);
    // The answer itself could not be sent: tell at least that. If even this fails, end the connection rather than leave the client waiting.
    if (answer(problem) !== undefined) this.#connection.destroy();
  }
}
