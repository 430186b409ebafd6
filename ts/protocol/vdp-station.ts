/**
 * VDP's station side on one access channel: all its VSIs, their timers, and PDUs out of what they say. What a VSI does is in
 * `vdp-station-machine.ts`. Sans-IO: an event and the time go in, effects come out.
 */
import { associationsOf, type FilterFormats, STANDARD_FILTER_FORMATS, type VdpAssociation } from '#wire';
import { Deadlines } from './deadlines.js';
import type { EvbParameters } from './evb-events.js';
import { EVB_DEFAULTS } from './evb-tlv.js';
import { vsiKey, vsiText } from './vdp-events.js';
import { Outbox } from './vdp-replies.js';
import type { VdpStationEffect, VdpStationEvent, VdpStationState } from './vdp-station-events.js';
import { newStationRecord, type StationRecord, VdpStationMachine } from './vdp-station-machine.js';
import { reinitKeepAlive, respWaitDelay } from './vdp-timers.js';

export interface VdpStationOptions {
  readonly formats?: FilterFormats;
  readonly parameters?: EvbParameters;
  /** Several VSIs in one PDU. False where the bridge may know only one. */
  readonly packs?: boolean;
  /** The first token of a `send`. */
  readonly firstToken?: number;
}

export interface StationRow {
  readonly vsi: string;
  readonly state: VdpStationState;
  /** What the NVE has granted. */
  readonly held: VdpAssociation | null;
}

export class VdpStation {
  readonly #formats: FilterFormats;
  readonly #packs: boolean;
  #parameters: EvbParameters;
  #token: number;
  #isUp = true;
  readonly #records = new Map<string, StationRecord>();
  readonly #deadlines = new Deadlines();
  readonly #machine: VdpStationMachine;
  #effects: VdpStationEffect[] = [];
  readonly #outbox = new Outbox();

  constructor(options: VdpStationOptions = {}) {
    this.#formats = options.formats ?? STANDARD_FILTER_FORMATS;
    this.#packs = options.packs ?? true;
    this.#parameters = options.parameters ?? EVB_DEFAULTS;
    this.#token = (options.firstToken ?? 1) - 1;
    this.#machine = new VdpStationMachine({
      send: (record, association) => {
        const { managerId, qualifiers } = record.vsi;
        record.token = UNSENT;
        this.#outbox.put(record.key, { managerId, tlvs: [association, ...qualifiers] });
      },
      answer: (request, result) => this.#effects.push({ type: 'answer', request, result }),
      ended: ({ vsi: { vsiidFormat, vsiid } }, error, retry) =>
        this.#effects.push({ type: 'ended', vsi: { vsiidFormat, vsiid }, error, retry }),
      log: ({ vsi, state: to }, from, cause, error) =>
        this.#effects.push({ type: 'log', vsi: vsiText(vsi), from, to, cause, error }),
    });
  }

  /** Events that belong together are told together, so that what they send shares PDUs. */
  handle(event: VdpStationEvent | readonly VdpStationEvent[], now: number): VdpStationEffect[] {
    for (const one of 'type' in event ? [event] : event) this.#handle(one, now);
    this.#flush(now);
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  /** When `tick` is due; null: no time matters. */
  nextDeadline(): number | null {
    return this.#deadlines.next();
  }

  rows(): StationRow[] {
    const order = [...this.#records.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
    return order.map(({ vsi, state, held }) => ({ vsi: vsiText(vsi), state, held }));
  }

  #handle(event: VdpStationEvent, now: number): void {
    switch (event.type) {
      case 'associate': {
        const key = vsiKey(event.vsi);
        const record = this.#records.get(key) ?? newStationRecord(key, event.vsi, now);
        this.#step(record, () => this.#machine.associate(record, event, now));
        break;
      }
      case 'deAssociate': {
        const record = this.#records.get(vsiKey(event.vsi));
        if (record === undefined) this.#effects.push({ type: 'answer', request: event.request, result: DONE });
        else this.#step(record, () => this.#machine.deAssociate(record, event.request, now));
        break;
      }
      case 'pdu':
        for (const { association } of associationsOf(event.pdu)) {
          // On a shared link there are also PDUs for others.
          const record = this.#records.get(vsiKey(association));
          if (record !== undefined)
            this.#step(record, () => this.#machine.received(record, event.pdu.managerId, association, now));
        }
        break;
      case 'delivered':
        this.#outbox.done(event.token);
        break;
      case 'undelivered':
        this.#outbox.done(event.token);
        for (const record of [...this.#records.values()].filter(({ token }) => token === event.token)) {
          if (record.state !== 'associated') this.#unanswered(record, now);
        }
        break;
      case 'parameters':
        this.#parameters = event.parameters;
        for (const record of this.#records.values()) this.#schedule(record);
        break;
      case 'down':
        this.#isUp = false;
        for (const record of this.#records.values()) this.#schedule(record);
        break;
      case 'up':
        this.#isUp = true;
        for (const record of this.#records.values()) {
          this.#step(record, () => this.#machine.keepAlive(record, now));
        }
        break;
      case 'tick':
        for (const key of this.#deadlines.take(now)) {
          const record = this.#records.get(key);
          if (record?.state === 'associated') this.#step(record, () => this.#machine.keepAlive(record, now));
          else if (record !== undefined) this.#unanswered(record, now);
        }
        break;
    }
  }

  #unanswered(record: StationRecord, now: number): void {
    this.#step(record, () => this.#machine.unanswered(record, now - record.since, now));
  }

  /** Lets the machine work on a record, which may come into being or end with it. */
  #step(record: StationRecord, work: () => void): void {
    work();
    if (record.state === 'init') this.#records.delete(record.key);
    else this.#records.set(record.key, record);
    this.#schedule(record);
  }

  #schedule(record: StationRecord): void {
    this.#deadlines.set(record.key, this.#deadlineOf(record));
  }

  #deadlineOf({ state, since }: StationRecord): number | null {
    switch (state) {
      case 'init':
        return null;
      case 'associated':
        // Without a carrier there is nobody to tell; `up` tells everything again.
        return this.#isUp ? since + reinitKeepAlive(this.#parameters) : null;
      case 'waiting':
      case 'keepAlive':
      case 'leaving':
        return since + respWaitDelay(this.#parameters);
    }
  }

  #flush(now: number): void {
    if (!this.#isUp) this.#outbox.clear();
    const next = this.#outbox.next(() => ++this.#token, this.#packs, this.#formats);
    if (next === null) return;
    for (const vsi of next.vsis) {
      const record = this.#records.get(vsi);
      if (record === undefined) continue;
      record.token = next.token;
      // It is from now on that an answer can be waited for.
      if (record.state !== 'associated') record.since = now;
      this.#schedule(record);
    }
    this.#effects.push({ type: 'send', token: next.token, pdu: next.pdu });
  }
}

/** No PDU has this token. */
const UNSENT = 0;
const DONE = { ok: true, value: null } as const;
