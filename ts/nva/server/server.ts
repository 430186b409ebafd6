/**
 * The embedded NVA over sockets: accepts NVEs, runs one `NnpServerSession` of `protocol` for each, and keeps them together
 * with the authority. All that is allowed and so is the authority's; all that is protocol is the session's.
 */
import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import { type NveError, type NveId, nveError, ok, type Result, type VnInfo, type VnName } from '#model';
import { type NnpServerEffect, type NnpServerEvent, NnpServerSession } from '#protocol';
import { Alarm, type Clock, systemClock } from '../clock.js';
import { NnpSocket } from '../nnp-socket.js';
import type { NvaAddress } from '../types.js';
import type { NvaServerApi, NvaServerOptions, NvaSessionListing, VnListing } from './api.js';
import { Authority } from './authority.js';
import { Journal } from './journal.js';
import { type Listeners, listenOn } from './listen.js';
import { Outbox } from './outbox.js';
import { readRecords } from './records.js';

const HOLD_MS = 90_000;
const AUTH_TTL_S = 300;
const SETTLE_MS = 30_000;
const MAX_CONNECTIONS = 1024;

interface Connection {
  readonly id: number;
  readonly outbox: Outbox;
  readonly session: NnpServerSession;
  readonly alarm: Alarm;
  readonly since: number;
  /** The session waits for `writable`. */
  waits: boolean;
}

export class NvaServer implements NvaServerApi {
  readonly #options: NvaServerOptions;
  readonly #authority: Authority;
  readonly #journal: Journal;
  readonly #clock: Clock;
  /** For the leases. */
  readonly #alarm: Alarm;
  readonly #connections = new Set<Connection>();
  /** Of sessions that are over: their last words wait for the journal. */
  readonly #leaving = new Set<Outbox>();
  /** The one session of each NVE. */
  readonly #current = new Map<NveId, Connection>();
  #listeners: Listeners | null = null;
  #lastId = 0;
  /** The authority has changed since the sessions were told. */
  #changed = false;
  #telling = false;

  /** Fails if the configuration contradicts itself (NVE-NVA-009), or the store is damaged (NVE-STO-002). */
  static create(options: NvaServerOptions): Result<NvaServer> {
    const { store = null } = options;
    const remembered = store === null ? ok(null) : readRecords(store);
    if (!remembered.ok) return remembered;
    const clock = options.clock ?? systemClock;
    const { authority: config, holdMs = HOLD_MS, authTtlS = AUTH_TTL_S, settleMs = SETTLE_MS, limits } = options;
    const journal = new Journal(store, {
      durable: () => {
        if (server !== null) server.#release();
      },
      failed: (error) => options.log?.warn({ cause: error.code }, `${error.message}: NVEs hear nothing until it is`),
    });
    let server: NvaServer | null = null;
    const authority = Authority.create({
      config,
      epoch: randomUUID(),
      now: clock.now(),
      holdMs,
      authTtlS,
      settleMs,
      remembered: remembered.value,
      put: (key, value) => journal.put(key, value),
      ...(limits && { limits }),
    });
    if (!authority.ok) return authority;
    server = new NvaServer(options, authority.value, journal, clock);
    return ok(server);
  }

