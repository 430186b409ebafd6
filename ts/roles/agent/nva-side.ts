// The agent's side towards the NVA: asks it about TSIs, reports them, and follows what it says of the VNs (RFC 8014 section 3.4). When
// the NVA is away, forwarding goes on with what is known.

import type { Logger } from 'pino';
import {
  type AgentConfig,
  type HostInfo,
  isAt,
  type LinkName,
  type MacAddr,
  type NveError,
  ok,
  type Result,
  type TsiKey,
  type TunnelEnd,
  tsiKeyText,
  type VnId,
  type VnInfo,
} from '#model';
import {
  type Attachment,
  formatNvaAddress,
  type MappingChange,
  type NvaClientApi,
  type NvaClientHandlers,
  type NvaClientOptions,
  type NvaStatus,
  type VnView,
} from '#nva';
import type { TsiEvent } from '#protocol';
import type { LearnedMacs } from './learned.js';
import type { RemoteMacs } from './remote-macs.js';
import type { Cause, TsiPorts } from './tsis.js';
import { ownEnds } from './underlay.js';
import type { Vns } from './vns.js';

export type MakeNvaClient = (options: NvaClientOptions, handlers: NvaClientHandlers) => NvaClientApi;

export interface NvaSideParts {
  readonly config: AgentConfig;
  readonly log: Logger;
  readonly makeNvaClient: MakeNvaClient;
  readonly vns: () => Vns;
  /** The tenants of the link are attached at other NVEs as well. */
  readonly isMultihomed: (link: LinkName) => boolean;
  /** TSIs that were attached before a restart, and are on their way back. */
  readonly returning: readonly TsiKey[];
  /** Of MACs that were learned. */
  readonly learned: () => Pick<LearnedMacs, 'moved' | 'refused'>;
  /** Of MACs that were learned behind other NVEs. */
  readonly remoteMacs: () => Pick<RemoteMacs, 'mappingChanged'>;
  /** Gives the TSI life cycle an event. */
  readonly dispatch: (event: TsiEvent, cause: Cause) => void;
}

/** How long an activation waits for the NVA to have its report. */
const REPORT_MS = 3_000;
/** How long after the first session of its life the NVE waits for what it had before a restart. The NVA waits longer. */
const RETURN_MS = 15_000;

type ReportEffect = Parameters<TsiPorts['report']>[0];

export class NvaSide {
  readonly #parts: NvaSideParts;
  readonly #log: Logger;
  readonly #client: NvaClientApi;
  #epoch: string | null = null;
  /** By the text of the key: what to report of it, once it is activated again. */
  readonly #returning: Map<string, ReportEffect | null>;
  #returnTimer: NodeJS.Timeout | undefined;

  constructor(parts: NvaSideParts) {
    this.#parts = parts;
    this.#log = parts.log;
    this.#returning = new Map(parts.returning.map((key) => [tsiKeyText(key), null]));
    this.#client = parts.makeNvaClient(
      { ...clientOptions(parts.config), restoring: this.#returning.size > 0 },
      this.#handlers(),
    );
  }

  start(): void {
    this.#client.start();
  }

  stop(): Promise<void> {
    clearTimeout(this.#returnTimer);
    return this.#client.stop();
  }

  renewTls(): Result<null> {
    return this.#client.renewTls();
  }

  status(): NvaStatus {
    return this.#client.status();
  }

  /** What the NVA says of the VN; null while nothing is known. */
  view(vn: VnId): VnView | null {
    return this.#client.view(vn);
  }

  authorize(
    { vn, key, macs, ips }: Parameters<TsiPorts['authorize']>[0],
    signal: AbortSignal,
  ): Promise<Result<VnInfo>> {
    return this.#client.authorize({ vn, tsi: key.tsi, macs, ips, port: key.link }, undefined, signal);
  }

  async subscribe(vn: VnId): Promise<void> {
    const result = await this.#client.subscribe(vn);
    // The session renews the subscription by itself; a VN that cannot be subscribed to has no remote mappings.
    if (!result.ok)
      this.#log.warn(
        { component: 'nva', vn, cause: result.error.code },
        `VN ${vn} is not in sync: ${result.error.message}`,
      );
  }

  unsubscribe(vn: VnId): void {
    this.#client.unsubscribe(vn);
  }

