// After a restart: the associations of the former life are asked for again, through the same life cycle and with a new authorization, so
// that forwarding comes back without a hypervisor doing anything. What cannot be yet (its link is not there, the engine is short of
// something) is tried again; what is refused is forgotten. A station of VDP has to renew its own within the time in which it would have
// sent a keep-alive, or they end as if it had fallen silent.

import type { Logger } from 'pino';
import {
  type Association,
  err,
  type LinkName,
  ok,
  type Result,
  type TsiKey,
  toNveError,
  tsiKeyText,
  type VnInfo,
} from '#model';
import type { TsiEvent } from '#protocol';
import type { Tsis } from './tsis.js';

export interface RestorationParts {
  readonly log: Logger;
  readonly associations: readonly Association[];
  readonly tsis: () => Tsis;
  readonly hasLink: (link: LinkName) => boolean;
  /** How long a station on this link may be silent, in milliseconds. */
  readonly silenceMs: (link: LinkName) => number;
  /** Where the TSI stands is clear: it is not activated, and nothing is under way. */
  readonly settled: (key: TsiKey) => void;
  /** It is not to be restored any more. */
  readonly forget: (key: TsiKey) => void;
}

const RETRY_MS = 5_000;
/** The NVA and the engine have their own, shorter ones. */
const DEADLINE_MS = 60_000;

export class Restoration {
  readonly #parts: RestorationParts;
  readonly #log: Logger;
  /** Not restored yet. */
  readonly #waiting = new Map<string, Association>();
  /** Under way. */
  readonly #asked = new Map<string, Association>();
  /** Of VDP, and no station has renewed them. */
  readonly #unclaimed = new Map<string, TsiKey>();
  readonly #stopped = new AbortController();
  readonly #timers = new Set<NodeJS.Timeout>();
  #startedAt = 0;
  /** The request at hand is ours. */
  #isOwn = false;

  constructor(parts: RestorationParts) {
    this.#parts = parts;
    this.#log = parts.log.child({ component: 'restart' });
    for (const association of parts.associations) this.#waiting.set(tsiKeyText(association.key), association);
  }

  /** Asks for everything whose link is there. Before anybody else can ask. */
  start(): void {
    this.#startedAt = performance.now();
    const all = [...this.#waiting.values()];
    if (all.length === 0) return;
    this.#log.info({ tsis: all.length }, `asking again for ${all.length} TSIs of before the restart`);
    for (const { key, asker } of all) if (asker === 'vdp') this.#unclaimed.set(tsiKeyText(key), key);
    for (const association of all) this.#ask(association);
    this.#endSilence();
  }

  /** A link is there now: an S-channel, or a port that was plugged. */
  linkAdded(link: LinkName): void {
    for (const association of [...this.#waiting.values()]) if (association.key.link === link) this.#ask(association);
  }

  /** Somebody asks for a TSI: it is his from now on. */
  asked({ type, key }: Pick<Extract<TsiEvent, { key: TsiKey }>, 'type' | 'key'>): void {
    if (this.#isOwn) return;
    const text = tsiKeyText(key);
    this.#unclaimed.delete(text);
    if (!this.#waiting.delete(text)) return;
    this.#parts.settled(key);
    if (type === 'deassociate') this.#parts.forget(key);
  }

  /**
   * The verdict about a TSI. While the NVA is away, what was associated before the restart goes on under the verdict of that time, as it
   * would have without the restart (fail-static); the NVA judges again when it gets the report.
   */
  verdict(key: TsiKey, result: Result<VnInfo>): Result<VnInfo> {
    const association = this.#asked.get(tsiKeyText(key));
    if (association === undefined || result.ok || !result.error.retryable) return result;
    return ok(association.vn);
  }

  /** It is being asked for again, or will be. */
  has(key: TsiKey): boolean {
    const text = tsiKeyText(key);
    return this.#waiting.has(text) || this.#asked.has(text);
  }

  /** It is being asked for again, and no station has renewed it. */
  isReturning(key: TsiKey): boolean {
    const text = tsiKeyText(key);
    return this.#unclaimed.has(text) && this.#asked.has(text);
  }

  stop(): void {
    this.#stopped.abort();
    for (const timer of this.#timers) clearTimeout(timer);
  }

  #ask(association: Association): void {
    const { key, vn, macs, ips, learn, hints, upTo, asker } = association;
    const text = tsiKeyText(key);
    if (!this.#parts.hasLink(key.link)) {
      this.#log.warn({ tsi: key.tsi, link: key.link }, `TSI ${text} waits: there is no link ${key.link}`);
      return;
    }
    this.#waiting.delete(text);
    this.#asked.set(text, association);
    const call = { method: 'the restart', deadlineMs: DEADLINE_MS, signal: this.#stopped.signal };
    const event = {
      type: 'associate',
      key,
      vn: vn.name,
      macs,
      ips,
      learn,
      hints,
      upTo,
      asker,
      restored: true,
    } as const;
    this.#isOwn = true;
    const answer = this.#parts.tsis().request(event, call);
    this.#isOwn = false;
    void answer
      .then((row) => ok(row))
      .catch((caught: unknown) => err(toNveError(caught)))
      .then((result) => {
        this.#asked.delete(text);
        if (this.#stopped.signal.aborted) return;
        if (result.ok && result.value?.state === 'activated') return;
        if (!result.ok && result.error.retryable && result.error.code !== 'NVE-TSI-006') {
          this.#waiting.set(text, association);
          this.#after(RETRY_MS, () => this.#waiting.has(text) && this.#ask(association));
          return;
        }
        this.#parts.settled(key);
        if (result.ok || result.error.code === 'NVE-TSI-006') return;
        this.#unclaimed.delete(text);
        this.#log.warn({ ...key, cause: result.error.code }, `TSI ${text} does not come back: ${result.error.message}`);
        this.#parts.forget(key);
      });
  }

  /** Ends what no station has renewed; stations that may be silent for longer have that time. */
  #endSilence(): void {
    const now = performance.now();
    let next = Number.POSITIVE_INFINITY;
    for (const [text, key] of this.#unclaimed) {
      const at = this.#startedAt + this.#parts.silenceMs(key.link);
      if (at > now) {
        next = Math.min(next, at);
        continue;
      }
      this.#unclaimed.delete(text);
      const reason = 'no station has associated it again since the restart';
      if (this.#waiting.delete(text)) {
        this.#log.warn({ ...key }, `TSI ${text} does not come back: ${reason}`);
        this.#parts.settled(key);
        this.#parts.forget(key);
      } else {
        this.#parts.tsis().dispatch({ type: 'revoke', scope: { key }, reason }, { text: reason });
      }
    }
    if (Number.isFinite(next)) this.#after(Math.ceil(next - now), () => this.#endSilence());
  }

  #after(ms: number, work: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      work();
    }, ms);
    timer.unref();
    this.#timers.add(timer);
  }
}
