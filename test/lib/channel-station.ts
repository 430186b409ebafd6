// A station with S-channels for tests: CDCP, and in each channel LLDP, EVB, ECP and VDP, in real time. It is the product's own
// machines, so it proves that the two ends fit, not that either is right; what the octets are is judged elsewhere.

import type { LinkName, MacAddr, NveError, Result, Vid } from '#model';
import {
  AccessPort,
  CDCP_DEFAULTS,
  CdcpStation,
  EVB_DEFAULTS,
  type StationAssociation,
  type StationCommand,
  type StationVsi,
  VdpStation,
  type VdpStationEvent,
} from '#protocol';
import { GROUP_ADDRESSES } from '#wire';

export interface ChannelStationOptions {
  readonly mac: MacAddr;
  /** Of the channels that it wants, besides the default one. */
  readonly scids: readonly number[];
  readonly stationBit?: 0 | 1;
  readonly reflectiveRelay?: boolean;
  readonly transmit: (frame: Uint8Array) => void;
}

interface Channel {
  /** Its PDUs are numbered from this many millions on. */
  readonly tokens: number;
  readonly vdp: VdpStation;
  readonly events: VdpStationEvent[];
  bridge: MacAddr | null;
}

type Answer = (result: Result<StationAssociation | null>) => void;

export class ChannelStation {
  readonly #port: AccessPort;
  readonly #cdcp: CdcpStation;
  readonly #channels = new Map<Vid | null, Channel>();
  readonly #answers = new Map<number, Answer>();
  /** VSIs that the bridge has ended, by their VSIID. */
  readonly ended: string[] = [];
  readonly dropped: string[] = [];
  #request = 0;
  #made = 0;
  #timer: NodeJS.Timeout | undefined;
  #isBusy = false;

  constructor({ mac, scids, stationBit = 1, reflectiveRelay = false, transmit }: ChannelStationOptions) {
    this.#channels.set(null, channel(0));
    this.#cdcp = new CdcpStation({ ...CDCP_DEFAULTS, stationBit, wants: scids });
    this.#port = new AccessPort(
      {
        role: 'station',
        name: 'uplink0' as LinkName,
        mac,
        node: 'host1',
        evb: EVB_DEFAULTS,
        reflectiveRelay,
        address: { group: GROUP_ADDRESSES.nearestCustomerBridge },
        cdcp: this.#cdcp,
        firstSequence: () => 1,
        hasVsis: () => true,
      },
      {
        transmit,
        deliver: (svid, _, pdu) => this.#tell(svid, { type: 'pdu', pdu }),
        finished: (token, delivered) => {
          for (const [svid, { tokens }] of this.#channels)
            if (tokens === tokensOf(token)) this.#tell(svid, { type: delivered ? 'delivered' : 'undelivered', token });
        },
        parameters: (svid, peer, parameters) => {
          const one = this.#channels.get(svid);
          if (one === undefined || peer === null) return;
          const isNew = one.bridge === null;
          one.bridge = parameters === null ? null : peer;
          if (parameters === null) one.events.push({ type: 'down' });
          else one.events.push({ type: 'parameters', parameters }, ...(isNew ? [{ type: 'up' } as const] : []));
        },
        // It may have forgotten what it granted.
        renewed: (svid, peer) => {
          if (this.#channels.get(svid)?.bridge === peer) this.#tell(svid, { type: 'up' });
        },
        reflectiveRelay: () => undefined,
        channel: ({ svid }, isUp) => {
          if (isUp) this.#channels.set(svid, channel(++this.#made));
          else this.#channels.delete(svid);
        },
        remember: () => undefined,
        dropped: (reason: string, _error: NveError | null) => this.dropped.push(reason),
      },
    );
  }

  /** SCID to SVID. */
  get channels(): ReadonlyMap<number, Vid> {
    return new Map(this.#cdcp.channels.map(({ scid, svid }) => [scid, svid as Vid]));
  }

  /** Whether the bridge's EVB TLV was heard in the channel. */
  hears(svid: Vid | null): boolean {
    return (this.#channels.get(svid)?.bridge ?? null) !== null;
  }

  start(): void {
    this.#work(() => this.#port.up(performance.now()));
  }

  received(frame: Uint8Array): void {
    this.#work(() => this.#port.received(frame, performance.now()));
  }

  associate(
    svid: Vid | null,
    vsi: StationVsi,
    command: StationCommand = 'associate',
  ): Promise<Result<StationAssociation | null>> {
    const request = ++this.#request;
    return new Promise((resolve) => {
      this.#answers.set(request, resolve);
      const hints = { suspended: false, migrating: false };
      this.#work(() => this.#tell(svid, { type: 'associate', request, command, vsi, hints }));
    });
  }

  /** Which channels it wants from now on. */
  want(scids: readonly number[]): void {
    this.#work(() => this.#port.want(scids, performance.now()));
  }

  /** It is gone without a word. */
  close(): void {
    clearTimeout(this.#timer);
    this.#isBusy = true;
  }

  #tell(svid: Vid | null, event: VdpStationEvent): void {
    this.#channels.get(svid)?.events.push(event);
  }

  /** Events of VDP wait until the port has returned. */
  #work(work: () => void): void {
    if (this.#isBusy) return;
    this.#isBusy = true;
    try {
      work();
      for (const [svid, one] of this.#channels) this.#drain(svid, one);
    } finally {
      this.#isBusy = false;
    }
    this.#wind();
  }

  #drain(svid: Vid | null, one: Channel): void {
    const now = performance.now();
    for (let event = one.events.shift(); event !== undefined; event = one.events.shift()) {
      for (const effect of one.vdp.handle(event, now)) {
        if (effect.type === 'send') {
          const { token, pdu } = effect;
          if (one.bridge === null) one.events.push({ type: 'undelivered', token });
          else this.#port.send(svid, one.bridge, token, pdu, now);
        } else if (effect.type === 'answer') {
          this.#answers.get(effect.request)?.(effect.result);
          this.#answers.delete(effect.request);
        } else if (effect.type === 'ended') {
          this.ended.push(effect.vsi.vsiid);
        }
      }
    }
  }

  #wind(): void {
    clearTimeout(this.#timer);
    const all = [this.#port.nextDeadline(), ...[...this.#channels.values()].map(({ vdp }) => vdp.nextDeadline())];
    const next = Math.min(...all.map((at) => at ?? Number.POSITIVE_INFINITY));
    if (next === Number.POSITIVE_INFINITY) return;
    this.#timer = setTimeout(() => this.#tick(), Math.max(1, Math.ceil(next - performance.now())));
    this.#timer.unref();
  }

  #tick(): void {
    this.#work(() => {
      this.#port.tick(performance.now());
      for (const { events } of this.#channels.values()) events.push({ type: 'tick' });
    });
  }
}

const TOKENS = 1_000_000;
const tokensOf = (token: number): number => Math.floor(token / TOKENS);

function channel(tokens: number): Channel {
  const vdp = new VdpStation({ parameters: EVB_DEFAULTS, firstToken: tokens * TOKENS + 1 });
  // Until a bridge is heard.
  vdp.handle({ type: 'down' }, 0);
  return { tokens, vdp, events: [], bridge: null };
}
