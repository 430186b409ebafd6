/**
 * Which MACs that nobody named are taken as being here (RFC 8014 section 3.4: an NVE may learn addresses and tell the NVA). The engine
 * tells of a source MAC at a VAP that learns; this decides whether it becomes a row and a report, and when it goes. Sans-IO: an event
 * goes in, effects come out, to be executed in their order. It must not know the engine's numbers or NNP.
 *
 * ```
 *            seen                    NVA refuses, or it is away
 *   unknown ─────► placed ◄──┐   ┌────────────────────────► gone ── held, then forgotten
 *      │  elsewhere  │       │   │                           ▲│
 *      └─────────► asking ───┴───┘   (aged: forgotten)       ││ seen again
 *                      NVA takes it    moved, refused ───────┘└► placed or asking
 * ```
 *
 * Invariants: a MAC that a TSI names is never learned; a MAC that the NVA places at another NVE has no row here before the NVA has taken
 * it; a VAP has at most `MAX_LEARNED` MACs, those that are gone and not yet forgotten included, so memory is bounded.
 */
import { type MacAddr, sameTsiKey, type TsiKey, type VnId } from '#model';
import { HOLD_MS, MAX_MOVES, MOVES_MS, Refusals, recentMoves } from './damping.js';
import { Deadlines } from './deadlines.js';

/** MACs that are learned at one VAP. */
export const MAX_LEARNED = 1_024;

/** Why a MAC that was seen is not learned: a TSI names it, the VAP has too many, it moves too often. */
export type LearningRefusal = 'named' | 'full' | 'restless';

export type LearningEvent =
  /** A source MAC without a row at a VAP where `key` learns. */
  | {
      readonly type: 'seen';
      readonly vn: VnId;
      readonly mac: MacAddr;
      readonly key: TsiKey;
      /** A TSI of this NVE names it. */
      readonly isNamed: boolean;
      /** The NVA places it at another NVE. */
      readonly isElsewhere: boolean;
    }
  /** The TSI does not learn there any more. */
  | { readonly type: 'left'; readonly vn: VnId; readonly key: TsiKey }
  /** A TSI of this NVE names the MAC from now on. */
  | { readonly type: 'claimed'; readonly vn: VnId; readonly mac: MacAddr }
  /** The NVA says that it is at another NVE by now. */
  | { readonly type: 'moved'; readonly vn: VnId; readonly mac: MacAddr }
  /** Answer to `report` of an attachment; without `ask` what the NVA says later of the present one. */
  | {
      readonly type: 'reported';
      readonly vn: VnId;
      readonly mac: MacAddr;
      readonly key: TsiKey;
      readonly ask?: number;
      readonly result: 'taken' | 'refused' | 'away';
    }
  /** Nothing was seen of it for its time. */
  | { readonly type: 'aged'; readonly vn: VnId; readonly mac: MacAddr }
  /** The engine does not take the row. */
  | { readonly type: 'failed'; readonly vn: VnId; readonly mac: MacAddr };

export type LearningEffect =
  /** A row towards the VAP of the TSI, instead of any other. */
  | { readonly type: 'place'; readonly vn: VnId; readonly mac: MacAddr; readonly key: TsiKey }
  /** No row of the TSI's any more. */
  | { readonly type: 'remove'; readonly vn: VnId; readonly mac: MacAddr; readonly key: TsiKey }
  /** Tell the NVA. An attachment is answered with `reported`. */
  | {
      readonly type: 'report';
      readonly change: 'attach' | 'detach';
      readonly vn: VnId;
      readonly mac: MacAddr;
      readonly key: TsiKey;
      readonly ask: number;
    }
  /** For the log: it is not learned. `count`: refusals since the last one that was told of this VAP and reason. */
  | {
      readonly type: 'refuse';
      readonly vn: VnId;
      readonly mac: MacAddr;
      readonly key: TsiKey;
      readonly reason: LearningRefusal;
      readonly count: number;
    };

interface Learned {
  readonly vn: VnId;
  readonly mac: MacAddr;
  key: TsiKey;
  /** `gone`: no row and no report; only remembered. */
  phase: 'asking' | 'placed' | 'gone';
  ask: number;
  heldUntil: number;
  /** When it was placed or asked for, as far as it counts. */
  came: number[];
}

interface Place {
  readonly macs: Map<MacAddr, Learned>;
  readonly refusals: Refusals<LearningRefusal>;
}

type Seen = Extract<LearningEvent, { type: 'seen' }>;

export class Learning {
  readonly #macs = new Map<string, Learned>();
  /** By VN and link: a VN has one VAP on a link. */
  readonly #places = new Map<string, Place>();
  readonly #forgetAt = new Deadlines();
  #effects: LearningEffect[] = [];
  #asks = 0;

  /** All MACs that are remembered, for tests of what is bounded. */
  get size(): number {
    return this.#macs.size;
  }

  /** `now`, in milliseconds, on any clock that only grows. */
  handle(event: LearningEvent, now: number): LearningEffect[] {
    this.#effects = [];
    for (const key of this.#forgetAt.take(now)) {
      const learned = this.#macs.get(key);
      if (learned?.phase === 'gone') this.#forget(learned);
    }
    if (event.type === 'seen') this.#seen(event, now);
    else if (event.type === 'left') this.#left(event.vn, event.key);
    else {
      const learned = this.#macs.get(macText(event));
      if (learned !== undefined) this.#changed(learned, event, now);
    }
    return this.#effects;
  }

