// The client library for hypervisors: attach a tenant's interface to a VN by name, learn the tag, hear when the NVE changes its mind.
// It keeps a connection while it is started, and makes one for a request when it is not.

import { type NveError, toNveError } from '#model';
import { type RequestOptions, RpcClient } from './client.js';
import type { RpcEndpoint } from './endpoint.js';
import { type MethodName, type ParamsIn, type ResultOf, TOPICS, type TopicData, type TopicName } from './methods.js';
import type {
  ShowAclRow,
  ShowDropsRow,
  ShowFdbRow,
  ShowFloodRow,
  ShowMemoryRow,
  ShowNeighRow,
  ShowNvaRow,
  ShowNveRow,
  ShowPortsRow,
  ShowVapRow,
  ShowVdpRow,
  ShowVnRow,
  TraceRow,
  TsiListRow,
  VnConnectionRow,
  VnListRow,
} from './rows.js';

const RETRY_FIRST_MS = 100;
const RETRY_MAX_MS = 5_000;

export type HypervisorClientOptions = RpcEndpoint &
  RequestOptions & {
    /** Who is calling, for the server's log. */
    readonly client?: string;
  };

export interface HypervisorEvents {
  /** There is a connection (again). */
  connected: ResultOf<'hello'>;
  /** There is none: it was lost, or could not be made. Told once until the next `connected`. */
  disconnected: NveError;
  /** A TSI changed for another reason than a request of ours. */
  tsi: TopicData<'tsi'>;
  /** A TSI went from one state to another, for whatever reason. */
  transition: TopicData<'transition'>;
  /** An access link has got or lost its carrier. */
  link: TopicData<'link'>;
}

/** What `show` can show, and the row of each. */
export interface ShowRows {
  vn: ShowVnRow;
  vap: ShowVapRow;
  fdb: ShowFdbRow;
  drops: ShowDropsRow;
  ports: ShowPortsRow;
  nve: ShowNveRow;
  flood: ShowFloodRow;
  neigh: ShowNeighRow;
  acl: ShowAclRow;
  memory: ShowMemoryRow;
  nva: ShowNvaRow;
  vdp: ShowVdpRow;
}

type Listeners = { [E in keyof HypervisorEvents]: Set<(event: HypervisorEvents[E]) => void> };

