// `splitnve agent`: the NVE. It joins configuration, engine, NVA and hypervisors: the RPC's requests drive the TSI life cycle, whose
// effects ask the NVA and change the VNs, which the reconciler brings into the engine. On an activation the engine comes first, then
// the report to the NVA, then the answer.

import type { Logger } from 'pino';
import type { Engine } from '#dataplane';
import { type Call, type Handlers, type ParamsOf, RpcServer, type ShowNvaRow, type TsiListRow } from '#hypervisor';
import {
  type AgentConfig,
  ENCAP_VXLAN,
  type LinkName,
  type NveError,
  nveError,
  ok,
  type Result,
  type TsiKey,
  toNveError,
  unwrap,
  type VnId,
} from '#model';
import {
  formatNvaAddress,
  type MappingChange,
  type NvaClientApi,
  type NvaClientHandlers,
  type NvaClientOptions,
  type NvaEndpoint,
} from '#nva';
import { TagAllocator, TsiTable, vdpRules } from '#protocol';
import { stateOf } from '../engine/objects.js';
import { PortNames, portCommands } from '../engine/ports.js';
import { Reconciler } from '../engine/reconciler.js';
import { showHandlers } from '../engine/show.js';
import { AccessLinks } from './access/access-links.js';
import { agentNames } from './names.js';
import { type Cause, rowOrFail, type TsiPorts, Tsis } from './tsis.js';
import type { Fault } from './vn-state.js';
import { Vns } from './vns.js';

export interface AgentParts {
  readonly config: AgentConfig;
  readonly engine: Engine;
  readonly log: Logger;
  readonly makeNvaClient: (options: NvaClientOptions, handlers: NvaClientHandlers) => NvaClientApi;
  readonly fault?: Fault | undefined;
  /** The engine failed: the agent cannot go on. */
  readonly onFailure: (error: NveError) => void;
}

export class Agent {
  readonly #parts: AgentParts;
  readonly #log: Logger;
  readonly #ports = new PortNames();
  readonly #reconciler: Reconciler;
  readonly #vns: Vns;
  readonly #tsis: Tsis;
  readonly #access: AccessLinks;
  readonly #nva: NvaClientApi;
  #rpc: RpcServer | undefined;
  #epoch: string | null = null;

