// Keeps the engine as its owner wants it. What is wanted comes in scopes (the ports; a VN; its rows), set as a whole or patched; the
// reconciler sends the difference, one batch at a time, in pieces that leave the event loop free. A refused command never leaves a
// half state: its object waits, with a condition that says why, what names it waits too, and both are tried again when anything
// changes. It decides nothing.

import type { Logger } from 'pino';
import type { Command, Engine } from '#dataplane';
import { foreignError, type NveError, nveError, toNveError } from '#model';
import { type EngineObject, type EngineState, keyOf, type ObjectKey, sameObject, uniqueOf } from './objects.js';
import { planBatch } from './plan.js';

export type Scope = string;

/** What changes in a scope: the object under a key, or null: it is wanted no more. */
export type Changes = ReadonlyMap<ObjectKey, EngineObject | null>;

/** Objects that are planned at a time: a millisecond or two. */
const PIECE = 1_000;
/** Batches of one pass: each applies something or learns of a refusal, so this many mean that the two sides do not agree. */
const ROUNDS_MAX = 100_000;

interface Pass {
  readonly done: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: NveError) => void;
}

interface Refused {
  /** Not to be set now. */
  readonly refused: Set<ObjectKey>;
  /** Not to be deleted now. */
  readonly stuck: Set<ObjectKey>;
}

export class Reconciler {
  readonly #engine: Engine;
  readonly #log: Logger;
  readonly #onFailure: (error: NveError) => void;

