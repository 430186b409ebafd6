// The VNs of this NVE and their way into the engine: the TSI life cycle's effects and the NVA's mappings change them, the reconciler
// programs them. Everything here answers with results; nothing throws unless the engine itself failed.

import type { PortId } from '#dataplane';
import {
  err,
  type LinkName,
  type MacAddr,
  type NveError,
  type NveId,
  ok,
  type Result,
  type TsiId,
  type TsiKey,
  type Vid,
  type VnId,
  type VnInfo,
} from '#model';
import type { VnView } from '#nva';
import type { TsiEffect } from '#protocol';
import { fdbKey, type ObjectKey, vapKey, vnKey } from '../engine/objects.js';
import type { Reconciler, Scope } from '../engine/reconciler.js';
import { Ids } from './ids.js';
import { type Fault, isMovedAway, LocalVn, vnState } from './vn-state.js';

export interface VnsOptions {
  readonly reconciler: Reconciler;
  readonly self: NveId;
  readonly portOf: (link: LinkName) => PortId;
  readonly viewOf: (vn: VnId) => VnView | null;
  readonly fault?: Fault | undefined;
}

type Program = Extract<TsiEffect, { type: 'program' }>;
type Unprogram = Extract<TsiEffect, { type: 'unprogram' }>;

const scopeOf = (vn: VnId): Scope => `vn ${vn}`;

export class Vns {
  readonly #options: VnsOptions;
  readonly #ids = new Ids();
  readonly #vns = new Map<VnId, LocalVn>();

  constructor(options: VnsOptions) {
    this.#options = options;
  }

  get(vn: VnId): LocalVn | undefined {
    return this.#vns.get(vn);
  }

  all(): Iterable<LocalVn> {
    return this.#vns.values();
  }

  connect(info: VnInfo): void {
    if (!this.#vns.has(info.vn)) this.#vns.set(info.vn, new LocalVn(info));
  }

  /** The VN's last TSI is gone: everything of it goes. */
  async disconnect(vn: VnId): Promise<void> {
    this.#vns.delete(vn);
    this.#ids.forget(vn);
    await this.#options.reconciler.set(scopeOf(vn), new Map());
  }

  /** Sets aside what the TSI will need: the VN is in the engine, nothing is forwarded for the TSI. */
  async reserve(vn: VnId): Promise<Result<null>> {
    await this.refresh(vn);
    return this.#outcome([vnKey(vn)]);
  }

  /** Forwards for the TSI, or changes nothing. */
  async program({ key, vn, tag, macs, removed, restore }: Program): Promise<Result<null>> {
    const local = this.#vns.get(vn.vn);
    if (local === undefined) return ok(null);
    const putBack = remember(local, [...macs, ...removed, ...restore.map(({ mac }) => mac)]);
    const isNew = local.enter(key.link, tag.vid, key.tsi);
    this.#change(local, key.tsi, removed, restore);
    for (const mac of macs) this.#addRow(local, mac, key, tag.vid);
    await this.refresh(vn.vn);
    const vap = vapKey(this.#ids.vap(vn.vn, key.link, tag.vid));
    const outcome = this.#outcome([vnKey(vn.vn), vap, ...macs.map((mac) => fdbKey(vn.vn, mac))]);
    if (outcome.ok) return outcome;
    putBack();
    if (isNew) local.leave(key.link, tag.vid, key.tsi);
    await this.refresh(vn.vn);
    return outcome;
  }

  /** Stops forwarding for the TSI, or changes nothing. */
  async unprogram({ key, vn, tag, macs, restore }: Unprogram): Promise<Result<null>> {
    const local = this.#vns.get(vn.vn);
    if (local === undefined) return ok(null);
    const putBack = remember(local, [...macs, ...restore.map(({ mac }) => mac)]);
    this.#change(local, key.tsi, macs, restore);
    local.leave(key.link, tag.vid, key.tsi);
    await this.refresh(vn.vn);
    const outcome = this.#outcome(macs.map((mac) => fdbKey(vn.vn, mac)));
    if (outcome.ok) return outcome;
    putBack();
    local.enter(key.link, tag.vid, key.tsi);
    await this.refresh(vn.vn);
    return outcome;
  }

  /** Brings the engine to what is attached and what the NVA says now. */
  async refresh(vn: VnId): Promise<NveError | undefined> {
    const local = this.#vns.get(vn);
    if (local === undefined) return undefined;
    const { reconciler, viewOf, self, portOf, fault } = this.#options;
    const state = vnState({ local, view: viewOf(vn), self, portOf, ids: this.#ids, fault });
    await reconciler.set(scopeOf(vn), state);
    return reconciler.firstCondition(state.keys());
  }

  /**
   * Compares the MACs that are attached here with what the NVA says: remembers under which mobility sequence it names this NVE, and
   * gives the TSIs of which it says that they are at another NVE by now.
   */
  moved(vn: VnId): { key: TsiKey; to: NveId }[] {
    const local = this.#vns.get(vn);
    const view = this.#options.viewOf(vn);
    const gone = new Map<string, { key: TsiKey; to: NveId }>();
    for (const [mac, row] of local?.rows ?? []) {
      const host = view?.hosts.get(mac);
      if (host?.nveId === this.#options.self) {
        row.confirmed = true;
        row.since = Math.max(row.since, host.mobilitySeq);
      } else if (host !== undefined && row.confirmed && isMovedAway(row, host, this.#options.self)) {
        gone.set(`${row.tsi} ${row.link}`, { key: { tsi: row.tsi, link: row.link }, to: host.nveId });
      }
    }
    return [...gone.values()];
  }

  /** The NVA counts anew (another epoch): old sequences say nothing any more. */
  forgetSequences(): void {
    for (const { rows } of this.#vns.values()) {
      for (const row of rows.values()) {
        row.since = -1;
        row.confirmed = false;
      }
    }
  }

  #change(local: LocalVn, tsi: TsiId, removed: readonly MacAddr[], restore: Unprogram['restore']): void {
    for (const mac of removed) local.rows.delete(mac);
    for (const { mac, link, tag } of restore) this.#addRow(local, mac, { tsi, link }, tag.vid);
  }

  #addRow(local: LocalVn, mac: MacAddr, { tsi, link }: TsiKey, vid: Vid): void {
    const since = this.#options.viewOf(local.info.vn)?.hosts.get(mac)?.mobilitySeq ?? -1;
    local.rows.set(mac, { tsi, link, vid, since, confirmed: false });
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
