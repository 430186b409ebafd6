// Runs the TSI life cycle: gives it events, executes its effects in their order, hands the answers back, and logs every transition with
// its cause. What the engine and the NVA have to do with an effect is theirs (`TsiPorts`); when to do it is the machine's.

import type { Logger } from 'pino';
import {
  err,
  formatTag,
  type NveError,
  nveError,
  type Result,
  type TsiKey,
  type TsiRow,
  type TsiState,
  toNveError,
  tsiKeyText,
  type VnInfo,
} from '#model';
import type { RequestId, TsiCommand, TsiEffect, TsiEvent, TsiTable } from '#protocol';
import type { Turns } from './turns.js';

type EffectOf<T extends TsiEffect['type']> = Extract<TsiEffect, { type: T }>;
/** An event that asks for something, without its number. */
type EventInput = TsiEvent extends infer E
  ? E extends { request: RequestId; key: TsiKey }
    ? Omit<E, 'request'>
    : never
  : never;

interface Pending {
  readonly key: TsiKey;
  readonly settle: (result: Result<TsiRow | null>) => void;
}

/** What effects do outside. None of the promises rejects, unless the engine failed for good. */
export interface TsiPorts {
  /** When `signal` aborts, the verdict is of no use any more. */
  authorize(effect: EffectOf<'askAuth'>, signal: AbortSignal): Promise<Result<VnInfo>>;
  connectVn(vn: VnInfo): void;
  disconnectVn(vn: VnInfo): void;
  reserve(effect: EffectOf<'reserve'>): Promise<Result<null>>;
  program(effect: EffectOf<'program'>): Promise<Result<null>>;
  unprogram(effect: EffectOf<'unprogram'>): Promise<Result<null>>;
  release(effect: EffectOf<'release'>): Promise<Result<null>>;
  /** Fails only if the NVA refused; not when it is away. */
  report(effect: EffectOf<'report'>): Promise<Result<null>>;
  /** Somebody asks for something; before anything comes of it. */
  asked(event: Pick<EventInput, 'type' | 'key'>): void;
  remember(effect: EffectOf<'remember'>): void;
  rememberTags(effect: EffectOf<'rememberTags'>): void;
  /** When all that was to be remembered is on disk, or cannot be; null: nothing is remembered. */
  written(): Promise<Result<null>> | null;
  /** A TSI changed for another reason than a request. Null: it is gone, and `retry` says whether to ask again may help. */
  changed(key: TsiKey, row: TsiRow | null, cause: NveError | null, retry: boolean): void;
  /** A TSI went from one state to another, for whatever reason. `row` is as it is now, or was before it went. */
  stepped(row: TsiRow, from: TsiState | 'init', to: TsiState | 'init', cause: string): void;
}

/** Why a TSI changed its state, for the log and for `changed`. */
export interface Cause {
  readonly text: string;
  readonly error?: NveError | undefined;
  /** Asking again would only undo what happened. */
  readonly final?: boolean;
}

/** The states of RFC 8394 section 3.3; the others are on the way between them. */
const SETTLED: ReadonlySet<string> = new Set(['init', 'associated', 'activated']);

export class Tsis {
  readonly #table: TsiTable;
  readonly #ports: TsiPorts;
  readonly #log: Logger;
  readonly #turns: Turns;
  readonly #pending = new Map<RequestId, Pending>();
  readonly #states = new Map<string, TsiRow>();
  /** Those that are on their way because their link went or came. */
  readonly #unasked = new Set<string>();
  /** By TSI: the verdict that it waits for. */
  readonly #asks = new Map<string, AbortController>();
  #nextRequest = 1;

  constructor(table: TsiTable, ports: TsiPorts, { log, turns }: { log: Logger; turns: Turns }) {
    this.#table = table;
    this.#ports = ports;
    this.#log = log.child({ component: 'tsi' });
    this.#turns = turns;
  }

  rows(): TsiRow[] {
    return this.#table.rows();
  }

  row(key: TsiKey): TsiRow | null {
    return this.#table.row(key);
  }

  /** A request; resolves with its row (null after a de-association), rejects with its error. When `signal` aborts it is rolled back. */
  request(
    event: EventInput,
    call: { method: string; deadlineMs: number; signal: AbortSignal },
  ): Promise<TsiRow | null> {
    const request = this.#nextRequest++;
    this.#ports.asked(event);
    return new Promise((resolve, reject) => {
      const expire = (): void => {
        const { method, deadlineMs } = call;
        this.dispatch({ type: 'expire', request, method, deadlineMs }, { text: `the deadline of ${method}` });
      };
      const settle = (result: Result<TsiRow | null>): void => {
        call.signal.removeEventListener('abort', expire);
        if (result.ok) resolve(result.value);
        else reject(result.error);
      };
      this.#pending.set(request, { key: event.key, settle });
      call.signal.addEventListener('abort', expire, { once: true });
      this.dispatch({ ...event, request } as TsiEvent, { text: call.method });
    });
  }

  /** A request of VDP, which numbers and expires its own. `answer` is never called before this has returned. */
  command(command: TsiCommand, answer: (result: Result<TsiRow | null>) => void): void {
    if (command.type !== 'expire') {
      const settle = (result: Result<TsiRow | null>): void => queueMicrotask(() => answer(result));
      this.#pending.set(command.request, { key: command.key, settle });
      this.#ports.asked(command);
    }
    this.dispatch(command, { text: 'VDP' });
  }

  dispatch(event: TsiEvent, cause: Cause): void {
    const effects = this.#table.handle(event, performance.now());
    this.#tellChanges(event, cause);
    this.#execute(effects, cause);
  }

