// Keeps the engine as its owner wants it. The wanted state comes in scopes (the ports; each VN), each replaced as a whole; the
// reconciler sends the difference, one batch at a time. A refused command never leaves a half state: its object waits, with a
// condition that says why, what names it waits too, and both are tried again when anything changes. It decides nothing.

import type { Logger } from 'pino';
import type { Command, Engine } from '#dataplane';
import { foreignError, type NveError, nveError, toNveError } from '#model';
import { type EngineObject, type EngineState, keyOf, type ObjectKey, uniqueOf } from './objects.js';
import { planBatch } from './plan.js';

export type Scope = string;

const EMPTY: EngineState = new Map();

/** Batches of one pass: each applies something or learns of a refusal, so this many mean that the two sides do not agree. */
const ROUNDS_MAX = 10_000;

interface Pass {
  readonly done: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: NveError) => void;
}

export class Reconciler {
  readonly #engine: Engine;
  readonly #log: Logger;
  readonly #onFailure: (error: NveError) => void;

  readonly #actual = new Map<ObjectKey, EngineObject>();
  readonly #holders = new Map<string, ObjectKey>();
  /** The keys of `#actual` by the scope that wanted them. */
  readonly #owned = new Map<Scope, Set<ObjectKey>>();
  readonly #scopeOf = new Map<ObjectKey, Scope>();
  readonly #wanted = new Map<Scope, EngineState>();
  readonly #dirty = new Set<Scope>();
  readonly #conditions = new Map<ObjectKey, NveError>();
  #next: Pass | undefined;
  #running = false;
  #failure: NveError | undefined;
  #stopped = false;
  #idle: Promise<void> = Promise.resolve();

  /** `onFailure` is called once if the engine itself fails: nobody knows its state then, and nothing is sent any more. */
  constructor(engine: Engine, log: Logger, onFailure: (error: NveError) => void) {
    this.#engine = engine;
    this.#log = log;
    this.#onFailure = onFailure;
  }

  /**
   * From now on the scope shall hold these objects, and no others. Resolves when the engine has them, as far as it takes them:
   * `condition` tells about each that it does not have. Rejects if the engine failed.
   */
  set(scope: Scope, wanted: EngineState): Promise<void> {
    if (wanted.size === 0) this.#wanted.delete(scope);
    else this.#wanted.set(scope, wanted);
    this.#dirty.add(scope);
    return this.#request();
  }

  /** Why the engine does not have an object as it is wanted; undefined: it has. */
  condition(key: ObjectKey): NveError | undefined {
    return this.#conditions.get(key);
  }

  /** The first condition among some objects. */
  firstCondition(keys: Iterable<ObjectKey>): NveError | undefined {
    for (const key of keys) {
      const condition = this.#conditions.get(key);
      if (condition !== undefined) return condition;
    }
    return undefined;
  }

