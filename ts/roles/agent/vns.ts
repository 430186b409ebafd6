// The VNs of this NVE and their way into the engine: the TSI life cycle's effects and the NVA's mappings change them, the reconciler
// programs them. Everything here answers with results; nothing throws unless the engine itself failed.

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { NextHopId, VapId } from '#dataplane';
import {
  err,
  type IpAddr,
  isVn,
  type LinkName,
  type MacAddr,
  type NveError,
  type NveId,
  ok,
  type Result,
  settingsOf,
  type Tag,
  type TsiId,
  type TsiKey,
  type VnId,
  type VnInfo,
  type VnRef,
} from '#model';
import type { VnView } from '#nva';
import { type TsiEffect, VnDelivery } from '#protocol';
import { fdbKey, macOfKey, type ObjectKey, vapKey, vnKey } from '../engine/objects.js';
import type { Reconciler, Scope } from '../engine/reconciler.js';
import { Ids } from './ids.js';
import type { AgentLink } from './links.js';
import { type LocalVap, LocalVn } from './local-vn.js';
import { type Fault, sameWays, type Ways } from './nve-ways.js';
import type { Sending } from './underlay.js';
import { VnPairs } from './vn-pairs.js';
import { movedAway, type VnInput, vnRow, vnStructure } from './vn-state.js';

export interface VnsOptions {
  readonly reconciler: Reconciler;
  readonly self: NveId;
  readonly sending: Sending;
  readonly linkOf: (link: LinkName) => Result<AgentLink>;
  readonly viewOf: (vn: VnId) => VnView | null;
  readonly learned: {
    /** A TSI names these MACs: what was learned of them goes. */
    claimed(vn: VnId, macs: readonly MacAddr[]): void;
    /** The TSI learns there no longer: what was learned behind it goes. */
    left(vn: VnId, key: TsiKey): void;
    /** A MAC was learned at a VAP: what was learned of it elsewhere goes. */
    placed(vn: VnId, mac: MacAddr): void;
  };
  readonly fault?: Fault | undefined;
}

type Program = Extract<TsiEffect, { type: 'program' }>;
type Unprogram = Extract<TsiEffect, { type: 'unprogram' }>;

/** A VN's rows have a scope of their own: they are many, and change one by one. */
const scopeOf = (vn: VnId): Scope => `vn ${vn}`;
const rowsOf = (vn: VnId): Scope => `rows ${vn}`;
const pairsOf = (vn: VnId): Scope => `pairs ${vn}`;

/** Rows that are made in one turn of the event loop. */
const ROWS_AT_ONCE = 500;

interface Entry {
  readonly local: LocalVn;
  /** Those that the rows were last made with. */
  ways: Ways;
  /** Under way: all rows are being made. */
  loading: Promise<void> | null;
  /** They have to be made once more. */
  reload: boolean;
  readonly pairs: VnPairs;
  readonly delivery: VnDelivery;
  /** Until the delivery changes. */
  timer: NodeJS.Timeout | undefined;
}

export class Vns {
  readonly #options: VnsOptions;
  readonly #ids = new Ids();
  readonly #vns = new Map<VnId, Entry>();
  readonly #reflecting = new Set<LinkName>();

  constructor(options: VnsOptions) {
    this.#options = options;
  }

  get(vn: VnId): LocalVn | undefined {
    return this.#vns.get(vn)?.local;
  }

  /** The VN that is meant, if it is served here. */
  find(ref: VnRef): VnInfo | null {
    for (const { local } of this.#vns.values()) if (isVn(local.info, ref)) return local.info;
    return null;
  }

  connect(info: VnInfo): void {
    if (!this.#vns.has(info.vn))
      this.#vns.set(info.vn, {
        local: new LocalVn(info),
        ways: new Map(),
        loading: null,
        reload: false,
        pairs: new VnPairs(info.vn),
        delivery: new VnDelivery(settingsOf(info).delivery),
        timer: undefined,
      });
  }

