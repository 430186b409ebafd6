/**
 * The NNP client over sockets: the shell around `NnpClient` of `protocol`. It makes the connections that the machine asks
 * for, carries frames and time to it, and hands its effects to the role. All decisions are the machine's.
 */
import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import {
  type MacAddr,
  type NveError,
  nveError,
  ok,
  parseEndpoint,
  type Result,
  type TunnelEnd,
  unwrap,
  type VnId,
  type VnInfo,
} from '#model';
import {
  type CallId,
  type LinkId,
  NnpClient,
  type NnpClientEffect,
  type NnpClientEvent,
  type NnpEndpoint,
} from '#protocol';
import { formatNvaAddress } from '../address.js';
import { Alarm, type Clock, systemClock } from '../clock.js';
import { type OwnIdentity, readIdentity } from '../identity.js';
import { NnpSocket } from '../nnp-socket.js';
import type { Attachment, AuthorizeRequest, NvaEndpoint, VnView } from '../types.js';
import type { NvaClientApi, NvaClientHandlers, NvaClientOptions, NvaStatus } from './api.js';
import { causeOf, openTransport } from './transport.js';

const DEADLINE_MS = 5_000;

export class NvaClient implements NvaClientApi {
  readonly #options: NvaClientOptions;
  readonly #handlers: NvaClientHandlers;
  readonly #machine: NnpClient;
  readonly #clock: Clock;
  readonly #alarm: Alarm;
  readonly #calls = new Map<CallId, (result: Result<never>) => void>();
  #lastCall = 0;
  #identity: OwnIdentity | null;
  readonly #links = new Map<LinkId, { readonly raw: Socket; readonly nnp: NnpSocket }>();
  /** Events wait here while the effects of an earlier one are executed: handlers may call us. */
  readonly #events: NnpClientEvent[] = [];
  #running = false;