export class HypervisorClient {
  readonly #options: HypervisorClientOptions;
  readonly #listeners: Listeners = {
    connected: new Set(),
    disconnected: new Set(),
    tsi: new Set(),
    transition: new Set(),
    link: new Set(),
  };
  #connecting: Promise<RpcClient> | undefined;
  #connection: RpcClient | undefined;
  #started = false;
  #told = false;
  #retryMs = RETRY_FIRST_MS;
  #retry: NodeJS.Timeout | undefined;

  constructor(options: HypervisorClientOptions) {
    this.#options = options;
  }

  /** From now on a lost connection is made again, until `close`. */
  start(): void {
    if (this.#started) return;
    this.#started = true;
    this.#keep();
  }

  close(): void {
    this.#started = false;
    clearTimeout(this.#retry);
    this.#connection?.close();
    this.#connection = undefined;
    // One that is being made is dropped when it is there.
    void this.#connecting?.then((made) => made.close()).catch(() => undefined);
  }

  /**
   * Listens; the result ends it. What happened while there was no connection is not told afterwards: on `connected`, `list` says what
   * is so now.
   */
  on<E extends keyof HypervisorEvents>(event: E, listener: (data: HypervisorEvents[E]) => void): () => void {
    this.#listeners[event].add(listener);
    const connection = this.#connection ?? this.#connecting;
    void Promise.resolve(connection)
      .then((made) => made && this.#watch(made))
      .catch(() => undefined);
    return () => this.#listeners[event].delete(listener);
  }

  /** Any method; connects first if there is no connection. Rejects with an `NveError`. */
  async request<M extends MethodName>(method: M, params: ParamsIn<M>, options?: RequestOptions): Promise<ResultOf<M>> {
    const connection = await this.#connect();
    return connection.request(method, params, options);
  }

  hello(): Promise<ResultOf<'hello'>> {
    return this.#connect().then((connection) => connection.server);
  }

  /** Holds the VN and its tag on a link, as long as nobody disconnects it. */
  connectVn(params: ParamsIn<'vn.connect'>, options?: RequestOptions): Promise<VnConnectionRow> {
    return this.request('vn.connect', params, options);
  }

  /** Takes the VN off the link, with all its TSIs there. */
  async disconnectVn(params: ParamsIn<'vn.disconnect'>, options?: RequestOptions): Promise<void> {
    await this.request('vn.disconnect', params, options);
  }

  connections(options?: RequestOptions): Promise<VnConnectionRow[]> {
    return this.request('vn.connections', {}, options);
  }

  associate(params: ParamsIn<'tsi.associate'>, options?: RequestOptions): Promise<TsiListRow> {
    return this.request('tsi.associate', params, options);
  }

  activate(params: ParamsIn<'tsi.activate'>, options?: RequestOptions): Promise<TsiListRow> {
    return this.request('tsi.activate', params, options);
  }

  deactivate(params: ParamsIn<'tsi.deactivate'>, options?: RequestOptions): Promise<TsiListRow> {
    return this.request('tsi.deactivate', params, options);
  }

  async deassociate(params: ParamsIn<'tsi.deassociate'>, options?: RequestOptions): Promise<void> {
    await this.request('tsi.deassociate', params, options);
  }

  addAddresses(params: ParamsIn<'tsi.addresses.add'>, options?: RequestOptions): Promise<TsiListRow> {
    return this.request('tsi.addresses.add', params, options);
  }

  deleteAddresses(params: ParamsIn<'tsi.addresses.del'>, options?: RequestOptions): Promise<TsiListRow> {
    return this.request('tsi.addresses.del', params, options);
  }

  /** The VM does not run, and will again: nothing is forwarded, everything is kept. */
  suspend(params: ParamsIn<'tsi.suspend'>, options?: RequestOptions): Promise<TsiListRow> {
    return this.request('tsi.suspend', params, options);
  }

  resume(params: ParamsIn<'tsi.resume'>, options?: RequestOptions): Promise<TsiListRow> {
    return this.request('tsi.resume', params, options);
  }

  /** The VM is about to move; `activate` on the new link is the moment, `deassociate` on the old one the end. */
  migrate(params: ParamsIn<'tsi.migrate'>, options?: RequestOptions): Promise<TsiListRow> {
    return this.request('tsi.migrate', params, options);
  }

  attach(params: ParamsIn<'tsi.attach'>, options?: RequestOptions): Promise<TsiListRow> {
    return this.request('tsi.attach', params, options);
  }

  async detach(params: ParamsIn<'tsi.detach'>, options?: RequestOptions): Promise<void> {
    await this.request('tsi.detach', params, options);
  }

  /** All TSIs, over all pages. */
  list(options?: RequestOptions): Promise<TsiListRow[]> {
    return allPages((cursor) => this.request('tsi.list', { cursor }, options));
  }

  /** All rows of a table, over all its pages. */
  async show<K extends keyof ShowRows>(kind: K, options?: RequestOptions): Promise<ShowRows[K][]> {
    const method: `show.${keyof ShowRows}` = `show.${kind}`;
    return (await allPages<unknown>((cursor) => this.request(method, { cursor }, options))) as ShowRows[K][];
  }

  async inject(port: string, frame: Uint8Array, options?: RequestOptions): Promise<void> {
    await this.request('inject', { port, frame }, options);
  }

  /** What would become of a frame that came in by a port, or from the tenant at a VAP, whose tags it then gets. */
  trace(params: ParamsIn<'trace'>, options?: RequestOptions): Promise<TraceRow> {
    return this.request('trace', params, options);
  }

  addVn(params: ParamsIn<'vn.add'>, options?: RequestOptions): Promise<VnListRow> {
    return this.request('vn.add', params, options);
  }

  async deleteVn(name: string, options?: RequestOptions): Promise<void> {
    await this.request('vn.del', { name }, options);
  }

  listVns(options?: RequestOptions): Promise<VnListRow[]> {
    return this.request('vn.list', {}, options);
  }

  #connect(): Promise<RpcClient> {
    if (this.#connection !== undefined) return Promise.resolve(this.#connection);
    this.#connecting ??= RpcClient.connect({
      ...this.#options,
      onNotification: (topic, data) => this.#emit<TopicName>(topic, data),
      onEnd: (error) => this.#lost(error),
    })
      .then(async (connection) => {
        // First: what changes after `connected` is told.
        await this.#watch(connection);
        this.#connection = connection;
        this.#told = false;
        this.#retryMs = RETRY_FIRST_MS;
        this.#emit('connected', connection.server);
        return connection;
      })
      .finally(() => {
        this.#connecting = undefined;
      });
    return this.#connecting;
  }

  /** Watches the topics that somebody listens to. */
  async #watch(connection: RpcClient): Promise<void> {
    const topics = (Object.keys(TOPICS) as TopicName[]).filter((topic) => this.#listeners[topic].size > 0);
    if (topics.length > 0) await connection.request('watch', { topics });
  }

  #keep(): void {
    this.#connect().catch((error: unknown) => this.#failed(toNveError(error)));
  }

  #lost(error: NveError): void {
    // Not `connected` yet: the failed attempt is told by `#failed`.
    if (this.#connection === undefined) return;
    this.#connection = undefined;
    this.#failed(error);
  }

  #failed(error: NveError): void {
    if (!this.#told) this.#emit('disconnected', error);
    this.#told = true;
    if (!this.#started) return;
    clearTimeout(this.#retry);
    // Jitter: many clients of one server do not come back in the same moment.
    this.#retry = setTimeout(() => this.#keep(), this.#retryMs * (0.5 + Math.random() / 2));
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MAX_MS);
  }

  #emit<E extends keyof HypervisorEvents>(event: E, data: HypervisorEvents[E]): void {
    for (const listener of this.#listeners[event]) listener(data);
  }
}

async function allPages<T>(ask: (cursor: unknown) => Promise<{ rows: T[]; cursor?: unknown }>): Promise<T[]> {
  const rows: T[] = [];
  let cursor: unknown = null;
  do {
    const page = await ask(cursor);
    for (const row of page.rows) rows.push(row);
    cursor = page.cursor ?? null;
  } while (cursor !== null);
  return rows;
}
