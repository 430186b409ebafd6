/**
 * ECP with one peer: its transmit machine and its receive machine (IEEE 802.1Q clause 43). `EcpChannel`
 * owns the peers, their addresses and the sequence numbers; this class knows neither.
 *
 * ```
 *              send, nothing queued                    timer, retries left
 *            ┌────────────────────────► waiting ◄────────────────────────┐
 *  transmit: idle                        │  │ └──────────────────────────┘
 *            └◄──────────────────────────┘  │ ack, or timer without retries: the next of the queue
 *              ack, or timer without        └──────────► waiting
 *              retries, queue empty
 *
 *  receive:  every request is acknowledged; one with the sequence number of the last is not delivered
 * ```
 */

import { type MacAddr, type NveError, nveError } from '#model';
import type { EcpPdu } from '#wire';
import type {
  EcpOptions,
  EcpParameters,
  EcpPeerCounters,
  EcpPeerStatus,
  EcpResetReason,
  EcpToken,
} from './ecp-events.js';
import { exponentMs } from './evb-tlv.js';

interface Waiting {
  readonly token: EcpToken;
  readonly subtype: number;
  readonly payload: Uint8Array;
}

interface Outstanding extends Waiting {
  readonly pdu: EcpPdu;
  /** How often it was sent. */
  times: number;
  until: number;
}

export interface EcpPeerHost {
  nextSequence(): number;
  transmit(peer: EcpPeer, pdu: EcpPdu): void;
  deliver(peer: EcpPeer, pdu: EcpPdu): void;
  duplicate(peer: EcpPeer): void;
  acknowledged(peer: EcpPeer, token: EcpToken): void;
  failed(peer: EcpPeer, token: EcpToken, error: NveError): void;
}

export class EcpPeer {
  /** null: the bridge of a station that has not heard it yet. */
  mac: MacAddr | null;
  /** The destination on which the peer spoke last; null before. */
  heardOn: MacAddr | null = null;
  lastHeard: number;
  readonly counters: EcpPeerCounters = { sent: 0, retried: 0, timedOut: 0, received: 0, duplicates: 0 };
  readonly #host: EcpPeerHost;
  readonly #options: EcpOptions;
  readonly #queue: Waiting[] = [];
  #outstanding: Outstanding | null = null;
  /** The sequence number of the last request that was delivered. */
  #last: number | null = null;

  constructor(mac: MacAddr | null, options: EcpOptions, host: EcpPeerHost, now: number) {
    this.mac = mac;
    this.#options = options;
    this.#host = host;
    this.lastHeard = now;
  }

  /** Nothing is under way: to forget the peer loses nothing but its last sequence number and the address it spoke to. */
  get idle(): boolean {
    return this.#outstanding === null;
  }

  get deadline(): number | null {
    return this.#outstanding?.until ?? null;
  }

  status(): EcpPeerStatus {
    return {
      peer: this.mac,
      queued: this.#queue.length,
      outstanding: this.#outstanding?.pdu.sequence ?? null,
      lastReceived: this.#last,
    };
  }

  send(waiting: Waiting, parameters: EcpParameters, now: number): void {
    const { maxQueue } = this.#options;
    if (this.#queue.length >= maxQueue) {
      this.#host.failed(this, waiting.token, nveError('NVE-ECP-003', { peer: this.#name(), limit: maxQueue }));
      return;
    }
    this.#queue.push(waiting);
    this.#proceed(parameters, now);
  }

  /** Clause 43: acknowledge always, also what was seen before: the acknowledgement may have been lost. */
  request(pdu: EcpPdu): void {
    const { subtype, sequence } = pdu;
    this.#host.transmit(this, { operation: 'ack', subtype, sequence, payload: new Uint8Array(0) });
    if (this.#last === sequence) {
      this.counters.duplicates++;
      this.#host.duplicate(this);
      return;
    }
    // Neither order nor a window is asked for: any other number is new.
    this.#last = sequence;
    this.counters.received++;
    this.#host.deliver(this, pdu);
  }

  /** False: it acknowledges nothing that is outstanding. */
  ack(pdu: EcpPdu, parameters: EcpParameters, now: number): boolean {
    const outstanding = this.#outstanding;
    if (outstanding === null || outstanding.pdu.sequence !== pdu.sequence || outstanding.subtype !== pdu.subtype)
      return false;
    this.#outstanding = null;
    this.#host.acknowledged(this, outstanding.token);
    this.#proceed(parameters, now);
    return true;
  }

  /** Clause 43: again as long as there are retries; then the PDU is given up and the next one goes. */
  tick(parameters: EcpParameters, now: number): void {
    const outstanding = this.#outstanding;
    if (outstanding === null || now < outstanding.until) return;
    if (outstanding.times <= parameters.retries) {
      outstanding.times++;
      this.counters.retried++;
      outstanding.until = now + exponentMs(parameters.rte);
      this.#host.transmit(this, outstanding.pdu);
      return;
    }
    this.#outstanding = null;
    this.counters.timedOut++;
    const { times, pdu, token } = outstanding;
    this.#host.failed(this, token, nveError('NVE-ECP-001', { peer: this.#name(), sequence: pdu.sequence, times }));
    this.#proceed(parameters, now);
  }

  reset(reason: EcpResetReason): void {
    this.#last = null;
    switch (reason) {
      case 'carrierLost':
        this.abandon(nveError('NVE-ECP-002', { peer: this.#name(), reason }));
        break;
      // The peer is reachable: what is on its way to it goes on, and is new to it.
      case 'neighbourChanged':
      case 'evbReinit':
        break;
    }
  }

  /** Gives up whatever is under way or waits. */
  abandon(error: NveError): void {
    const lost = [...(this.#outstanding === null ? [] : [this.#outstanding]), ...this.#queue];
    this.#outstanding = null;
    this.#queue.length = 0;
    for (const { token } of lost) this.#host.failed(this, token, error);
  }

  #proceed(parameters: EcpParameters, now: number): void {
    if (this.#outstanding !== null) return;
    const next = this.#queue.shift();
    if (next === undefined) return;
    const { subtype, payload } = next;
    const pdu: EcpPdu = { operation: 'request', subtype, sequence: this.#host.nextSequence(), payload };
    this.counters.sent++;
    this.#outstanding = { ...next, pdu, times: 1, until: now + exponentMs(parameters.rte) };
    this.#host.transmit(this, pdu);
  }

  #name(): string {
    return this.mac ?? 'the bridge';
  }
}
