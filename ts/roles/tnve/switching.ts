// The tNVE's side of its engine: the uplink, a port per tenant interface, a VN per VN. It turns what a TSI is into the reconciler's
// scopes, and tells why the engine does not have it.

import type { Command, PortId } from '#dataplane';
import {
  formatTag,
  type Mtu,
  type NveError,
  type Tag,
  type TnveConfig,
  type TsiId,
  type VnId,
  type VnName,
} from '#model';
import { linkKey, portKey, stateOf } from '../engine/objects.js';
import { PortNames, portCommands } from '../engine/ports.js';
import type { Reconciler } from '../engine/reconciler.js';
import { portState, type TnveTsi, type TnveVn, tnveVnState } from './tsi.js';

export class Switching {
  readonly ports = new PortNames();
  readonly #reconciler: Reconciler;
  readonly #base: readonly Extract<Command, { op: 'PortAdd' }>[];
  readonly #uplinkPort: PortId;
  readonly #vns = new Map<VnName, TnveVn>();
  readonly #members = new Map<TsiId, TnveTsi>();
  #next = 1;

  constructor(reconciler: Reconciler, config: TnveConfig) {
    this.#reconciler = reconciler;
    this.#base = portCommands(config.port);
    for (const { name, port } of this.#base) this.ports.set(name, port);
    this.#uplinkPort = this.ports.id(config.uplink.port) ?? 0;
  }

  /** Makes the configuration's ports. */
  async start(): Promise<void> {
    const base = stateOf(this.#base);
    await this.#reconciler.set('base', base);
    throwIf(this.#reconciler.firstCondition(base.keys()));
  }

  get uplinkPort(): PortId {
    return this.#uplinkPort;
  }

  vnName(id: VnId): VnName | null {
    for (const [name, vn] of this.#vns) if (vn.id === id) return name;
    return null;
  }

  /** Numbers for a new TSI. Throws if the engine's ports are used up. */
  reserve(iface: string): { port: PortId; vap: number; portName: string } {
    const port = this.ports.free(this.#reconciler.actual);
    const portName = this.ports.id(iface) === undefined ? iface : `${iface}.${port}`;
    this.ports.set(portName, port);
    return { port, vap: this.#next++, portName };
  }

  unreserve(port: PortId): void {
    this.ports.delete(port);
  }

  async addPort(tsi: TnveTsi): Promise<void> {
    const state = portState(tsi);
    await this.#reconciler.set(`port ${tsi.tsi}`, state);
    throwIf(this.#reconciler.firstCondition(state.keys()));
  }

  /** Brings the carrier of its interface to what `tsi` says. The interface keeps its MTU for life. */
  async showCarrier({ tsi, port, carrier }: TnveTsi): Promise<void> {
    const link = carrier ? null : ({ op: 'PortAdmin', port, up: false } as const);
    await this.#reconciler.patch(`port ${tsi}`, new Map([[linkKey(port), link]]));
  }

  async removePort(tsi: TnveTsi): Promise<void> {
    await this.#reconciler.set(`port ${tsi.tsi}`, new Map());
    throwIf(this.#reconciler.condition(portKey(tsi.port)));
  }

  /** Switches for the TSI between its port and the uplink, under the tag that it has. */
  async forward(tsi: TnveTsi): Promise<void> {
    this.#members.set(tsi.tsi, tsi);
    tsi.forwards = true;
    this.#retag(tsi.vn, tsi.tag, tsi.mtu);
    throwIf(await this.#refresh(tsi.vn));
  }

  /** Switches for it no more; the VN goes with its last TSI. */
  async stop(tsi: TnveTsi): Promise<void> {
    tsi.forwards = false;
    await this.#refresh(tsi.vn);
    this.#members.delete(tsi.tsi);
    if (![...this.#members.values()].some(({ vn }) => vn === tsi.vn)) this.#vns.delete(tsi.vn);
  }

  /** The NVE gives one tag per VN and link. After its restart it may be another one: the last answer counts for all TSIs of the VN. */
  #retag(name: VnName, tag: Tag, mtu: Mtu): void {
    const vn = this.#vns.get(name);
    const isSame = vn !== undefined && formatTag(vn.tag) === formatTag(tag);
    if (isSame && vn.mtu === mtu) return;
    const id = vn?.id ?? (this.#next++ as VnId);
    const uplinkVap = isSame ? vn.uplinkVap : this.#next++;
    this.#vns.set(name, { id, uplinkPort: this.#uplinkPort, uplinkVap, tag, mtu });
  }

  async #refresh(name: VnName): Promise<NveError | undefined> {
    const vn = this.#vns.get(name);
    if (vn === undefined) return undefined;
    const members = [...this.#members.values()].filter((tsi) => tsi.vn === name);
    const state = tnveVnState(vn, members);
    await this.#reconciler.set(`vn ${name}`, state);
    return this.#reconciler.firstCondition(state.keys());
  }
}

function throwIf(error: NveError | undefined): void {
  if (error !== undefined) throw error;
}