  #seen(event: Seen, now: number): void {
    const { vn, mac, key, isElsewhere } = event;
    if (event.isNamed) {
      this.#refuse(event, 'named', now);
      return;
    }
    const learned = this.#macs.get(macText(event));
    if (learned?.phase === 'asking' || (learned?.phase === 'placed' && sameTsiKey(learned.key, key))) return;
    if (learned !== undefined && now < learned.heldUntil) return;
    const came = recentMoves(learned?.came, now);
    if (came.length > MAX_MOVES) {
      this.#refuse(event, 'restless', now);
      return;
    }
    const isNewHere = learned === undefined || placeText(learned) !== placeText(event);
    if (isNewHere && this.#place(event).macs.size >= MAX_LEARNED) {
      this.#refuse(event, 'full', now);
      return;
    }
    const old = learned?.phase === 'placed' ? learned.key : null;
    if (learned !== undefined) this.#forget(learned);
    const isOurs = old !== null || !isElsewhere;
    const ask = ++this.#asks;
    const phase = isOurs ? 'placed' : 'asking';
    this.#remember({ vn, mac, key, phase, ask, heldUntil: 0, came: [...came, now] });
    if (isOurs) this.#effects.push({ type: 'place', vn, mac, key });
    this.#effects.push({ type: 'report', change: 'attach', vn, mac, key, ask });
    // After the new attachment, so that the MAC is here all the time.
    if (old !== null) this.#effects.push({ type: 'report', change: 'detach', vn, mac, key: old, ask });
  }

  #left(vn: VnId, key: TsiKey): void {
    const place = this.#places.get(placeText({ vn, key }));
    if (place === undefined) return;
    for (const learned of [...place.macs.values()]) {
      if (learned.key.tsi !== key.tsi) continue;
      this.#withdraw(learned);
      this.#forget(learned);
    }
    if (place.macs.size === 0) this.#places.delete(placeText({ vn, key }));
  }

  #changed(learned: Learned, event: Exclude<LearningEvent, { type: 'seen' | 'left' }>, now: number): void {
    switch (event.type) {
      case 'claimed':
        this.#withdraw(learned);
        this.#forget(learned);
        break;
      case 'moved':
        // While the NVA is asked about it, that is no news.
        if (learned.phase !== 'placed') break;
        this.#withdraw(learned);
        this.#gone(learned, now, 0);
        break;
      case 'aged':
        // The NVA is told, too: who is silent may be anywhere.
        if (learned.phase !== 'placed') break;
        this.#withdraw(learned);
        this.#forget(learned);
        break;
      case 'failed':
        if (learned.phase !== 'placed') break;
        this.#withdraw(learned);
        this.#gone(learned, now, HOLD_MS);
        break;
      case 'reported': {
        const isStale = event.ask === undefined ? !sameTsiKey(learned.key, event.key) : learned.ask !== event.ask;
        if (!isStale && learned.phase !== 'gone') this.#reported(learned, event.result, now);
        break;
      }
    }
  }

  #reported(learned: Learned, result: 'taken' | 'refused' | 'away', now: number): void {
    const { vn, mac, key, ask, phase } = learned;
    switch (result) {
      case 'taken':
        if (phase === 'asking') this.#effects.push({ type: 'place', vn, mac, key });
        learned.phase = 'placed';
        break;
      case 'refused':
        // What the NVA has refused does not exist there.
        if (phase === 'placed') this.#effects.push({ type: 'remove', vn, mac, key });
        this.#gone(learned, now, HOLD_MS);
        break;
      case 'away':
        // What is known goes on; a move needs the NVA's word.
        if (phase === 'placed') break;
        this.#effects.push({ type: 'report', change: 'detach', vn, mac, key, ask });
        this.#gone(learned, now, HOLD_MS);
        break;
    }
  }

  /** Takes row and report back, as far as there are any. */
  #withdraw({ vn, mac, key, phase, ask }: Learned): void {
    if (phase === 'gone') return;
    if (phase === 'placed') this.#effects.push({ type: 'remove', vn, mac, key });
    this.#effects.push({ type: 'report', change: 'detach', vn, mac, key, ask });
  }

  #gone(learned: Learned, now: number, holdMs: number): void {
    learned.phase = 'gone';
    learned.heldUntil = now + holdMs;
    this.#forgetAt.set(macText(learned), Math.max(learned.heldUntil, (learned.came.at(-1) ?? now) + MOVES_MS));
  }

  #refuse({ vn, mac, key }: Seen, reason: LearningRefusal, now: number): void {
    const count = this.#place({ vn, key }).refusals.add(reason, now);
    if (count !== undefined) this.#effects.push({ type: 'refuse', vn, mac, key, reason, count });
  }

  #place(of: Pick<Learned, 'vn' | 'key'>): Place {
    const text = placeText(of);
    const place = this.#places.get(text) ?? { macs: new Map(), refusals: new Refusals() };
    this.#places.set(text, place);
    return place;
  }

  #remember(learned: Learned): void {
    this.#macs.set(macText(learned), learned);
    this.#place(learned).macs.set(learned.mac, learned);
  }

  #forget(learned: Learned): void {
    this.#macs.delete(macText(learned));
    this.#places.get(placeText(learned))?.macs.delete(learned.mac);
    this.#forgetAt.set(macText(learned), null);
  }
}

function macText({ vn, mac }: { vn: VnId; mac: MacAddr }): string {
  return `${vn} ${mac}`;
}

function placeText({ vn, key }: { vn: VnId; key: TsiKey }): string {
  return `${vn} ${key.link}`;
}
