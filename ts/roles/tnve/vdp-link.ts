// The station's end of the uplink: joins the machines of `StationPort` with the engine, which punts their frames and sends them, and with
// the clock. Commands become promises with deadlines. What TSIs are it does not know. Nothing that comes from the link can make it throw:
// what is wrong is counted under a reason.

import { randomInt } from 'node:crypto';
import type { Logger } from 'pino';
import type { Engine, PortId } from '#dataplane';
import { type LinkName, type NveError, nveError, type Result, type TsiHints } from '#model';
import {
  type EvbParameters,
  type StationAssociation,
  type StationBridge,
  type StationCommand,
  StationPort,
  type StationVsi,
  type VsiId,
  vsiText,
} from '#protocol';
import { Alarm } from '../engine/alarm.js';
import { Outbox } from '../engine/outbox.js';
import { isNegotiation } from '../engine/unheard.js';

export interface VdpLinkOptions {
  readonly engine: Engine;
  readonly log: Logger;
  readonly node: string;
  readonly name: LinkName;
  readonly port: PortId;
  readonly evb: EvbParameters;
  /** Ask for an S-channel, and talk within it. */
  readonly sChannel: boolean;
}

export interface VdpLinkHandlers {
  /** A bridge is heard, another one, or one that began anew; null: none any more. */
  bridge(bridge: StationBridge | null): void;
  /** An association ended without a command. */
  ended(vsi: VsiId, error: NveError, retry: boolean): void;
}

/** LLDP's fast start takes a second; whoever waits longer waits for a bridge that is not there. */
const BRIDGE_MS = 5_000;

export class VdpLink {
  readonly #options: VdpLinkOptions;
  readonly #log: Logger;
  readonly #outbox: Outbox;
  readonly #alarm = new Alarm(() => this.#work((port, now) => port.tick(now)));
  readonly #drops = new Map<string, number>();
  readonly #answers = new Map<number, (result: Result<StationAssociation | null>) => void>();
  readonly #waiting = new Set<(bridge: StationBridge) => void>();
  readonly #unsubscribe: (() => void)[] = [];
  #request = 0;
  #port: StationPort | undefined;

  constructor(options: VdpLinkOptions) {
    this.#options = options;
    this.#log = options.log.child({ component: 'vdp' });
    this.#outbox = new Outbox(options.engine, (_, error) => this.#dropped('not_sent', error));
  }

  /** The port must be in the engine. */
  async start(handlers: VdpLinkHandlers): Promise<void> {
    const { engine, node, name, port: id, evb, sChannel } = this.#options;
    const row = (await engine.dump('ports')).find(({ port }) => port === id);
    if (row === undefined) throw nveError('NVE-RPC-009', { port: name, known: [] });
    this.#port = new StationPort(
      { name, mac: row.mac, node, evb, sChannel, firstSequence: randomInt(1, 65_536) },
      {
        transmit: (frame) => this.#outbox.send(id, frame),
        answer: (request, result) => {
          this.#answers.get(request)?.(result);
          this.#answers.delete(request);
        },
        ended: (vsi, error, retry) => handlers.ended(vsi, error, retry),
        bridge: (bridge) => {
          if (bridge !== null) for (const resolve of this.#waiting) resolve(bridge);
          handlers.bridge(bridge);
        },
        log: ({ vsi, from, to, cause, error }) => {
          const fields = { vsi, from, to, cause, error: error?.code };
          if (error !== null) this.#log.warn(fields, `VSI ${vsi}: ${from} to ${to}: ${error.message}`);
          else if (cause === 'keep-alive' || cause === 'confirmed') this.#log.debug(fields, `VSI ${vsi}: ${cause}`);
          else this.#log.info(fields, `VSI ${vsi}: ${from} to ${to}`);
        },
        dropped: (reason, error) => this.#dropped(reason, error),
      },
    );
    this.#unsubscribe.push(
      engine.onPunt(({ port, class: kind, frame }) => {
        if (this.hears(port) && isNegotiation(kind)) this.#work((one, now) => one.received(frame, now));
      }),
      engine.onEvent((event) => {
        if (event.kind === 'link' && event.port === id) this.#linkChanged(event.up);
      }),
    );
    this.#linkChanged(row.linkUp);
  }

  get bridge(): StationBridge | null {
    return this.#port?.bridge ?? null;
  }

  /** The bridge, which is waited for a little after a start or a flap. Rejects with NVE-VDP-020. */
  async heard(deadlineMs: number): Promise<StationBridge> {
    const { bridge } = this;
    if (bridge !== null) return bridge;
    return new Promise((resolve, reject) => {
      const done = (heard: StationBridge): void => {
        clearTimeout(timer);
        this.#waiting.delete(done);
        resolve(heard);
      };
      const timer = setTimeout(
        () => {
          this.#waiting.delete(done);
          reject(nveError('NVE-VDP-020', { uplink: this.#options.name }));
        },
        // Half of it is left for what comes after, and for the answer.
        Math.min(BRIDGE_MS, deadlineMs / 2),
      );
      this.#waiting.add(done);
    });
  }

  /** Rejects with what the bridge refuses with, or NVE-VDP-007 when it does not answer. */
  async associate(
    command: StationCommand,
    vsi: StationVsi,
    hints: TsiHints,
    deadlineMs: number,
  ): Promise<StationAssociation> {
    const granted = await this.#ask(vsi, command, deadlineMs, (port, request, now) =>
      port.associate(request, command, vsi, hints, now),
    );
    // Only a de-association has none.
    if (granted === null) throw nveError('NVE-VDP-008', { vsi: vsiText(vsi), field: 'command' });
    return granted;
  }

  async deAssociate(vsi: VsiId, deadlineMs: number): Promise<void> {
    await this.#ask(vsi, 'deAssociate', deadlineMs, (port, request, now) => port.deAssociate(request, vsi, now));
  }

  /** Tenants' ports are no access links. */
  hears(port: PortId): boolean {
    return port === this.#options.port;
  }

  drops(): { port: LinkName; reason: string; packets: number }[] {
    const { name } = this.#options;
    return [...this.#drops].map(([reason, packets]) => ({ port: name, reason, packets }));
  }

  close(): void {
    for (const unsubscribe of this.#unsubscribe.splice(0)) unsubscribe();
    this.#alarm.set(null);
    this.#port = undefined;
  }

  #ask(
    vsi: VsiId,
    command: string,
    deadlineMs: number,
    start: (port: StationPort, request: number, now: number) => void,
  ): Promise<StationAssociation | null> {
    const request = ++this.#request;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#answers.delete(request);
        reject(nveError('NVE-VDP-007', { vsi: vsiText(vsi), command, ms: Math.round(deadlineMs) }));
      }, deadlineMs);
      this.#answers.set(request, (result) => {
        clearTimeout(timer);
        if (result.ok) resolve(result.value);
        else reject(result.error);
      });
      this.#work((port, now) => start(port, request, now));
    });
  }

  #linkChanged(up: boolean): void {
    this.#work((port, now) => (up ? port.up(now) : port.down(now)));
  }

  #work(work: (port: StationPort, now: number) => void): void {
    if (this.#port === undefined) return;
    work(this.#port, performance.now());
    this.#alarm.set(this.#port.nextDeadline());
  }

  #dropped(reason: string, error: NveError | null): void {
    this.#drops.set(reason, (this.#drops.get(reason) ?? 0) + 1);
    this.#log.debug({ reason, error: error?.code }, error?.message ?? `dropped: ${reason}`);
  }
}
