/**
 * The life cycle of one TSI on one link (RFC 8394 section 3.2, figures 5 and 6), bridge side.
 *
 * ```
 *           associate               allowed             applied
 *   Init ──────────────► authorizing ─────► reserving ──────────► Associated ◄───────────┐
 *    ▲                        │ denied          │ refused          │   │  ▲ refused      │
 *    ├────────────────────────┴─────────────────┘       deassociate│   │  ├────── activating
 *    │  applied                                                    │   │  │           ▲ │ applied
 *    └──────────────────────── releasing ◄─────────────────────────┘   └──┼─activate──┘ ▼
 *                                                 applied └─ deactivating ◄── deactivate ── Activated
 * ```
 *
 * A record knows where it shall go (`goal`). Requests move the goal; whenever nothing is in flight, `proceed` takes the next
 * step towards it. So every request is legal at any time and waits for nothing but the NVA or the engine.
 */
import { type NveError, nveError, type Result, type VnInfo } from '#model';
import type { RequestId, TsiEvent } from './tsi-events.js';
import type { TsiOut } from './tsi-out.js';
import {
  ACTIVATED,
  type Addresses,
  ASSOCIATED,
  INIT,
  isStable,
  type Level,
  levelOf,
  sameAddresses,
  type TsiRecord,
  vnNameOf,
  type Waiter,
  wanted,
} from './tsi-record.js';
import { held, type TsiSteps } from './tsi-steps.js';
import { fail, overtake, settle, settleInit } from './tsi-waiters.js';

export interface TsiMachineHost {
  /** The record is in Init: drop it. */
  gone(record: TsiRecord): void;
  /** Why the record cannot be in this VN, of which it is known only now that it is the one it asked for. */
  conflict(record: TsiRecord, vn: VnInfo): NveError | null;
  /** Handle an event that had to wait. */
  again(event: TsiEvent): void;
}

export class TsiMachine {
  readonly #steps: TsiSteps;
  readonly #out: TsiOut;
  readonly #host: TsiMachineHost;

  constructor(steps: TsiSteps, out: TsiOut, host: TsiMachineHost) {
    this.#steps = steps;
    this.#out = out;
    this.#host = host;
  }

  // Requests

  /** A new record, in phase `authorizing`. */
  begin(record: TsiRecord, request: RequestId): void {
    const { goal: want, addresses } = record;
    const { version } = addresses;
    record.waiters.push({ request, method: 'associate', direction: 'up', want, version, base: INIT });
    this.#steps.askAuth(record, addresses);
  }

  /** Waits until the record is at least at `want` with these addresses, and sets out for it. Never lowers the goal. */
  raise(record: TsiRecord, request: RequestId, method: Waiter['method'], want: Level, addresses: Addresses): void {
    if (!sameAddresses(addresses, wanted(record))) this.#want(record, addresses, method);
    const { version } = wanted(record);
    record.waiters.push({ request, method, direction: 'up', want, version, base: record.goal });
    if (want > record.goal) {
      record.goal = want;
      record.resume = false;
    }
    this.#proceed(record);
  }

  /** Waits until the record is at most at `want`, and sets out for it. */
  lower(record: TsiRecord, request: RequestId, method: Waiter['method'], want: Level): void {
    record.resume = false;
    record.waiters.push({ request, method, direction: 'down', want, version: 0, base: record.goal });
    this.#lowerGoal(record, want, method);
    this.#proceed(record);
  }

  /** The deadline of a request passed. What raises is rolled back, what lowers is finished. */
  expire(record: TsiRecord, request: RequestId, error: NveError): void {
    this.#abort(record, (waiter) => waiter.request === request, error);
    this.#proceed(record);
  }