  /** Throws NVE-TLS-001 or NVE-NNP-014 if the files of `tls` are not what they should be. */
  constructor(options: NvaClientOptions, handlers: NvaClientHandlers = {}) {
    this.#options = options;
    this.#identity = unwrap(this.#readIdentity());
    this.#handlers = handlers;
    this.#clock = options.clock ?? systemClock;
    this.#alarm = new Alarm(this.#clock, () => this.#run({ type: 'tick' }));
    this.#machine = new NnpClient({
      nveId: options.nveId,
      instance: options.instance ?? randomUUID(),
      tunnels: options.tunnels,
      endpoints: options.endpoints.map(({ address, ...rest }) => ({ name: formatNvaAddress(address), ...rest })),
      random: options.random ?? Math.random,
      restoring: options.restoring ?? false,
      ...(options.timing && { timing: options.timing }),
    });
  }

  start(): void {
    this.#run({ type: 'start' });
  }

  async stop(): Promise<void> {
    const sockets = [...this.#links.values()].map(({ raw }) => raw).filter((raw) => !raw.closed);
    const closed = sockets.map((raw) => new Promise((resolve) => raw.once('close', resolve)));
    this.#run({ type: 'stop' });
    await Promise.all(closed);
  }

  renewTls(): Result<null> {
    const identity = this.#readIdentity();
    if (!identity.ok) return identity;
    this.#identity = identity.value;
    return ok(null);
  }

  status(): NvaStatus {
    const status = this.#machine.status();
    const now = this.#clock.now();
    return {
      ...status,
      endpoint: status.endpoint === null ? null : endpointOf(status.endpoint),
      endpoints: status.endpoints.map(({ endpoint, since, ...rest }) => ({
        ...rest,
        endpoint: endpointOf(endpoint),
        forMs: since === null ? null : Math.max(0, now - since),
      })),
    };
  }

  authorize(
    request: AuthorizeRequest,
    deadlineMs: number = DEADLINE_MS,
    signal?: AbortSignal,
  ): Promise<Result<VnInfo>> {
    return this.#call((call) => {
      signal?.addEventListener('abort', () => this.#run({ type: 'callOff', call }), { once: true });
      return { type: 'authorize', call, request, deadlineMs };
    });
  }

  subscribe(vn: VnId, deadlineMs: number = DEADLINE_MS): Promise<Result<VnView>> {
    return this.#call((call) => ({ type: 'subscribe', call, vn, deadlineMs }));
  }

  unsubscribe(vn: VnId): void {
    this.#run({ type: 'unsubscribe', vn });
  }

  report(change: 'attach' | 'detach', attachment: Attachment, deadlineMs: number = DEADLINE_MS): Promise<Result<null>> {
    return this.#call((call) => ({ type: 'report', call, change, attachment, deadlineMs }));
  }

  ends(tunnels: readonly TunnelEnd[]): void {
    this.#run({ type: 'ends', tunnels });
  }

  restored(): void {
    this.#run({ type: 'restored' });
  }

  missed(vn: VnId, macs: readonly MacAddr[]): void {
    this.#run({ type: 'miss', vn, macs });
  }

  idle(vn: VnId, mac: MacAddr): void {
    this.#run({ type: 'idle', vn, mac });
  }

  applied(vn: VnId, revision: bigint): void {
    this.#run({ type: 'applied', vn, revision });
  }

  refused(vn: VnId, revision: bigint, error: NveError): void {
    this.#run({ type: 'refused', vn, revision, error });
  }

  view(vn: VnId): VnView | null {
    return this.#machine.view(vn);
  }

  #call<T>(event: (call: CallId) => NnpClientEvent): Promise<Result<T>> {
    this.#lastCall += 1;
    const call = this.#lastCall;
    return new Promise((resolve) => {
      this.#calls.set(call, resolve as (result: Result<never>) => void);
      this.#run(event(call));
    });
  }

  #run(event: NnpClientEvent): void {
    this.#events.push(event);
    if (this.#running) return;
    this.#running = true;
    try {
      for (let next = this.#events.shift(); next !== undefined; next = this.#events.shift()) {
        for (const effect of this.#machine.handle(next, this.#clock.now())) this.#execute(effect);
      }
    } finally {
      this.#running = false;
      this.#alarm.set(this.#machine.nextDeadline());
    }
  }

  #execute(effect: NnpClientEffect): void {
    switch (effect.type) {
      case 'dial':
        this.#dial(effect.link, endpointOf(effect.endpoint));
        break;
      case 'send':
        this.#links.get(effect.link)?.nnp.send(effect.frame);
        break;
      case 'close':
        this.#links.get(effect.link)?.nnp.end();
        this.#links.delete(effect.link);
        break;
      case 'connected': {
        const { nvaId, epoch } = effect;
        this.#handlers.onConnected?.({ nvaId, epoch, endpoint: endpointOf(effect.endpoint) });
        break;
      }
      case 'disconnected':
        this.#handlers.onDisconnected?.(effect.error);
        break;
      case 'mapping':
        this.#handlers.onMapping?.(effect.change);
        break;
      case 'reportRefused':
        this.#handlers.onReportRefused?.(effect.attachment, effect.error);
        break;
      case 'done': {
        const resolve = this.#calls.get(effect.call);
        this.#calls.delete(effect.call);
        resolve?.(effect.result as Result<never>);
        break;
      }
    }
  }

  #dial(link: LinkId, { address }: NvaEndpoint): void {
    const raw = openTransport(address, this.#identity, () => this.#run({ type: 'open', link }));
    const nnp = new NnpSocket(raw, {
      frame: (frame) => this.#run({ type: 'frame', link, frame }),
      garbled: (error) => this.#run({ type: 'garbled', link, error }),
      closed: (cause) => {
        this.#links.delete(link);
        this.#run({ type: 'closed', link, cause: causeOf(cause, address, this.#options.tls?.ca ?? '') });
      },
    });
    this.#links.set(link, { raw, nnp });
  }

  #readIdentity(): Result<OwnIdentity | null> {
    const { tls, nveId } = this.#options;
    return tls === undefined ? ok(null) : readIdentity(tls, 'nve', nveId);
  }
}

/** The machine has made sure that the text is an endpoint. */
function endpointOf({ name, priority, weight }: NnpEndpoint): NvaEndpoint {
  const address = parseEndpoint(name);
  if (address === null) throw nveError('NVE-SYS-003', { reason: `${name} is no endpoint` });
  return { address, priority, weight };
}
