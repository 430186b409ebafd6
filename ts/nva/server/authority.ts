/**
 * The embedded authority: what `splitnve nva` knows, in memory. VNs and rules come from the configuration, everything else
 * from the reports of NVEs. No sockets, no clock: times are arguments.
 *
 * Revisions are total over all VNs; each VN has a bounded log of its changes. The epoch is new with every start, since what
 * was reported is gone with the process.
 */
import {
  err,
  type HostInfo,
  isVn,
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
  type VnRef,
  vnRefText,
} from '#model';
import type { AuthorizeRequest, NnpAuthority, NnpChanges } from '#protocol';
import type { NnpAttachment, NnpOp, NnpReject } from '#wire';
import type { AuthorityConfig, VnListing } from './api.js';
import { ChangeLog } from './change-log.js';
import { type Candidate, Policy } from './policy.js';
import { type Change, VnState } from './vn-state.js';

export interface AuthorityLimits {
  /** MACs that one NVE may report, over all VNs. */
  readonly macsPerNve: number;
  /** Ops that the change log of a VN keeps. */
  readonly logOps: number;
  /** Logs of deleted VNs that are kept. */
  readonly deletedLogs: number;
}

export const DEFAULT_AUTHORITY_LIMITS: AuthorityLimits = { macsPerNve: 65_536, logOps: 16_384, deletedLogs: 1024 };

export interface AuthorityOptions {
  readonly config: AuthorityConfig;
  /** Unique for this start. */
  readonly epoch: string;
  readonly now: number;
  readonly holdMs: number;
  /** How long a verdict may be used without asking again, in seconds. */
  readonly authTtlS: number;
  /** How long NVEs with the mappings of a former life wait for the reports of the others. */
  readonly settleMs: number;
  readonly limits?: Partial<AuthorityLimits>;
}

interface Nve {
  info: NveInfo;
  /** When its reports are dropped unless it reports in full again; null: its session is up and has reported. */
  leaseUntil: number | null;
  /** Attachments that the full report under way has named; null outside of one. */
  named: Set<string> | null;
  /** In all its attachments. */
  macs: number;
}

/** Deletes of one revision stay together in a frame, so a deleted VN goes in pieces. */
const DELETES_AT_ONCE = 256;

export class Authority implements NnpAuthority {
  readonly nvaId: string;
  readonly epoch: string;
  readonly term = 1n;
  readonly holdMs: number;
  readonly #authTtlS: number;
  readonly #limits: AuthorityLimits;
  readonly #policy: Policy;
  readonly #vns = new Map<VnName, VnState>();
  readonly #byId = new Map<VnId, VnState>();
  readonly #logs = new Map<VnId, ChangeLog>();
  readonly #nves = new Map<NveId, Nve>();
  /** NVEs that have not reported in this epoch, and until when it is worth to wait for them. */
  readonly #silent: Set<NveId>;
  readonly #settledAt: number;
  #revision = 1n;

  /** NVE-NVA-009 if two VNs share a name, an id or a VNI. */
  static create(options: AuthorityOptions): Result<Authority> {
    const authority = new Authority(options);
    for (const vn of options.config.vns) {
      const put = authority.#vns.has(vn.name) ? err(authority.#taken('name', vn.name, vn.name)) : authority.putVn(vn);
      if (!put.ok) return put;
    }
    return ok(authority);
  }

  private constructor({ config, epoch, now, holdMs, authTtlS, settleMs, limits }: AuthorityOptions) {
    this.nvaId = config.nvaId;
    this.epoch = epoch;
    this.holdMs = holdMs;
    this.#authTtlS = authTtlS;
    this.#limits = { ...DEFAULT_AUTHORITY_LIMITS, ...limits };
    this.#policy = new Policy(config.nves, config.tsis);
    this.#silent = new Set(this.#policy.nveIds());
    this.#settledAt = now + settleMs;
  }

  get revision(): bigint {
    return this.#revision;
  }

  // VNs

