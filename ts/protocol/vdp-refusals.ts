/**
 * What VDP's bridge side remembers of VSIs whose first command it refused, for people who ask why: nothing depends on it. A few,
 * and not for long, since a station may have as many VSIs refused as it likes.
 */
import { NO_HINTS, type NveError } from '#model';
import type { Hex, VdpAssociation } from '#wire';
import type { EvbParameters } from './evb-events.js';
import type { VsiRecord } from './vdp-bridge-record.js';
import type { VdpPeer, VdpVsiRow } from './vdp-events.js';

/** The oldest goes first. */
const REFUSALS_MAX = 256;
const REMEMBERED_MS = 600_000;

interface Refusal {
  readonly record: VsiRecord;
  readonly managerId: Hex;
  readonly association: VdpAssociation;
  readonly error: NveError | null;
  readonly at: number;
}

export class VdpRefusals {
  /** By the keys of the VSIs, in the order in which they were refused. */
  readonly #refusals = new Map<string, Refusal>();

  put(record: VsiRecord, managerId: Hex, association: VdpAssociation): void {
    this.#refusals.delete(record.key);
    const [oldest] = this.#refusals.keys();
    if (oldest !== undefined && this.#refusals.size >= REFUSALS_MAX) this.#refusals.delete(oldest);
    this.#refusals.set(record.key, { record, managerId, association, error: record.error, at: record.heardAt });
  }

  delete(key: string): void {
    this.#refusals.delete(key);
  }

  rows(now: number, parametersOf: (peer: VdpPeer) => EvbParameters): VdpVsiRow[] {
    return [...this.#refusals.values()]
      .filter(({ at }) => now - at <= REMEMBERED_MS)
      .sort((a, b) => (a.record.key < b.record.key ? -1 : 1))
      .map(({ record: { key, peer, vsi, name, vmUuid }, managerId, association, error, at }) => ({
        key,
        port: peer.port,
        svid: peer.svid,
        station: peer.mac,
        vsi,
        name,
        vmUuid,
        state: 'refused',
        managerId,
        hints: NO_HINTS,
        parameters: parametersOf(peer),
        error,
        association,
        tsis: [],
        heardAt: at,
      }));
  }
}
