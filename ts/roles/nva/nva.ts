// `splitnve nva`: the embedded authority with its configuration, and VNs that come and go at run time.

import type { Logger } from 'pino';
import { type Handlers, NO_NVA_ROW, type ParamsOf, RpcServer, type ShowNvaRow, type VnListRow } from '#hypervisor';
import {
  type Acl,
  aclOf,
  ENCAPS,
  isAt,
  type NvaConfig,
  nveError,
  toNveError,
  unwrap,
  VN_ID_MAX,
  VNI_MAX,
  type VnId,
  type VnInfo,
  type VnName,
  type VnSettings,
} from '#model';
import {
  type AuthorityConfig,
  formatNvaAddress,
  type NvaAddress,
  type NvaServerApi,
  type NvaServerOptions,
  type RecordStore,
  type VnListing,
} from '#nva';
import { renewed } from '../renewal.js';

export interface NvaParts {
  readonly config: NvaConfig;
  readonly log: Logger;
  /** Absent: nothing is remembered over a restart. */
  readonly store?: RecordStore | undefined;
  readonly makeServer: (options: NvaServerOptions) => NvaServerApi;
}

/** How long NVEs have to go to another endpoint when the NVA is stopped. */
const DRAIN_MS = 1_000;

export class Nva {
  readonly #parts: NvaParts;
  readonly #server: NvaServerApi;
  /** Ids that a VN has or had: one that comes again gets a new id, so that nothing of the old one fits it. */
  readonly #usedIds: Set<VnId>;
  #addresses: readonly NvaAddress[] = [];
  #rpc: RpcServer | undefined;

  private constructor(parts: NvaParts) {
    const { config } = parts;
    this.#parts = parts;
    const authority = authorityOf(config);
    this.#usedIds = new Set(authority.vns.map(({ vn }) => vn));
    this.#server = parts.makeServer({
      listen: config.listen.endpoints,
      tls: config.listen.tls,
      ...(config.listen.alternates.length > 0 && { alternates: config.listen.alternates }),
      authority,
      store: parts.store,
      holdMs: config.listen.hold_ms,
      log: parts.log.child({ component: 'nva' }),
    });
  }

  /** Resolves when NVEs can connect and the RPC is served. */
  static async start(parts: NvaParts): Promise<Nva> {
    const nva = new Nva(parts);
    try {
      await nva.#start();
      return nva;
    } catch (error) {
      await nva.close();
      throw error;
    }
  }

  async #start(): Promise<void> {
    const { config, log } = this.#parts;
    this.#addresses = unwrap(await this.#server.listen());
    const { socket } = config.rpc;
    const onProblem = (error: Error): void =>
      log.warn({ component: 'rpc', cause: toNveError(error).code }, error.message);
    this.#rpc = await RpcServer.listen({
      socket,
      role: 'nva',
      name: config.node.name,
      handlers: this.#handlers(),
      onProblem,
    });
    const names = new Set<string>(config.vn.map(({ name }) => name));
    for (const { vn, tsi } of config.tsi) {
      if (!names.has(vn))
        log.warn({ component: 'policy', vn, tsi }, `a rule names VN ${vn}, which does not exist (yet)`);
    }
    log.info(
      { component: 'nva', socket, endpoints: this.#addresses.map(formatNvaAddress), vns: config.vn.length },
      'ready',
    );
  }

  async close(): Promise<void> {
    await this.#rpc?.close();
    await this.#server.drain('it is stopped', DRAIN_MS);
    await this.#server.close();
  }

  /** Reads its certificates again. With wrong ones it goes on with those that it has, and the log says which file is wrong. */
  reload(): void {
    const { tls } = this.#parts.config.listen;
    renewed(this.#parts.log, { component: 'nva', tls, section: '[listen.tls]' }, () => this.#server.renewTls());
  }

  #handlers(): Handlers {
    return {
      'vn.list': () => this.#server.list().map(rowOf),
      'vn.add': (params) => this.#add(params),
      'vn.del': ({ name }) => {
        unwrap(this.#server.deleteVn(name));
        this.#parts.log.info({ component: 'vn', vn: name, cause: 'vn.del' }, `VN ${name} deleted`);
        return {};
      },
      'show.nva': () => ({ rows: this.#show(), cursor: null }),
    };
  }

  #add({ name, vni, mtu, id, gateway }: ParamsOf<'vn.add'>): VnListRow {
    const existing = this.#find(name);
    const vn = id ?? existing?.info.vn ?? this.#freeId(vni);
    if (existing !== undefined && existing.info.vn !== vn)
      throw nveError('NVE-RPC-003', { method: 'vn.add', problem: `id: VN ${name} has id ${existing.info.vn}` });
    const info: VnInfo = { ...existing?.info, vn, name, vni, mtu, gateway: gateway ?? null };
    unwrap(this.#server.putVn(info));
    this.#usedIds.add(vn);
    this.#parts.log.info(
      { component: 'vn', vn: name, id: vn, vni, mtu, cause: 'vn.add' },
      `VN ${name} ${existing === undefined ? 'created' : 'changed'}`,
    );
    const made = this.#find(name);
    if (made === undefined) throw nveError('NVE-RPC-010', { vn: name });
    return rowOf(made);
  }

  #find(name: VnName): VnListing | undefined {
    return this.#server.list().find(({ info }) => info.name === name);
  }

  /** The VNI if no VN ever had it as its id, else a number above all VNIs. */
  #freeId(vni: number): VnId {
    let id = vni as VnId;
    for (let next = VNI_MAX + 1; this.#usedIds.has(id) && next < VN_ID_MAX; next++) id = next as VnId;
    return id;
  }

  #show(): ShowNvaRow[] {
    const hosts = this.#server.list().flatMap((vn) => vn.hosts);
    const nva = this.#parts.config.node.name;
    const common = { ...NO_NVA_ROW, nva };
    const sessions = this.#server.sessions();
    const refused = this.#server.refusals();
    const listening: ShowNvaRow = {
      ...common,
      refused: refused.count,
      error: refused.last,
      nve: null,
      state: 'listening',
      endpoint: this.#addresses.map(formatNvaAddress).join(' '),
      subscriptions: sessions.reduce((sum, { subscriptions }) => sum + subscriptions.length, 0),
      attachments: hosts.length,
    };
    const connected = sessions.map(({ nveId, subscriptions }): ShowNvaRow => {
      const attachments = hosts.filter((host) => isAt(host, nveId)).length;
      return {
        ...common,
        nve: nveId,
        state: 'connected',
        subscriptions: subscriptions.length,
        attachments,
      };
    });
    return [listening, ...connected];
  }
}

