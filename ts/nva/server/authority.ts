/**
 * The embedded authority: what `splitnve nva` knows. VNs and rules come from the configuration, everything else from the
 * reports of NVEs. No sockets, no clock, no disk: times are arguments, and what must be known after a restart goes to `put`,
 * whose caller sees to it that nobody is told what is not written.
 *
 * With what was remembered it goes on in its epoch as if it had never stopped; NVEs that do not come back lose their lease.
 */
import { isDeepStrictEqual } from 'node:util';
import {
  err,
  type HostInfo,
  learnerOf,
  type MacAddr,
  type MemberInfo,
  type NveId,
  type NveInfo,
  nveError,
  ok,
  type Result,
  settingsOf,
  type TunnelEnd,
  type VnId,
  type VnInfo,
  type VnName,
  vnRefText,
} from '#model';
import type { AuthorizeRequest, NnpAuthority, NnpChanges } from '#protocol';
import type { NnpAttachment, NnpReject } from '#wire';
import type { AuthorityConfig, VnListing } from './api.js';
import { type Nve, NveTable } from './nve-table.js';
import { type Candidate, Policy } from './policy.js';
import type { Put, Remembered } from './records.js';
import { type RevisionLimits, Revisions } from './revisions.js';
import { VnState } from './vn-state.js';
import { VnTable } from './vn-table.js';

export interface AuthorityLimits extends RevisionLimits {
  /** MACs that one NVE may report, over all VNs. */
  readonly macsPerNve: number;
}

export const DEFAULT_AUTHORITY_LIMITS: AuthorityLimits = { macsPerNve: 65_536, logOps: 16_384, deletedLogs: 1024 };

export interface AuthorityOptions {
  readonly config: AuthorityConfig;
  /** For an authority that remembers nothing; unique for this start. */
  readonly epoch: string;
  readonly now: number;
  readonly holdMs: number;
  /** How long a verdict may be used without asking again, in seconds. */
  readonly authTtlS: number;
  /** How long NVEs with the mappings of a former life wait for the reports of the others. */
  readonly settleMs: number;
  readonly limits?: Partial<AuthorityLimits>;
  /** Null: nothing was remembered. */
  readonly remembered?: Remembered | null;
  readonly put?: Put;
}

/** Deletes of one revision stay together in a frame, so a deleted VN goes in pieces. */
const DELETES_AT_ONCE = 256;

export class Authority implements NnpAuthority {
  readonly nvaId: string;
  readonly holdMs: number;
  readonly #authTtlS: number;
  readonly #limits: AuthorityLimits;
  readonly #policy: Policy;
  readonly #put: Put;
  readonly #vns = new VnTable();
  readonly #nves: NveTable;
  readonly #revisions: Revisions;
  /** NVEs that have not reported in this epoch, and until when it is worth to wait for them. */
  readonly #silent: Set<NveId>;
  readonly #settledAt: number;

  /** NVE-NVA-009 if two VNs share a name, an id or a VNI. */
  static create(options: AuthorityOptions): Result<Authority> {
    const authority = new Authority(options);
    const made = authority.#begin(options);
    return made.ok ? ok(authority) : made;
  }

  private constructor(options: AuthorityOptions) {
    const { config, epoch, now, holdMs, authTtlS, settleMs, limits, remembered = null, put = () => {} } = options;
    this.nvaId = config.nvaId;
    this.holdMs = holdMs;
    this.#authTtlS = authTtlS;
    this.#limits = { ...DEFAULT_AUTHORITY_LIMITS, ...limits };
    this.#policy = new Policy(config.nves, config.tsis);
    this.#put = put;
    this.#nves = new NveTable(put);
    this.#revisions = new Revisions(epoch, remembered, this.#limits, put);
    const goesOn = remembered?.meta.length === 1;
    this.#silent = new Set(goesOn ? [] : this.#policy.nveIds());
    this.#settledAt = now + settleMs;
  }

