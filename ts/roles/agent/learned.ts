// MACs that no TSI names and that show up at VAPs which learn: gives what the engine tells to the machine (`Learning`), and executes what
// it decides: rows (by way of `Vns`), reports to the NVA, lines of the log. It decides nothing but what the machine is told.

import type { Logger } from 'pino';
import type { EngineEvent } from '#dataplane';
import {
  err,
  isAt,
  learnedTsi,
  learnerOf,
  type MacAddr,
  type NveError,
  type NveId,
  type Result,
  type TsiKey,
  toNveError,
  type VnId,
  type VnInfo,
} from '#model';
import type { Attachment, VnView } from '#nva';
import { Learning, type LearningEffect, type LearningEvent, MAX_LEARNED } from '#protocol';
import type { Vns } from './vns.js';

export interface LearnedMacsParts {
  readonly log: Logger;
  readonly self: NveId;
  readonly vns: Pick<Vns, 'get' | 'vapOf' | 'learn' | 'refresh' | 'rowRefusal'>;
  readonly viewOf: (vn: VnId) => VnView | null;
  /** A TSI of this NVE names it, forwarded for or not. */
  readonly isNamed: (vn: VnId, mac: MacAddr) => boolean;
  readonly mayLearn: (key: TsiKey, vn: VnInfo, mac: MacAddr) => Result<null>;
  /** A retryable failure: the NVA has not answered. */
  readonly report: (change: 'attach' | 'detach', attachment: Attachment) => Promise<Result<null>>;
}

type Report = Extract<LearningEffect, { type: 'report' }>;

const REASONS = {
  named: 'another TSI has it',
  full: `${MAX_LEARNED} MACs have been learned there`,
  restless: 'it moves too often',
} as const;

export class LearnedMacs {
  readonly #parts: LearnedMacsParts;
  readonly #log: Logger;
  readonly #machine = new Learning();

  constructor(parts: LearnedMacsParts) {
    this.#parts = parts;
    this.#log = parts.log.child({ component: 'learning' });
  }

  seen({ vn, vap, mac }: Extract<EngineEvent, { kind: 'learned' }>): void {
    const { vns, viewOf, self, isNamed, mayLearn } = this.#parts;
    const local = vns.get(vn);
    const place = vns.vapOf(vn, vap);
    // Of those that share a VAP nobody can tell whose a MAC is: the first that was activated has it.
    const [tsi] = place?.learners ?? [];
    if (local === undefined || place === undefined || tsi === undefined) return;
    const key = { tsi, link: place.link.name };
    const named = local.rows.get(mac)?.isLearned === false || isNamed(vn, mac);
    const host = viewOf(vn)?.hosts.get(mac);
    const isElsewhere = host !== undefined && !isAt(host, self);
    const allowed = mayLearn(key, local.info, mac);
    if (!allowed.ok) this.#log.debug({ vn, mac, ...key, cause: allowed.error.code }, allowed.error.message);
    else this.#handle({ type: 'seen', vn, mac, key, isNamed: named, isElsewhere });
  }

  claimed(vn: VnId, macs: readonly MacAddr[]): void {
    for (const mac of macs) this.#handle({ type: 'claimed', vn, mac });
  }

  aged(vn: VnId, mac: MacAddr): void {
    this.#handle({ type: 'aged', vn, mac });
  }

  left(vn: VnId, key: TsiKey): void {
    this.#handle({ type: 'left', vn, key });
  }

  moved(vn: VnId, macs: readonly MacAddr[]): void {
    for (const mac of macs) this.#handle({ type: 'moved', vn, mac });
  }

  /** The NVA refused what it was told before. False: it is about no MAC that was learned. */
  refused({ vn, tsi, port: link, macs }: Attachment, error: NveError): boolean {
    const learner = learnerOf(tsi);
    const [mac] = macs;
    if (learner === null || mac === undefined) return false;
    this.#reported({ vn, mac, key: { tsi: learner, link } }, err(error));
    return true;
  }

  #handle(event: LearningEvent): void {
    const rows = new Map<VnId, MacAddr[]>();
    for (const effect of this.#machine.handle(event, performance.now())) {
      const { vn, mac, key } = effect;
      switch (effect.type) {
        case 'place':
        case 'remove':
          this.#parts.vns.learn(vn, mac, effect.type === 'place' ? key : null);
          if (rows.get(vn)?.push(mac) === undefined) rows.set(vn, [mac]);
          this.#log.debug({ vn, mac, ...key }, `MAC ${mac}: ${effect.type === 'place' ? 'learned' : 'forgotten'}`);
          break;
        case 'report':
          this.#report(effect);
          break;
        case 'refuse': {
          const { reason, count } = effect;
          this.#log.warn({ vn, mac, ...key, reason, count }, `MAC ${mac} is not learned: ${REASONS[reason]}`);
          break;
        }
      }
    }
    for (const [vn, macs] of rows) void this.#refresh(vn, macs).catch(() => undefined);
  }

  async #refresh(vn: VnId, macs: readonly MacAddr[]): Promise<void> {
    const { vns } = this.#parts;
    await vns.refresh(vn, macs);
    for (const mac of macs) if (vns.rowRefusal(vn, mac) !== undefined) this.#handle({ type: 'failed', vn, mac });
  }

  #report({ change, vn, mac, key, ask }: Report): void {
    const id = learnedTsi(mac, key.tsi);
    const sent = id.ok
      ? this.#parts.report(change, { vn, tsi: id.value, port: key.link, macs: [mac], ips: [] })
      : Promise.resolve(id);
    void sent
      .catch((caught: unknown) => err(toNveError(caught)))
      .then((result) => change === 'attach' && this.#reported({ vn, mac, key }, result, ask));
  }

  /** Without `ask`: of what was reported last. */
  #reported({ vn, mac, key }: { vn: VnId; mac: MacAddr; key: TsiKey }, result: Result<unknown>, ask?: number): void {
    const taken = result.ok ? 'taken' : result.error.retryable ? 'away' : 'refused';
    if (!result.ok && taken === 'refused')
      this.#log.info(
        { vn, mac, ...key, cause: result.error.code },
        `MAC ${mac} is not learned: the NVA refused it: ${result.error.message}`,
      );
    this.#handle({ type: 'reported', vn, mac, key, result: taken, ...(ask === undefined ? {} : { ask }) });
  }
}