  /** The VN's last TSI is gone: everything of it goes. */
  async disconnect(vn: VnId): Promise<void> {
    clearTimeout(this.#vns.get(vn)?.timer);
    this.#vns.delete(vn);
    this.#ids.forget(vn);
    const { reconciler } = this.#options;
    await Promise.all([scopeOf(vn), rowsOf(vn), pairsOf(vn)].map((scope) => reconciler.set(scope, new Map())));
  }

  /** VAPs of the link send frames back to where they came from, or no longer. */
  reflect(link: LinkName, on: boolean): void {
    if (on) this.#reflecting.add(link);
    else this.#reflecting.delete(link);
    for (const [vn, { local }] of this.#vns)
      if ([...local.vaps.values()].some((vap) => vap.link.name === link)) void this.refresh(vn, []);
  }

  /** Sets aside what the TSI will need: the VN is in the engine, nothing is forwarded for the TSI. */
  async reserve(vn: VnId): Promise<Result<null>> {
    await this.refresh(vn, []);
    return this.#outcome([vnKey(vn)]);
  }

  /** Forwards for the TSI, or changes nothing. */
  async program({ key, vn, tag, macs, removed, restore, learn }: Program): Promise<Result<null>> {
    const local = this.get(vn.vn);
    if (local === undefined) return ok(null);
    const changed = [...macs, ...removed, ...restore.map(({ mac }) => mac)];
    const found = this.#options.linkOf(key.link);
    if (!found.ok) return found;
    const link = found.value;
    this.#options.learned.claimed(vn.vn, macs);
    const putBack = remember(local, changed);
    const isNew = local.enter(link, tag, key.tsi);
    const learned = this.#learns(local, key, tag, learn);
    this.#change(local, key.tsi, removed, restore);
    for (const mac of macs) this.#addRow(local, mac, key.tsi, link, tag);
    await this.refresh(vn.vn, changed);
    const vap = vapKey(this.#ids.vap(vn.vn, key.link, tag));
    const outcome = this.#outcome([vnKey(vn.vn), vap, ...macs.map((mac) => fdbKey(vn.vn, mac))]);
    if (outcome.ok) return outcome;
    putBack();
    this.#learns(local, key, tag, learned);
    if (isNew) local.leave(key.link, tag, key.tsi);
    await this.refresh(vn.vn, changed);
    return outcome;
  }

  /** Stops forwarding for the TSI, or changes nothing. */
  async unprogram({ key, vn, tag, macs, restore }: Unprogram): Promise<Result<null>> {
    const local = this.get(vn.vn);
    if (local === undefined) return ok(null);
    const changed = [...macs, ...restore.map(({ mac }) => mac)];
    const putBack = remember(local, changed);
    this.#change(local, key.tsi, macs, restore);
    const learned = this.#learns(local, key, tag, false);
    const vap = local.leave(key.link, tag, key.tsi);
    await this.refresh(vn.vn, changed);
    const outcome = this.#outcome(macs.map((mac) => fdbKey(vn.vn, mac)));
    if (outcome.ok) return outcome;
    putBack();
    if (vap !== undefined) local.enter(vap.link, tag, key.tsi);
    this.#learns(local, key, tag, learned);
    await this.refresh(vn.vn, changed);
    return outcome;
  }

  /**
   * Brings the engine to what is attached and what the NVA says now; of the rows only those of `macs`, if they are named. Gives a
   * condition of the VN, if it has one.
   */
  async refresh(vn: VnId, macs?: readonly MacAddr[]): Promise<NveError | undefined> {
    const entry = this.#vns.get(vn);
    if (entry === undefined) return undefined;
    const { reconciler } = this.#options;
    this.#deliver(entry);
    const { state, ways } = vnStructure(this.#inputOf(entry));
    // Rows name these: when they changed, all rows may have.
    const isFew = macs !== undefined && sameWays(ways, entry.ways);
    entry.ways = ways;
    const changed = isFew ? macs : this.#allMacs(entry);
    if (entry.loading === null && changed.length > ROWS_AT_ONCE) {
      entry.loading = this.#load(entry).finally(() => {
        entry.loading = null;
      });
    } else if (entry.loading !== null) {
      // It takes nothing away before all rows are made, and begins again if they all may be others.
      entry.reload ||= !isFew;
      if (isFew) void this.#patchRows(entry, changed);
      void reconciler.patch(scopeOf(vn), state);
    } else {
      void this.#patchRows(entry, changed);
      await reconciler.set(scopeOf(vn), state);
    }
    await entry.loading;
    return reconciler.scopeCondition(scopeOf(vn)) ?? reconciler.scopeCondition(rowsOf(vn));
  }

  /** Sends and hears broadcast as the NVA says now, and looks again when something is due. */
  #deliver(entry: Entry): void {
    const { local, delivery } = entry;
    const now = performance.now();
    delivery.handle(now);
    delivery.want(settingsOf(local.info).delivery, now);
    clearTimeout(entry.timer);
    const { due } = delivery;
    // What the engine says against it is a condition of its objects.
    const again = (): unknown => this.refresh(local.info.vn, []).catch(() => undefined);
    entry.timer = due === null ? undefined : setTimeout(again, Math.ceil(due - now)).unref();
  }

  /**
   * Many rows come in slices, between which the event loop is free. What is new of the VN is there before them; what goes is named by
   * rows until the last slice.
   */
  async #load(entry: Entry): Promise<void> {
    const { reconciler } = this.#options;
    const { vn } = entry.local.info;
    const isCurrent = (): boolean => this.#vns.get(vn) === entry;
    do {
      entry.reload = false;
      void reconciler.patch(scopeOf(vn), vnStructure(this.#inputOf(entry)).state);
      const macs = this.#allMacs(entry);
      for (let i = 0; i < macs.length && isCurrent() && !entry.reload; i += ROWS_AT_ONCE) {
        void this.#patchRows(entry, macs.slice(i, i + ROWS_AT_ONCE));
        await nextTurn();
      }
    } while (entry.reload && isCurrent());
    if (isCurrent()) await reconciler.set(scopeOf(vn), vnStructure(this.#inputOf(entry)).state);
  }

  #patchRows(entry: Entry, macs: readonly MacAddr[]): Promise<void> {
    const { vn } = entry.local.info;
    const input = this.#inputOf(entry);
    const changes = new Map(macs.map((mac) => [fdbKey(vn, mac), vnRow(input, entry.ways, mac)]));
    const pairs = entry.pairs.changes(macs, input.view?.hosts);
    if (pairs.size > 0) void this.#options.reconciler.patch(pairsOf(vn), pairs).catch(() => undefined);
    return this.#options.reconciler.patch(rowsOf(vn), changes);
  }

  /** Attached here, named by the NVA, or in the engine. */
  #allMacs({ local }: Entry): MacAddr[] {
    const { vn } = local.info;
    const { reconciler, viewOf } = this.#options;
    const macs = new Set(local.rows.keys());
    for (const mac of viewOf(vn)?.hosts.keys() ?? []) macs.add(mac);
    for (const key of reconciler.keysOf(rowsOf(vn))) macs.add(macOfKey(key));
    return [...macs];
  }

  #inputOf({ local, delivery }: Entry): VnInput {
    const { viewOf, self, sending, fault } = this.#options;
    const reflects = (link: LinkName): boolean => this.#reflecting.has(link);
    return { local, view: viewOf(local.info.vn), self, sending, reflects, ids: this.#ids, delivery, fault };
  }

  /** Which VAP of a VN the engine means; undefined: it is gone. */
  vapOf(vn: VnId, vap: VapId): LocalVap | undefined {
    const vaps = this.get(vn)?.vaps.values() ?? [];
    return [...vaps].find(({ link, tag }) => this.#ids.vap(vn, link.name, tag) === vap);
  }

  /** A MAC was learned at the VAP of a TSI, or (null) nowhere here; `refresh` brings it into the engine. */
  learn(vn: VnId, mac: MacAddr, key: TsiKey | null): void {
    const local = this.get(vn);
    if (local?.rows.get(mac)?.isLearned === true) local.rows.delete(mac);
    if (local === undefined || key === null || local.rows.has(mac)) return;
    const vap = [...local.vaps.values()].find(({ link, learners }) => link.name === key.link && learners.has(key.tsi));
    if (vap === undefined) return;
    this.#options.learned.placed(vn, mac);
    this.#addRow(local, mac, key.tsi, vap.link, vap.tag, true);
  }

  /** The next hop of a VN to an NVE that MACs are learned behind. */
  learnedNextHop(vn: VnId, remote: IpAddr, contextId: number): NextHopId {
    return this.#ids.learnedNextHop(vn, remote, contextId);
  }

  /** Why the engine does not have the row of a MAC. */
  rowRefusal(vn: VnId, mac: MacAddr): NveError | undefined {
    return this.#options.reconciler.condition(fdbKey(vn, mac));
  }

  /** What of that which is attached here has moved to other NVEs, as the NVA says. */
  moved(vn: VnId): ReturnType<typeof movedAway> {
    const local = this.get(vn);
    if (local === undefined) return { tsis: [], learned: [] };
    return movedAway(local, this.#options.viewOf(vn), this.#options.self);
  }

  /** The NVA counts anew (another epoch): old sequences say nothing any more. */
  forgetSequences(): void {
    for (const { local } of this.#vns.values()) {
      for (const row of local.rows.values()) {
        row.since = -1;
        row.confirmed = false;
      }
    }
  }

  /** Whether the TSI learns on its VAP from now on; what was so before. */
  #learns(local: LocalVn, key: TsiKey, tag: Tag, learn: boolean): boolean {
    const learners = local.vapOf(key.link, tag)?.learners;
    const before = learners?.has(key.tsi) === true;
    if (learn) learners?.add(key.tsi);
    else if (learners?.delete(key.tsi)) this.#options.learned.left(local.info.vn, key);
    return before;
  }

  #change(local: LocalVn, tsi: TsiId, removed: readonly MacAddr[], restore: Unprogram['restore']): void {
    for (const mac of removed) local.rows.delete(mac);
    for (const { mac, link: name, tag } of restore) {
      const link = local.vapOf(name, tag)?.link;
      if (link !== undefined) this.#addRow(local, mac, tsi, link, tag);
    }
  }

  #addRow(local: LocalVn, mac: MacAddr, tsi: TsiId, link: AgentLink, tag: Tag, isLearned = false): void {
    const since = this.#options.viewOf(local.info.vn)?.hosts.get(mac)?.mobilitySeq ?? -1;
    local.rows.set(mac, { tsi, link, tag, isLearned, since, confirmed: false });
  }

  #outcome(keys: readonly ObjectKey[]): Result<null> {
    const condition = this.#options.reconciler.firstCondition(keys);
    return condition === undefined ? ok(null) : err(condition);
  }
}

/** Remembers some rows of a VN; the result puts them back. */
function remember(local: LocalVn, macs: readonly MacAddr[]): () => void {
  const old = macs.map((mac) => [mac, local.rows.get(mac)] as const);
  return () => {
    for (const [mac, row] of old) {
      if (row === undefined) local.rows.delete(mac);
      else local.rows.set(mac, row);
    }
  };
}