  readonly #actual = new Map<ObjectKey, EngineObject>();
  readonly #holders = new Map<string, ObjectKey>();
  readonly #wanted = new Map<ObjectKey, EngineObject>();
  readonly #scopes = new Map<Scope, Set<ObjectKey>>();
  /** Keys of which the wanted object changed since they were last looked at. */
  #dirty = new Set<ObjectKey>();
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
   * `condition` tells about each that it does not have. Rejects if the engine failed. No two scopes hold the same key.
   */
  set(scope: Scope, wanted: EngineState): Promise<void> {
    const changes = new Map<ObjectKey, EngineObject | null>(wanted);
    for (const key of this.#scopes.get(scope) ?? []) if (!wanted.has(key)) changes.set(key, null);
    return this.patch(scope, changes);
  }

  /** The same for some of the scope's objects; the others stay as they are. */
  patch(scope: Scope, changes: Changes): Promise<void> {
    const keys = this.#scopes.get(scope) ?? new Set<ObjectKey>();
    for (const [key, object] of changes) {
      const before = this.#wanted.get(key);
      if (object === null) {
        if (before === undefined || !keys.delete(key)) continue;
        this.#wanted.delete(key);
      } else {
        if (before !== undefined && sameObject(before, object)) continue;
        this.#wanted.set(key, object);
        keys.add(key);
      }
      this.#dirty.add(key);
    }
    if (keys.size === 0) this.#scopes.delete(scope);
    else this.#scopes.set(scope, keys);
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

  /** A condition of an object of the scope. */
  scopeCondition(scope: Scope): NveError | undefined {
    const keys = this.#scopes.get(scope);
    for (const [key, condition] of this.#conditions) if (keys?.has(key)) return condition;
    return undefined;
  }

  /** What is wanted in a scope. */
  keysOf(scope: Scope): Iterable<ObjectKey> {
    return this.#scopes.get(scope) ?? [];
  }

  get actual(): EngineState {
    return this.#actual;
  }

  /** Lets the batch in flight end and sends no other: the engine is about to be closed. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#takeNext()?.resolve();
    await this.#idle;
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
    const keys = this.#dirty;
    this.#dirty = new Set();
    const old = [...this.#conditions.keys()];
    for (const key of old) keys.add(key);
    await this.#converge(keys, { refused: new Set(old), stuck: new Set(old) });
    if (old.length > 0) await this.#converge(keys, { refused: new Set(), stuck: new Set() });
  }

  async #converge(keys: ReadonlySet<ObjectKey>, refusals: Refused): Promise<void> {
    // What waits for something that a later piece takes away comes in another round.
    for (let round = 0; round < ROUNDS_MAX; round++) {
      const waiting = new Map<ObjectKey, ObjectKey>();
      let progress = false;
      for (const piece of this.#piecesOf(keys)) progress = (await this.#settle(piece, refusals, waiting)) || progress;
      if (this.#stopped) return;
      if (waiting.size > 0 && progress) continue;
      this.#settleConditions(keys, waiting);
      return;
    }
    throw nveError('NVE-ENG-000', { reason: `it did not come to the wanted state in ${ROUNDS_MAX} rounds` });
  }

  /** What rows name is set before them and deleted after; a small change is one piece, and so one batch. */
  #piecesOf(keys: ReadonlySet<ObjectKey>): Iterable<ObjectKey>[] {
    if (keys.size <= PIECE) return [keys];
    const isRow = (key: ObjectKey): boolean => key.startsWith('fdb ') || key.startsWith('pair ');
    const all = [...keys];
    const rows = all.filter(isRow);
    const others = all.filter((key) => !isRow(key));
    const pieces = [others.filter((key) => this.#wanted.has(key))];
    for (let i = 0; i < rows.length; i += PIECE) pieces.push(rows.slice(i, i + PIECE));
    pieces.push(others.filter((key) => !this.#wanted.has(key)));
    return pieces;
  }

  /** Applies batches until nothing is left to do for these keys; true if one was applied. */
  async #settle(keys: Iterable<ObjectKey>, refusals: Refused, waiting: Map<ObjectKey, ObjectKey>): Promise<boolean> {
    let progress = false;
    for (let round = 0; round < ROUNDS_MAX && !this.#stopped; round++) {
      const { refused, stuck } = refusals;
      const plan = planBatch({
        actual: this.#actual,
        holders: this.#holders,
        wanted: this.#wanted,
        keys,
        refused,
        stuck,
      });
      if (plan.commands.length === 0) {
        for (const [key, blocker] of plan.waiting) waiting.set(key, blocker);
        return progress;
      }
      const result = await this.#engine.apply(plan.commands);
      if (result.applied.length > 0) progress = true;
      else if (result.refused.length === 0)
        throw nveError('NVE-ENG-000', { reason: 'it neither applied nor refused a batch' });
      for (const command of result.applied) this.#applied(command);
      for (const { command, code, context } of result.refused) {
        const key = keyOf(command);
        (objectOf(command) === undefined ? stuck : refused).add(key);
        this.#refuse(key, foreignError(code, context));
      }
    }
    return progress;
  }

  #applied(command: Command): void {
    const key = keyOf(command);
    const before = this.#actual.get(key);
    const unique = before === undefined ? undefined : uniqueOf(before);
    if (unique !== undefined && this.#holders.get(unique) === key) this.#holders.delete(unique);
    const object = objectOf(command);
    if (object === undefined) {
      this.#actual.delete(key);
      // One that is wanted, and taken away because its new form was refused, keeps its condition.
      if (!this.#wanted.has(key)) this.#conditions.delete(key);
      return;
    }
    this.#conditions.delete(key);
    this.#actual.set(key, object);
    const claim = uniqueOf(object);
    if (claim !== undefined) this.#holders.set(claim, key);
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

  /** At the end of a pass: what waits says for what; what is as wanted has no condition. What changed meanwhile has its own pass. */
  #settleConditions(keys: ReadonlySet<ObjectKey>, waiting: ReadonlyMap<ObjectKey, ObjectKey>): void {
    for (const [key, blocker] of waiting)
      if (blocker !== key && !this.#dirty.has(key))
        this.#refuse(key, this.#conditions.get(blocker) ?? this.#waitsFor(key, blocker));
    for (const key of keys) {
      const isWanted = this.#wanted.has(key);
      if (isWanted ? !waiting.has(key) : !this.#actual.has(key)) this.#conditions.delete(key);
      // What should go and is still there: something names it that could not be deleted. It is looked at again.
      if (!isWanted && this.#actual.has(key)) this.#dirty.add(key);
    }
  }

  /** In the engine's own words: another object has the place, or what is named is not there. */
  #waitsFor(key: ObjectKey, blocker: ObjectKey): NveError {
    const wanted = this.#wanted.get(key);
    const unique = wanted === undefined ? undefined : uniqueOf(wanted);
    if (unique !== undefined && this.#holders.get(unique) === blocker)
      return foreignError('NVE-ENG-009', { what: unique, holder: blocker });
    return foreignError('NVE-ENG-005', { object: blocker });
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
    case 'McastDel':
    case 'NextHopDel':
    case 'GroupDel':
    case 'FdbDel':
    case 'NeighbourDel':
    case 'AclDel':
    case 'PairDel':
    case 'RouteDel':
      return undefined;
    case 'ExceptionSet':
      return command.tap === null ? undefined : command;
    case 'NextHopAlive':
      return command.alive ? undefined : command;
    case 'PoliceSet':
      return command.rate === null ? undefined : command;
    case 'PortAdmin':
      return command.up ? undefined : command;
    case 'FloodSet':
      return command.dests.length === 0 ? undefined : command;
    case 'SourcesSet':
      return command.ips.length === 0 ? undefined : command;
    default:
      return command;
  }
}
