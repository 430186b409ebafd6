// From what the engine has to what it shall have: the next batch. A pure function. It never orders what the engine would have to
// refuse: an object waits for what it names, and for a VNI or a tag that another object still holds. What cannot get its new form
// and names in its old form something that goes is taken away first: rather no forwarding than forwarding to where nobody wants it.

import type { Command } from '#dataplane';
import {
  deletionOf,
  dependenciesOf,
  type EngineObject,
  type EngineState,
  inOrder,
  keyOf,
  nhKey,
  type ObjectKey,
  sameObject,
  uniqueOf,
} from './objects.js';

export interface PlanInput {
  /** All that the engine has. */
  readonly actual: EngineState;
  /** Who has what is unique, among `actual`. */
  readonly holders: ReadonlyMap<string, ObjectKey>;
  /** Wanted, of the scopes that are looked at. */
  readonly wanted: EngineState;
  /** Not wanted any more, of the same scopes. */
  readonly unwanted: Iterable<ObjectKey>;
  /** Refused already: not to be set now. */
  readonly refused: ReadonlySet<ObjectKey>;
  /** Refused already: not to be deleted now. */
  readonly stuck: ReadonlySet<ObjectKey>;
}

export interface Plan {
  readonly commands: readonly Command[];
  /** Wanted and not in the batch, with what they wait for. */
  readonly waiting: ReadonlyMap<ObjectKey, ObjectKey>;
}

/** Deletions that come in a batch of their own, after all else: a VN is empty by then, a port unused. */
const LAST: ReadonlySet<Command['op']> = new Set(['VnDel', 'UnderlayDel', 'PortDel']);

export function planBatch(input: PlanInput): Plan {
  const { actual, stuck } = input;
  const going = new Set<ObjectKey>();
  for (const key of input.unwanted) if (actual.has(key) && !stuck.has(key)) going.add(key);
  keepNamed(going, [...stuck], actual);

  let { setting, waiting } = arrange(input, going);
  for (;;) {
    const stale = [...waiting.keys()].filter((key) => isStale(key, going, input));
    if (stale.length === 0) break;
    for (const key of stale) going.add(key);
    ({ setting, waiting } = arrange(input, going));
  }

  const deletions = [...going].flatMap((key) => {
    const object = actual.get(key);
    return object === undefined ? [] : [deletionOf(object)];
  });
  const first = [...setting, ...deletions.filter(({ op }) => !LAST.has(op))];
  return { commands: first.length > 0 ? first : deletions, waiting };
}

/** What can be set now, and what has to wait, if `going` goes. */
function arrange(
  input: PlanInput,
  going: ReadonlySet<ObjectKey>,
): { setting: EngineObject[]; waiting: Map<ObjectKey, ObjectKey> } {
  const { actual, wanted, refused } = input;
  const setting = new Map<ObjectKey, EngineObject>();
  const waiting = new Map<ObjectKey, ObjectKey>();
  const claimed = new Map<string, ObjectKey>();
  const available = (key: ObjectKey): boolean => setting.has(key) || (actual.has(key) && !going.has(key));

  for (const object of inOrder([...wanted.values()])) {
    const key = keyOf(object);
    const missing = object.op === 'FloodSet' ? object.nhs.find((nh) => !available(nhKey(nh))) : undefined;
    if (missing !== undefined) waiting.set(key, nhKey(missing));
    let possible = missing === undefined ? object : reachableOf(object, available);
    const holder = holderOf(object, input, claimed);
    if (holder !== undefined) {
      waiting.set(key, holder);
      possible = object.op === 'VnSet' ? { ...object, vni: null } : undefined;
    }
    if (possible === undefined) continue;
    const has = actual.get(key);
    if (has !== undefined && !going.has(key) && sameObject(has, possible)) continue;
    // A port does not change its place: the old one has to go first, and it does not go while it is wanted.
    const fixed = possible.op === 'PortAdd' && has !== undefined;
    const blocked = refused.has(key) || going.has(key) || fixed;
    const blocker = blocked ? key : dependenciesOf(possible).find((dependency) => !available(dependency));
    if (blocker !== undefined) {
      waiting.set(key, blocker);
      continue;
    }
    setting.set(key, possible);
    const unique = uniqueOf(possible);
    if (unique !== undefined) claimed.set(unique, key);
  }
  return { setting: [...setting.values()], waiting };
}

/** Whether what waits holds on, in the form that the engine has, to something that goes. */
function isStale(key: ObjectKey, going: ReadonlySet<ObjectKey>, { actual, stuck }: PlanInput): boolean {
  const has = actual.get(key);
  if (has === undefined || going.has(key) || stuck.has(key)) return false;
  return dependenciesOf(has).some((dependency) => going.has(dependency));
}

/**
 * The other object that has what must be unique. A VN whose VNI is another's meanwhile receives under none (two VNs may swap their
 * VNIs); a VAP has its tag for life, so its place becomes free only when the other VAP goes.
 */
function holderOf(
  object: EngineObject,
  { holders }: PlanInput,
  claimed: ReadonlyMap<string, ObjectKey>,
): ObjectKey | undefined {
  const unique = uniqueOf(object);
  const holder = unique === undefined ? undefined : (claimed.get(unique) ?? holders.get(unique));
  return holder === keyOf(object) ? undefined : holder;
}

/** A flood list without the next hops that are not there: broadcast reaches the others meanwhile. Undefined: none is left. */
function reachableOf(object: EngineObject, available: (key: ObjectKey) => boolean): EngineObject | undefined {
  if (object.op !== 'FloodSet') return object;
  const nhs = object.nhs.filter((nh) => available(nhKey(nh)));
  return nhs.length === 0 ? undefined : { ...object, nhs };
}

/** What could not be deleted keeps what it names, and so on. */
function keepNamed(going: Set<ObjectKey>, kept: ObjectKey[], actual: EngineState): void {
  for (let key = kept.pop(); key !== undefined; key = kept.pop()) {
    const object = actual.get(key);
    if (object === undefined || going.has(key)) continue;
    for (const dependency of dependenciesOf(object)) if (going.delete(dependency)) kept.push(dependency);
  }
}
