/**
 * The embedded NVA over sockets: accepts NVEs, runs one `NnpServerSession` of `protocol` for each, and keeps them together
 * with the authority. All that is allowed and so is the authority's; all that is protocol is the session's.
 */
import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import { err, NveError, type NveId, nveError, ok, type Result, type VnInfo, type VnName } from '#model';
import { type NnpServerEffect, type NnpServerEvent, NnpServerSession } from '#protocol';
import type { TlsPeer } from '#tls';
import { formatNvaAddress } from '../address.js';
import { Alarm, type Clock, systemClock } from '../clock.js';
import { nameIn, notNamed, type OwnIdentity, readIdentity } from '../identity.js';
import { NnpSocket } from '../nnp-socket.js';
import type { NvaAddress } from '../types.js';
import type { NvaRefusals, NvaServerApi, NvaServerOptions, NvaSessionListing, VnListing } from './api.js';
import { Authority } from './authority.js';
import { Journal } from './journal.js';
import { type Listeners, listenOn } from './listen.js';
import { Outbox } from './outbox.js';
import { readRecords } from './records.js';

const HOLD_MS = 90_000;
const AUTH_TTL_S = 300;
const SETTLE_MS = 30_000;
const MAX_CONNECTIONS = 1024;
/** What is refused all the time is told once in so long; all of it is counted. */
const TELL_MS = 10_000;

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
  /** New sessions are refused for this; `emptied` is called when the last one has gone. */
  #draining: { readonly error: NveError; emptied: () => void } | null = null;
  #identity: OwnIdentity | null;
  #refused: NvaRefusals = { count: 0, last: null };
  #toldAt = Number.NEGATIVE_INFINITY;
  #lastId = 0;
  /** The authority has changed since the sessions were told. */
  #changed = false;
  #telling = false;

  /**
   * Fails if the configuration contradicts itself (NVE-NVA-009), the store is damaged (NVE-STO-002), or the files of TLS are not
   * what they should be (NVE-TLS-001, NVE-NNP-014).
   */
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
    const identity = ownIdentity(options);
    if (!identity.ok) return identity;
    server = new NvaServer(options, authority.value, journal, clock, identity.value);
    return ok(server);
  }

  private constructor(
    options: NvaServerOptions,
    authority: Authority,
    journal: Journal,
    clock: Clock,
    identity: OwnIdentity | null,
  ) {
    this.#options = options;
    this.#identity = identity;
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
    const { listen, tls } = this.#options;
    const listeners = await listenOn(listen, tls, {
      accept: (socket, peer) => this.#accept(socket, peer),
      refused: (reason, error) => this.#refuse(error, reason),
    });
    if (!listeners.ok) return listeners;
    this.#listeners = listeners.value;
    return ok(listeners.value.addresses);
  }

  async drain(reason: string, graceMs: number): Promise<void> {
    const error = nveError('NVE-NNP-016', { nva: this.#options.authority.nvaId, reason });
    const draining = { error, emptied: () => {} };
    this.#draining = draining;
    await new Promise<void>((resolve) => {
      const cancel = this.#clock.after(graceMs, resolve);
      draining.emptied = () => {
        cancel();
        resolve();
      };
      for (const connection of [...this.#connections]) this.#run(connection, { type: 'goAway', error, graceMs });
      if (this.#connections.size === 0) draining.emptied();
    });
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

  renewTls(): Result<null> {
    const identity = ownIdentity(this.#options);
    if (!identity.ok) return identity;
    try {
      this.#listeners?.renew();
    } catch (caught) {
      if (caught instanceof NveError) return err(caught);
      throw caught;
    }
    this.#identity = identity.value;
    return ok(null);
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

  refusals(): NvaRefusals {
    return this.#refused;
  }

  get epoch(): string {
    return this.#authority.epoch;
  }

  #accept(raw: Socket, peer: TlsPeer | null): void {
    const limit = this.#options.maxConnections ?? MAX_CONNECTIONS;
    const { sessionLimits, timing } = this.#options;
    const identity = this.#identify(peer);
    const alternates = this.#options.alternates?.map(({ address, ...rest }) => ({
      name: formatNvaAddress(address),
      ...rest,
    }));
    const certified = typeof identity === 'string' ? { certified: identity } : {};
    const session = new NnpServerSession(this.#authority, { limits: sessionLimits, timing, alternates, ...certified });
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
    if (identity instanceof NveError) this.#run(connection, { type: 'end', error: identity });
    else if (this.#draining !== null) this.#run(connection, { type: 'end', error: this.#draining.error });
    else if (this.#connections.size > limit) {
      this.#run(connection, { type: 'end', error: nveError('NVE-NVA-007', { limit, what: 'connections' }) });
    }
  }

  /** The NVE of the certificate, or why that is none; null: the transport says nothing of it. */
  #identify(peer: TlsPeer | null): string | NveError | null {
    if (peer === null) return null;
    if ('problem' in peer) return nveError('NVE-NNP-013', { reason: peer.problem });
    const { domain = '' } = this.#identity ?? {};
    const wrong = notNamed(peer.certificate, "the NVE's certificate", 'nve', domain);
    return wrong ?? nameIn(peer.certificate);
  }

  #refuse(error: Error, cause: string): void {
    this.#refused = { count: this.#refused.count + 1, last: error.message };
    const now = this.#clock.now();
    if (now - this.#toldAt < TELL_MS) return;
    this.#toldAt = now;
    this.#options.log?.warn({ cause, refused: this.#refused.count }, `no session: ${error.message}`);
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
    if (this.#connections.size === 0) this.#draining?.emptied();
    connection.alarm.set(null);
    if (error?.code === 'NVE-NNP-013' || error?.code === 'NVE-NNP-014') this.#refuse(error, error.code);
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

function ownIdentity({ tls, authority }: NvaServerOptions): Result<OwnIdentity | null> {
  return tls === undefined ? ok(null) : readIdentity(tls, 'nva', authority.nvaId);
}
