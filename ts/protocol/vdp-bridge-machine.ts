/**
 * VDP's bridge machine for one VSI (IEEE 802.1Q clause 41.5; the states of RFC 8394 section 3.2 are the TSIs').
 *
 * ```
 *           Pre-Assoc, Assoc             granted: 0x40
 *   init ────────────────────► processing ─────────────► associated ◄─┐ keep-alive: 0x40
 *    ▲                             │ refused, late:        │ │  ▲ │ ▲ └─┘
 *    ├─────────────────────────────┘ error                 │ │  │ │ │ granted: 0x40
 *    │  silent, ended, revoked: De-Assoc                   │ │  │ │ │ refused, late: KEEP and error
 *    ├─────────────────────────────────────────────────────┘ │  │ ▼ │
 *    │                         De-Assoc                      │ reprocessing
 *    ├──── releasing ◄───────────────────────────────────────┘    │
 *    │         let go, late: 0x40                                 │ ended, revoked: error
 *    └────────────────────────────────────────────────────────────┘
 * ```
 *
 * `processing`: a command, nothing held before. `associated`: the standard's WAITCMD. `reprocessing`: another mode or filter
 * while the earlier association holds on. A command that meets one at work replaces it: the station no longer waits for the
 * other. De-Assoc goes to `releasing` from everywhere; of an unknown VSI it is answered at once, positively.
 *
 * An association with several TSIs is granted when all of them are, and refused when one is. What is then rolled back goes
 * through the same requests.
 */
import { type NveError, nveError, type Result, type TsiRow, tsiKeyText, vidOfTag } from '#model';
import { type QualifiedAssociation, responseStatus, unsolicitedStatus, type VdpAssociation } from '#wire';
import type { RequestId } from './tsi-events.js';
import { ASSOCIATED } from './tsi-record.js';
import { commandText, type Held, hintsOf, type Job, levelOfCommand, type VsiRecord } from './vdp-bridge-record.js';
import type { VdpBridgeState } from './vdp-events.js';
import { ciscoIps, ciscoVm, type TsiWant, vidsOf } from './vdp-mapping.js';
import { filterVids, isSameFilter, withVids } from './vdp-replies.js';
import { refusalOf } from './vdp-status-of.js';
import type { VdpTsis } from './vdp-tsis.js';

export interface VdpBridgeMachineHost {
  readonly tsis: VdpTsis;
  /** PCP for entries that ask for none; null: leave them. */
  readonly pcp: number | null;
  /** Which TSIs the association is, or why it cannot be. */
  wants(record: VsiRecord, managerId: string, qualified: QualifiedAssociation): Result<TsiWant[]>;
  /** The answers to this request are the record's. */
  own(request: RequestId, record: VsiRecord): void;
  reply(record: VsiRecord, managerId: string, association: VdpAssociation): void;
  log(record: VsiRecord, from: VdpBridgeState, cause: string, error: NveError | null): void;
}

export class VdpBridgeMachine {
  readonly #host: VdpBridgeMachineHost;

  constructor(host: VdpBridgeMachineHost) {
    this.#host = host;
  }

  // Events

  /** An association TLV of the station. */
  command(record: VsiRecord, managerId: string, qualified: QualifiedAssociation, now: number): void {
    const { association } = qualified;
    record.heardAt = now;
    record.downAt = null;
    const vm = ciscoVm(qualified);
    record.name = vm?.name ?? record.name;
    record.vmUuid = vm?.uuid ?? record.vmUuid;
    const isDeAssociate = association.command === 'deAssociate';
    switch (record.state) {
      case 'init':
        // 41.5: the bridge does not know it, so it is de-associated.
        if (isDeAssociate) this.#positive(record, managerId, association);
        else this.#begin(record, managerId, qualified, now);
        break;
      case 'processing':
      case 'reprocessing':
        if (isDeAssociate) {
          this.#release(record, managerId, qualified, now);
        } else if (record.job !== null && isRepeated(record.job, managerId, qualified)) {
          // The station asks again: it is answered once, as it asked last.
          record.job.qualified = qualified;
        } else {
          this.#begin(record, managerId, qualified, now);
        }
        break;
      case 'associated':
        if (isDeAssociate) this.#release(record, managerId, qualified, now);
        else if (record.held !== null && isKeepAlive(record.held, managerId, qualified))
          this.#keepAlive(record, record.held, association);
        else this.#begin(record, managerId, qualified, now);
        break;
      case 'releasing':
        if (isDeAssociate && record.job !== null) {
          record.job.managerId = managerId;
          record.job.qualified = qualified;
        } else {
          this.#begin(record, managerId, qualified, now);
        }
        break;
    }
  }