  /** Other addresses than those wanted so far, for which nobody has to wait any longer. */
  #want(record: TsiRecord, addresses: Addresses, by: string): void {
    const old = wanted(record);
    const changed = { ...addresses, version: this.#out.number() };
    if (record.phase === 'authorizing') {
      // Nothing is allocated yet: ask again, and never mind the first answer.
      overtake(record, (waiter) => waiter.version === old.version, by, this.#out);
      record.addresses = changed;
      this.#steps.askAuth(record, changed);
      return;
    }
    if (record.next !== null) overtake(record, (waiter) => waiter.version === old.version, by, this.#out);
    this.#steps.endRecheck(record);
    // Back to what is in force: no need to ask.
    record.next = record.updating === null && sameAddresses(addresses, record.addresses) ? null : changed;
  }

  // Answers. The caller has checked that the number is the one the record waits for.

  authAnswered(record: TsiRecord, result: Result<VnInfo>): void {
    switch (record.phase) {
      case 'authorizing': {
        record.pending = 0;
        const refusal = result.ok ? this.#host.conflict(record, result.value) : result.error;
        const begun = result.ok && refusal === null ? this.#steps.reserve(record, result.value) : null;
        const error = refusal ?? (begun?.ok === false ? begun.error : null);
        if (error !== null) this.#remove(record, error);
        break;
      }
      case 'recheck-associated':
      case 'recheck-activated':
        this.#rechecked(record, result);
        break;
      case 'reserving':
      case 'associated':
      case 'activating':
      case 'activated':
      case 'updating':
      case 'deactivating':
      case 'releasing':
        // They wait for the engine or for nobody: this was never asked.
        break;
    }
  }

  #rechecked(record: TsiRecord, result: Result<VnInfo>): void {
    const { vn } = held(record);
    const { next } = record;
    this.#steps.endRecheck(record);
    record.next = null;
    if (next === null) return;
    if (!result.ok) {
      this.#abort(record, (waiter) => waiter.version === next.version, result.error);
      this.#proceed(record);
    } else if (result.value.vn !== vn.vn) {
      // Deleted and made anew under the same name: what is programmed belongs to the old one.
      this.end(record, `VN ${vnNameOf(record)} was created anew`);
    } else {
      record.vn = result.value;
      if (record.phase === 'activated') {
        this.#steps.update(record, next);
      } else {
        record.addresses = next;
        this.#proceed(record);
      }
    }
  }

  engineAnswered(record: TsiRecord, result: Result<unknown>): void {
    switch (record.phase) {
      case 'reserving':
        record.pending = 0;
        if (!result.ok) {
          this.#remove(record, result.error);
          break;
        }
        record.phase = 'associated';
        this.#proceed(record);
        break;
      case 'activating':
        record.pending = 0;
        this.#activated(record, result);
        break;
      case 'updating':
        record.pending = 0;
        this.#updated(record, result);
        break;
      case 'deactivating':
        record.pending = 0;
        this.#deactivated(record, result);
        break;
      case 'releasing':
        record.pending = 0;
        if (result.ok) {
          this.#remove(record, null);
          break;
        }
        record.phase = 'associated';
        record.goal = ASSOCIATED;
        this.#stuck(record, result.error);
        break;
      case 'authorizing':
      case 'associated':
      case 'recheck-associated':
      case 'activated':
      case 'recheck-activated':
        // They wait for the NVA or for nobody: this was never asked.
        break;
    }
  }

  #activated(record: TsiRecord, result: Result<unknown>): void {
    if (result.ok) {
      record.phase = 'activated';
      record.cause = null;
      // Nobody shall send here if it goes again at once.
      if (record.goal === ACTIVATED) this.#steps.report(record, 'attach');
    } else {
      this.#steps.programRefused(record);
      record.cause = result.error;
      this.#abort(record, wantsActivated, result.error);
      if (record.goal === ACTIVATED) record.goal = ASSOCIATED;
    }
    this.#proceed(record);
  }

