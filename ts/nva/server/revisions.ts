/**
 * Revisions of the embedded authority: total over all VNs within an epoch. Each VN has a bounded log of its changes, and the
 * latest commits of all are remembered, so that after a restart NVEs go on where they were.
 */
import type { VnId } from '#model';
import type { NnpChanges } from '#protocol';
import type { NnpOp } from '#wire';
import { ChangeLog } from './change-log.js';
import { LOG_RING, type Put, type Remembered, recordKeys } from './records.js';
import type { Change } from './vn-state.js';

export interface RevisionLimits {
  /** Ops that the change log of a VN keeps. */
  readonly logOps: number;
  /** Logs of deleted VNs that are kept. */
  readonly deletedLogs: number;
}

export class Revisions {
  readonly epoch: string;
  readonly term: bigint;
  readonly #limits: RevisionLimits;
  readonly #put: Put;
  readonly #logs = new Map<VnId, ChangeLog>();
  /** Of the last change of each VN. */
  readonly #latest = new Map<VnId, bigint>();
  #revision: bigint;

  /** A new epoch, unless `remembered` has one. */
  constructor(epoch: string, remembered: Remembered | null, limits: RevisionLimits, put: Put) {
    const meta = remembered?.meta[0];
    this.epoch = meta?.epoch ?? epoch;
    this.term = meta?.term ?? 1n;
    this.#revision = meta?.revision ?? 1n;
    this.#limits = limits;
    this.#put = put;
    if (remembered !== null && meta !== undefined) this.#restore(remembered);
    else this.#remember();
  }

  get revision(): bigint {
    return this.#revision;
  }

  /** Of the last change of a VN; 0: none is known. */
  latest(vn: VnId): bigint {
    return this.#latest.get(vn) ?? 0n;
  }

  /** One revision of one VN; none if there is no change. */
  commit(vn: VnId, changes: readonly Change[]): void {
    if (changes.length === 0) return;
    const log = this.#logOf(vn, this.#revision);
    this.#revision += 1n;
    const revision = this.#revision;
    log.add(revision, opsOf(changes, revision));
    this.#latest.set(vn, revision);
    this.#put(recordKeys.log(revision), { revision: `${revision}`, vn, changes });
    this.#remember();
  }

  changes(vn: VnId, from: bigint, maxOps: number): NnpChanges | null {
    return this.#logs.get(vn)?.after(from, maxOps, this.#revision) ?? null;
  }

  /** Logs of deleted VNs serve their last subscribers; there may be any number of such VNs in the end. */
  forgetDeleted(exists: (vn: VnId) => boolean): void {
    const deleted = [...this.#logs.keys()].filter((vn) => !exists(vn));
    for (const vn of deleted.slice(0, Math.max(0, deleted.length - this.#limits.deletedLogs))) {
      this.#logs.delete(vn);
      this.#latest.delete(vn);
    }
  }

  #logOf(vn: VnId, since: bigint): ChangeLog {
    const log = this.#logs.get(vn) ?? new ChangeLog(this.#limits.logOps, since);
    this.#logs.set(vn, log);
    return log;
  }

  #remember(): void {
    const { epoch, term, revision } = this;
    this.#put(recordKeys.meta, { epoch, term: `${term}`, revision: `${revision}` });
  }

  /** What the ring has without a gap up to the present. */
  #restore({ log, vn: vns }: Remembered): void {
    const byRevision = new Map(log.map((entry) => [entry.revision, entry]));
    let since = this.#revision;
    while (byRevision.has(since) && this.#revision - since < BigInt(LOG_RING)) since -= 1n;
    for (const { vn } of vns) this.#logOf(vn, since);
    for (let revision = since + 1n; revision <= this.#revision; revision += 1n) {
      const entry = byRevision.get(revision);
      if (entry === undefined) continue;
      this.#logOf(entry.vn, since).add(revision, opsOf(entry.changes, revision));
      this.#latest.set(entry.vn, revision);
    }
  }
}

function opsOf(changes: readonly Change[], revision: bigint): NnpOp[] {
  return changes.map((change) =>
    'set' in change ? { op: 'set', revision, object: change.set } : { op: 'delete', revision, key: change.unset },
  );
}