  /** The answer to a request of this VSI. Of a job that is gone it is stale. */
  tsiAnswered(record: VsiRecord, request: RequestId, result: Result<TsiRow | null>): void {
    const { job } = record;
    const want = job?.waiting.get(request);
    const isRestore = record.restoring.delete(request);
    if (job !== null && want !== undefined) job.waiting.delete(request);
    switch (record.state) {
      case 'init':
        break;
      case 'processing':
      case 'reprocessing':
        if (job === null || want === undefined) break;
        if (!result.ok) {
          this.#refuse(record, job, result.error);
          break;
        }
        if (want !== null && result.value?.tag) {
          const vid = vidOfTag(result.value.tag);
          if (vid !== null) job.vids.set(want.key.tsi, vid);
        }
        if (job.waiting.size === 0) this.#advance(record, job);
        break;
      case 'associated':
        // What the station was told to keep cannot be kept.
        if (isRestore && !result.ok) this.#end(record, 'the earlier association could not be kept', result.error);
        break;
      case 'releasing':
        // A refusal of the engine is not the station's concern: `VdpTsis` tries again.
        if (job !== null && want !== undefined && job.waiting.size === 0) this.#released(record, job);
        break;
    }
  }

  /** A TSI of the VSI was ended by the NVE side, or an operator ends the VSI (RFC 8394 requirements 6 and 9). `final`: it shall not be asked for again. */
  ended(record: VsiRecord, error: NveError, final: boolean): void {
    switch (record.state) {
      case 'init':
      case 'releasing':
        break;
      case 'processing':
      case 'reprocessing':
        // Not KEEP: the earlier association is gone.
        record.held = null;
        if (record.job !== null) this.#refuse(record, record.job, error, final);
        break;
      case 'associated':
        this.#end(record, 'the NVE side', error, final);
        break;
    }
  }

  /** The time to answer in, or the time for which the station may be silent, is over (clauses 41.5.5.9 and .14). */
  timedOut(record: VsiRecord, error: NveError): void {
    switch (record.state) {
      case 'init':
        break;
      case 'processing':
      case 'reprocessing':
        if (record.job !== null) this.#refuse(record, record.job, error);
        break;
      case 'associated':
        this.#end(record, 'toutKeepAlive', error);
        break;
      case 'releasing':
        // A De-Assoc is never refused; the TSIs go on being let go.
        if (record.job !== null) this.#released(record, record.job);
        break;
    }
  }

  // Steps

