// An NVA client for the tests of the agent: verdicts and mappings come from the test, no session behind it.

import {
  err,
  type HostInfo,
  homeKey,
  homesOf,
  type MacAddr,
  type NveId,
  type NveInfo,
  nveError,
  ok,
  type Result,
  type TunnelEnd,
  type VnId,
  type VnInfo,
} from '#model';
import type {
  Attachment,
  AuthorizeRequest,
  MappingChange,
  MemberView,
  NvaClientApi,
  NvaClientHandlers,
  NvaStatus,
  VnView,
} from '#nva';

interface MutableView {
  info: VnInfo | null;
  members: Map<NveId, MemberView>;
  nves: Map<NveId, NveInfo>;
  hosts: Map<MacAddr, HostInfo>;
  homes: Map<string, readonly NveId[]>;
  live: boolean;
  revision: bigint;
}

export class FakeNva implements NvaClientApi {
  readonly handlers: NvaClientHandlers;
  readonly views = new Map<VnId, MutableView>();
  /** What was asked and told, in order. */
  readonly calls: string[] = [];
  readonly reports: { change: 'attach' | 'detach'; attachment: Attachment }[] = [];
  readonly acked: { vn: VnId; revision: bigint; refused?: string }[] = [];
  verdict: (request: AuthorizeRequest) => Result<VnInfo> | Promise<Result<VnInfo>> = ({ vn }) =>
    err(nveError('NVE-NVA-001', { vn }));
  reportResult: Result<null> | Promise<Result<null>> = ok(null);

  constructor(handlers: NvaClientHandlers) {
    this.handlers = handlers;
  }

  start(): void {
    this.calls.push('start');
  }

  async stop(): Promise<void> {
    this.calls.push('stop');
  }

  renewTls(): Result<null> {
    this.calls.push('renewTls');
    return ok(null);
  }

  status(): NvaStatus {
    return {
      state: 'connected',
      nvaId: 'nva',
      epoch: 'e1',
      endpoint: null,
      term: 1n,
      endpoints: [],
      vns: [],
      subscriptions: this.views.size,
      attachments: 0,
      pulls: { found: 0, negative: 0, asked: 0, unanswered: 0, overflow: 0 },
      unknownFrames: 0,
      refusedCertificates: 0,
      error: null,
    };
  }

  async authorize(request: AuthorizeRequest, _deadlineMs?: number, signal?: AbortSignal): Promise<Result<VnInfo>> {
    this.calls.push(`authorize ${request.tsi}`);
    signal?.addEventListener('abort', () => this.calls.push(`call off ${request.tsi}`));
    return this.verdict(request);
  }

  async subscribe(vn: VnId): Promise<Result<VnView>> {
    this.calls.push(`subscribe ${vn}`);
    const view = this.views.get(vn) ?? {
      info: null,
      members: new Map(),
      nves: new Map(),
      hosts: new Map(),
      homes: new Map(),
      live: true,
      revision: 0n,
    };
    this.views.set(vn, view);
    return ok(view);
  }

  unsubscribe(vn: VnId): void {
    this.calls.push(`unsubscribe ${vn}`);
    this.views.delete(vn);
  }

  async report(change: 'attach' | 'detach', attachment: Attachment): Promise<Result<null>> {
    this.calls.push(`report ${change} ${attachment.tsi}`);
    this.reports.push({ change, attachment });
    return this.reportResult;
  }

  ends(tunnels: readonly TunnelEnd[]): void {
    this.calls.push(`ends ${tunnels.map(({ ip, down }) => (down ? `${ip} down` : ip)).join(', ')}`);
  }

  restored(): void {
    this.calls.push('restored');
  }

  missed(vn: VnId, macs: readonly MacAddr[]): void {
    this.calls.push(`missed ${vn} ${macs.join()}`);
  }

  idle(vn: VnId, mac: MacAddr): void {
    this.calls.push(`idle ${vn} ${mac}`);
  }

  applied(vn: VnId, revision: bigint): void {
    this.acked.push({ vn, revision });
  }

  refused(vn: VnId, revision: bigint, error: { code: string }): void {
    this.acked.push({ vn, revision, refused: error.code });
  }

  view(vn: VnId): VnView | null {
    return this.views.get(vn) ?? null;
  }

  /** The NVA tells something about a VN that is subscribed to. */
  push(
    vn: VnId,
    change: {
      info?: VnInfo | null;
      members?: MemberView[];
      hosts?: HostInfo[];
      removedHosts?: MacAddr[];
      removedMembers?: NveId[];
    },
  ): void {
    const view = this.views.get(vn);
    if (view === undefined) throw new Error(`VN ${vn} is not subscribed to`);
    view.revision += 1n;
    if (change.info !== undefined) view.info = change.info;
    for (const member of change.members ?? []) view.members.set(member.nveId, member);
    for (const nve of change.removedMembers ?? []) view.members.delete(nve);
    for (const host of change.hosts ?? []) view.hosts.set(host.mac, host);
    for (const mac of change.removedHosts ?? []) view.hosts.delete(mac);
    view.homes.clear();
    for (const host of view.hosts.values()) {
      const key = homeKey(host);
      if (key !== null) view.homes.set(key, homesOf(host));
    }
    const told: MappingChange = {
      vn,
      info: change.info,
      members: { set: change.members ?? [], removed: change.removedMembers ?? [] },
      hosts: { set: change.hosts ?? [], removed: change.removedHosts ?? [] },
      revision: view.revision,
      synced: false,
    };
    this.handlers.onMapping?.(told);
  }
}