  async report(effect: ReportEffect): Promise<Result<null>> {
    const text = tsiKeyText(effect.key);
    if (!this.#returning.has(text)) return this.#report(effect);
    if (effect.change === 'attach') {
      this.#returning.set(text, effect);
      this.#check(effect.vn);
      return ok(null);
    }
    this.returned(effect.key);
    return this.#report(effect);
  }

  /** The TSI of before the restart is not to be attached, now at least. */
  returned(key: TsiKey): void {
    if (this.#returning.delete(tsiKeyText(key))) this.#finishReturn();
  }

  /**
   * Reports the returning TSIs of a VN, as soon as it is clear what the NVA knows: one that was attached elsewhere while this NVE was
   * away has moved, and must not be claimed back. `isLate`: it is not worth waiting any longer.
   */
  #check(vn: VnId, isLate = false): void {
    if (this.#returning.size === 0) return;
    const view = this.view(vn);
    if (view?.live !== true && !isLate) return;
    const self = this.#parts.config.node.name;
    for (const [text, effect] of this.#returning) {
      if (effect?.vn !== vn) continue;
      this.#returning.delete(text);
      const isJoined = ({ others }: HostInfo): boolean =>
        others !== undefined && this.#parts.isMultihomed(effect.key.link);
      const hosts = effect.macs.flatMap((mac) => view?.hosts.get(mac) ?? []);
      const elsewhere = hosts.find((host) => !isAt(host, self) && !isJoined(host))?.nveId;
      if (elsewhere === undefined) void this.#report(effect);
      else this.#revoke({ key: effect.key }, { text: `it moved to NVE ${elsewhere} during the restart`, final: true });
    }
    this.#finishReturn();
  }

  #finishReturn(): void {
    if (this.#returning.size > 0) return;
    clearTimeout(this.#returnTimer);
    this.#client.restored();
  }

  #endReturn(): void {
    for (const [text, effect] of [...this.#returning]) {
      if (effect === null) this.#returning.delete(text);
      else this.#check(effect.vn, true);
    }
    this.#finishReturn();
  }

  async #report({ change, key, vn, macs, ips }: ReportEffect): Promise<Result<null>> {
    const { tsi, link: port } = key;
    const home = this.#parts.isMultihomed(port) ? { multihomed: true } : {};
    const result = await this.#client.report(change, { vn, tsi, port, macs, ips, ...home }, REPORT_MS);
    // An NVA that is away gets the report when it is back: forwarding goes on with what is known.
    if (result.ok || result.error.retryable) return ok(null);
    if (change === 'attach') this.#revoke({ key }, refusedBy(result.error));
    return result;
  }

  /** Frames go to a MAC that the engine has no row of: the NVA is asked, if it does not push the VN's hosts (RFC 8014 section 4.3). */
  missed(vn: VnId, mac: MacAddr): void {
    this.#client.missed(vn, [mac]);
  }

  /** This NVE is reached so from now on. */
  ends(tunnels: readonly TunnelEnd[]): void {
    this.#client.ends(tunnels);
  }

  /** Of a MAC that was learned. Fails if the NVA refused it, or (retryable) has not answered. */
  reportLearned(change: 'attach' | 'detach', attachment: Attachment): Promise<Result<null>> {
    return this.#client.report(change, attachment, REPORT_MS);
  }

  #revoke(scope: { key: TsiKey } | { vn: VnId }, cause: Cause): void {
    this.#parts.dispatch({ type: 'revoke', scope, reason: cause.text }, cause);
  }

  #handlers(): NvaClientHandlers {
    return {
      onConnected: ({ nvaId, epoch, endpoint }) => {
        this.#log.info(
          { component: 'nva', nva: nvaId, epoch, endpoint: formatNvaAddress(endpoint.address) },
          'connected to the NVA',
        );
        if (this.#epoch !== null && this.#epoch !== epoch) this.#parts.vns().forgetSequences();
        this.#epoch = epoch;
        if (this.#returning.size === 0 || this.#returnTimer !== undefined) return;
        this.#returnTimer = setTimeout(() => this.#endReturn(), RETURN_MS);
        this.#returnTimer.unref();
      },
      onDisconnected: (error) => {
        this.#log.warn(
          { component: 'nva', cause: error.code },
          `the NVA is away, forwarding goes on: ${error.message}`,
        );
      },
      onMapping: (change) => void this.#mappingChanged(change).catch(() => undefined),
      onReportRefused: (attachment, error) => {
        const { tsi, port: link } = attachment;
        if (!this.#parts.learned().refused(attachment, error)) this.#revoke({ key: { tsi, link } }, refusedBy(error));
      },
    };
  }

  async #mappingChanged(change: MappingChange): Promise<void> {
    const { vn, info, hosts, revision } = change;
    const vns = this.#parts.vns();
    const local = vns.get(vn);
    if (local === undefined) return;
    this.#parts.remoteMacs().mappingChanged(change);
    if (info === null) {
      this.#log.info({ component: 'vn', vn: local.info.name, id: vn }, `VN ${local.info.name} was deleted at the NVA`);
      this.#revoke({ vn }, { text: `VN ${local.info.name} was deleted at the NVA` });
      return;
    }
    if (info !== undefined) {
      local.info = info;
      this.#parts.dispatch({ type: 'vnChanged', vn: info }, { text: 'the NVA changed the VN' });
    }
    const moved = vns.moved(vn);
    this.#parts.learned().moved(vn, moved.learned);
    for (const { key, to } of moved.tsis) this.#revoke({ key }, { text: `it moved to NVE ${to}`, final: true });
    this.#check(vn);
    const refused = await vns.refresh(vn, [...hosts.set.map(({ mac }) => mac), ...hosts.removed]);
    if (refused === undefined) this.#client.applied(vn, revision);
    else this.#client.refused(vn, revision, refused);
  }
}

function refusedBy(error: NveError): Cause {
  return { text: `the NVA refused it: ${error.message}`, error };
}

function clientOptions(config: AgentConfig): NvaClientOptions {
  const { node, nva } = config;
  return {
    nveId: node.name,
    endpoints: nva.endpoints,
    tls: nva.tls,
    tunnels: ownEnds(config),
  };
}