  #updated(record: TsiRecord, result: Result<unknown>): void {
    const { updating } = record;
    if (updating === null) return;
    record.phase = 'activated';
    record.updating = null;
    if (result.ok) {
      record.addresses = updating;
      record.cause = null;
      if (record.goal === ACTIVATED) this.#steps.report(record, 'attach');
    } else {
      this.#steps.updateRefused(record, updating);
      record.cause = result.error;
      this.#abort(record, (waiter) => waiter.version === updating.version, result.error);
    }
    record.gave = null;
    this.#proceed(record);
  }

  #deactivated(record: TsiRecord, result: Result<unknown>): void {
    if (result.ok) {
      record.phase = 'associated';
      record.gave = null;
      this.#proceed(record);
      return;
    }
    this.#steps.unprogramRefused(record);
    record.gave = null;
    record.goal = ACTIVATED;
    this.#stuck(record, result.error);
  }

  /** The engine would not let go. Who wanted less is told; a new request tries again. */
  #stuck(record: TsiRecord, error: NveError): void {
    record.cause = error;
    fail(record, (waiter) => waiter.direction === 'down', error, this.#out);
    this.#proceed(record);
    for (const event of record.after.splice(0)) this.#host.again(event);
  }

  // From elsewhere

  linkDown(record: TsiRecord, error: NveError): void {
    this.#abort(record, wantsActivated, error);
    if (record.goal === ACTIVATED) {
      record.goal = ASSOCIATED;
      record.resume = true;
      record.cause = error;
    }
    this.#proceed(record);
  }

  linkUp(record: TsiRecord): void {
    if (!record.resume) return;
    record.resume = false;
    record.cause = null;
    record.goal = ACTIVATED;
    this.#proceed(record);
  }

  /** The NVE side de-associates. */
  end(record: TsiRecord, reason: string): void {
    const { key } = record;
    const error = nveError('NVE-TSI-007', { tsi: key.tsi, link: key.link, reason });
    if (levelOf(record.phase) >= ASSOCIATED) this.#out.push({ type: 'ended', key, error });
    fail(record, (waiter) => waiter.direction === 'up', error, this.#out);
    this.#lowerGoal(record, INIT, 'the NVE');
    record.cause = error;
    this.#proceed(record);
  }

  // The way to the goal

  /** Tells those who are content, then takes the next step, if nothing is in flight. */
  #proceed(record: TsiRecord): void {
    if (isStable(record.phase)) settle(record, this.#out);
    switch (record.phase) {
      case 'authorizing':
        if (record.goal === INIT) this.#remove(record, null);
        break;
      case 'associated':
        if (record.goal === INIT) this.#steps.release(record);
        else if (record.next !== null) this.#steps.recheck(record, record.next);
        else if (record.goal === ACTIVATED) this.#steps.program(record);
        break;
      case 'recheck-associated':
        if (record.goal === INIT) this.#steps.release(record);
        break;
      case 'activated':
        if (record.goal !== ACTIVATED) this.#steps.unprogram(record);
        else if (record.next !== null) this.#steps.recheck(record, record.next);
        break;
      case 'recheck-activated':
        if (record.goal !== ACTIVATED) this.#steps.unprogram(record);
        break;
      case 'reserving':
      case 'activating':
      case 'updating':
      case 'deactivating':
      case 'releasing':
        break;
    }
  }

  #remove(record: TsiRecord, error: NveError | null): void {
    this.#host.gone(record);
    this.#steps.forget(record);
    settleInit(record, error, this.#out);
    for (const event of record.after) this.#host.again(event);
  }

  #lowerGoal(record: TsiRecord, level: Level, by: string): void {
    if (level < record.goal) record.goal = level;
    if (level === INIT) record.next = null;
    overtake(record, (waiter) => waiter.want > level, by, this.#out);
  }

  /** Fails requests, and rolls back what only they wanted. */
  #abort(record: TsiRecord, which: (waiter: Waiter) => boolean, error: NveError): void {
    const aborted = fail(record, which, error, this.#out).filter((waiter) => waiter.direction === 'up');
    if (aborted.length === 0) return;
    const remaining = record.waiters.filter((waiter) => waiter.direction === 'up');
    const { next } = record;
    const wantsNext = (waiter: Waiter) => waiter.version === next?.version;
    if (aborted.some(wantsNext) && !remaining.some(wantsNext)) {
      this.#steps.endRecheck(record);
      record.next = null;
    }
    const bases = aborted.map((waiter) => waiter.base);
    const goal = Math.max(Math.min(...bases), ...remaining.map((waiter) => waiter.want)) as Level;
    if (goal < record.goal) this.#lowerGoal(record, goal, 'a roll-back');
  }
}

function wantsActivated({ direction, want }: Waiter): boolean {
  return direction === 'up' && want === ACTIVATED;
}
