/**
 * One TSI on one link, as the life cycle keeps it: its phase, where it shall go, who waits for it. Only data and questions
 * about it; what happens is in `tsi.ts`.
 */
import {
  type Association,
  type IpAddr,
  isVn,
  type LinkName,
  type MacAddr,
  NO_HINTS,
  type NveError,
  type Tag,
  type TsiAsker,
  type TsiHints,
  type TsiKey,
  type TsiRow,
  type TsiState,
  type Vid,
  type VnInfo,
  type VnName,
  type VnRef,
  vnRefText,
} from '#model';
import type { RequestId, TsiEvent } from './tsi-events.js';

/**
 * The states of RFC 8394 section 3.2 with the waiting in between. `recheck-*` ask the NVA about changed addresses and
 * `updating` gives them to the engine, while the TSI stays what it is. A TSI in Init has no record.
 */
export const PHASES = [
  'authorizing',
  'reserving',
  'associated',
  'recheck-associated',
  'activating',
  'activated',
  'recheck-activated',
  'updating',
  'deactivating',
  'releasing',
] as const;
export type Phase = (typeof PHASES)[number];

/** Init, Associated, Activated. */
export const INIT = 0;
export const ASSOCIATED = 1;
export const ACTIVATED = 2;
export type Level = typeof INIT | typeof ASSOCIATED | typeof ACTIVATED;

/** A request that is not answered yet. */
export interface Waiter {
  readonly request: RequestId;
  readonly method: 'associate' | 'activate' | 'deactivate' | 'deassociate' | 'addresses';
  /** `up` is content when the TSI is at least at `want`, `down` when it is at most there. */
  readonly direction: 'up' | 'down';
  readonly want: Level;
  /** The version of the addresses that the request named; content with a later one. */
  readonly version: number;
  /** Where the TSI was to be before this request: what a roll-back goes back to. */
  readonly base: Level;
}

export interface Addresses {
  readonly macs: readonly MacAddr[];
  readonly ips: readonly IpAddr[];
}

/** Each change of a TSI's addresses has a number of its own. */
export interface Versioned extends Addresses {
  readonly version: number;
}

export interface TsiRecord {
  readonly key: TsiKey;
  /** How the VN was named; which one it is says `vn`, once the NVA has answered. */
  readonly asked: VnRef;
  phase: Phase;
  /** Where it shall go. INIT: it is doomed, and no request revives it. */
  goal: Level;
  /** In force; while `authorizing`, those that the NVA is asked about. */
  addresses: Versioned;
  /** Allowed by the NVA and on the way into the engine: phase `updating`. */
  updating: Versioned | null;
  /** Wanted, not yet allowed by the NVA. */
  next: Versioned | null;
  /** The unanswered `askAuth`, `reserve`, `program`, `unprogram` or `release`; answers with another number are stale. */
  pending: number;
  /** How the sharing of rows changed with the unanswered operation: taken back if it is refused. */
  gave: Given | null;
  vn: VnInfo | null;
  tag: Tag | null;
  /** The VID that it is to have; null: any. */
  wish: Vid | null;
  /** Under which MACs the table finds it: those that it has, is to have, or had a while ago. */
  readonly indexed: Set<MacAddr>;
  /** It may have MACs that nobody names. */
  learn: boolean;
  hints: TsiHints;
  waiters: Waiter[];
  /** Associations that came while it was doomed: they begin anew when it is gone. */
  after: Extract<TsiEvent, { type: 'associate' }>[];
  /** The NVA was told that it is attached. */
  reported: boolean;
  asker: TsiAsker;
  /** What a store was told of it last. */
  remembered: Association | null;
  /** It was activated when its link went down, and shall be again. */
  resume: boolean;
  cause: NveError | null;
}

/** Rows given up: those that vanish, those that go back to whom they were taken from, and those that were another's already. */
export interface Given {
  readonly gone: readonly MacAddr[];
  readonly restore: readonly { readonly mac: MacAddr; readonly link: LinkName; readonly tag: Tag }[];
  readonly lost: readonly MacAddr[];
}

