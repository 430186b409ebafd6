/**
 * The TSIs that VSIs use, and VDP's requests about them. Two VSIs may use one TSI: during a migration between two stations
 * behind one access link the same VSIID is at both. The TSI is as high as the higher of its users wants it, and goes with the
 * last. What the engine would not let go is asked for again until it does.
 */
import { type NveError, type Result, type TsiHints, type TsiKey, type TsiRow, tsiKeyText } from '#model';
import { Deadlines } from './deadlines.js';
import type { RequestId } from './tsi-events.js';
import { ACTIVATED, ASSOCIATED } from './tsi-record.js';
import type { TsiCommand } from './vdp-events.js';
import type { TsiWant } from './vdp-mapping.js';

export type VdpLevel = typeof ASSOCIATED | typeof ACTIVATED;

interface Used {
  readonly key: TsiKey;
  /** By the key of the VSI. */
  readonly users: Map<string, VdpLevel>;
  /** It was asked to be Activated, and not to be less since. */
  isHigh: boolean;
}

const RETRY_MS = 5_000;

export class VdpTsis {
  readonly #push: (command: TsiCommand) => void;
  readonly #used = new Map<string, Used>();
  /** Unanswered requests that deactivate or de-associate. */
  readonly #lowering = new Map<RequestId, TsiKey>();
  /** TSIs of which the engine has refused that. */
  readonly #stuck = new Map<string, TsiKey>();
  readonly #retries = new Deadlines();
  #request: RequestId;

  /** Requests are numbered from `firstRequest` on: the role's own must not meet them. */
  constructor(push: (command: TsiCommand) => void, firstRequest: RequestId) {
    this.#push = push;
    this.#request = firstRequest - 1;
  }

  /** Brings the TSI to at least this level, with these addresses. */
  raise(user: string, { key, vn, macs, ips, vid, learn }: TsiWant, level: VdpLevel, hints: TsiHints): RequestId {
    const text = tsiKeyText(key);
    const used = this.#used.get(text) ?? { key, users: new Map(), isHigh: this.#stuck.has(text) };
    used.users.delete(user);
    used.users.set(user, level);
    used.isHigh ||= level === ACTIVATED;
    this.#used.set(text, used);
    const request = this.#number();
    const upTo = level === ACTIVATED ? 'activated' : 'associated';
    this.#push({ type: 'associate', request, key, vn, macs, ips, learn, vid, hints, upTo, asker: 'vdp' });
    return request;
  }

  /** The user needs it no higher than Associated; null: nothing to wait for. */
  lower(user: string, key: TsiKey, hints: TsiHints): RequestId | null {
    const used = this.#used.get(tsiKeyText(key));
    if (used === undefined) return null;
    used.users.set(user, ASSOCIATED);
    return this.#settle(used, hints);
  }

  /** The user needs it no longer; null: nothing to wait for. */
  drop(user: string, key: TsiKey): RequestId | null {
    const text = tsiKeyText(key);
    const used = this.#used.get(text);
    if (used === undefined || !used.users.delete(user)) return null;
    if (used.users.size > 0) return this.#settle(used);
    this.#used.delete(text);
    return this.#letGo(key);
  }

  /** Whose the TSI is, by the keys of the VSIs; the last to ask last. */
  usersOf(key: TsiKey): string[] {
    return [...(this.#used.get(tsiKeyText(key))?.users.keys() ?? [])];
  }

  /** Nobody waits for the request any more: roll it back. */
  expire(request: RequestId, method: string, deadlineMs: number): void {
    this.#push({ type: 'expire', request, method, deadlineMs });
  }

  /** The TSI goes at the NVE's own wish: its users. Asked for as well, since the engine may refuse to let it go. */
  ended(key: TsiKey): string[] {
    const text = tsiKeyText(key);
    const used = this.#used.get(text);
    if (used === undefined) return [];
    this.#used.delete(text);
    this.#letGo(key);
    return [...used.users.keys()];
  }

  answered(request: RequestId, result: Result<TsiRow | null, NveError>, now: number): void {
    const key = this.#lowering.get(request);
    this.#lowering.delete(request);
    if (key === undefined || result.ok) return;
    const text = tsiKeyText(key);
    const used = this.#used.get(text);
    if (used !== undefined) used.isHigh = true;
    this.#stuck.set(text, key);
    this.#retries.set(text, now + RETRY_MS);
  }

  deadline(): number | null {
    return this.#retries.next();
  }

  tick(now: number): void {
    for (const text of this.#retries.take(now)) {
      const key = this.#stuck.get(text);
      const used = this.#used.get(text);
      this.#stuck.delete(text);
      if (used !== undefined) this.#settle(used);
      else if (key !== undefined) this.#letGo(key);
    }
  }

  /** Deactivates what no user needs higher. */
  #settle(used: Used, hints?: TsiHints): RequestId | null {
    const { key, users } = used;
    if (!used.isHigh || [...users.values()].includes(ACTIVATED)) return null;
    used.isHigh = false;
    const request = this.#number();
    this.#lowering.set(request, key);
    this.#push({ type: 'deactivate', request, key, ...(hints === undefined ? {} : { hints }) });
    return request;
  }

  #letGo(key: TsiKey): RequestId {
    const request = this.#number();
    this.#lowering.set(request, key);
    this.#push({ type: 'deassociate', request, key });
    return request;
  }

  #number(): RequestId {
    this.#request += 1;
    return this.#request;
  }
}