  /** Creates a VN, or changes the one of that name. */
  putVn(info: VnInfo): Result<null> {
    for (const { info: other } of this.#vns.values()) {
      if (other.name === info.name) continue;
      if (other.vn === info.vn) return err(this.#taken('VN id', info.vn, other.name));
      if (other.vni === info.vni) return err(this.#taken('VNI', info.vni, other.name));
    }
    const known = this.#vns.get(info.name);
    if (known !== undefined && known.info.vn === info.vn) {
      if (JSON.stringify(known.info) !== JSON.stringify(info))
        this.#commit(
          info.vn,
          known.changed(info, (nveId) => this.#nveInfo(nveId)),
        );
      return ok(null);
    }
    // Under another id it is another VN: nothing of the old one stays.
    if (known !== undefined) this.deleteVn(info.name);
    const state = new VnState(info);
    this.#vns.set(info.name, state);
    this.#byId.set(info.vn, state);
    this.#commit(
      info.vn,
      state.objects((nveId) => this.#nveInfo(nveId)).map((object) => ({ set: object })),
    );
    return ok(null);
  }

  /** Deletes a VN with all that is attached to it. */
  deleteVn(name: VnName): Result<null> {
    const state = this.#vns.get(name);
    if (state === undefined) return err(nveError('NVE-NVA-001', { vn: name }));
    const { vn } = state.info;
    for (const { nveId, macs } of state.attachments()) {
      const nve = this.#nves.get(nveId);
      if (nve !== undefined) nve.macs -= macs.length;
    }
    this.#vns.delete(name);
    this.#byId.delete(vn);
    const changes = state.unmake();
    for (let at = 0; at < changes.length; at += DELETES_AT_ONCE) {
      this.#commit(vn, changes.slice(at, at + DELETES_AT_ONCE));
    }
    this.#forgetLogs();
    return ok(null);
  }

  list(): VnListing[] {
    return [...this.#vns.values()].map((state) => {
      const { vn, vni: contextId } = state.info;
      const members = state.members().map((nveId): MemberInfo => ({ vn, nveId, contextId }));
      return { info: state.info, members, hosts: state.hosts() };
    });
  }

  /** How many TSIs are attached, over all VNs and ports. */
  attachments(): number {
    return [...this.#vns.values()].reduce((sum, state) => sum + state.attachments().length, 0);
  }

  // NVEs

  hello(nveId: NveId, tunnels: readonly TunnelEnd[], now: number): Result<null> {
    const allowed = this.#policy.mayConnect(nveId, tunnels);
    if (!allowed.ok) return allowed;
    const info: NveInfo = { nveId, tunnels };
    const nve = this.#nves.get(nveId);
    const moved = JSON.stringify(this.#nveInfo(nveId)) !== JSON.stringify(info);
    if (nve === undefined) {
      this.#nves.set(nveId, { info, leaseUntil: null, named: null, macs: 0 });
      if (moved) this.#tell(info);
      return ok(null);
    }
    nve.info = info;
    nve.named = null;
    // What it reported in its last session counts on until it reports in full, but not for ever.
    nve.leaseUntil = now + this.holdMs;
    if (moved) this.#tell(info);
    return ok(null);
  }

  /** The NVE is reached in another way now. */
  #tell(info: NveInfo): void {
    for (const state of this.#vns.values()) {
      if (state.names(info.nveId)) this.#commit(state.info.vn, [{ set: { kind: 'nve', ...info } }]);
    }
  }

  /** The NVE's session is gone. */
  lost(nveId: NveId, now: number): void {
    const nve = this.#nves.get(nveId);
    if (nve === undefined) return;
    nve.named = null;
    nve.leaseUntil ??= now + this.holdMs;
  }

  /** When the first lease ends; null: none is running. */
  nextLease(): number | null {
    let next: number | null = null;
    for (const { leaseUntil } of this.#nves.values()) {
      if (leaseUntil !== null && (next === null || leaseUntil < next)) next = leaseUntil;
    }
    return next;
  }

  /** Drops what was reported by NVEs whose lease is over. Gives their ids. */
  expireLeases(now: number): NveId[] {
    const expired = [...this.#nves.values()].filter(({ leaseUntil }) => leaseUntil !== null && leaseUntil <= now);
    for (const nve of expired) {
      nve.leaseUntil = null;
      this.#sweep(nve, new Set());
    }
    return expired.map(({ info }) => info.nveId);
  }

  settlesAt(now: number): number | null {
    return this.#silent.size === 0 || now >= this.#settledAt ? null : this.#settledAt;
  }

  authorize(nveId: NveId, request: AuthorizeRequest): { result: Result<VnInfo>; ttlS: number } {
    const state = this.#vnOf(request.vn);
    const ttlS = this.#authTtlS;
    if (state === undefined) return { result: err(nveError('NVE-NVA-001', { vn: vnRefText(request.vn) })), ttlS };
    const allowed = this.#mayAttach(state, request, nveId);
    return { result: allowed.ok ? ok(state.info) : allowed, ttlS };
  }

  #vnOf(ref: VnRef): VnState | undefined {
    if (typeof ref === 'string') return this.#vns.get(ref);
    for (const state of this.#vns.values()) if (isVn(state.info, ref)) return state;
    return undefined;
  }

  maySubscribe(nveId: NveId, vn: VnId): Result<null> {
    const state = this.#byId.get(vn);
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
    const info = this.#byId.get(vn)?.info;
    return info !== undefined && settingsOf(info).unknown === 'query';
  }

  host(vn: VnId, mac: MacAddr): HostInfo | null {
    return this.#byId.get(vn)?.host(mac) ?? null;
  }

  snapshot(vn: VnId): NnpChanges {
    const revision = this.#revision;
    const objects = this.#byId.get(vn)?.objects((nveId) => this.#nveInfo(nveId)) ?? [];
    return { revision, ops: objects.map((object) => ({ op: 'set', revision, object })) };
  }

  changes(vn: VnId, from: bigint, maxOps: number): NnpChanges | null {
    return this.#logs.get(vn)?.after(from, maxOps, this.#revision) ?? null;
  }

  // Attachments

  #attach(nve: Nve, item: NnpAttachment): Result<null> {
    const { nveId } = nve.info;
    const state = this.#byId.get(item.vn);
    if (state === undefined) return err(nveError('NVE-NVA-001', { vn: item.vn }));
    const allowed = this.#mayAttach(state, item, nveId);
    if (!allowed.ok) return allowed;
    const { tsi, port, macs, ips } = item;
    const attached = nve.macs + macs.length - state.macsOf(nveId, tsi, port);
    const limit = this.#limits.macsPerNve;
    if (attached > limit) return err(nveError('NVE-NVA-007', { limit, what: `MACs of NVE ${nveId}` }));
    nve.macs = attached;
    this.#commit(item.vn, state.attach({ nveId, tsi, port, macs, ips }, nve.info));
    return ok(null);
  }

  #detach(nve: Nve, { vn, tsi, port }: Pick<NnpAttachment, 'vn' | 'tsi' | 'port'>): void {
    const state = this.#byId.get(vn);
    if (state === undefined) return;
    nve.macs -= state.macsOf(nve.info.nveId, tsi, port);
    this.#commit(vn, state.detach(nve.info.nveId, tsi, port));
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
    for (const state of this.#vns.values()) {
      const { vn } = state.info;
      for (const { nveId, tsi, port } of state.attachments()) {
        if (nveId === nve.info.nveId && !named.has(nameOf({ vn, tsi, port }))) this.#detach(nve, { vn, tsi, port });
      }
    }
  }

  // Revisions

  /** One revision of one VN. */
  #commit(vn: VnId, changes: readonly Change[]): void {
    if (changes.length === 0) return;
    let log = this.#logs.get(vn);
    if (log === undefined) {
      log = new ChangeLog(this.#limits.logOps, this.#revision);
      this.#logs.set(vn, log);
    }
    this.#revision += 1n;
    const revision = this.#revision;
    const ops = changes.map(
      (change): NnpOp =>
        'set' in change ? { op: 'set', revision, object: change.set } : { op: 'delete', revision, key: change.unset },
    );
    log.add(revision, ops);
  }

  /** Logs of deleted VNs serve their last subscribers; there may be any number of such VNs in the end. */
  #forgetLogs(): void {
    const deleted = [...this.#logs.keys()].filter((vn) => !this.#byId.has(vn));
    for (const vn of deleted.slice(0, Math.max(0, deleted.length - this.#limits.deletedLogs))) this.#logs.delete(vn);
  }

  #nveInfo(nveId: NveId): NveInfo {
    return this.#nves.get(nveId)?.info ?? { nveId, tunnels: this.#policy.tunnelsOf(nveId) };
  }

  #taken(what: string, value: string | number, other: VnName) {
    return nveError('NVE-NVA-009', { what, value, other });
  }
}

function nameOf({ vn, tsi, port }: Pick<NnpAttachment, 'vn' | 'tsi' | 'port'>): string {
  return `${vn} ${tsi} ${port}`;
}