  /** What was remembered, and then what is configured now: the difference is changes as any. */
  #begin({ config, now, remembered }: AuthorityOptions): Result<null> {
    if (remembered) this.#restore(remembered, now + this.holdMs);
    const ids = new Map(config.vns.map(({ name, vn }) => [name, vn]));
    const gone = [...this.#vns.all()].filter(({ info }) => ids.get(info.name) !== info.vn);
    const made = this.changeVns(
      config.vns,
      gone.map(({ info }) => info.name),
    );
    if (!made.ok) return made;
    // One that is only registered may be registered in another way now.
    for (const state of this.#vns.all()) {
      const { node } = state;
      if (node !== null && this.#nves.get(node) === undefined) this.#tell(this.#nveInfo(node));
    }
    return ok(null);
  }

  #restore({ vn: vns, nve: nves, attachment: attachments, host: hosts }: Remembered, leaseUntil: number): void {
    for (const info of nves) this.#nves.restore(info, leaseUntil);
    const [attached, known] = [byVn(attachments), byVn(hosts)];
    for (const info of vns) {
      const state = new VnState(info, this.#put);
      state.restore(attached.get(info.vn) ?? [], known.get(info.vn) ?? []);
      this.#vns.add(state);
    }
    for (const { nveId, macs } of attachments) {
      const nve = this.#nves.get(nveId);
      if (nve !== undefined) nve.macs += macs.length;
    }
  }

  get epoch(): string {
    return this.#revisions.epoch;
  }

  get term(): bigint {
    return this.#revisions.term;
  }

  get revision(): bigint {
    return this.#revisions.revision;
  }

  // VNs

  /** Creates a VN, or changes the one of that name. */
  putVn(info: VnInfo): Result<null> {
    return this.changeVns([info], []);
  }

  /** Deletes a VN with all that is attached to it. */
  deleteVn(name: VnName): Result<null> {
    return this.changeVns([], [name]);
  }

  /** Deletes VNs, and creates or changes others: all, or none if NVE-NVA-009 is in the way, or one to delete is not there. */
  changeVns(put: readonly VnInfo[], deleted: readonly VnName[]): Result<null> {
    const missing = deleted.find((name) => this.#vns.get(name) === undefined);
    if (missing !== undefined) return err(nveError('NVE-NVA-001', { vn: missing }));
    const free = this.#vns.check(put, new Set(deleted));
    if (!free.ok) return free;
    for (const name of deleted) this.#delete(name);
    // Under another id it is another VN: nothing of the old one stays.
    for (const { name, vn } of put) if (this.#vns.get(name)?.info.vn !== vn) this.#delete(name);
    const known = put.map(({ name }) => this.#vns.get(name));
    for (const state of known) if (state !== undefined) this.#vns.remove(state);
    for (const [index, info] of put.entries()) this.#make(info, known[index]);
    this.#revisions.forgetDeleted((vn) => this.#vns.withId(vn) !== undefined);
    return ok(null);
  }

  #make(info: VnInfo, known: VnState | undefined): void {
    const nveOf = (nveId: NveId): NveInfo => this.#nveInfo(nveId);
    if (known !== undefined) {
      const isSame = isDeepStrictEqual(plain(known.info), plain(info));
      if (!isSame) this.#revisions.commit(info.vn, known.changed(info, nveOf));
      this.#vns.add(known);
      return;
    }
    const state = new VnState(info, this.#put);
    this.#vns.add(state);
    this.#revisions.commit(
      info.vn,
      state.objects(nveOf).map((object) => ({ set: object })),
    );
  }

  #delete(name: VnName): void {
    const state = this.#vns.get(name);
    if (state === undefined) return;
    const { vn } = state.info;
    for (const { nveId, macs } of state.attachments()) {
      const nve = this.#nves.get(nveId);
      if (nve !== undefined) nve.macs -= macs.length;
    }
    this.#vns.remove(state);
    const changes = state.unmake();
    for (let at = 0; at < changes.length; at += DELETES_AT_ONCE) {
      this.#revisions.commit(vn, changes.slice(at, at + DELETES_AT_ONCE));
    }
  }

  list(): VnListing[] {
    return [...this.#vns.all()].map((state) => {
      const { vn, vni: contextId } = state.info;
      const members = state.members().map((nveId): MemberInfo => ({ vn, nveId, contextId }));
      return { info: state.info, members, hosts: state.hosts() };
    });
  }

  /** How many TSIs are attached, over all VNs and ports. */
  attachments(): number {
    return [...this.#vns.all()].reduce((sum, state) => sum + state.attachments().length, 0);
  }

  // NVEs

  hello(nveId: NveId, tunnels: readonly TunnelEnd[], now: number): Result<null> {
    const allowed = this.#policy.mayConnect(nveId, tunnels);
    if (!allowed.ok) return allowed;
    const info: NveInfo = { nveId, tunnels };
    const moved = !isDeepStrictEqual(plain(this.#nveInfo(nveId)), plain(info));
    this.#nves.hello(info, now + this.holdMs);
    if (moved) this.#tell(info);
    return ok(null);
  }

  ends(nveId: NveId, tunnels: readonly TunnelEnd[]): Result<null> {
    const allowed = this.#policy.mayConnect(nveId, tunnels);
    const nve = this.#nves.get(nveId);
    if (!allowed.ok || nve === undefined) return allowed;
    if (isDeepStrictEqual(plain(nve.info.tunnels), plain(tunnels))) return ok(null);
    this.#nves.ends(nve, { nveId, tunnels });
    this.#tell(nve.info);
    return ok(null);
  }

  /** The NVE is reached in another way now. */
  #tell(info: NveInfo): void {
    for (const state of this.#vns.all()) {
      if (state.names(info.nveId)) this.#revisions.commit(state.info.vn, [{ set: { kind: 'nve', ...info } }]);
    }
  }

  /** The NVE's session is gone. */
  lost(nveId: NveId, now: number): void {
    this.#nves.lost(nveId, now + this.holdMs);
  }

  /** When the first lease ends; null: none is running. */
  nextLease(): number | null {
    return this.#nves.nextLease();
  }

  /** Drops what was reported by NVEs whose lease is over. Gives their ids. */
  expireLeases(now: number): NveId[] {
    const expired = this.#nves.takeExpired(now);
    for (const nve of expired) this.#sweep(nve, new Set());
    return expired.map(({ info }) => info.nveId);
  }

  settlesAt(now: number): number | null {
    return this.#silent.size === 0 || now >= this.#settledAt ? null : this.#settledAt;
  }

  authorize(nveId: NveId, request: AuthorizeRequest): { result: Result<VnInfo>; ttlS: number } {
    const state = this.#vns.find(request.vn);
    const ttlS = this.#authTtlS;
    if (state === undefined) return { result: err(nveError('NVE-NVA-001', { vn: vnRefText(request.vn) })), ttlS };
    const allowed = this.#mayAttach(state, request, nveId);
    return { result: allowed.ok ? ok(state.info) : allowed, ttlS };
  }

  maySubscribe(nveId: NveId, vn: VnId): Result<null> {
    const state = this.#vns.withId(vn);
    return state === undefined ? err(nveError('NVE-NVA-001', { vn })) : this.#policy.mayServe(nveId, state.info.name);
  }

  report(nveId: NveId, mode: 'delta' | 'full' | 'part', items: readonly NnpAttachment[]): NnpReject[] {
    const nve = this.#nves.get(nveId);
    if (nve === undefined) return [];
    if (mode !== 'delta') nve.named ??= new Set();
    const rejects: NnpReject[] = [];
    for (const [index, item] of items.entries()) {
      if (item.change === 'detach') {
        this.#detach(nve, item);
        continue;
      }
      const attached = this.#attach(nve, item);
      if (!attached.ok) {
        rejects.push({ index, code: attached.error.code, text: attached.error.message });
        // Nor does it go on with what it had: its NVE has changed it already.
        this.#detach(nve, item);
      } else if (mode !== 'delta') nve.named?.add(nameOf(item));
    }
    if (mode === 'full') {
      this.#sweep(nve, nve.named ?? new Set());
      nve.named = null;
      nve.leaseUntil = null;
      this.#silent.delete(nveId);
    }
    return rejects;
  }

  // Mappings

  isPulled(vn: VnId): boolean {
    const info = this.#vns.withId(vn)?.info;
    return info !== undefined && settingsOf(info).unknown === 'query';
  }

  host(vn: VnId, mac: MacAddr): HostInfo | null {
    return this.#vns.withId(vn)?.host(mac) ?? null;
  }

  snapshot(vn: VnId): NnpChanges {
    const { revision } = this;
    const objects = this.#vns.withId(vn)?.objects((nveId) => this.#nveInfo(nveId)) ?? [];
    return { revision, ops: objects.map((object) => ({ op: 'set', revision, object })) };
  }

  changes(vn: VnId, from: bigint, maxOps: number): NnpChanges | null {
    return this.#revisions.changes(vn, from, maxOps);
  }

  // Attachments

  #attach(nve: Nve, item: NnpAttachment): Result<null> {
    const { nveId } = nve.info;
    const state = this.#vns.withId(item.vn);
    if (state === undefined) return err(nveError('NVE-NVA-001', { vn: item.vn }));
    const allowed = this.#mayAttach(state, item, nveId);
    if (!allowed.ok) return allowed;
    const { tsi, port, macs, ips, multihomed = false } = item;
    const attached = nve.macs + macs.length - state.macsOf(nveId, tsi, port);
    const limit = this.#limits.macsPerNve;
    if (attached > limit) return err(nveError('NVE-NVA-007', { limit, what: `MACs of NVE ${nveId}` }));
    nve.macs = attached;
    this.#revisions.commit(item.vn, state.attach({ nveId, tsi, port, macs, ips, multihomed }, nve.info));
    return ok(null);
  }

  #detach(nve: Nve, { vn, tsi, port }: Pick<NnpAttachment, 'vn' | 'tsi' | 'port'>): void {
    const state = this.#vns.withId(vn);
    if (state === undefined) return;
    nve.macs -= state.macsOf(nve.info.nveId, tsi, port);
    this.#revisions.commit(vn, state.detach(nve.info.nveId, tsi, port));
  }

  /** The rules of AUTH, and again of every REPORT. */
  #mayAttach(state: VnState, candidate: Candidate, nveId: NveId): Result<null> {
    const { name } = state.info;
    const { tsi, macs } = candidate;
    const serves = this.#policy.mayServe(nveId, name);
    if (!serves.ok) return serves;
    // Who may have a MAC may have it learned.
    const joins = this.#policy.mayJoin(name, { ...candidate, tsi: learnerOf(tsi) ?? tsi }, nveId);
    if (!joins.ok) return joins;
    const held = state.conflict(tsi, macs);
    if (held === null) return ok(null);
    return err(nveError('NVE-NVA-003', { mac: held.mac, vn: name, holder: held.tsi, nve: held.nveId }));
  }

  /** Drops the attachments of an NVE that are not in `named`. */
  #sweep(nve: Nve, named: ReadonlySet<string>): void {
    for (const state of this.#vns.all()) {
      const { vn } = state.info;
      for (const { nveId, tsi, port } of state.attachments()) {
        if (nveId === nve.info.nveId && !named.has(nameOf({ vn, tsi, port }))) this.#detach(nve, { vn, tsi, port });
      }
    }
  }

  #nveInfo(nveId: NveId): NveInfo {
    return this.#nves.get(nveId)?.info ?? { nveId, tunnels: this.#policy.tunnelsOf(nveId) };
  }
}

/** As it would be read back. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

function nameOf({ vn, tsi, port }: Pick<NnpAttachment, 'vn' | 'tsi' | 'port'>): string {
  return `${vn} ${tsi} ${port}`;
}

function byVn<T extends { readonly vn: VnId }>(items: readonly T[]): ReadonlyMap<VnId, readonly T[]> {
  const groups = new Map<VnId, T[]>();
  for (const item of items) {
    const group = groups.get(item.vn);
    if (group === undefined) groups.set(item.vn, [item]);
    else group.push(item);
  }
  return groups;
}
