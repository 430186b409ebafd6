// `splitnve tnve`: the hypervisor's side. An attachment asks the agent first (which gives tag and MTU), then makes the tenant's port and
// the switching here, then activates at the agent; a detachment goes the same way back, and a failure rolls back what was done. It
// asks again when the agent comes back or has ended a TSI that may be asked for again.

import type { Logger } from 'pino';
import type { Engine } from '#dataplane';
import {
  type Call,
  type Handlers,
  HypervisorClient,
  type NewPort,
  type ParamsOf,
  RpcServer,
  type TopicData,
  type TsiListRow,
} from '#hypervisor';
import { type NveError, nveError, type TnveConfig, type TsiId, toNveError } from '#model';
import { Reconciler } from '../engine/reconciler.js';
import { showHandlers } from '../engine/show.js';
import { KeyedQueue } from '../queue.js';
import type { Kernel } from './kernel.js';
import { Switching } from './switching.js';
import { rowOf, type TnveTsi } from './tsi.js';

export interface TnveParts {
  readonly config: TnveConfig;
  readonly engine: Engine;
  readonly log: Logger;
  readonly kernel: Kernel;
  /** The engine failed: the tNVE cannot go on. */
  readonly onFailure: (error: NveError) => void;
}

type AttachParams = Omit<ParamsOf<'tsi.attach'>, 'link'> & { readonly newPort: NewPort };

/** What a roll-back or a leave may take at the agent. */
const CLEANUP_MS = 5_000;
const RETRY_FIRST_MS = 1_000;
const RETRY_MAX_MS = 30_000;

export class Tnve {
  readonly #parts: TnveParts;
  readonly #log: Logger;
  readonly #agent: HypervisorClient;
  readonly #reconciler: Reconciler;
  readonly #switching: Switching;
  readonly #queue = new KeyedQueue<TsiId>();
  readonly #making = new KeyedQueue<string>();
  readonly #tsis = new Map<TsiId, TnveTsi>();
  /** Detached here while the agent was away: it still has to hear of it. */
  readonly #toLeave = new Set<TsiId>();
  readonly #retries = new Map<TsiId, { timer: NodeJS.Timeout; delay: number }>();
  #rpc: RpcServer | undefined;
  #closed = false;

  private constructor(parts: TnveParts) {
    const { config, engine, log } = parts;
    this.#parts = parts;
    this.#log = log;
    this.#reconciler = new Reconciler(engine, log, parts.onFailure);
    this.#switching = new Switching(this.#reconciler, config);
    this.#agent = new HypervisorClient({ socket: config.nve.socket, client: config.node.name });
  }

  /** Resolves when the uplink is up and the RPC is served; the agent may come later. */
  static async start(parts: TnveParts): Promise<Tnve> {
    const tnve = new Tnve(parts);
    try {
      await tnve.#start();
      return tnve;
    } catch (error) {
      await tnve.close();
      throw error;
    }
  }

