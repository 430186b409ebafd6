// `splitnve tnve`: the hypervisor's side. An attachment asks the NVE first (which gives the tag), then makes the tenant's port and
// the switching here, then activates at the NVE; a detachment goes the same way back, and a failure rolls back what was done. It
// asks again when the NVE comes back or has ended a TSI that may be asked for again. How the NVE is asked is the negotiator's business.

import type { Logger } from 'pino';
import type { Engine } from '#dataplane';
import { type Call, type Handlers, type ParamsOf, pageOf, RpcServer, type TapPort, type TsiListRow } from '#hypervisor';
import { formatTag, type NveError, nveError, type TnveConfig, type TsiId, toNveError } from '#model';
import { Reconciler } from '../engine/reconciler.js';
import { showHandlers } from '../engine/show.js';
import { Unheard } from '../engine/unheard.js';
import type { Kernel } from '../ports/kernel.js';
import { LinkWatch } from '../ports/link-watch.js';
import { KeyedQueue } from '../queue.js';
import type { Change, Grant, Negotiator } from './negotiator.js';
import { Notices } from './notices.js';
import { Retries } from './retries.js';
import { RpcNegotiator } from './rpc-negotiator.js';
import { Switching } from './switching.js';
import { rowOf, type TnveTsi } from './tsi.js';
import { VdpLink } from './vdp-link.js';
import { VdpNegotiator } from './vdp-negotiator.js';

export interface TnveParts {
  readonly config: TnveConfig;
  readonly engine: Engine;
  readonly log: Logger;
  readonly kernel: Kernel;
  /** The engine failed: the tNVE cannot go on. */
  readonly onFailure: (error: NveError) => void;
}

type AttachParams = Omit<ParamsOf<'tsi.attach'>, 'link'> & { readonly newPort: TapPort };

/** What a roll-back, a leave or another try may take at the NVE. */
const CLEANUP_MS = 5_000;

export class Tnve {
  readonly #parts: TnveParts;
  readonly #log: Logger;
  readonly #reconciler: Reconciler;
  readonly #switching: Switching;
  readonly #queue = new KeyedQueue<TsiId>();
  readonly #making = new KeyedQueue<string>();
  readonly #tsis = new Map<TsiId, TnveTsi>();
  /** Detached here while the NVE was away: it still has to hear of it. */
  readonly #toLeave = new Set<TsiId>();
  readonly #retries = new Retries<TsiId>((id) => this.#tryAgain(id));
  readonly #negotiator: Negotiator;
  readonly #unheard: Unheard;
  readonly #notices: Notices;
  readonly #uplink: LinkWatch;
  #rpc: RpcServer | undefined;
  #closed = false;

  private constructor(parts: TnveParts) {
    const { config, engine, log } = parts;
    this.#parts = parts;
    this.#log = log;
    this.#reconciler = new Reconciler(engine, log, parts.onFailure);
    this.#switching = new Switching(this.#reconciler, config);
    const negotiator = negotiatorOf(parts, this.#switching);
    this.#negotiator = negotiator;
    this.#unheard = new Unheard(parts.engine, (port) => negotiator.hears(port));
    this.#uplink = new LinkWatch({
      of: [this.#switching.uplinkPort],
      holdMs: config.uplink.down_hold_ms,
      changed: (isUp) => this.#uplinkChanged(isUp),
    });
    this.#notices = new Notices(this.#negotiator.link, (topic, data) => this.#rpc?.notify(topic, data));
  }

