/**
 * The hosts that an NVE asks its NVA about one by one, in VNs whose hosts are not pushed (RFC 8014 section 4.3: unknown unicast
 * "query"). A miss asks; the answer counts for its time to live, "not there" too. An answer that is still in use is asked for again before
 * it ends. Whoever can send to addresses that are not there can make us ask: so few questions are out at a time, those that wait are
 * bounded, and so is what is kept.
 *
 * ```
 *   (nothing) ─miss─► asked ─found─► found ──(80 % of its time, in use)──► asked again ─► …
 *                       │              └────(its time is over)────► (nothing)
 *                       └─not there, or no answer─► negative ─(its time is over)─► (nothing)
 * ```
 *
 * While the NVA is away time stands still; when it is back, everything that was found is asked for again. It knows nothing of sessions,
 * channels and of what else a VN's mapping holds.
 */
import type { HostInfo, MacAddr, VnId } from '#model';
import { NNP_LIMITS, type NnpAnswer } from '#wire';
import { Deadlines } from './deadlines.js';

/** Questions without an answer, of all VNs. */
export const MAX_ASKED = 4_096;
/** Misses of one VN that wait to be asked. */
export const MAX_MISSES = 4_096;
/** Hosts, found or not there, that are kept of one VN. */
export const MAX_KEPT = 65_536;
/** Without an answer for so long, a host is not there for now. */
export const ANSWER_MS = 2_000;
export const UNANSWERED_TTL_MS = 5_000;
/** The part of its time to live after which an answer in use is asked for again. */
const REFRESH = 0.8;
/** Times to live are up to so much shorter, by lot: what was asked together is not asked together again. */
const JITTER = 0.1;

interface Host {
  readonly mac: MacAddr;
  /** What is known of it. */
  known: 'nothing' | 'found' | 'negative';
  /** Until when that counts. */
  until: number;
  asked: 'no' | 'waits' | 'out';
  /** Nothing was sent to it of late. */
  isIdle: boolean;
}

interface Vn {
  readonly hosts: Map<MacAddr, Host>;
  /** In the order in which they are to be asked. */
  readonly waiting: Set<Host>;
  isLive: boolean;
}

export interface Question {
  readonly vn: VnId;
  readonly qid: number;
  readonly macs: readonly MacAddr[];
}

export interface PullStatus {
  /** Hosts that are found, and that are not there. */
  readonly found: number;
  readonly negative: number;
  /** Questions so far: hosts that were asked for, that were not answered, and misses that were not asked because too many were. */
  readonly asked: number;
  readonly unanswered: number;
  readonly overflow: number;
}

export class NnpPulls {
  readonly #random: () => number;
  readonly #vns = new Map<VnId, Vn>();
  /** VNs with hosts that wait to be asked for. */
  readonly #toAsk = new Set<VnId>();
  readonly #deadlines = new Deadlines();
  #qid = 0;
  #out = 0;
  #asked = 0;
  #unanswered = 0;
  #overflow = 0;

  /** `random`: from 0 up to, not including, 1. */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** A frame to a MAC that the engine has no row of. */
  miss(vn: VnId, mac: MacAddr): void {
    const pulls = this.#vns.get(vn);
    if (pulls?.isLive !== true || pulls.hosts.has(mac)) return;
    if (pulls.waiting.size >= MAX_MISSES || !this.#makeRoom(vn, pulls)) {
      this.#overflow += 1;
      return;
    }
    const host: Host = { mac, known: 'nothing', until: 0, asked: 'waits', isIdle: false };
    pulls.hosts.set(mac, host);
    this.#wait(vn, pulls, host);
  }

  /** Nothing was sent to the host for a good part of its time to live: it is not asked for again. */
  idle(vn: VnId, mac: MacAddr): void {
    const host = this.#vns.get(vn)?.hosts.get(mac);
    if (host !== undefined) host.isIdle = true;
  }