  async #start(): Promise<void> {
    const { config, engine } = this.#parts;
    await this.#switching.start();
    engine.onEvent((event) => {
      this.#log.debug({ component: 'engine', ...event }, `engine: ${event.kind}`);
      if (event.kind === 'poller_failed')
        this.#parts.onFailure(nveError('NVE-ENG-000', { reason: `poller ${event.poller}: ${event.message}` }));
    });
    this.#agent.on('connected', ({ name }) => this.#agentCame(name));
    this.#agent.on('disconnected', (error) => {
      this.#log.warn(
        { component: 'agent', cause: error.code },
        `the agent is away, switching goes on: ${error.message}`,
      );
    });
    this.#agent.on('tsi', (data) => this.#agentChanged(data));
    this.#agent.start();
    const { socket } = config.rpc;
    const onProblem = (error: Error): void =>
      this.#log.warn({ component: 'rpc', cause: toNveError(error).code }, error.message);
    this.#rpc = await RpcServer.listen({
      socket,
      role: 'tnve',
      name: config.node.name,
      handlers: this.#handlers(),
      onProblem,
    });
    this.#log.info({ component: 'tnve', socket }, 'ready');
  }

  /** Takes the TSIs away from the agent, if it is there; their ports go with the engine. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const { timer } of this.#retries.values()) clearTimeout(timer);
    await this.#rpc?.close();
    await this.#queue.idle();
    const { link } = this.#parts.config.nve;
    const leaving = [...this.#tsis.keys(), ...this.#toLeave].map((tsi) =>
      this.#agent.deassociate({ tsi, link }, { deadlineMs: CLEANUP_MS }),
    );
    await Promise.allSettled(leaving);
    this.#agent.close();
    await this.#reconciler.stop();
  }

  #handlers(): Handlers {
    const names = {
      ports: this.#switching.ports,
      vnName: (vn: Parameters<Switching['vnName']>[0]) => this.#switching.vnName(vn),
      tsiOf: (vn: Parameters<Switching['vnName']>[0], mac: TnveTsi['macs'][number]) => {
        const name = this.#switching.vnName(vn);
        return [...this.#tsis.values()].find((tsi) => tsi.vn === name && tsi.macs.includes(mac))?.tsi ?? null;
      },
      nveOf: () => null,
    };
    return {
      'tsi.attach': ({ link, ...params }, call) => {
        if (typeof link === 'string')
          throw nveError('NVE-RPC-003', {
            method: 'tsi.attach',
            problem: 'link: a tNVE needs a port to make: {kind, iface, netns}',
          });
        return this.#queue.run(params.tsi, () => this.#attach({ ...params, newPort: link }, call));
      },
      'tsi.detach': ({ tsi }) => this.#queue.run(tsi, () => this.#detach(tsi)),
      'tsi.list': () => [...this.#tsis.values()].map((tsi) => this.#row(tsi)),
      ...showHandlers(this.#parts.engine, names),
    };
  }

  #row(tsi: TnveTsi): TsiListRow {
    return rowOf(tsi, this.#parts.config.nve.link);
  }

  // Attach and detach

  async #attach(params: AttachParams, call: Call): Promise<TsiListRow> {
    const known = this.#tsis.get(params.tsi);
    if (known !== undefined) {
      if (!isSame(known, params)) {
        throw nveError('NVE-RPC-003', {
          method: 'tsi.attach',
          problem: `TSI ${params.tsi} is attached with other values: detach it first`,
        });
      }
      if (known.state !== 'activated') {
        known.ended = false;
        await this.#associateAgain(known, call.deadlineMs);
      }
      return this.#row(known);
    }
    this.#parts.kernel.check(params.newPort);
    const { iface, netns } = params.newPort;
    for (const { newPort, tsi } of this.#tsis.values()) {
      if (newPort.iface === iface && newPort.netns === netns) {
        throw nveError('NVE-RPC-003', {
          method: 'tsi.attach',
          problem: `link.iface: ${iface} is the port of TSI ${tsi}`,
        });
      }
    }
    return this.#attachNew(params, call);
  }

  async #attachNew(params: AttachParams, { signal, deadlineMs }: Call): Promise<TsiListRow> {
    const { link } = this.#parts.config.nve;
    const until = Date.now() + deadlineMs;
    const left = () => ({ deadlineMs: Math.max(1, until - Date.now()) });
    const undo: (() => Promise<void> | void)[] = [];
    const { newPort, ...asked } = params;
    const { tsi: id, vn } = asked;
    const numbers = this.#switching.reserve(newPort.iface);
    undo.push(() => this.#switching.unreserve(numbers.port));
    try {
      const row = await this.#agent.associate({ ...asked, link }, left()).catch((caught: unknown) => {
        // Without a connection nothing can have begun there.
        if (toNveError(caught).code !== 'NVE-RPC-001') undo.push(() => this.#leave(id));
        throw caught;
      });
      undo.push(() => this.#leave(id));
      if (row.tag === null || row.mtu === null)
        throw nveError('NVE-WIRE-003', { at: 'tsi.associate', got: 'no tag or no MTU', expected: 'both' });
      const tsi: TnveTsi = {
        ...asked,
        newPort,
        ...numbers,
        state: row.state,
        tag: row.tag,
        mtu: row.mtu,
        forwards: false,
        cause: null,
        ended: false,
      };

      undo.push(() => this.#switching.removePort(tsi));
      // The interface is made here before it moves, so two of one name must not be made at once.
      await this.#making.run(newPort.iface, async () => {
        signal.throwIfAborted();
        await this.#switching.addPort(tsi);
        await this.#parts.kernel.bringUp(newPort, tsi.mtu);
      });

      signal.throwIfAborted();
      undo.push(() => this.#switching.stop(tsi));
      await this.#switching.forward(tsi);

      signal.throwIfAborted();
      this.#update(tsi, await this.#agent.activate({ tsi: id, link }, left()));
      this.#tsis.set(id, tsi);
      this.#toLeave.delete(id);
      this.#log.info(
        { component: 'tsi', tsi: id, vn, vid: tsi.tag.vid, iface: newPort.iface, to: tsi.state, cause: 'tsi.attach' },
        `TSI ${id}: attached`,
      );
      return this.#row(tsi);
    } catch (caught) {
      const error = toNveError(caught);
      this.#log.warn(
        { component: 'tsi', tsi: id, vn, cause: error.code },
        `TSI ${id} is not attached: ${error.message}`,
      );
      await this.#rollBack(undo);
      throw error;
    }
  }

  async #rollBack(undo: (() => Promise<void> | void)[]): Promise<void> {
    for (const step of undo.reverse()) {
      try {
        await step();
      } catch (caught) {
        const error = toNveError(caught);
        this.#log.error({ component: 'tsi', cause: error.code }, `a roll-back failed: ${error.message}`);
      }
    }
  }

  async #detach(id: TsiId): Promise<Record<string, never>> {
    const tsi = this.#tsis.get(id);
    if (tsi === undefined) return {};
    this.#cancelRetry(id);
    const { link } = this.#parts.config.nve;
    // An agent that is away is told later (`#leave`): the tenant's port goes in any case.
    await this.#agent.deactivate({ tsi: id, link }, { deadlineMs: CLEANUP_MS }).catch(() => undefined);
    await this.#switching.stop(tsi);
    await this.#switching.removePort(tsi);
    this.#switching.unreserve(tsi.port);
    this.#tsis.delete(id);
    await this.#leave(id);
    this.#log.info(
      { component: 'tsi', tsi: id, vn: tsi.vn, from: tsi.state, to: 'init', cause: 'tsi.detach' },
      `TSI ${id}: detached`,
    );
    return {};
  }

  /** De-associates at the agent; now, or as soon as it is back. */
  async #leave(tsi: TsiId): Promise<void> {
    const { link } = this.#parts.config.nve;
    this.#toLeave.add(tsi);
    try {
      await this.#agent.deassociate({ tsi, link }, { deadlineMs: CLEANUP_MS });
      this.#toLeave.delete(tsi);
    } catch (caught) {
      const error = toNveError(caught);
      this.#log.warn(
        { component: 'agent', tsi, cause: error.code },
        `TSI ${tsi} is still associated at the agent: ${error.message}`,
      );
    }
  }

  // The agent

  #agentCame(name: string): void {
    this.#log.info({ component: 'agent', agent: name }, 'connected to the agent');
    for (const id of this.#toLeave) {
      void this.#queue.run(id, async () => {
        if (this.#toLeave.has(id) && !this.#tsis.has(id)) await this.#leave(id);
      });
    }
    for (const tsi of this.#tsis.values()) if (!tsi.ended) this.#tryAgain(tsi, RETRY_FIRST_MS);
  }

  #agentChanged({ tsi: id, link, state, cause, retry }: TopicData<'tsi'>): void {
    const tsi = this.#tsis.get(id);
    if (tsi === undefined || link !== this.#parts.config.nve.link) return;
    this.#log.warn(
      { component: 'tsi', tsi: id, vn: tsi.vn, from: tsi.state, to: state ?? 'init', cause },
      `TSI ${id}: changed by the agent`,
    );
    void this.#queue.run(id, async () => {
      if (this.#tsis.get(id) !== tsi) return;
      tsi.cause = cause;
      if (state !== null) {
        tsi.state = state === 'activated' ? 'activated' : 'associated';
        return;
      }
      tsi.state = 'authorizing';
      tsi.ended = !retry;
      // Its tag may soon be another VN's.
      await this.#switching.stop(tsi);
      if (retry) this.#retryLater(tsi, RETRY_FIRST_MS);
    });
  }

  #tryAgain(tsi: TnveTsi, delay: number): void {
    this.#cancelRetry(tsi.tsi);
    void this.#queue
      .run(tsi.tsi, async () => {
        if (this.#tsis.get(tsi.tsi) === tsi && !this.#closed) await this.#associateAgain(tsi, CLEANUP_MS);
      })
      .catch((caught: unknown) => {
        const error = toNveError(caught);
        this.#log.warn(
          { component: 'tsi', tsi: tsi.tsi, vn: tsi.vn, cause: error.code },
          `TSI ${tsi.tsi} is not associated: ${error.message}`,
        );
        this.#retryLater(tsi, delay);
      });
  }

  /** Asks the agent anew for what is attached here already; the tag may be another one afterwards. */
  async #associateAgain(tsi: TnveTsi, deadlineMs: number): Promise<void> {
    const { link } = this.#parts.config.nve;
    const { tsi: id, vn, macs, ips } = tsi;
    try {
      const row = await this.#agent.associate({ tsi: id, vn, macs: [...macs], ips: [...ips], link }, { deadlineMs });
      this.#update(tsi, row);
      await this.#switching.forward(tsi);
      this.#update(tsi, await this.#agent.activate({ tsi: id, link }, { deadlineMs }));
      this.#cancelRetry(id);
      this.#log.info({ component: 'tsi', tsi: id, vn, vid: tsi.tag.vid, to: tsi.state }, `TSI ${id}: associated again`);
    } catch (caught) {
      const error = toNveError(caught);
      tsi.cause = `${error.code}: ${error.message}`;
      // Away or slow: go on with what was agreed. Refused: the tag is not ours any more.
      if (!error.retryable) {
        tsi.state = 'authorizing';
        await this.#switching.stop(tsi);
      }
      throw error;
    }
  }

  #update(tsi: TnveTsi, { state, tag, mtu, cause }: TsiListRow): void {
    tsi.state = state;
    tsi.tag = tag ?? tsi.tag;
    tsi.mtu = mtu ?? tsi.mtu;
    tsi.cause = cause;
  }

  #retryLater(tsi: TnveTsi, delay: number): void {
    if (this.#closed || this.#tsis.get(tsi.tsi) !== tsi) return;
    this.#cancelRetry(tsi.tsi);
    const timer = setTimeout(() => this.#tryAgain(tsi, Math.min(delay * 2, RETRY_MAX_MS)), delay);
    this.#retries.set(tsi.tsi, { timer, delay });
  }

  #cancelRetry(id: TsiId): void {
    clearTimeout(this.#retries.get(id)?.timer);
    this.#retries.delete(id);
  }
}

function isSame(tsi: TnveTsi, { vn, macs, newPort }: AttachParams): boolean {
  const sameMacs = tsi.macs.length === macs.length && tsi.macs.every((mac, n) => mac === macs[n]);
  return tsi.vn === vn && sameMacs && tsi.newPort.iface === newPort.iface && tsi.newPort.netns === newPort.netns;
}