  private constructor(parts: AgentParts) {
    const { config, engine, log } = parts;
    this.#parts = parts;
    this.#log = log;
    this.#reconciler = new Reconciler(engine, log, parts.onFailure);
    this.#nva = parts.makeNvaClient(nvaOptions(config), this.#nvaHandlers());
    this.#vns = new Vns({
      reconciler: this.#reconciler,
      self: config.node.name,
      portOf: (link) => this.#portOf(link),
      viewOf: (vn) => this.#nva.view(vn),
      fault: parts.fault,
    });
    const pools = new Map(config.access.map(({ port, vlan_pool }) => [port, vlan_pool]));
    const tags = unwrap(TagAllocator.create(pools));
    this.#tsis = new Tsis(new TsiTable({ tags }), this.#tsiPorts(), log);
    this.#access = new AccessLinks({
      engine,
      log,
      node: config.node.name,
      evb: config.evb,
      rules: vdpRules({ ports: Object.fromEntries(config.access.flatMap(({ port, vn }) => (vn ? [[port, vn]] : []))) }),
      ask: (command, answer) => this.#tsis.command(command, answer),
    });
  }

  /** Resolves when ports and underlay are up and the RPC is served; rejects, with everything undone, if that cannot be. */
  static async start(parts: AgentParts): Promise<Agent> {
    const agent = new Agent(parts);
    try {
      await agent.#start();
      return agent;
    } catch (error) {
      await agent.close();
      throw error;
    }
  }

  async #start(): Promise<void> {
    const { config, engine } = this.#parts;
    const ports = portCommands(config.port);
    for (const { name, port } of ports) this.#ports.set(name, port);
    const { ip, prefixLen } = config.underlay.address;
    const base = stateOf([...ports, { op: 'UnderlaySet', port: this.#portOf(config.underlay.port), ip, prefixLen }]);
    await this.#reconciler.set('base', base);
    const refused = this.#reconciler.firstCondition(base.keys());
    if (refused !== undefined) throw refused;

    engine.onEvent((event) => {
      if (event.kind === 'link') this.#linkChanged(this.#ports.name(event.port) as LinkName, event.up);
      else this.#log.debug({ component: 'engine', ...event }, `engine: ${event.kind}`);
      if (event.kind === 'poller_failed')
        this.#parts.onFailure(nveError('NVE-ENG-000', { reason: `poller ${event.poller}: ${event.message}` }));
    });
    this.#nva.start();
    const served = config.access.filter(({ vdp }) => vdp).map(({ port }) => [this.#portOf(port), port] as const);
    await this.#access.start(new Map(served));
    const { socket } = config.rpc;
    const onProblem = (error: Error): void =>
      this.#log.warn({ component: 'rpc', cause: toNveError(error).code }, error.message);
    this.#rpc = await RpcServer.listen({
      socket,
      role: 'agent',
      name: config.node.name,
      handlers: this.#handlers(),
      onProblem,
    });
    this.#log.info({ component: 'agent', socket, fault: this.#parts.fault }, 'ready');
  }

  async close(): Promise<void> {
    await this.#rpc?.close();
    this.#access.close();
    await this.#nva.stop();
    await this.#reconciler.stop();
  }

  // The RPC

  #handlers(): Handlers {
    const names = agentNames(this.#ports, this.#vns, (vn) => this.#nva.view(vn));
    const show = showHandlers(this.#parts.engine, names);
    return {
      'tsi.associate': (params, call) => this.#associate(params, 'associated', call),
      'tsi.attach': (params, call) => this.#associate(params, 'activated', call),
      'tsi.activate': (key, call) => this.#step('activate', key, call),
      'tsi.deactivate': (key, call) => this.#step('deactivate', key, call),
      'tsi.deassociate': (key, call) => this.#deassociate(key, call),
      'tsi.detach': ({ tsi, link }, call) => {
        if (link === undefined)
          throw nveError('NVE-RPC-003', { method: 'tsi.detach', problem: 'link: an agent needs the link' });
        return this.#deassociate({ tsi, link }, call);
      },
      'tsi.list': () => this.#tsis.rows(),
      'show.nva': () => ({ rows: [this.#showNva()], cursor: null }),
      ...show,
      'show.drops': async (params, call) => {
        const { rows, cursor } = await show['show.drops'](params, call);
        return { rows: [...rows, ...this.#access.drops()], cursor };
      },
    };
  }

  async #associate(params: ParamsOf<'tsi.attach'>, upTo: 'associated' | 'activated', call: Call): Promise<TsiListRow> {
    const { vn, tsi, macs, ips, link } = params;
    if (typeof link !== 'string')
      throw nveError('NVE-RPC-003', { method: call.method, problem: 'link: only a tNVE makes ports' });
    const key = { tsi, link };
    return rowOrFail(await this.#tsis.request({ type: 'associate', key, vn, macs, ips, upTo }, call), key);
  }

  async #step(type: 'activate' | 'deactivate', key: TsiKey, call: Call): Promise<TsiListRow> {
    return rowOrFail(await this.#tsis.request({ type, key }, call), key);
  }

  async #deassociate(key: TsiKey, call: Call): Promise<Record<string, never>> {
    await this.#tsis.request({ type: 'deassociate', key }, call);
    // If VDP had made the TSI, its station is told.
    this.#access.ended(key, nveError('NVE-VDP-005', { vsi: key.tsi, reason: call.method }));
    return {};
  }

  #showNva(): ShowNvaRow {
    const { state, endpoint, nvaId: nva, epoch, subscriptions, attachments, error } = this.#nva.status();
    return {
      nve: this.#parts.config.node.name,
      state,
      endpoint: endpoint === null ? null : formatNvaAddress(endpoint.address),
      nva,
      epoch,
      subscriptions,
      attachments,
      error: error === null ? null : `${error.code}: ${error.message}`,
    };
  }

  // The TSI life cycle's effects

  #tsiPorts(): TsiPorts {
    return {
      authorize: ({ vn, key, macs, ips }) => this.#nva.authorize({ vn, tsi: key.tsi, macs, ips, port: key.link }),
      connectVn: (vn) => {
        this.#vns.connect(vn);
        void this.#subscribe(vn.vn);
      },
      disconnectVn: ({ vn, name }) => {
        this.#nva.unsubscribe(vn);
        this.#log.info({ component: 'vn', vn: name, id: vn }, `VN ${name}: last TSI gone, swept`);
        void this.#vns.disconnect(vn).catch(() => undefined);
      },
      reserve: ({ vn }) => this.#vns.reserve(vn.vn),
      program: (effect) => this.#vns.program(effect),
      unprogram: (effect) => this.#vns.unprogram(effect),
      // The tag and the VN are the life cycle's own; `unprogram` took the rest.
      release: async () => ok(null),
      report: (effect) => this.#report(effect),
      changed: (key, row, error, retry) => {
        const { tsi, link } = key;
        if (row === null && error !== null) this.#access.ended(key, error);
        this.#rpc?.notify('tsi', { tsi, link, state: row?.state ?? null, cause: error?.message ?? null, retry });
      },
    };
  }

  async #subscribe(vn: VnId): Promise<void> {
    const result = await this.#nva.subscribe(vn);
    // The session renews the subscription by itself; a VN that cannot be subscribed to has no remote mappings.
    if (!result.ok)
      this.#log.warn(
        { component: 'nva', vn, cause: result.error.code },
        `VN ${vn} is not in sync: ${result.error.message}`,
      );
  }

  async #report({ change, key, vn, macs, ips }: Parameters<TsiPorts['report']>[0]): Promise<Result<null>> {
    const { tsi, link: port } = key;
    const result = await this.#nva.report(change, { vn, tsi, port, macs, ips }, REPORT_MS);
    // An NVA that is away gets the report when it is back: forwarding goes on with what is known.
    if (result.ok || result.error.retryable) return ok(null);
    if (change === 'attach') this.#revoke({ key }, refusedBy(result.error));
    return result;
  }

  #revoke(scope: { key: TsiKey } | { vn: VnId }, cause: Cause): void {
    this.#tsis.dispatch({ type: 'revoke', scope, reason: cause.text }, cause);
  }

  // The NVA

  #nvaHandlers(): NvaClientHandlers {
    return {
      onConnected: ({ nvaId, epoch, endpoint }) => {
        this.#log.info(
          { component: 'nva', nva: nvaId, epoch, endpoint: formatNvaAddress(endpoint.address) },
          'connected to the NVA',
        );
        if (this.#epoch !== null && this.#epoch !== epoch) this.#vns.forgetSequences();
        this.#epoch = epoch;
      },
      onDisconnected: (error) => {
        this.#log.warn(
          { component: 'nva', cause: error.code },
          `the NVA is away, forwarding goes on: ${error.message}`,
        );
      },
      onMapping: (change) => void this.#mappingChanged(change).catch(() => undefined),
      onReportRefused: ({ tsi, port }, error) => this.#revoke({ key: { tsi, link: port } }, refusedBy(error)),
    };
  }

  async #mappingChanged({ vn, info, hosts, revision }: MappingChange): Promise<void> {
    const local = this.#vns.get(vn);
    if (local === undefined) return;
    if (info === null) {
      this.#log.info({ component: 'vn', vn: local.info.name, id: vn }, `VN ${local.info.name} was deleted at the NVA`);
      this.#revoke({ vn }, { text: `VN ${local.info.name} was deleted at the NVA` });
      return;
    }
    if (info !== undefined) {
      local.info = info;
      this.#tsis.dispatch({ type: 'vnChanged', vn: info }, { text: 'the NVA changed the VN' });
    }
    for (const { key, to } of this.#vns.moved(vn))
      this.#revoke({ key }, { text: `it moved to NVE ${to}`, final: true });
    const refused = await this.#vns.refresh(vn, [...hosts.set.map(({ mac }) => mac), ...hosts.removed]);
    if (refused === undefined) this.#nva.applied(vn, revision);
    else this.#nva.refused(vn, revision, refused);
  }

  // Ports

  #portOf(name: LinkName): number {
    const id = this.#ports.id(name);
    if (id === undefined) throw nveError('NVE-RPC-009', { port: name, known: this.#ports.names() });
    return id;
  }

  #linkChanged(link: LinkName, up: boolean): void {
    this.#log.info({ component: 'port', port: link, up }, `port ${link} is ${up ? 'up' : 'down'}`);
    if (!this.#parts.config.access.some(({ port }) => port === link)) return;
    this.#tsis.dispatch({ type: up ? 'linkUp' : 'linkDown', link }, { text: `link ${link} is ${up ? 'up' : 'down'}` });
    this.#access.linkChanged(this.#portOf(link), up);
  }
}

/** How long an activation waits for the NVA to have its report. */
const REPORT_MS = 3_000;

function refusedBy(error: NveError): Cause {
  return { text: `the NVA refused it: ${error.message}`, error };
}

function nvaOptions({ node, nva, underlay }: AgentConfig): NvaClientOptions {
  return {
    nveId: node.name,
    endpoints: nva.endpoints.map((address): NvaEndpoint => ({ address, priority: 0 })),
    tunnels: [{ encap: ENCAP_VXLAN, ip: underlay.address.ip }],
  };
}
