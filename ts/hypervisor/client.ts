// One connection of an RPC client: requests with deadlines, answers checked against methods.ts, notifications. When it ends it is
// over; hypervisor-client.ts makes the next one.

import type { Socket } from 'node:net';
import { foreignError, type NveError, nveError, type Result } from '#model';
import { MAX_FRAME, RPC_VERSION, type RpcMessage, type RpcResponse } from '#wire';
import { RpcConnection } from './connection.js';
import { endpointText, openEndpoint, type RpcEndpoint } from './endpoint.js';
import {
  firstProblem,
  METHODS,
  type MethodName,
  type ParamsIn,
  type ResultOf,
  TOPICS,
  type TopicData,
  type TopicName,
} from './methods.js';

const DEADLINE_MS = 10_000;
/** What the server is given beyond the deadline to say itself that it passed. */
const GRACE_MS = 1_000;

export interface RequestOptions {
  /** How long to wait for the answer, in ms; 10,000 by default. */
  readonly deadlineMs?: number | undefined;
}

export interface RpcClientSettings extends RequestOptions {
  /** Who is calling, for the server's log. */
  readonly client?: string;
  readonly onNotification?: <T extends TopicName>(topic: T, data: TopicData<T>) => void;
  readonly onEnd?: (error: NveError) => void;
}

export type RpcClientOptions = RpcEndpoint & RpcClientSettings;

interface Open {
  readonly method: MethodName;
  readonly settle: (response: RpcResponse['outcome'] | NveError) => void;
}

export class RpcClient {
  readonly #options: RpcClientOptions;
  readonly #connection: RpcConnection;
  readonly #open = new Map<number, Open>();
  #nextId = 1;
  #ended: NveError | undefined;
  #server: ResultOf<'hello'> | undefined;

  private constructor(options: RpcClientOptions, socket: Socket) {
    this.#options = options;
    this.#connection = new RpcConnection(
      socket,
      MAX_FRAME,
      (message) => this.#receive(message),
      (error) => this.#end(error),
    );
  }

  /** Connects and says hello. Rejects as `openEndpoint`, or with NVE-RPC-012 or -016 if the server does not know or accept the certificate. */
  static async connect(options: RpcClientOptions): Promise<RpcClient> {
    const client = new RpcClient(options, await openEndpoint(options, options.deadlineMs ?? DEADLINE_MS));
    try {
      client.#server = await client.request(
        'hello',
        { versions: [RPC_VERSION], client: options.client ?? 'splitnve' },
        options,
      );
      return client;
    } catch (error) {
      client.close();
      throw error;
    }
  }

  /** Who is at the other end. */
  get server(): ResultOf<'hello'> {
    if (this.#server === undefined) throw nveError('NVE-SYS-003', { reason: 'no hello yet' });
    return this.#server;
  }

  /** Rejects with the server's error, NVE-RPC-004 when the deadline passes, NVE-RPC-007 when the connection ends before the answer. */
  request<M extends MethodName>(method: M, params: ParamsIn<M>, options: RequestOptions = {}): Promise<ResultOf<M>> {
    const deadlineMs = options.deadlineMs ?? this.#options.deadlineMs ?? DEADLINE_MS;
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) return reject(this.#ended);
      const id = this.#takeId();
      const timer = setTimeout(() => {
        this.#open.get(id)?.settle(nveError('NVE-RPC-004', { method, deadline_ms: deadlineMs }));
      }, deadlineMs + GRACE_MS);
      const settle: Open['settle'] = (outcome) => {
        clearTimeout(timer);
        this.#open.delete(id);
        const result = checked(method, outcome);
        if (result.ok) resolve(result.value);
        else reject(result.error);
      };
      this.#open.set(id, { method, settle });
      const problem = this.#connection.send({ type: 'request', id, method, params: { ...params }, deadlineMs });
      if (problem !== undefined) settle(problem);
    });
  }

  close(): void {
    this.#connection.destroy();
  }

  #takeId(): number {
    const id = this.#nextId;
    this.#nextId = id === 0xffff_ffff ? 1 : id + 1;
    return id;
  }

  #receive(message: RpcMessage): void {
    switch (message.type) {
      case 'response':
        // An answer to what we no longer wait for is no error: the deadline was first.
        this.#open.get(message.id)?.settle(message.outcome);
        return;
      case 'notification': {
        if (!Object.hasOwn(TOPICS, message.topic)) return;
        const topic = message.topic as TopicName;
        const data = TOPICS[topic].safeParse(message.data);
        if (data.success) this.#options.onNotification?.(topic, data.data);
        return;
      }
      case 'request':
        this.#connection.destroy();
    }
  }

  #end(error: Error | undefined): void {
    const socket = endpointText(this.#options);
    this.#ended = nveError('NVE-RPC-007', { socket, method: 'a request' }, error);
    for (const { method, settle } of [...this.#open.values()])
      settle(nveError('NVE-RPC-007', { socket, method }, error));
    this.#options.onEnd?.(this.#ended);
  }
}

function checked<M extends MethodName>(method: M, outcome: RpcResponse['outcome'] | NveError): Result<ResultOf<M>> {
  if (outcome instanceof Error) return { ok: false, error: outcome };
  if (!outcome.ok)
    return { ok: false, error: foreignError(outcome.error.code, outcome.error.context, outcome.error.message) };
  const result = METHODS[method].result.safeParse(outcome.value);
  if (result.success) return { ok: true, value: result.data as ResultOf<M> };
  return {
    ok: false,
    error: nveError('NVE-WIRE-003', {
      at: `the answer to ${method}`,
      got: 'something else',
      expected: firstProblem(result.error),
    }),
  };
}