  #begin(record: VsiRecord, managerId: string, qualified: QualifiedAssociation, now: number): void {
    const { tsis } = this.#host;
    const { association } = qualified;
    this.#callOff(record);
    const wants = this.#host.wants(record, managerId, qualified);
    const waiting = new Map<RequestId, TsiWant | null>();
    const job: Job = {
      managerId,
      qualified,
      wants: wants.ok ? wants.value : [],
      waiting,
      vids: new Map(),
      stage: 'raise',
      since: now,
    };
    this.#to(record, record.held === null ? 'processing' : 'reprocessing', commandText(association), null);
    record.job = job;
    if (!wants.ok) {
      this.#refuse(record, job, wants.error);
      return;
    }
    const level = levelOfCommand(association.command);
    for (const want of wants.value) {
      record.touched.set(tsiKeyText(want.key), want.key);
      this.#wait(record, job, tsis.raise(record.key, want, level, hintsOf(association)), want);
    }
  }

  /** All is granted: what is wanted less of goes down, what is not wanted any more goes. */
  #advance(record: VsiRecord, job: Job): void {
    if (job.stage === 'raise') {
      job.stage = 'lower';
      const { association } = job.qualified;
      this.#dropAllBut(record, job.wants);
      // RFC 8394 section 3.2, Deactivate: base VDP has no name for Assoc to Pre-Assoc, 802.1Qcy has.
      if (levelOfCommand(association.command) === ASSOCIATED) {
        for (const { key } of job.wants) {
          const request = this.#host.tsis.lower(record.key, key, hintsOf(association));
          if (request !== null) this.#wait(record, job, request, null);
        }
      }
      if (job.waiting.size > 0) return;
    }
    const { managerId, qualified, wants } = job;
    const count = filterVids(qualified.association.filter).length;
    const association = withVids(qualified.association, vidsOf(wants, job.vids, count), this.#host.pcp);
    record.held = {
      managerId,
      association,
      wants: wants.map((want) => ({ ...want, vid: job.vids.get(want.key.tsi) ?? want.vid })),
      ips: ciscoIps(qualified),
      hints: hintsOf(association),
    };
    record.job = null;
    this.#to(record, 'associated', `${commandText(association)} granted`, null);
    this.#positive(record, managerId, association);
  }

  #keepAlive(record: VsiRecord, held: Held, request: VdpAssociation): void {
    const hints = hintsOf(request);
    if (hints.suspended !== held.hints.suspended || hints.migrating !== held.hints.migrating) {
      held.hints = hints;
      const level = levelOfCommand(held.association.command);
      for (const want of held.wants) this.#host.tsis.raise(record.key, want, level, hints);
      this.#host.log(record, record.state, commandText(request), null);
    }
    this.#positive(record, held.managerId, withVids(request, filterVids(held.association.filter), this.#host.pcp));
  }

  /**
   * The error goes to the station; what the job has changed goes back to what held before it. `final`: asking again, which HARD
   * forbids, would take a TSI back that is meant to be elsewhere.
   */
  #refuse(record: VsiRecord, job: Job, error: NveError, final = false): void {
    const { held } = record;
    const { association } = job.qualified;
    const { code, hard: isLasting } = refusalOf(error);
    const hard = isLasting || final;
    this.#callOff(record);
    if (held === null) {
      this.#dropAllBut(record, []);
      this.#to(record, 'init', `${commandText(association)} refused`, error);
      // A VID that the station remembers from before our restart is another VN's by now: it shall ask anew.
      const isStaleVid = error.code === 'NVE-TAG-003';
      this.#host.reply(record, job.managerId, {
        ...association,
        command: isStaleVid ? 'deAssociate' : association.command,
        status: responseStatus({ code, hard: hard && !isStaleVid }),
      });
      return;
    }
    this.#restore(record, held);
    this.#to(record, 'associated', `${commandText(association)} refused, the earlier association stays`, error);
    this.#host.reply(record, job.managerId, { ...association, status: responseStatus({ keep: true, hard, code }) });
  }

  #restore(record: VsiRecord, held: Held): void {
    const { tsis } = this.#host;
    const level = levelOfCommand(held.association.command);
    this.#dropAllBut(record, held.wants);
    for (const want of held.wants) {
      record.touched.set(tsiKeyText(want.key), want.key);
      const request = tsis.raise(record.key, want, level, held.hints);
      record.restoring.add(request);
      this.#host.own(request, record);
      if (level === ASSOCIATED) tsis.lower(record.key, want.key, held.hints);
    }
  }

  #release(record: VsiRecord, managerId: string, qualified: QualifiedAssociation, now: number): void {
    this.#callOff(record);
    record.held = null;
    const job: Job = {
      managerId,
      qualified,
      wants: [],
      waiting: new Map(),
      vids: new Map(),
      stage: 'lower',
      since: now,
    };
    record.job = job;
    this.#to(record, 'releasing', 'deAssociate', null);
    for (const key of record.touched.values()) {
      const request = this.#host.tsis.drop(record.key, key);
      if (request !== null) this.#wait(record, job, request, null);
    }
    record.touched.clear();
    if (job.waiting.size === 0) this.#released(record, job);
  }

  #released(record: VsiRecord, { managerId, qualified }: Job): void {
    record.job = null;
    this.#to(record, 'init', 'de-associated', null);
    this.#positive(record, managerId, qualified.association);
  }

  /** An unsolicited De-Assoc, with what the station holds (clause 41: Req/Ack 0); HARD, if there is no point in asking again. */
  #end(record: VsiRecord, cause: string, error: NveError, final = false): void {
    const { held } = record;
    this.#callOff(record);
    this.#dropAllBut(record, []);
    record.held = null;
    this.#to(record, 'init', cause, error);
    if (held !== null)
      this.#host.reply(record, held.managerId, {
        ...held.association,
        command: 'deAssociate',
        status: unsolicitedStatus({ hard: final }),
      });
  }

  /** Nobody waits for the job any more. */
  #callOff(record: VsiRecord): void {
    const { job } = record;
    record.job = null;
    record.restoring.clear();
    if (job?.stage !== 'raise') return;
    for (const request of job.waiting.keys())
      this.#host.tsis.expire(request, `VDP ${job.qualified.association.command}`, 0);
  }

  #dropAllBut(record: VsiRecord, wants: readonly TsiWant[]): void {
    const kept = new Set(wants.map(({ key }) => tsiKeyText(key)));
    for (const [text, key] of record.touched) {
      if (kept.has(text)) continue;
      record.touched.delete(text);
      this.#host.tsis.drop(record.key, key);
    }
  }

  #wait(record: VsiRecord, job: Job, request: RequestId, want: TsiWant | null): void {
    job.waiting.set(request, want);
    this.#host.own(request, record);
  }

  #positive(record: VsiRecord, managerId: string, association: VdpAssociation): void {
    this.#host.reply(record, managerId, { ...association, status: responseStatus() });
  }

  #to(record: VsiRecord, state: VdpBridgeState, cause: string, error: NveError | null): void {
    const from = record.state;
    record.state = state;
    if (error !== null || state === 'associated') record.error = error;
    this.#host.log(record, from, cause, error);
  }
}

