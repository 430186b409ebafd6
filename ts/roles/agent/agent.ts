// `splitnve agent`: the NVE. It joins configuration, engine, NVA and hypervisors: requests of RPC (`rpc.ts`) and VDP (`access/`) drive
// the TSI life cycle (`tsis.ts`), whose effects ask the NVA (`nva-side.ts`) and change the VNs (`vns.ts`), which the reconciler brings
// into the engine. On an activation the engine comes first, then the report to the NVA, then the answer.

import type { Logger } from 'pino';
import type { Engine, PortId } from '#dataplane';
import { RpcServer, type ShowDropsRow } from '#hypervisor';
import {
  type AgentConfig,
  type Association,
  err,
  type LinkName,
  type MacAddr,
  type NveError,
  nveError,
  ok,
  type Result,
  toNveError,
  tsiKeyText,
  unwrap,
  type VnId,
} from '#model';
import { channelText, TagAllocator, TsiTable, type VdpChannel } from '#protocol';
import type { Store } from '#store';
import { stateOf } from '../engine/objects.js';
import { PortNames, portCommands } from '../engine/ports.js';
import { Reconciler } from '../engine/reconciler.js';
import type { ShowNames } from '../engine/show.js';
import { Unheard } from '../engine/unheard.js';
import { type Kernel, kernel } from '../ports/kernel.js';
import { LinkWatch } from '../ports/link-watch.js';
import { renewed } from '../renewal.js';
import { AccessLinks, type ServedPort } from './access/access-links.js';
import { channelsBefore, rememberAssignment, rememberChannel, servedPort } from './access/served-port.js';
import { formatsOf, rulesOf } from './access/vdp-options.js';
import { Authorization } from './authorization.js';
import { isException, openException } from './exception.js';
import { LearnedMacs } from './learned.js';
import { AgentLinks, channelLink, linkAcls, portLink } from './links.js';
import { LocalPolicy } from './local-policy.js';
import { agentNames } from './names.js';
import { type MakeNvaClient, NvaSide } from './nva-side.js';
import type { Fault } from './nve-ways.js';
import { PortLinks } from './port-links.js';
import { type Readings, readAgent } from './readings.js';
import { RemoteMacs } from './remote-macs.js';
import { Restoration } from './restoration.js';
import { agentDrops, rpcHandlers } from './rpc.js';
import { isConnection } from './rpc-vn.js';
import { type TsiPorts, Tsis } from './tsis.js';
import { Turns } from './turns.js';
import { ownEnds, sendingOf, underlayObjects } from './underlay.js';
import { UnderlayState } from './underlay-state.js';
import { Vns } from './vns.js';

export interface AgentParts {
  readonly config: AgentConfig;
  readonly engine: Engine;
  readonly log: Logger;
  readonly makeNvaClient: MakeNvaClient;
  /** Without one nothing outlives a restart. */
  readonly store?: Store | undefined;
  /** What it does with interfaces of the kernel; a test may put another there. */
  readonly kernel?: Kernel | undefined;
  readonly fault?: Fault | undefined;
  /** The engine failed: the agent cannot go on. */
  readonly onFailure: (error: NveError) => void;
}

/** How long after a restart a VN's tag is nobody else's, though the VN has no TSI yet. */
const TAGS_KEPT_MS = 300_000;

export class Agent {
  readonly #parts: AgentParts;
  readonly #log: Logger;
  readonly #ports = new PortNames();
  readonly #tags = new TagAllocator();
  readonly #links = new AgentLinks(this.#tags);
  readonly #reconciler: Reconciler;
  readonly #portLinks: PortLinks;
  readonly #vns: Vns;
  readonly #learned: LearnedMacs;
  readonly #remoteMacs: RemoteMacs;
  readonly #tsis: Tsis;
  readonly #authorization: Authorization;
  readonly #access: AccessLinks;
  readonly #unheard: Unheard;
  readonly #nva: NvaSide;
  readonly #table: TsiTable;
  readonly #restoration: Restoration;
  readonly #names: ShowNames;
  readonly #underlay: LinkWatch;
  readonly #underlayState: UnderlayState;
  /** Access links without a carrier of their own. */
  readonly #down = new Set<LinkName>();
  /** Of before the restart. */
  readonly #associations: readonly Association[];
  #rpc: RpcServer | undefined;