  /** Resolves when the uplink is up and the RPC is served; the NVE may come later. */
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
      if (event.kind === 'link') this.#uplink.linkChanged(event.port, event.up);
      if (event.kind === 'poller_failed')
        this.#parts.onFailure(nveError('NVE-ENG-000', { reason: `poller ${event.poller}: ${event.message}` }));
    });
    await this.#negotiator.start({
      available: (nve) => this.#nveCame(nve),
      away: (cause) => this.#log.warn({ component: 'nve', cause }, `the NVE is away, switching goes on: ${cause}`),
      changed: (change) => this.#nveChanged(change),
    });
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

  /** Takes the TSIs away from the NVE, if it is there; their ports go with the engine. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#retries.close();
    this.#uplink.stop();
    await this.#rpc?.close();
    await this.#queue.idle();
    const leaving = [...this.#tsis.keys(), ...this.#toLeave].map((tsi) =>
      this.#negotiator.deassociate(tsi, { deadlineMs: CLEANUP_MS }),
    );
    await Promise.allSettled(leaving);
    this.#negotiator.close();
    this.#unheard.close();
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
    const shown = showHandlers(this.#parts.engine, names);
    return {
      'tsi.attach': ({ link, ...params }, call) => {
        if (typeof link === 'string' || link.kind !== 'net_tap')
          throw nveError('NVE-RPC-003', {
            method: 'tsi.attach',
            problem: 'link: a tNVE needs a port to make: {kind, iface, netns}',
          });
        const vn = this.#negotiator.vnName(params.vn);
        return this.#queue.run(params.tsi, () => this.#attach({ ...params, vn, newPort: link }, call));
      },
      'tsi.detach': ({ tsi }) => this.#queue.run(tsi, () => this.#detach(tsi)),
      'tsi.suspend': (key, call) => this.#queue.run(key.tsi, () => this.#suspend(key, true, call)),
      'tsi.resume': (key, call) => this.#queue.run(key.tsi, () => this.#suspend(key, false, call)),
      'tsi.list': ({ cursor }) => {
        const rows = [...this.#tsis.values()].map((tsi) => this.#row(tsi));
        return pageOf(rows, ({ tsi }) => tsi, cursor);
      },
      ...shown,
      'show.drops': async (params, call) => {
        const { rows } = await shown['show.drops'](params, call);
        const unheard = this.#unheard.rows(this.#switching.ports);
        return { rows: [...rows, ...this.#negotiator.drops(), ...unheard], cursor: null };
      },
    };
  }

  #row(tsi: TnveTsi): TsiListRow {
    return rowOf(tsi, this.#negotiator.link);
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
        await this.#associateAgain(known, call.deadlineMs, call.method);
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
    const until = Date.now() + deadlineMs;
    const left = () => ({ deadlineMs: Math.max(1, until - Date.now()) });
    const undo: (() => Promise<void> | void)[] = [];
    const { newPort, ...asked } = params;
    const { tsi: id, vn } = asked;
    const numbers = this.#switching.reserve(newPort.iface);
    undo.push(() => this.#switching.unreserve(numbers.port));
    try {
      undo.push(() => this.#leave(id));
      const grant = await this.#negotiator.associate({ ...asked, tag: null }, left());
      const tsi: TnveTsi = {
        ...asked,
        newPort,
        ...numbers,
        ...grant,
        suspended: false,
        forwards: false,
        carrier: true,
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
      update(tsi, await this.#negotiator.activate(id, left()));
      this.#tsis.set(id, tsi);
      await this.#showCarrier(tsi);
      this.#notices.changed(tsi, 'tsi.attach');
      this.#toLeave.delete(id);
      this.#log.info(
        {
          component: 'tsi',
          tsi: id,
          vn,
          tag: formatTag(tsi.tag),
          iface: newPort.iface,
          to: tsi.state,
          cause: 'tsi.attach',
        },
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
    this.#retries.cancel(id);
    // First here: afterwards its tag may be another VN's.
    await this.#switching.stop(tsi);
    await this.#switching.removePort(tsi);
    this.#switching.unreserve(tsi.port);
    this.#tsis.delete(id);
    this.#notices.gone(tsi, 'tsi.detach');
    await this.#leave(id);
    this.#log.info(
      { component: 'tsi', tsi: id, vn: tsi.vn, from: tsi.state, to: 'init', cause: 'tsi.detach' },
      `TSI ${id}: detached`,
    );
    return {};
  }

  async #suspend({ tsi: id, link }: ParamsOf<'tsi.suspend'>, isSuspended: boolean, call: Call): Promise<TsiListRow> {
    const tsi = this.#tsis.get(id);
    if (tsi === undefined || link !== this.#negotiator.link) throw nveError('NVE-TSI-001', { tsi: id, link });
    update(tsi, await this.#negotiator.suspend(id, isSuspended, { deadlineMs: call.deadlineMs }));
    tsi.suspended = isSuspended;
    this.#notices.changed(tsi, call.method);
    this.#log.info({ component: 'tsi', tsi: id, vn: tsi.vn, cause: call.method }, `TSI ${id}: ${call.method}`);
    return this.#row(tsi);
  }

  /** De-associates at the NVE; now, or as soon as it is back. */
  async #leave(tsi: TsiId): Promise<void> {
    this.#toLeave.add(tsi);
    try {
      await this.#negotiator.deassociate(tsi, { deadlineMs: CLEANUP_MS });
      this.#toLeave.delete(tsi);
    } catch (caught) {
      const error = toNveError(caught);
      this.#log.warn(
        { component: 'nve', tsi, cause: error.code },
        `TSI ${tsi} may still be associated at the NVE: ${error.message}`,
      );
    }
  }

  // The NVE

  #nveCame(nve: string): void {
    this.#log.info({ component: 'nve', nve }, 'the NVE is there');
    for (const id of this.#toLeave) {
      void this.#queue.run(id, async () => {
        if (this.#toLeave.has(id) && !this.#tsis.has(id)) await this.#leave(id);
      });
    }
    for (const tsi of this.#tsis.values()) {
      if (tsi.ended) continue;
      this.#retries.cancel(tsi.tsi);
      this.#tryAgain(tsi.tsi);
    }
  }

  #nveChanged({ tsi: id, state, cause, retry }: Change): void {
    const tsi = this.#tsis.get(id);
    if (tsi === undefined) return;
    this.#log.warn(
      { component: 'tsi', tsi: id, vn: tsi.vn, from: tsi.state, to: state ?? 'init', cause },
      `TSI ${id}: changed at the NVE`,
    );
    void this.#queue.run(id, async () => {
      if (this.#tsis.get(id) !== tsi) return;
      tsi.cause = cause;
      tsi.state = state ?? 'authorizing';
      tsi.ended = state === null && !retry;
      if (state === null) await this.#switching.stop(tsi);
      await this.#showCarrier(tsi);
      this.#notices.changed(tsi, null);
      if (retry) this.#retries.schedule(id);
    });
  }

  #tryAgain(id: TsiId): void {
    void this.#queue
      .run(id, async () => {
        const tsi = this.#tsis.get(id);
        if (tsi !== undefined && !tsi.ended && !this.#closed) await this.#associateAgain(tsi, CLEANUP_MS, null);
      })
      .catch((caught: unknown) => {
        const error = toNveError(caught);
        this.#log.warn(
          { component: 'tsi', tsi: id, cause: error.code },
          `TSI ${id} is not associated: ${error.message}`,
        );
        if (this.#tsis.has(id) && !this.#closed) this.#retries.schedule(id);
      });
  }

  /** A tenant's interface has a carrier while its TSI is activated at the NVE and the way there has a link (RFC 8014 section 4.5). */
  async #showCarrier(tsi: TnveTsi): Promise<void> {
    const carrier = tsi.state === 'activated' && this.#uplink.isUp;
    if (carrier === tsi.carrier) return;
    tsi.carrier = carrier;
    this.#log.info(
      { component: 'port', tsi: tsi.tsi, iface: tsi.newPort.iface, carrier },
      `TSI ${tsi.tsi}: ${tsi.newPort.iface} ${carrier ? 'has its carrier back' : 'loses its carrier'}`,
    );
    await this.#switching.showCarrier(tsi);
  }

  #uplinkChanged(isUp: boolean): void {
    this.#log[isUp ? 'info' : 'warn']({ component: 'port' }, `the uplink is ${isUp ? 'back' : 'down'}`);
    // At once: what is under way for a TSI may wait for an NVE that does not hear it.
    for (const tsi of this.#tsis.values()) void this.#showCarrier(tsi).catch(() => undefined);
  }

  /** Asks the NVE anew, by a request or by itself, for what is attached here already; the tag may be another one afterwards. */
  async #associateAgain(tsi: TnveTsi, deadlineMs: number, request: string | null): Promise<void> {
    const { tsi: id, vn } = tsi;
    try {
      update(tsi, await this.#negotiator.associate(tsi, { deadlineMs }));
      await this.#switching.forward(tsi);
      update(tsi, await this.#negotiator.activate(id, { deadlineMs }));
      if (tsi.suspended) update(tsi, await this.#negotiator.suspend(id, true, { deadlineMs }));
      await this.#showCarrier(tsi);
      this.#notices.changed(tsi, request);
      this.#retries.cancel(id);
      this.#log.info(
        { component: 'tsi', tsi: id, vn, tag: formatTag(tsi.tag), to: tsi.state },
        `TSI ${id}: associated again`,
      );
    } catch (caught) {
      const error = toNveError(caught);
      tsi.cause = `${error.code}: ${error.message}`;
      // Away or slow: go on with what was agreed. Refused: the tag is not ours any more.
      if (!error.retryable) {
        tsi.state = 'authorizing';
        await this.#switching.stop(tsi);
      }
      await this.#showCarrier(tsi);
      this.#notices.changed(tsi, request);
      throw error;
    }
  }
}

function negotiatorOf({ config, engine, log }: TnveParts, switching: Switching): Negotiator {
  const { node, uplink, nve, evb } = config;
  // The configuration's check asks for [nve] when the protocol is RPC.
  if (uplink.protocol === 'rpc' && nve !== undefined) return new RpcNegotiator({ ...nve, node: node.name });
  const port = switching.ports.id(uplink.port) ?? 0;
  const sChannel = uplink.scheme === 's-channel';
  const link = { engine, log, node: node.name, name: uplink.port, port, evb, sChannel };
  return new VdpNegotiator(config, new VdpLink(link));
}

function update(tsi: TnveTsi, grant: Grant): void {
  Object.assign(tsi, grant, { cause: null });
}

function isSame(tsi: TnveTsi, { vn, macs, newPort }: AttachParams): boolean {
  const sameMacs = tsi.macs.length === macs.length && tsi.macs.every((mac, n) => mac === macs[n]);
  return tsi.vn === vn && sameMacs && tsi.newPort.iface === newPort.iface && tsi.newPort.netns === newPort.netns;
}