/** The configuration as the authority wants it: a VN's id is its VNI unless it says another one. */
export function authorityOf(config: NvaConfig): AuthorityConfig {
  return {
    nvaId: config.node.name,
    vns: config.vn.map(({ name, vni, mtu, id, gateway, ...rest }) => ({
      vn: id ?? (vni as number as VnId),
      name,
      vni,
      mtu,
      gateway: gateway ?? null,
      settings: settingsOf(config, rest),
    })),
    nves: config.nve.map(({ id, addresses, encaps, vns }) => ({
      nveId: id,
      underlay: addresses,
      encaps: encaps.map((name) => ENCAPS[name]),
      vns,
    })),
    tsis: config.tsi,
  };
}

type VnConfig = Omit<NvaConfig['vn'][number], 'name' | 'vni' | 'mtu' | 'id' | 'gateway'>;

function settingsOf(config: NvaConfig, vn: VnConfig): VnSettings {
  const acl = (name: string | undefined): Acl | null => {
    const found = config.acl.find((one) => one.name === name);
    return found === undefined ? null : aclOf(found);
  };
  const { unknown_unicast: unknown, acl_in, acl_out, ...same } = vn;
  return { ...same, unknown, aclIn: acl(acl_in), aclOut: acl(acl_out) };
}

function rowOf({ info, members, hosts }: VnListing): VnListRow {
  return {
    vn: info.name,
    id: info.vn,
    vni: info.vni,
    mtu: info.mtu,
    gateway: info.gateway,
    members: members.map(({ nveId }) => nveId),
    hosts: hosts.map(({ mac, tsi, nveId, ips }) => ({ mac, tsi, nve: nveId, ips: [...ips] })),
  };
}
