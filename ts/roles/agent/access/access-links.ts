// VDP on the access links (RFC 8394; IEEE 802.1Q clauses 41 to 43): joins the ports' CDCP, LLDP, EVB and ECP, VDP's bridge side over
// all of them, the TSI life cycle, and the engine, which punts their frames and sends them. It has the clock and the one timer; what a
// frame or a timer means is the machines'. Nothing that comes from a link can make it throw: what is wrong is counted under a reason.

import { randomInt } from 'node:crypto';
import type { Logger } from 'pino';
import type { Engine, PortId, PortRow, Punt } from '#dataplane';
import {
  AGENT_DROP_REASONS,
  type AgentDropReason,
  type LinkName,
  macFromBytes,
  type NveError,
  type Result,
  type TsiKey,
  type TsiRow,
} from '#model';
import {
  AccessPort,
  type AccessPortOptions,
  type CdcpAssignment,
  channelText,
  Deadlines,
  type EvbParameters,
  type FilterFormats,
  peerText,
  type SChannel,
  type TsiCommand,
  VdpBridge,
  type VdpBridgeEffect,
  type VdpBridgeEvent,
  type VdpChannel,
  type VdpMappingRules,
  type VdpVsiRow,
  type VsiHolder,
} from '#protocol';
import { Alarm } from '../../engine/alarm.js';
import { Outbox } from '../../engine/outbox.js';
import { isNegotiation } from '../../engine/unheard.js';
import type { Turns } from '../turns.js';
import { Inbox } from './inbox.js';
import { Strangers } from './strangers.js';
import type { StationRow } from './vdp-rows.js';

/** A port that is served. */
export interface ServedPort extends Pick<AccessPortOptions, 'name' | 'reflectiveRelay' | 'address' | 'cdcp'> {
  /** The S-channels that there were before a restart, all of one station. */
  readonly held: readonly CdcpAssignment[];
}

export interface AccessLinksOptions {
  readonly engine: Engine;
  readonly log: Logger;
  readonly turns: Turns;
  readonly node: string;
  readonly evb: EvbParameters;
  readonly rules: VdpMappingRules;
  readonly formats: FilterFormats;
  /** VSIs at most, by their port. */
  readonly maxVsis: ReadonlyMap<LinkName, number>;
  /** How long associations outlive the carrier of their port, in milliseconds; absent: one keep-alive interval. */
  readonly portDownHoldMs?: number | undefined;
  /** A link has a carrier of which no event has told yet: to be handled as that event, at once. */
  readonly carrier: (link: LinkName) => void;
  /** Asks the TSI life cycle; `answer` is called later, never from inside. */
  readonly ask: (command: TsiCommand, answer: (result: Result<TsiRow | null>) => void) => void;
  /** An S-channel is a link now, or none any more: its VSIs are being ended. */
  readonly channelChanged: (channel: VdpChannel, isUp: boolean) => void;
  /** To be given back as `held` after a restart, while it is up. */
  readonly rememberChannel: (port: LinkName, channel: SChannel, isUp: boolean) => void;
  /** To be given to the port's `cdcp.remembered` after a restart. */
  readonly remember: (port: LinkName, assignment: CdcpAssignment) => void;
  /** Frames of the link go back to where they came from, or no longer. */
  readonly reflect: (link: LinkName, on: boolean) => void;
}

/** VDP's requests to the TSI life cycle have numbers that those of the RPC never reach. */
const FIRST_REQUEST = 2 ** 40;
const VDP = 'vdp';
/** The others are on the way between them. */
const SETTLED: ReadonlySet<string> = new Set(['init', 'associated']);

interface Link {
  readonly name: LinkName;
  readonly port: AccessPort;
  readonly drops: Map<AgentDropReason, number>;
  readonly strangers: Strangers;
  isUp: boolean;
}

export class AccessLinks {
  readonly #options: AccessLinksOptions;
  readonly #log: Logger;
  readonly #vdp: VdpBridge;
  readonly #links = new Map<PortId, Link>();
  readonly #deadlines = new Deadlines();
  /** Events that wait for the one in work: effects are executed in their order before the next event. */
  readonly #events: VdpBridgeEvent[] = [];
  readonly #inbox = new Inbox();
  /** PDUs that a port has put into the inbox just now. */
  #arrived = 0;
  readonly #outbox: Outbox;
  readonly #alarm = new Alarm(() => this.#tick());
  /** Asked for, while it is on its way. */
  #ports: Promise<PortRow[]> | undefined;
  #isBusy = false;
  #unsubscribe: (() => void) | undefined;
  #isClosed = false;

  constructor(options: AccessLinksOptions) {
    this.#options = options;
    this.#log = options.log.child({ component: 'vdp' });
    const { rules, formats, evb: parameters, maxVsis: maxOnPort, portDownHoldMs = null } = options;
    const firstRequest = FIRST_REQUEST;
    this.#vdp = new VdpBridge({ rules, formats, parameters, maxOnPort, portDownHoldMs, firstRequest });
    this.#outbox = new Outbox(options.engine, (port, error) => this.#dropped(port, 'not_sent', error));
  }