  private constructor(parts: AgentParts) {
    const { config, engine, log } = parts;
    this.#parts = parts;
    this.#log = log;
    this.#reconciler = new Reconciler(engine, log, parts.onFailure);
    const ports = portCommands(config.port);
    for (const { name, port } of ports) this.#ports.set(name, port);
    this.#underlay = new LinkWatch({
      of: config.underlay.keys(),
      holdMs: config.tunnel.down_hold_ms,
      changed: (isUp) => this.#underlayChanged(isUp),
    });
    this.#underlayState = new UnderlayState({
      addresses: config.underlay,
      portOf: (name) => this.#portOf(name),
      changed: (address, isUsable) => {
        const ip = config.underlay[address]?.address.ip;
        log.info(
          { component: 'underlay', ip, isUsable },
          `address ${ip} ${isUsable ? 'can be used' : 'cannot be used'}`,
        );
        this.#underlay.linkChanged(address, isUsable);
      },
      endsChanged: () => this.#nva.ends(ownEnds(config, (address) => this.#underlayState.isDown(address))),
    });
    const table = new TsiTable({ tags: this.#tags, maxPerLink: (link) => this.#links.maxVsis(link) });
    this.#table = table;
    this.#portLinks = new PortLinks({
      reconciler: this.#reconciler,
      links: this.#links,
      ports: this.#ports,
      configured: config.port,
      kernel: parts.kernel ?? kernel,
      log,
      store: parts.store,
      added: (link) => this.#carrier(link, true),
    });
    this.#associations = parts.store?.associations() ?? [];
    this.#restoration = new Restoration({
      log,
      associations: this.#associations,
      tsis: () => this.#tsis,
      hasLink: (link) => this.#links.get(link).ok,
      silenceMs: (link) => this.#access.silenceMs(link),
      settled: (key) => this.#nva.returned(key),
      forget: (key) => {
        parts.store?.putAssociation(key, null);
        void this.#portLinks.unplug(key.link).catch(() => undefined);
      },
    });
    this.#nva = new NvaSide({
      ...parts,
      returning: this.#associations.flatMap(({ key, upTo }) => (upTo === 'activated' ? [key] : [])),
      vns: () => this.#vns,
      isMultihomed: (link) => this.#links.isMultihomed(link),
      learned: () => this.#learned,
      remoteMacs: () => this.#remoteMacs,
      dispatch: (event, cause) => this.#tsis.dispatch(event, cause),
    });
    this.#vns = new Vns({
      reconciler: this.#reconciler,
      self: config.node.name,
      sending: sendingOf(config, (name) => this.#portOf(name)),
      linkOf: (link) => this.#links.get(link),
      viewOf: (vn) => this.#nva.view(vn),
      learned: {
        claimed: (vn, macs) => {
          this.#learned.claimed(vn, macs);
          this.#remoteMacs.claimed(vn, macs);
        },
        left: (vn, key) => this.#learned.left(vn, key),
        placed: (vn, mac) => this.#remoteMacs.claimed(vn, [mac]),
      },
      fault: parts.fault,
    });
    this.#learned = new LearnedMacs({
      log,
      self: config.node.name,
      vns: this.#vns,
      viewOf: (vn) => this.#nva.view(vn),
      isNamed: (vn, mac) => table.isNamed(vn, mac),
      mayLearn: (key, vn, mac) => this.#authorization.mayLearn(key, vn, mac),
      report: (change, attachment) => this.#nva.reportLearned(change, attachment),
    });
    this.#names = agentNames(this.#ports, this.#vns, (vn) => this.#nva.view(vn));
    this.#remoteMacs = new RemoteMacs({
      log,
      self: config.node.name,
      reconciler: this.#reconciler,
      vnOf: (vn) => this.#vns.get(vn),
      viewOf: (vn) => this.#nva.view(vn),
      nextHop: (vn, remote, contextId) => this.#vns.learnedNextHop(vn, remote, contextId),
      moved: (vn, macs) => this.#learned.moved(vn, macs),
    });
    this.#authorization = new Authorization({
      policy: new LocalPolicy(config.authorization),
      ask: async (effect, signal) => this.#restoration.verdict(effect.key, await this.#nva.authorize(effect, signal)),
      isReturning: (key) => this.#restoration.isReturning(key),
      vsiOf: (key) => this.#access.holderOf(key),
      knownVn: (vn) => this.#vns.find(vn),
    });
    const turns = new Turns();
    this.#tsis = new Tsis(table, this.#tsiPorts(), { log, turns });
    this.#access = new AccessLinks({
      engine,
      log,
      turns,
      node: config.node.name,
      evb: config.evb,
      rules: rulesOf(config, (vsi, want) => this.#authorization.refusal(vsi, want)),
      formats: formatsOf(config),
      maxVsis: new Map(config.access.map(({ port, max_vsis }) => [port, max_vsis])),
      portDownHoldMs: config.vdp.port_down_hold_ms,
      carrier: (link) => this.#linkChanged(link, true),
      ask: (command, answer) => this.#tsis.command(command, answer),
      channelChanged: (channel, isUp) => this.#channelChanged(channel, isUp),
      rememberChannel: (port, channel, isUp) => rememberChannel(parts.store, port, channel, isUp),
      remember: (port, assignment) => rememberAssignment(parts.store, port, assignment),
      reflect: (link, on) => this.#vns.reflect(link, on),
    });
    this.#unheard = new Unheard(engine, (port) => this.#access.hears(port));
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
    const { config, engine, store } = this.#parts;
    const underlay = underlayObjects(config, (name) => this.#portOf(name));
    const ports = portCommands(config.port).filter(({ name }) => !isException(config, name));
    const base = stateOf([...ports, ...linkAcls(config), ...underlay]);
    await this.#reconciler.set('base', base);
    const refused = this.#reconciler.firstCondition(base.keys());
    if (refused !== undefined) throw refused;
    await openException({ config, engine, reconciler: this.#reconciler });
    const served = new Map<PortId, ServedPort>();
    for (const access of config.access) {
      const port = this.#portOf(access.port);
      unwrap(this.#links.add(portLink(config, access, port)));
      const held = channelsBefore(store, access);
      for (const { svid } of held) unwrap(this.#links.add(channelLink(config, access, port, svid)));
      if (access.vdp) served.set(port, servedPort(config, access, store, held));
    }
    this.#tags.restore(store?.tags() ?? [], performance.now() + TAGS_KEPT_MS);

    engine.onEvent((event) => {
      this.#underlayState.event(event);
      if (event.kind === 'learned') this.#learned.seen(event);
      else if (event.kind === 'learned_remote') this.#remoteMacs.seen(event);
      else if (event.kind === 'aged') this.#aged(event.vn, event.mac);
      else if (event.kind === 'unknown') this.#nva.missed(event.vn, event.mac);
      else if (event.kind === 'link') {
        this.#linkChanged(this.#ports.name(event.port) as LinkName, event.up);
      } else this.#log.debug({ component: 'engine', ...event }, `engine: ${event.kind}`);
      if (event.kind === 'poller_failed')
        this.#parts.onFailure(nveError('NVE-ENG-000', { reason: `poller ${event.poller}: ${event.message}` }));
    });
    this.#nva.start();
    this.#restoration.start();
    this.#restorePorts();
    await this.#access.start(served);
    const { socket, tls } = config.rpc;
    const onProblem = (error: Error): void =>
      this.#log.warn({ component: 'rpc', cause: toNveError(error).code }, error.message);
    this.#rpc = await RpcServer.listen({
      socket,
      tls,
      role: 'agent',
      name: config.node.name,
      handlers: rpcHandlers({
        engine,
        config,
        node: config.node.name,
        names: this.#names,
        tsis: this.#tsis,
        access: this.#access,
        portLinks: this.#portLinks,
        nvaStatus: () => this.#nva.status(),
        nameOfVn: (vn) => this.#nva.view(vn)?.info?.name ?? `${vn}`,
        drops: () => this.#drops(),
      }),
      onProblem,
    });
    const { mode, rule } = config.authorization;
    if (mode === 'nva' && rule.length > 0)
      this.#log.warn({ component: 'agent', rules: rule.length }, 'authorization.mode is "nva": the rules are not used');
    const listen = tls && `${tls.listen.host} ${tls.listen.port}`;
    this.#log.info({ component: 'agent', socket, tls: listen, fault: this.#parts.fault }, 'ready');
  }

  /** What there is to see of it now. */
  readings(): Promise<Readings> {
    return readAgent({
      engine: this.#parts.engine,
      names: this.#names,
      drops: () => this.#drops(),
      tsis: () => this.#table.states((tsi) => !isConnection(tsi)),
      nvaStatus: () => this.#nva.status(),
    });
  }

  #drops(): Promise<ShowDropsRow[]> {
    const refusals = this.#rpc?.refusals() ?? new Map();
    return agentDrops(this.#parts.engine, this.#names, this.#access, this.#unheard, refusals);
  }

  /** Reads its certificates again. With wrong ones it goes on with those that it has, and the log says which file is wrong. */
  reload(): void {
    const { rpc, nva } = this.#parts.config;
    const renewRpc = (): Result<null> => {
      try {
        this.#rpc?.renewTls();
        return ok(null);
      } catch (caught) {
        return err(toNveError(caught));
      }
    };
    renewed(this.#log, { component: 'nva', tls: nva.tls, section: '[nva.tls]' }, () => this.#nva.renewTls());
    renewed(this.#log, { component: 'rpc', tls: rpc.tls, section: '[rpc.tls]' }, renewRpc);
  }

  async close(): Promise<void> {
    await this.#rpc?.close();
    this.#underlay.stop();
    this.#underlayState.stop();
    this.#restoration.stop();
    this.#portLinks.stop();
    this.#access.close();
    this.#unheard.close();
    await this.#nva.stop();
    await this.#reconciler.stop();
  }

  // The TSI life cycle's effects

  #tsiPorts(): TsiPorts {
    return {
      authorize: (effect, signal) => this.#authorization.authorize(effect, signal),
      connectVn: (vn) => {
        this.#vns.connect(vn);
        void this.#nva.subscribe(vn.vn);
      },
      disconnectVn: ({ vn, name }) => {
        this.#nva.unsubscribe(vn);
        this.#remoteMacs.ended(vn);
        this.#log.info({ component: 'vn', vn: name, id: vn }, `VN ${name}: last TSI gone, swept`);
        void this.#vns.disconnect(vn).catch(() => undefined);
      },
      reserve: ({ vn }) => this.#vns.reserve(vn.vn),
      program: (effect) => this.#vns.program(effect),
      unprogram: (effect) => this.#vns.unprogram(effect),
      // The tag and the VN are the life cycle's own; `unprogram` took the rest.
      release: async () => ok(null),
      report: (effect) => this.#nva.report(effect),
      asked: (event) => this.#restoration.asked(event),
      remember: ({ key, association }) => this.#parts.store?.putAssociation(key, association),
      rememberTags: ({ allocations }) => this.#parts.store?.putTags(allocations),
      written: () => this.#parts.store?.written() ?? null,
      changed: (key, row, error, retry) => {
        const { tsi, link } = key;
        if (row === null && error !== null) this.#access.ended(key, error, !retry);
        this.#rpc?.notify('tsi', { tsi, link, state: row?.state ?? null, cause: error?.message ?? null, retry });
      },
      stepped: ({ tsi, link, vn, tag }, from, to, cause) => {
        if (!isConnection(tsi)) this.#rpc?.notify('transition', { tsi, link, vn, from, to, tag, cause });
        // One that will be asked for again keeps it.
        if (to === 'init' && !this.#restoration.has({ tsi, link }))
          void this.#portLinks.unplug(link).catch(() => undefined);
      },
    };
  }

  // Ports

  #restorePorts(): void {
    const mtus = new Map(this.#associations.map(({ key, vn }) => [tsiKeyText(key), vn.mtu]));
    this.#portLinks.restore(
      (key) => mtus.get(tsiKeyText(key)) ?? null,
      (link) => this.#restoration.linkAdded(link),
    );
  }

  #portOf(name: LinkName): number {
    const id = this.#ports.id(name);
    if (id === undefined) throw nveError('NVE-RPC-009', { port: name, known: this.#ports.names() });
    return id;
  }

  #linkChanged(link: LinkName, up: boolean): void {
    this.#log.info({ component: 'port', port: link, up }, `port ${link} is ${up ? 'up' : 'down'}`);
    if (!this.#parts.config.access.some(({ port }) => port === link)) return;
    for (const one of this.#links.ofPort(this.#portOf(link))) this.#carrier(one, up);
    this.#access.linkChanged(this.#portOf(link), up);
    this.#rpc?.notify('link', { link, up });
  }

  #aged(vn: VnId, mac: MacAddr): void {
    this.#learned.aged(vn, mac);
    this.#remoteMacs.aged(vn, mac);
  }

  #carrier(link: LinkName, up: boolean): void {
    if (up) this.#down.delete(link);
    else this.#down.add(link);
    this.#serveLink(link, `link ${link} is ${up ? 'up' : 'down'}`);
  }

  /** A link serves its TSIs while it has a carrier, and the NVE a way to the others. */
  #serveLink(link: LinkName, text: string): void {
    if (this.#down.has(link)) this.#tsis.dispatch({ type: 'linkDown', link }, { text });
    else if (this.#underlay.isUp) this.#tsis.dispatch({ type: 'linkUp', link }, { text });
    else this.#tsis.dispatch({ type: 'linkDown', link, error: nveError('NVE-TSI-012', { link }) }, { text });
  }

  /**
   * RFC 8014 section 4.5: without the underlay the VAPs go, and tenants see it: those behind a station by its De-Associate, those of the RPC by
   * the state of their TSI, and the interfaces that are made here by their carrier. All of it comes back with the underlay.
   */
  #underlayChanged(isUp: boolean): void {
    const text = isUp ? 'the underlay is back' : 'no underlay address can be used';
    this.#log[isUp ? 'info' : 'warn']({ component: 'underlay' }, text);
    for (const { tsi, link } of isUp ? [] : this.#tsis.rows()) {
      const key = { tsi, link };
      if (this.#access.holderOf(key) !== null)
        this.#tsis.dispatch({ type: 'revoke', scope: { key }, reason: text }, { text });
    }
    for (const link of this.#links.names()) this.#serveLink(link, text);
    this.#portLinks.setCarrier(isUp);
  }

  /** An S-channel is a link of its own; when it goes, so do the TSIs on it. */
  #channelChanged(channel: VdpChannel, isUp: boolean): void {
    const { config } = this.#parts;
    const { port, svid } = channel;
    const access = config.access.find((one) => one.port === port);
    const link = channelText(channel) as LinkName;
    if (access === undefined || svid === null) return;
    if (isUp) {
      unwrap(this.#links.add(channelLink(config, access, this.#portOf(port), svid)));
      this.#carrier(link, true);
      this.#restoration.linkAdded(link);
    } else {
      this.#links.remove(link);
      const text = `S-channel ${link} is gone`;
      this.#tsis.dispatch({ type: 'revoke', scope: { link }, reason: text }, { text });
    }
  }
}