  private constructor(options: NvaServerOptions, authority: Authority, journal: Journal, clock: Clock) {
    this.#options = options;
    this.#authority = authority;
    this.#journal = journal;
    this.#clock = clock;
    this.#alarm = new Alarm(clock, () => {
      for (const nveId of authority.expireLeases(clock.now())) {
        options.log?.warn({ nve: nveId }, 'NVE did not come back: its reports are dropped');
      }
      this.#tell();
    });
    this.#alarm.set(authority.nextLease());
  }

  async listen(): Promise<Result<readonly NvaAddress[]>> {
    const listeners = await listenOn(this.#options.listen, (socket) => this.#accept(socket));
    if (!listeners.ok) return listeners;
    this.#listeners = listeners.value;
    return ok(listeners.value.addresses);
  }

  async close(): Promise<void> {
    const closed = this.#listeners?.close();
    this.#listeners = null;
    for (const { outbox, alarm } of this.#connections) {
      alarm.set(null);
      outbox.drop();
    }
    this.#connections.clear();
    this.#current.clear();
    this.#alarm.set(null);
    await closed;
    await this.#journal.close();
  }

  putVn(info: VnInfo): Result<null> {
    const result = this.#authority.putVn(info);
    this.#tell();
    return result;
  }

  deleteVn(name: VnName): Result<null> {
    const result = this.#authority.deleteVn(name);
    this.#tell();
    return result;
  }

  written(): Promise<Result<null>> {
    return this.#journal.written();
  }

  list(): VnListing[] {
    return this.#authority.list();
  }

  sessions(): NvaSessionListing[] {
    const now = this.#clock.now();
    return [...this.#current].map(([nveId, { session, since }]) => {
      return { nveId, upMs: now - since, subscriptions: session.subscriptions() };
    });
  }

  get epoch(): string {
    return this.#authority.epoch;
  }

  #accept(raw: Socket): void {
    const limit = this.#options.maxConnections ?? MAX_CONNECTIONS;
    const { sessionLimits, timing } = this.#options;
    const session = new NnpServerSession(this.#authority, sessionLimits, timing);
    const socket = new NnpSocket(raw, {
      frame: (frame) => this.#run(connection, { type: 'frame', frame }),
      garbled: (error) => this.#run(connection, { type: 'garbled', error }),
      closed: () => {
        this.#run(connection, { type: 'closed' });
        this.#gone(connection, null);
      },
    });
    this.#lastId += 1;
    const outbox = new Outbox(socket, this.#journal);
    const alarm = new Alarm(this.#clock, () => this.#run(connection, { type: 'tick' }));
    const connection: Connection = { id: this.#lastId, outbox, session, alarm, since: this.#clock.now(), waits: false };
    this.#connections.add(connection);
    this.#run(connection, { type: 'open' });
    if (this.#connections.size > limit) {
      this.#run(connection, { type: 'end', error: nveError('NVE-NVA-007', { limit, what: 'connections' }) });
    }
  }

  #run(connection: Connection, event: NnpServerEvent): void {
    if (!this.#connections.has(connection)) return;
    const { session, alarm } = connection;
    for (const effect of session.handle(event, this.#clock.now())) this.#execute(connection, effect);
    if (connection.outbox.full && !connection.waits) {
      session.handle({ type: 'full' }, this.#clock.now());
      this.#waitForRoom(connection);
    }
    if (this.#connections.has(connection)) alarm.set(session.nextDeadline(this.#clock.now()));
    if (this.#changed) this.#tell();
  }

  #execute(connection: Connection, effect: NnpServerEffect): void {
    switch (effect.type) {
      case 'send':
        connection.outbox.send(effect.frame);
        break;
      case 'close':
        if (connection.outbox.end()) this.#leaving.add(connection.outbox);
        this.#gone(connection, effect.error);
        break;
      case 'more':
        this.#waitForRoom(connection);
        break;
      case 'greeted':
        this.#greeted(connection, effect.nveId);
        break;
      case 'changed':
        this.#changed = true;
        break;
      case 'nacked': {
        const { nveId, vn, code, text } = effect;
        this.#options.log?.warn({ nve: nveId, vn, code, text }, 'NVE could not apply a mapping');
        break;
      }
    }
  }

  #waitForRoom(connection: Connection): void {
    if (connection.waits) return;
    connection.waits = true;
    connection.outbox.whenWritten(() => {
      connection.waits = false;
      this.#run(connection, { type: 'writable' });
    });
  }

  #greeted(connection: Connection, nveId: NveId): void {
    const older = this.#current.get(nveId);
    this.#current.set(nveId, connection);
    this.#options.log?.info({ nve: nveId, connection: connection.id }, 'NVE connected');
    if (older !== undefined) this.#run(older, { type: 'end', error: nveError('NVE-NNP-007', { nve: nveId }) });
  }

  #gone(connection: Connection, error: NveError | null): void {
    if (!this.#connections.delete(connection)) return;
    connection.alarm.set(null);
    const { nveId } = connection.session;
    const cause = error === null ? 'the connection ended' : `${error.code}: ${error.message}`;
    this.#options.log?.info({ nve: nveId, connection: connection.id, cause }, 'NVE disconnected');
    if (nveId === null || this.#current.get(nveId) !== connection) return;
    this.#current.delete(nveId);
    this.#authority.lost(nveId, this.#clock.now());
    this.#alarm.set(this.#authority.nextLease());
  }

  /** The journal has written more: what waited for it goes. */
  #release(): void {
    for (const { outbox } of this.#connections) outbox.release();
    for (const outbox of this.#leaving) if (!outbox.release()) this.#leaving.delete(outbox);
  }

  /** Every session writes what its NVE lacks now. */
  #tell(): void {
    this.#changed = true;
    if (this.#telling) return;
    this.#telling = true;
    while (this.#changed) {
      this.#changed = false;
      for (const connection of [...this.#connections]) this.#run(connection, { type: 'changed' });
    }
    this.#telling = false;
    this.#alarm.set(this.#authority.nextLease());
  }
}