  #execute(effects: readonly TsiEffect[], cause: Cause): void {
    // An activation is answered when the NVA has its report, or is away: who is told that a TSI is attached may rely on it.
    let reported: Promise<Result<null>> | undefined;
    for (const effect of effects) {
      switch (effect.type) {
        case 'askAuth': {
          const { key, ask } = effect;
          this.#await(this.#authorize(effect), 'the verdict of the NVA', (result) => ({
            type: 'auth',
            key,
            ask,
            result,
          }));
          break;
        }
        case 'connectVn':
          this.#ports.connectVn(effect.vn);
          break;
        case 'disconnectVn':
          this.#ports.disconnectVn(effect.vn);
          break;
        case 'reserve':
          this.#engine(effect, this.#ports.reserve(effect));
          break;
        case 'program':
          this.#engine(effect, this.#ports.program(effect));
          break;
        case 'unprogram':
          this.#engine(effect, this.#ports.unprogram(effect));
          break;
        case 'release':
          this.#engine(effect, this.#ports.release(effect));
          break;
        case 'report': {
          const sent = this.#ports.report(effect);
          if (effect.change === 'attach') reported = sent;
          break;
        }
        case 'remember':
          this.#ports.remember(effect);
          break;
        case 'rememberTags':
          this.#ports.rememberTags(effect);
          break;
        case 'answer':
          this.#answer(effect, reported);
          break;
        case 'ended':
          this.#ports.changed(effect.key, null, effect.error, cause.final !== true);
          break;
      }
    }
  }

  /** A TSI waits for one verdict: that of its latest question, as long as it is there. */
  #authorize(effect: EffectOf<'askAuth'>): Promise<Result<VnInfo>> {
    const text = tsiKeyText(effect.key);
    const ask = new AbortController();
    this.#asks.get(text)?.abort();
    this.#asks.set(text, ask);
    return this.#ports.authorize(effect, ask.signal).finally(() => {
      if (this.#asks.get(text) === ask) this.#asks.delete(text);
    });
  }

  #engine({ key, op }: { key: TsiKey; op: number }, work: Promise<Result<null>>): void {
    this.#await(work, 'the engine', (result) => ({ type: 'engine', key, op, result }));
  }

  #await<T>(work: Promise<Result<T>>, who: string, event: (result: Result<T>) => TsiEvent): void {
    void work
      .catch((caught: unknown) => err(toNveError(caught)))
      .then((result) => {
        const cause = { text: who, error: result.ok ? undefined : result.error };
        this.#turns.run(() => this.dispatch(event(result), cause));
      });
  }

  #answer({ request, result }: EffectOf<'answer'>, reported: Promise<Result<null>> | undefined): void {
    const pending = this.#pending.get(request);
    this.#pending.delete(request);
    if (pending === undefined) return;
    const { settle } = pending;
    // What is acknowledged is remembered before.
    const written = result.ok ? this.#ports.written() : null;
    const told = result.ok && result.value?.state === 'activated' ? reported : undefined;
    const before = [written, told].filter((one) => one !== null && one !== undefined);
    if (before.length === 0) {
      settle(result);
      return;
    }
    void Promise.all(before)
      .then((results) => settle(results.find((one) => !one.ok) ?? result))
      .catch((caught: unknown) => settle(err(toNveError(caught))));
  }

  /** Logs what changed, and tells whoever must know about what no request asked for. */
  #tellChanges(event: TsiEvent, cause: Cause): void {
    const isUnasked = event.type === 'linkDown' || event.type === 'linkUp';
    for (const key of this.#affected(event)) {
      const text = tsiKeyText(key);
      const before = this.#states.get(text);
      const row = this.#table.row(key);
      if (row === null) {
        this.#states.delete(text);
        this.#asks.get(text)?.abort();
      } else this.#states.set(text, row);
      const from = before?.state ?? 'init';
      const to = row?.state ?? 'init';
      const shown = row ?? before;
      if (from === to || shown === undefined) continue;
      this.#logChange(shown, from, to, cause);
      this.#ports.stepped(shown, from, to, cause.error?.message ?? cause.text);
      // What a link began takes several steps; a request in between has its own answer.
      if ('request' in event) this.#unasked.delete(text);
      else if (isUnasked) this.#unasked.add(text);
      if (!this.#unasked.has(text)) continue;
      if (SETTLED.has(to)) this.#unasked.delete(text);
      this.#ports.changed(key, row, cause.error ?? null, true);
    }
  }

  /** Whose state may have changed. Events that are many name one TSI. */
  #affected(event: TsiEvent): TsiKey[] {
    if ('key' in event) return [event.key];
    if (event.type === 'expire') {
      const pending = this.#pending.get(event.request);
      return pending === undefined ? [] : [pending.key];
    }
    if (event.type === 'vnChanged') return [];
    if (event.type === 'revoke') return 'key' in event.scope ? [event.scope.key] : [...this.#states.values()];
    return [...this.#states.values()].filter(({ link }) => link === event.link);
  }

  #logChange(row: TsiRow, from: string, to: string, { text, error }: Cause): void {
    const { tsi, link, vn, tag } = row;
    const fields = { tsi, link, vn, tag: tag && formatTag(tag), from, to, cause: text, error: error?.code };
    const message = `TSI ${tsiKeyText(row)}: ${from} to ${to}`;
    // RFC 8394 section 6 wants the states logged; what lies between them is for those who look closely.
    if (error === undefined) this.#log[SETTLED.has(to) ? 'info' : 'debug'](fields, message);
    else this.#log.warn(fields, `${message}: ${error.message}`);
  }
}

/** A row, where a request always has one. */
export function rowOrFail(row: TsiRow | null, key: TsiKey): TsiRow {
  if (row !== null) return row;
  throw nveError('NVE-TSI-001', { tsi: key.tsi, link: key.link });
}