  /** The questions that may go out now. */
  take(now: number): Question[] {
    const questions: Question[] = [];
    for (const vn of this.#toAsk) {
      const pulls = this.#vns.get(vn);
      while (pulls?.isLive === true && pulls.waiting.size > 0 && this.#out < MAX_ASKED) {
        const macs: MacAddr[] = [];
        for (const host of pulls.waiting) {
          if (macs.length >= NNP_LIMITS.keys || this.#out >= MAX_ASKED) break;
          pulls.waiting.delete(host);
          host.asked = 'out';
          this.#out += 1;
          this.#asked += 1;
          this.#set(vn, host, now + ANSWER_MS);
          macs.push(host.mac);
        }
        this.#qid = (this.#qid + 1) % 2 ** 32;
        questions.push({ vn, qid: this.#qid, macs });
      }
      if (pulls === undefined || pulls.waiting.size === 0) this.#toAsk.delete(vn);
    }
    return questions;
  }

  /** The hosts that were found, and those that were and are no longer. What nobody asked for is neither. */
  answered(
    vn: VnId,
    answers: readonly NnpAnswer[],
    ttlMs: { readonly found: number; readonly negative: number },
    now: number,
  ): { readonly found: HostInfo[]; readonly gone: MacAddr[] } {
    const found: HostInfo[] = [];
    const gone: MacAddr[] = [];
    for (const { mac, host: info } of answers) {
      const host = this.#vns.get(vn)?.hosts.get(mac);
      if (host?.asked !== 'out') continue;
      this.#noLongerAsked(host);
      if (info !== null) found.push(info);
      else if (host.known === 'found') gone.push(mac);
      host.isIdle = false;
      this.#know(vn, host, info === null ? 'negative' : 'found', info === null ? ttlMs.negative : ttlMs.found, now);
    }
    return { found, gone };
  }

  /**
   * The NVA told by itself where a host is. What is at this NVE (`isOwn`) need not be asked for. Of others the NVA may soon tell nothing any
   * more: they are asked for.
   */
  pushed({ vn, mac }: HostInfo, isOwn: boolean, now: number): void {
    const pulls = this.#vns.get(vn);
    if (pulls?.isLive !== true) return;
    const host = pulls.hosts.get(mac);
    if (isOwn) {
      if (host !== undefined) this.#forget(vn, pulls, host);
    } else if (host === undefined) {
      const told: Host = { mac, known: 'found', until: now + UNANSWERED_TTL_MS, asked: 'no', isIdle: false };
      pulls.hosts.set(mac, told);
      this.#set(vn, told, told.until);
      this.#ask(vn, pulls, told);
    } else if (host.known !== 'found') {
      host.known = 'found';
      host.until = Math.max(host.until, now + UNANSWERED_TTL_MS);
      this.#ask(vn, pulls, host);
    }
  }

  /** Whether the host is there because it was asked for, and not because it is told to all. */
  has(vn: VnId, mac: MacAddr): boolean {
    return this.#vns.get(vn)?.hosts.get(mac)?.known === 'found';
  }

  /** The NVA told by itself that a host is there no longer. */
  dropped(vn: VnId, mac: MacAddr): void {
    const pulls = this.#vns.get(vn);
    const host = pulls?.hosts.get(mac);
    if (pulls !== undefined && host?.known === 'found') this.#forget(vn, pulls, host);
  }

  /** What has to be given up: the time of these hosts is over. */
  expire(now: number): { readonly vn: VnId; readonly mac: MacAddr }[] {
    const over: { vn: VnId; mac: MacAddr }[] = [];
    for (const key of this.#deadlines.take(now)) {
      const [vn, mac] = ofKey(key);
      const pulls = this.#vns.get(vn);
      const host = pulls?.hosts.get(mac);
      // While the NVA is away, time stands still.
      if (pulls?.isLive !== true || host === undefined) continue;
      if (host.asked === 'out') {
        this.#unanswered += 1;
        this.#noLongerAsked(host);
        if (host.known === 'found') this.#set(vn, host, host.until);
        else this.#know(vn, host, 'negative', UNANSWERED_TTL_MS, now);
      } else if (host.known === 'found' && now < host.until) {
        if (!host.isIdle) this.#ask(vn, pulls, host);
        this.#set(vn, host, host.until);
      } else {
        if (host.known === 'found') over.push({ vn, mac });
        this.#forget(vn, pulls, host);
      }
    }
    return over;
  }

  /** The VN's subscription is up to date, and single hosts are asked for; what was found before is asked for again. */
  live(vn: VnId): void {
    const pulls = this.#vns.get(vn) ?? { hosts: new Map(), waiting: new Set(), isLive: true };
    this.#vns.set(vn, pulls);
    pulls.isLive = true;
    for (const host of [...pulls.hosts.values()]) {
      if (host.known === 'found') this.#ask(vn, pulls, host);
      else if (host.asked === 'no') this.#forget(vn, pulls, host);
    }
  }

  /** The session is gone: what is found counts on, what is asked is asked no longer. */
  lost(): void {
    for (const [vn, pulls] of this.#vns) {
      pulls.isLive = false;
      for (const host of [...pulls.hosts.values()]) {
        pulls.waiting.delete(host);
        this.#noLongerAsked(host);
        if (host.known !== 'found') this.#forget(vn, pulls, host);
        else this.#deadlines.set(keyOf(vn, host.mac), null);
      }
    }
  }

  /** Its hosts are pushed, or it is not subscribed to any more. */
  forget(vn: VnId): void {
    const pulls = this.#vns.get(vn);
    if (pulls === undefined) return;
    for (const host of [...pulls.hosts.values()]) this.#forget(vn, pulls, host);
    this.#vns.delete(vn);
  }

  nextDeadline(): number | null {
    return this.#deadlines.next();
  }

  status(): PullStatus {
    const hosts = [...this.#vns.values()].flatMap((pulls) => [...pulls.hosts.values()]);
    const count = (known: Host['known']): number => hosts.filter((host) => host.known === known).length;
    return {
      found: count('found'),
      negative: count('negative'),
      asked: this.#asked,
      unanswered: this.#unanswered,
      overflow: this.#overflow,
    };
  }

  #ask(vn: VnId, pulls: Vn, host: Host): void {
    if (host.asked !== 'no') return;
    host.asked = 'waits';
    this.#wait(vn, pulls, host);
  }

  #wait(vn: VnId, pulls: Vn, host: Host): void {
    pulls.waiting.add(host);
    this.#toAsk.add(vn);
  }

  #noLongerAsked(host: Host): void {
    if (host.asked === 'out') this.#out -= 1;
    host.asked = 'no';
  }

  #know(vn: VnId, host: Host, known: 'found' | 'negative', ttlMs: number, now: number): void {
    const ttl = ttlMs * (1 - JITTER * this.#random());
    host.known = known;
    host.until = now + ttl;
    this.#set(vn, host, now + (known === 'found' ? REFRESH * ttl : ttl));
  }

  /** Room for one more, at the cost of one that is not there anyway. */
  #makeRoom(vn: VnId, pulls: Vn): boolean {
    if (pulls.hosts.size < MAX_KEPT) return true;
    for (const host of pulls.hosts.values()) {
      if (host.known !== 'negative' || host.asked !== 'no') continue;
      this.#forget(vn, pulls, host);
      return true;
    }
    return false;
  }

  #forget(vn: VnId, pulls: Vn, host: Host): void {
    this.#noLongerAsked(host);
    pulls.waiting.delete(host);
    pulls.hosts.delete(host.mac);
    this.#deadlines.set(keyOf(vn, host.mac), null);
  }

  #set(vn: VnId, host: Host, at: number): void {
    this.#deadlines.set(keyOf(vn, host.mac), at);
  }
}

function keyOf(vn: VnId, mac: MacAddr): string {
  return `${vn} ${mac}`;
}

function ofKey(key: string): [VnId, MacAddr] {
  const [vn, mac] = key.split(' ');
  return [Number(vn) as VnId, mac as MacAddr];
}