export function newRecord(key: TsiKey, asked: VnRef, goal: Level, addresses: Versioned): TsiRecord {
  return {
    key,
    asked,
    phase: 'authorizing',
    goal,
    addresses,
    updating: null,
    next: null,
    pending: 0,
    gave: null,
    vn: null,
    tag: null,
    wish: null,
    indexed: new Set(),
    learn: false,
    hints: NO_HINTS,
    waiters: [],
    after: [],
    reported: false,
    asker: 'rpc',
    remembered: null,
    resume: false,
    cause: null,
  };
}

/**
 * What a store shall know of it: an association as it was or will be acknowledged. Nothing before it has its resources, and
 * nothing any more as soon as it shall go. The same object as long as nothing changes.
 */
export function durableOf(record: TsiRecord): Association | null {
  const { key, goal, phase, vn, learn, hints, asker, resume, remembered } = record;
  if (goal === INIT || levelOf(phase) < ASSOCIATED || vn === null) return null;
  const { macs, ips } = record.addresses;
  const upTo = goal === ACTIVATED || resume ? 'activated' : 'associated';
  const same =
    remembered?.vn === vn &&
    remembered.macs === macs &&
    remembered.ips === ips &&
    remembered.hints === hints &&
    remembered.learn === learn &&
    remembered.upTo === upTo &&
    remembered.asker === asker;
  return same ? remembered : ({ key, vn, macs, ips, learn, hints, upTo, asker } as Association);
}

/** The addresses that the TSI is to have in the end. */
export function wanted({ next, updating, addresses }: TsiRecord): Versioned {
  return next ?? updating ?? addresses;
}

/** At rest: nothing of the engine is in flight, so the level is what it says. */
export function isStable(phase: Phase): boolean {
  return (
    phase === 'associated' || phase === 'activated' || phase === 'recheck-associated' || phase === 'recheck-activated'
  );
}

export function levelOf(phase: Phase): Level {
  switch (phase) {
    case 'authorizing':
    case 'reserving':
      return INIT;
    case 'associated':
    case 'recheck-associated':
    case 'activating':
    case 'releasing':
      return ASSOCIATED;
    case 'activated':
    case 'recheck-activated':
    case 'updating':
    case 'deactivating':
      return ACTIVATED;
  }
}

export function rowOf(record: TsiRecord): TsiRow {
  const { key, vn, tag, addresses, hints, cause } = record;
  return {
    tsi: key.tsi,
    vn: vnNameOf(record),
    link: key.link,
    state: stateOf(record.phase),
    tag,
    macs: [...addresses.macs],
    ips: [...addresses.ips],
    mtu: vn?.mtu ?? null,
    gateway: vn?.gateway ?? null,
    suspended: hints.suspended,
    migrating: hints.migrating,
    cause: cause === null ? null : `${cause.code}: ${cause.message}`,
  };
}

/** The VN's name, or what stands for it until the NVA has told it. */
export function vnNameOf({ vn, asked }: TsiRecord): VnName {
  return vn?.name ?? vnRefText(asked);
}

/** As far as is known: before the NVA has answered, a name and a VNI are not known to be the same VN. */
export function isInVn({ vn, asked }: TsiRecord, ref: VnRef): boolean {
  return vn === null ? asked === ref : isVn(vn, ref);
}

export function stateOf(phase: Phase): TsiState {
  switch (phase) {
    case 'recheck-associated':
      return 'associated';
    case 'recheck-activated':
    case 'updating':
      return 'activated';
    default:
      return phase;
  }
}

export function sameAddresses(a: Addresses, b: Addresses): boolean {
  return sameSet(a.macs, b.macs) && sameSet(a.ips, b.ips);
}

function sameSet(a: readonly string[], b: readonly string[]): boolean {
  const set = new Set(a);
  return set.size === new Set(b).size && b.every((item) => set.has(item));
}

export function without<T extends string>(all: readonly T[], some: readonly T[]): T[] {
  return all.filter((one) => !some.includes(one));
}