/** Clause 41.5: the same mode and the same filter; and the same type, whose change may change the VN. */
function isKeepAlive(held: Held, managerId: string, qualified: QualifiedAssociation): boolean {
  const { association } = qualified;
  const ips = ciscoIps(qualified);
  return (
    managerId === held.managerId &&
    isSameCommand(association, held.association) &&
    isSameFilter(association.filter, held.association.filter) &&
    (ips.length === 0 || (ips.length === held.ips.length && ips.every((ip) => held.ips.includes(ip))))
  );
}

function isRepeated(job: Job, managerId: string, qualified: QualifiedAssociation): boolean {
  const { association } = qualified;
  const { filter } = association;
  const asked = job.qualified.association;
  return (
    managerId === job.managerId &&
    isSameCommand(association, asked) &&
    association.status === asked.status &&
    isSameFilter(filter, asked.filter) &&
    isSameFilter(asked.filter, filter) &&
    ciscoIps(qualified).join() === ciscoIps(job.qualified).join()
  );
}

function isSameCommand(a: VdpAssociation, b: VdpAssociation): boolean {
  return a.command === b.command && a.typeId === b.typeId && a.typeVersion === b.typeVersion;
}

export function lateError(record: VsiRecord, deadlineMs: number): NveError {
  const command = record.job?.qualified.association.command ?? 'a command';
  return nveError('NVE-RPC-004', { method: `VDP ${command} of ${record.vsi}`, deadline_ms: Math.round(deadlineMs) });
}
