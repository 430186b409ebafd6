// From what the engine has to what it shall have: the next batch for some of the objects. A pure function. It never orders what the
// engine would have to refuse: an object waits for what it names, and for a VNI or a tag that another object still holds. What cannot
// get its new form and names in its old form something that goes is taken away first: rather no forwarding than forwarding to where
// nobody wants it.

import type { Command } from '#dataplane';
import {
  deletionOf,
  dependenciesOf,
  destKey,
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
  /** All that is wanted. What the engine has besides goes; what names it is never wanted. */
  readonly wanted: EngineState;
  /** The objects to look at now. */
  readonly keys: Iterable<ObjectKey>;
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
  const { actual, wanted, keys } = input;
  const kept = keptByStuck(input);
  // Objects that are deleted now although they are wanted, to be set anew afterwards.
  const stale = new Set<ObjectKey>();
  const isGoing = (key: ObjectKey): boolean =>
    stale.has(key) || (actual.has(key) && !wanted.has(key) && !kept.has(key));

  const toSet: EngineObject[] = [];
  const deletions: Command[] = [];
  for (const key of keys) {
    const object = wanted.get(key);
    if (object !== undefined) toSet.push(object);
    else if (isGoing(key)) deletions.push(deletionOf(actual.get(key) as EngineObject));
  }
  inOrder(toSet);

  let arranged = arrange(input, toSet, isGoing);
  for (;;) {
    const more = [...arranged.waiting.keys()].filter((key) => holdsOn(actual.get(key), key, isGoing));
    if (more.length === 0) break;
    for (const key of more) {
      stale.add(key);
      deletions.push(deletionOf(actual.get(key) as EngineObject));
    }
    arranged = arrange(input, toSet, isGoing);
  }
  const { setting, waiting } = arranged;
  // What is said of a next hop's life is taken back before the next hop goes: in one batch it would be about nothing.
  const spoken = new Set(deletions.flatMap((one) => (one.op === 'NextHopAlive' ? nhKey(one.nh) : [])));
  const isLast = (one: Command): boolean => LAST.has(one.op) || (one.op === 'NextHopDel' && spoken.has(nhKey(one.nh)));
  const first = [...setting, ...deletions.filter((one) => !isLast(one))];
  return { commands: first.length > 0 ? first : deletions, waiting };
}

interface Arranged {
  readonly setting: EngineObject[];
  readonly waiting: Map<ObjectKey, ObjectKey>;
}

/** What can be set now, and what has to wait. */
function arrange(input: PlanInput, toSet: readonly EngineObject[], isGoing: (key: ObjectKey) => boolean): Arranged {
  const { actual, refused } = input;
  const setting = new Map<ObjectKey, EngineObject>();
  const waiting = new Map<ObjectKey, ObjectKey>();
  const claimed = new Map<string, ObjectKey>();
  const available = (key: ObjectKey): boolean => setting.has(key) || (actual.has(key) && !isGoing(key));

  for (const object of toSet) {
    const key = keyOf(object);
    const has = actual.get(key);
    const missing = isList(object) ? dependenciesOf(object).find((dependency) => !available(dependency)) : undefined;
    if (missing !== undefined) waiting.set(key, missing);
    let possible = missing === undefined ? object : reachableOf(object, available);
    const holder = holderOf(object, input, claimed);
    if (holder !== undefined) {
      waiting.set(key, holder);
      possible = object.op === 'VnSet' ? { ...object, vni: null } : undefined;
    }
    if (possible === undefined) continue;
    if (has !== undefined && !isGoing(key) && sameObject(has, possible)) continue;
    // A port does not change its place: the old one has to go first, and it does not go while it is wanted.
    const isFixed = possible.op === 'PortAdd' && has !== undefined;
    const blocked = refused.has(key) || isGoing(key) || isFixed;
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
function holdsOn(has: EngineObject | undefined, key: ObjectKey, isGoing: (key: ObjectKey) => boolean): boolean {
  return has !== undefined && !isGoing(key) && dependenciesOf(has).some(isGoing);
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

const isList = ({ op }: EngineObject): boolean => op === 'FloodSet' || op === 'GroupSet';

/** A flood list or a group without what is not there: frames reach the others, or take the other ways, meanwhile. Undefined: none is left. */
function reachableOf(object: EngineObject, available: (key: ObjectKey) => boolean): EngineObject | undefined {
  if (object.op === 'FloodSet') {
    const dests = object.dests.filter((dest) => available(destKey(dest)));
    return dests.length === 0 ? undefined : { ...object, dests };
  }
  if (object.op === 'GroupSet') {
    const members = object.members.filter(({ nh }) => available(nhKey(nh)));
    return members.length === 0 ? undefined : { ...object, members };
  }
  return object;
}

/** What could not be deleted stays, with what it names, and so on. */
function keptByStuck({ stuck, actual }: PlanInput): ReadonlySet<ObjectKey> {
  const kept = new Set<ObjectKey>();
  const left = [...stuck];
  for (let key = left.pop(); key !== undefined; key = left.pop()) {
    const object = actual.get(key);
    if (object === undefined || kept.has(key)) continue;
    kept.add(key);
    left.push(...dependenciesOf(object));
  }
  return kept;
}
