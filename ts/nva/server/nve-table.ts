/**
 * The NVEs that the embedded authority has heard of: where each is, how much it has reported, and how long that counts without
 * a session.
 */
import type { NveId, NveInfo } from '#model';
import { type Put, recordKeys } from './records.js';

export interface Nve {
  info: NveInfo;
  /** When its reports are dropped unless it reports in full again; null: its session is up and has reported. */
  leaseUntil: number | null;
  /** Attachments that the full report under way has named; null outside of one. */
  named: Set<string> | null;
  /** In all its attachments. */
  macs: number;
}

export class NveTable {
  readonly #put: Put;
  readonly #nves = new Map<NveId, Nve>();

  constructor(put: Put) {
    this.#put = put;
  }

  get(nveId: NveId): Nve | undefined {
    return this.#nves.get(nveId);
  }

  /** One that was remembered: what it reported counts until `leaseUntil`. */
  restore(info: NveInfo, leaseUntil: number): void {
    this.#nves.set(info.nveId, { info, leaseUntil, named: null, macs: 0 });
  }

  /** A session begins. What it reported in its last one counts on until it reports in full, but not for ever. */
  hello(info: NveInfo, leaseUntil: number): void {
    const nve = this.#nves.get(info.nveId);
    this.#put(recordKeys.nve(info.nveId), info);
    if (nve === undefined) this.#nves.set(info.nveId, { info, leaseUntil: null, named: null, macs: 0 });
    else Object.assign(nve, { info, leaseUntil, named: null });
  }

  /** It is reached in another way now. */
  ends(nve: Nve, info: NveInfo): void {
    this.#put(recordKeys.nve(info.nveId), info);
    nve.info = info;
  }

  /** The NVE's session is gone. */
  lost(nveId: NveId, leaseUntil: number): void {
    const nve = this.#nves.get(nveId);
    if (nve === undefined) return;
    nve.named = null;
    nve.leaseUntil ??= leaseUntil;
  }

  /** When the first lease ends; null: none is running. */
  nextLease(): number | null {
    let next: number | null = null;
    for (const { leaseUntil } of this.#nves.values()) {
      if (leaseUntil !== null && (next === null || leaseUntil < next)) next = leaseUntil;
    }
    return next;
  }

  /** Those whose lease is over; it is not told again. */
  takeExpired(now: number): Nve[] {
    const expired = [...this.#nves.values()].filter(({ leaseUntil }) => leaseUntil !== null && leaseUntil <= now);
    for (const nve of expired) nve.leaseUntil = null;
    return expired;
  }
}