  /** Begins to serve these ports; each must be in the engine. */
  async start(served: ReadonlyMap<PortId, ServedPort>): Promise<void> {
    const { engine, node, evb, formats } = this.#options;
    for (const { port: id, mac, linkUp } of await engine.dump('ports')) {
      const settings = served.get(id);
      if (settings === undefined) continue;
      const { name, held } = settings;
      const port = this.#port(id, {
        role: 'bridge',
        ...settings,
        mac,
        node,
        evb,
        formats,
        firstSequence: () => randomInt(1, 65_536),
        hasVsis: (svid, peer) => this.#vdp.hasVsis({ port: name, svid, mac: peer }),
      });
      this.#links.set(id, { name, port, drops: new Map(), strangers: new Strangers(performance.now()), isUp: false });
      const station = held[0]?.station;
      if (station !== undefined) this.#work(id, (one, now) => one.restore(station, held, now));
      this.linkChanged(id, linkUp);
    }
    this.#unsubscribe = engine.onPunt((punt) => this.#punted(punt));
  }

  #port(id: PortId, options: AccessPortOptions): AccessPort {
    const { name: port } = options;
    const { remember, rememberChannel, reflect } = this.#options;
    return new AccessPort(options, {
      transmit: (frame) => this.#outbox.send(id, frame),
      deliver: (svid, mac, pdu) => {
        this.#inbox.put({ type: 'pdu', peer: { port, svid, mac }, pdu }, performance.now());
        this.#arrived++;
      },
      finished: (token, delivered) => this.#enqueue({ type: delivered ? 'delivered' : 'undelivered', token }),
      parameters: (svid, mac, parameters) =>
        this.#enqueue({ type: 'parameters', channel: { port, svid }, mac, parameters }),
      reflectiveRelay: (svid, on) => reflect(channelText({ port, svid }) as LinkName, on),
      // A station that began anew tells again what it holds.
      renewed: () => undefined,
      channel: (channel, isUp) => {
        rememberChannel(port, channel, isUp);
        this.#channelChanged({ port, svid: channel.svid }, isUp);
      },
      remember: (assignment) => remember(port, assignment),
      dropped: (reason, error) => this.#dropped(id, reason, error),
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#unsubscribe?.();
    this.#alarm.set(null);
  }

  linkChanged(id: PortId, up: boolean): void {
    const link = this.#links.get(id);
    if (link === undefined || link.isUp === up) return;
    link.isUp = up;
    if (!up) this.#inbox.clear(link.name);
    this.#work(id, (port, now) => (up ? port.up(now) : port.down(now)));
    this.#handle({ type: up ? 'portUp' : 'portDown', port: link.name });
  }

  /** The NVE has ended a TSI, or an operator has: a VSI that has it is de-associated. `final`: it moved, and is not to be asked for again. */
  ended(key: TsiKey, error: NveError, final = false): void {
    queueMicrotask(() => this.#handle({ type: 'tsiEnded', key, error, final }));
  }

  /** The VSI that has the TSI, or asks for it; null: VDP has nothing to do with it. */
  holderOf(key: TsiKey): VsiHolder | null {
    return this.#vdp.holderOf(key);
  }

  /** How long a station on the link may be silent, in milliseconds, as far as is known by now. */
  silenceMs(link: LinkName): number {
    return this.#vdp.silenceMs(link);
  }

  /** VSIs that are held, and that were refused a while ago. */
  rows(): VdpVsiRow[] {
    return [...this.#vdp.rows(), ...this.#vdp.refused(performance.now())];
  }

  /** Whom EVB or ECP knows, with VSIs or without. */
  stations(): StationRow[] {
    return [...this.#links.values()].flatMap(({ name, port }) =>
      port.peers().map(({ mac, svid, ...known }) => ({ port: name, svid, station: mac, ...known })),
    );
  }

  /** Whether LLDP and ECP of the port are taken here. */
  hears(port: PortId): boolean {
    return this.#links.has(port);
  }

  /** What was dropped here, besides the engine's own drops: each reason of each port. */
  drops(): { port: LinkName; reason: AgentDropReason; packets: number }[] {
    const reasons = Object.keys(AGENT_DROP_REASONS) as AgentDropReason[];
    return [...this.#links.values()].flatMap(({ name, drops }) =>
      reasons.map((reason) => ({ port: name, reason, packets: drops.get(reason) ?? 0 })),
    );
  }

  #punted({ port, class: kind, frame }: Punt): void {
    if (!isNegotiation(kind)) return;
    const link = this.#links.get(port);
    if (link === undefined) return;
    const station = macFromBytes(frame.subarray(6, 12));
    const isServed = station.ok && this.#vdp.serves(link.name, station.value);
    if (!link.strangers.admit(performance.now()) && !isServed) {
      this.#dropped(port, 'station_policed', null);
      return;
    }
    if (station.ok && !this.#inbox.hasRoom(link.name, station.value)) {
      this.#dropped(port, 'vdp_backlog', null);
      return;
    }
    if (!link.isUp) void this.#early(port, frame);
    else this.#work(port, (accessPort, now) => accessPort.received(frame, now));
  }

  /**
   * The engine looks at carriers from time to time, so a station's first frame may come before the news that it is there. It must not
   * wait for these: lldpad gives up after 10 ms. So the engine is asked; a frame from before the carrier was lost is dropped.
   */
  async #early(id: PortId, frame: Uint8Array): Promise<void> {
    this.#ports ??= this.#options.engine.dump('ports').finally(() => {
      this.#ports = undefined;
    });
    const rows = await this.#ports.catch(() => []);
    if (this.#isClosed) return;
    const link = this.#links.get(id);
    if (link?.isUp === false && rows.some(({ port, linkUp }) => port === id && linkUp))
      this.#options.carrier(link.name);
    if (link?.isUp === true) this.#work(id, (port, now) => port.received(frame, now));
    else this.#dropped(id, 'link_down', null);
  }

  /** Lets a port work; what it brings forth for VDP follows. */
  #work(id: PortId, work: (port: AccessPort, now: number) => void): void {
    const link = this.#links.get(id);
    if (link === undefined || this.#isClosed) return;
    work(link.port, performance.now());
    this.#deadlines.set(`${id}`, link.port.nextDeadline());
    // ECP has acknowledged them; what they ask for may have to wait, so that others are acknowledged in time.
    while (this.#arrived > 0) {
      this.#arrived--;
      this.#options.turns.run(() => this.#serve());
    }
    this.#drain();
  }

  #serve(): void {
    const received = this.#inbox.take();
    if (received !== undefined) this.#handle(received);
  }

  #handle(event: VdpBridgeEvent): void {
    this.#enqueue(event);
    this.#drain();
  }

  #enqueue(event: VdpBridgeEvent): void {
    this.#events.push(event);
  }

  #drain(): void {
    if (this.#isBusy || this.#isClosed) return;
    this.#isBusy = true;
    try {
      for (let event = this.#events.shift(); event !== undefined; event = this.#events.shift())
        for (const effect of this.#vdp.handle(event, this.#timeOf(event))) this.#effect(effect);
    } finally {
      this.#isBusy = false;
    }
    // Else looked at again when that PDU has been.
    const [due, oldest] = [this.#vdp.nextDeadline(), this.#inbox.oldest()];
    this.#deadlines.set(VDP, due === null || oldest === null || due <= oldest ? due : null);
    this.#alarm.set(this.#deadlines.next());
  }

  /** Nobody is silent whose PDU waits: for VDP's timers it is not later than when that arrived. */
  #timeOf(event: VdpBridgeEvent): number {
    const now = performance.now();
    return event.type === 'tick' ? (this.#inbox.oldest() ?? now) : now;
  }

  #effect(effect: VdpBridgeEffect): void {
    switch (effect.type) {
      case 'send': {
        const { peer, token, pdu } = effect;
        const id = this.#idOf(peer.port);
        if (id === undefined) this.#enqueue({ type: 'undelivered', token });
        else this.#work(id, (port, now) => port.send(peer.svid, peer.mac, token, pdu, now));
        break;
      }
      case 'tsi': {
        const { command } = effect;
        const { request } = command;
        this.#options.ask(command, (result) => this.#handle({ type: 'tsiAnswer', request, result }));
        break;
      }
      case 'log': {
        const { peer, vsi, from, to, cause, error } = effect;
        const fields = { station: peerText(peer), vsi, from, to, cause, error: error?.code };
        if (error === null) this.#log[SETTLED.has(to) ? 'info' : 'debug'](fields, `VSI ${vsi}: ${from} to ${to}`);
        else this.#log.warn(fields, `VSI ${vsi}: ${from} to ${to}: ${error.message}`);
        break;
      }
    }
  }

  #channelChanged(channel: VdpChannel, isUp: boolean): void {
    const link = channelText(channel);
    this.#log.info({ port: channel.port, svid: channel.svid }, `S-channel ${link} is ${isUp ? 'there' : 'gone'}`);
    // Nobody is there any more to hear a De-Assoc; the VSIs end all the same.
    if (!isUp) this.#enqueue({ type: 'revoke', scope: { channel }, reason: `S-channel ${link} is gone` });
    this.#options.channelChanged(channel, isUp);
  }

  #idOf(name: LinkName): PortId | undefined {
    for (const [id, link] of this.#links) if (link.name === name) return id;
    return undefined;
  }

  #dropped(id: PortId, reason: AgentDropReason, error: NveError | null): void {
    const link = this.#links.get(id);
    if (link === undefined) return;
    link.drops.set(reason, (link.drops.get(reason) ?? 0) + 1);
    this.#log.debug({ port: link.name, reason, error: error?.code }, error?.message ?? `dropped: ${reason}`);
  }

  #tick(): void {
    const due = this.#deadlines.take(performance.now());
    for (const key of due) {
      if (key === VDP) this.#handle({ type: 'tick' });
      else this.#work(Number(key), (port, now) => port.tick(now));
    }
    this.#drain();
  }
}