  /** Lets the batch in flight end and sends no other: the engine is about to be closed. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#takeNext()?.resolve();
    await this.#idle;
  }

  get actual(): EngineState {
    return this.#actual;
  }

  #request(): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#stopped) return Promise.resolve();
    this.#next ??= newPass();
    const { done } = this.#next;
    if (!this.#running) this.#idle = this.#run();
    return done;
  }

  async #run(): Promise<void> {
    this.#running = true;
    // What is set in the same turn belongs to the same pass.
    await Promise.resolve();
    for (let pass = this.#takeNext(); pass !== undefined; pass = this.#takeNext()) {
      try {
        await this.#pass();
        pass.resolve();
      } catch (caught) {
        this.#fail(toNveError(caught), pass);
      }
    }
    this.#running = false;
  }

  #takeNext(): Pass | undefined {
    const next = this.#next;
    this.#next = undefined;
    return next;
  }

  #fail(error: NveError, pass: Pass): void {
    this.#failure = error;
    pass.reject(error);
    this.#takeNext()?.reject(error);
    this.#log.fatal({ component: 'engine', cause: error.code, context: error.context }, error.message);
    this.#onFailure(error);
  }

  /** First all that the engine has not refused before, so that an old refusal holds nothing up; then the refused ones again. */
  async #pass(): Promise<void> {
    const scopes = new Set(this.#dirty);
    this.#dirty.clear();
    const refused = new Set(this.#conditions.keys());
    for (const scope of this.#scopesOf(refused)) scopes.add(scope);
    await this.#converge(scopes, refused, new Set(refused));
    if (refused.size > 0) await this.#converge(scopes, new Set(), new Set());
  }

  #scopesOf(keys: Iterable<ObjectKey>): Set<Scope> {
    const scopes = new Set<Scope>();
    for (const [scope, state] of this.#wanted) for (const key of keys) if (state.has(key)) scopes.add(scope);
    for (const key of keys) {
      const scope = this.#scopeOf.get(key);
      if (scope !== undefined) scopes.add(scope);
    }
    return scopes;
  }

  async #converge(scopes: ReadonlySet<Scope>, refused: Set<ObjectKey>, stuck: Set<ObjectKey>): Promise<void> {
    for (let round = 0; round < ROUNDS_MAX; round++) {
      if (this.#stopped) return;
      const wanted = this.#wantedOf(scopes);
      const unwanted = [...scopes].flatMap((scope) =>
        [...(this.#owned.get(scope) ?? [])].filter((key) => !wanted.has(key)),
      );
      const plan = planBatch({ actual: this.#actual, holders: this.#holders, wanted, unwanted, refused, stuck });
      if (plan.commands.length === 0) {
        this.#settleConditions(wanted, unwanted, plan.waiting);
        return;
      }
      const result = await this.#engine.apply(plan.commands);
      for (const command of result.applied) this.#applied(command, scopes);
      for (const { command, code, context } of result.refused) {
        const key = keyOf(command);
        if (objectOf(command) === undefined) stuck.add(key);
        else refused.add(key);
        this.#refuse(key, foreignError(code, context));
      }
      if (result.applied.length === 0 && result.refused.length === 0) {
        throw nveError('NVE-ENG-000', { reason: 'it neither applied nor refused a batch' });
      }
    }
    throw nveError('NVE-ENG-000', { reason: `it did not come to the wanted state in ${ROUNDS_MAX} batches` });
  }

  #wantedOf(scopes: ReadonlySet<Scope>): EngineState {
    const wanted = new Map<ObjectKey, EngineObject>();
    for (const scope of scopes) {
      for (const [key, object] of this.#wanted.get(scope) ?? EMPTY) {
        wanted.set(key, object);
        this.#scopeOf.set(key, scope);
      }
    }
    return wanted;
  }

  #applied(command: Command, scopes: ReadonlySet<Scope>): void {
    const key = keyOf(command);
    const before = this.#actual.get(key);
    const unique = before === undefined ? undefined : uniqueOf(before);
    if (unique !== undefined && this.#holders.get(unique) === key) this.#holders.delete(unique);
    this.#conditions.delete(key);
    const object = objectOf(command);
    const scope = this.#scopeOf.get(key);
    if (object === undefined) {
      this.#actual.delete(key);
      for (const owner of scopes) this.#owned.get(owner)?.delete(key);
      return;
    }
    this.#actual.set(key, object);
    const claim = uniqueOf(object);
    if (claim !== undefined) this.#holders.set(claim, key);
    if (scope === undefined) return;
    const owned = this.#owned.get(scope) ?? new Set();
    owned.add(key);
    this.#owned.set(scope, owned);
  }

  #refuse(key: ObjectKey, error: NveError): void {
    const before = this.#conditions.get(key);
    this.#conditions.set(key, error);
    if (before?.code === error.code && before.message === error.message) return;
    this.#log.warn(
      { component: 'engine', object: key, cause: error.code, context: error.context },
      `refused: ${error.message}`,
    );
  }

  /** At the end of a pass: what waits says for what; what is as wanted, or wanted no more, has no condition. */
  #settleConditions(
    wanted: EngineState,
    unwanted: readonly ObjectKey[],
    waiting: ReadonlyMap<ObjectKey, ObjectKey>,
  ): void {
    for (const [key, blocker] of waiting) {
      if (blocker !== key)
        this.#refuse(
          key,
          this.#conditions.get(blocker) ?? nveError('NVE-ENG-000', { reason: `${key} waits for ${blocker}` }),
        );
    }
    const left = new Set(unwanted);
    for (const key of this.#conditions.keys()) {
      const settled = wanted.has(key) ? !waiting.has(key) : !left.has(key) && !this.#actual.has(key);
      if (settled) this.#conditions.delete(key);
    }
  }
}

function newPass(): Pass {
  let resolve: Pass['resolve'] = () => undefined;
  let reject: Pass['reject'] = () => undefined;
  const done = new Promise<void>((res, rej) => {
    resolve = res;
    reject = rej;
  });
  // Who asked may not care; the failure itself is told by `onFailure`.
  done.catch(() => undefined);
  return { done, resolve, reject };
}

/** The object that a command leaves behind: none after a deletion, or a list that became empty. */
function objectOf(command: Command): EngineObject | undefined {
  switch (command.op) {
    case 'PortDel':
    case 'UnderlayDel':
    case 'VnDel':
    case 'VapDel':
    case 'NextHopDel':
    case 'FdbDel':
    case 'NeighbourDel':
      return undefined;
    case 'FloodSet':
      return command.nhs.length === 0 ? undefined : command;
    case 'SourcesSet':
      return command.ips.length === 0 ? undefined : command;
    default:
      return command;
  }
}
