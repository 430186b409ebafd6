/**
 * VDP's bridge side for all ports of an NVE: finds the VSI that an event is about, keeps limits and timers, and makes PDUs of
 * the answers. What a VSI does is in `vdp-bridge-machine.ts`. Sans-IO: an event and the time go in, effects come out.
 *
 * A VSI is known by port, S-channel, station and VSIID; never by Manager ID or type, whose change is a change of the VSI.
 * So the same VSIID may be at two stations or two ports, as in a migration.
 */
import { err, type LinkName, type MacAddr, NO_HINTS, type NveError, nveError, type Result, type TsiKey } from '#model';
import {
  associationsOf,
  type FilterFormats,
  isVdpResponse,
  type QualifiedAssociation,
  readResponseStatus,
  STANDARD_FILTER_FORMATS,
  type VdpAssociation,
  type VdpPdu,
} from '#wire';
import { Deadlines, earliest } from './deadlines.js';
import type { EvbParameters } from './evb-events.js';
import { EVB_DEFAULTS } from './evb-tlv.js';
import type { RequestId } from './tsi-events.js';
import { lateError, VdpBridgeMachine } from './vdp-bridge-machine.js';
import { newVsiRecord, type VsiRecord } from './vdp-bridge-record.js';
import {
  channelText,
  peerText,
  type VdpBridgeEffect,
  type VdpBridgeEvent,
  type VdpPeer,
  type VdpRevokeScope,
  type VdpVsiRow,
  vsiKey,
} from './vdp-events.js';
import { type TsiWant, type VdpMappingRules, type VsiDescription, wantsOf } from './vdp-mapping.js';
import { VdpRefusals } from './vdp-refusals.js';
import { Outbox } from './vdp-replies.js';
import { reinitKeepAlive, resourceWaitDelay, toutKeepAlive } from './vdp-timers.js';
import { VdpTsis } from './vdp-tsis.js';

export interface VdpBridgeOptions {
  readonly rules: VdpMappingRules;
  readonly formats?: FilterFormats;
  /** What holds until EVB has negotiated. */
  readonly parameters?: EvbParameters;
  readonly maxPerPort?: number;
  /** Of ports with a limit of their own. */
  readonly maxOnPort?: ReadonlyMap<LinkName, number>;
  readonly maxPerPeer?: number;
  /** A station's default PCP for its VIDs, where it asks for none; null (as by default): it is told nothing. */
  readonly pcp?: number | null;
  /** Which part of resourceWaitDelay a command may take. An answer that comes later than the delay is lost. */
  readonly answerWithin?: number;
  /** How long associations outlive the carrier of their port, in milliseconds; null, as by default: one keep-alive interval. */
  readonly portDownHoldMs?: number | null;
  /** The number of the first request to the TSI life cycle; it shares its numbers with the role's other requests. */
  readonly firstRequest?: RequestId;
}

/** The VSI behind a TSI. */
export interface VsiHolder extends VsiDescription {
  readonly vsi: string;
}

interface Peer {
  readonly peer: VdpPeer;
  readonly vsis: Set<VsiRecord>;
  /** Those of them that are associated. */
  associated: number;
  /** It has sent several associations in one PDU, so it understands that. */
  packs: boolean;
  readonly outbox: Outbox;
}

export class VdpBridge {
  readonly #options: Required<VdpBridgeOptions>;
  readonly #records = new Map<string, VsiRecord>();
  readonly #peers = new Map<string, Peer>();
  readonly #onPort = new Map<LinkName, number>();
  /** Associations by port and station, whatever the channel. */
  readonly #served = new Map<string, number>();
  /** VSIs that have nothing yet and wait for the answer to their first command, by port; who waits longest first. */
  readonly #newcomers = new Map<LinkName, Set<VsiRecord>>();
  readonly #owners = new Map<RequestId, VsiRecord>();
  /** Of channels and of single peers, by their text. */
  readonly #parameters = new Map<string, EvbParameters>();
  readonly #down = new Set<LinkName>();
  readonly #deadlines = new Deadlines();
  readonly #counters = new Map<string, number>();
  readonly #refusals = new VdpRefusals();
  readonly #tsis: VdpTsis;
  readonly #machine: VdpBridgeMachine;
  /** Peers to look after at the end of this event. */
  readonly #touched = new Set<string>();
  /** Whose PDU is under way. */
  readonly #tokens = new Map<number, string>();
  #token = 0;
  #effects: VdpBridgeEffect[] = [];

  constructor(options: VdpBridgeOptions) {
    this.#options = {
      formats: STANDARD_FILTER_FORMATS,
      parameters: EVB_DEFAULTS,
      maxPerPort: 4096,
      maxOnPort: new Map(),
      maxPerPeer: 4096,
      pcp: null,
      answerWithin: 0.5,
      portDownHoldMs: null,
      firstRequest: 1,
      ...options,
    };
    this.#tsis = new VdpTsis((command) => this.#effects.push({ type: 'tsi', command }), this.#options.firstRequest);
    this.#machine = new VdpBridgeMachine({
      tsis: this.#tsis,
      pcp: this.#options.pcp,
      wants: (record, managerId, qualified) => this.#wants(record, managerId, qualified),
      own: (request, record) => this.#owners.set(request, record),
      reply: (record, managerId, association) => {
        // Nothing is left of it but why.
        if (record.state === 'init' && isRefusal(association)) this.#refusals.put(record, managerId, association);
        this.#reply(record, managerId, association);
      },
      log: ({ peer, vsi, state: to }, from, cause, error) =>
        this.#effects.push({ type: 'log', peer, vsi, from, to, cause, error }),
    });
  }

  handle(event: VdpBridgeEvent, now: number): VdpBridgeEffect[] {
    switch (event.type) {
      case 'pdu':
        this.#received(event.peer, event.pdu, now);
        break;
      case 'delivered':
      case 'undelivered': {
        // What did not arrive the station asks for again, or never hears of: its keep-alive is then of an unknown VSI.
        const text = this.#tokens.get(event.token) ?? '';
        this.#tokens.delete(event.token);
        this.#peers.get(text)?.outbox.done(event.token);
        this.#touched.add(text);
        break;
      }
      case 'tsiAnswer': {
        const { request, result } = event;
        const record = this.#owners.get(request);
        this.#owners.delete(request);
        this.#tsis.answered(request, result, now);
        if (record !== undefined) this.#step(record, () => this.#machine.tsiAnswered(record, request, result));
        break;
      }
      case 'tsiEnded':
        for (const key of this.#tsis.ended(event.key)) this.#ended(this.#records.get(key), event.error, event.final);
        break;
      case 'parameters': {
        const { channel, mac, parameters } = event;
        const of = mac === null ? channelText(channel) : peerText({ ...channel, mac });
        if (parameters === null) this.#parameters.delete(of);
        else this.#parameters.set(of, parameters);
        for (const record of mac === null ? this.#records.values() : (this.#peers.get(of)?.vsis ?? [])) {
          const { port, svid } = record.peer;
          if (port === channel.port && svid === channel.svid) this.#schedule(record);
        }
        break;
      }
      case 'portDown':
        this.#down.add(event.port);
        for (const record of this.#ofPort(event.port)) {
          record.downAt ??= now;
          this.#schedule(record);
        }
        break;
      case 'portUp':
        this.#down.delete(event.port);
        for (const record of this.#ofPort(event.port)) {
          record.downAt = null;
          this.#schedule(record);
        }
        break;
      case 'revoke':
        for (const record of [...this.#records.values()].filter((one) => inScope(one, event.scope))) {
          this.#ended(record, nveError('NVE-VDP-005', { vsi: record.vsi, reason: event.reason }));
        }
        break;
      case 'tick':
        this.#tick(now);
        break;
    }
    this.#flush();
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  /** Whether the station has an association on the port. */
  serves(port: LinkName, station: MacAddr): boolean {
    return this.#served.has(`${port} ${station}`);
  }

  /** When `tick` is due; null: no time matters. */
  nextDeadline(): number | null {
    return earliest(this.#deadlines.next(), this.#tsis.deadline());
  }

  /** Whether the station has an association. */
  hasVsis(peer: VdpPeer): boolean {
    return (this.#peers.get(peerText(peer))?.associated ?? 0) > 0;
  }

  /** All VSIs, by port, station and VSIID. */
  rows(): VdpVsiRow[] {
    const order = [...this.#records.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
    return order.map(({ key, peer, vsi, name, vmUuid, state, held, job, touched, heardAt, error }) => ({
      key,
      port: peer.port,
      svid: peer.svid,
      station: peer.mac,
      vsi,
      name,
      vmUuid,
      state,
      managerId: (held ?? job)?.managerId ?? null,
      hints: held?.hints ?? NO_HINTS,
      parameters: this.#parametersOf(peer),
      error,
      association: held?.association ?? null,
      tsis: [...touched.values()],
      heardAt,
    }));
  }

  /** VSIs whose first command was refused not long ago, and that have not come back since; in the order of `rows`. */
  refused(now: number): VdpVsiRow[] {
    return this.#refusals.rows(now, (peer) => this.#parametersOf(peer));
  }

  /** The VSI that has the TSI, or asks for it: of several the last to ask. */
  holderOf(key: TsiKey): VsiHolder | null {
    const record = this.#records.get(this.#tsis.usersOf(key).at(-1) ?? '');
    if (record === undefined) return null;
    const { peer, vsi, job, held } = record;
    const association = job?.qualified.association ?? held?.association;
    if (association === undefined) return null;
    const { typeId, typeVersion } = association;
    return { peer, vsi, managerId: (job ?? held)?.managerId ?? '', typeId, typeVersion };
  }

  /** TLVs sent, as `associate 0`: by their type and error code; `deAssociate unsolicited`. `ignored`: what was no request; `unsent`: for lack of room. */
  counters(): ReadonlyMap<string, number> {
    return this.#counters;
  }

  #received(peer: VdpPeer, pdu: VdpPdu, now: number): void {
    const found = associationsOf(pdu);
    const text = peerText(peer);
    const known = this.#peer(peer);
    known.packs ||= found.length > 1;
    for (const qualified of found) {
      const { association } = qualified;
      const key = `${text} ${vsiKey(association)}`;
      // What carries Req/Ack is a response: of another bridge on a shared link, since this one asks nothing.
      if (isVdpResponse(association.status)) {
        this.#count('ignored');
        continue;
      }
      const record = this.#records.get(key) ?? newVsiRecord(key, peer, association, now);
      this.#step(record, () => this.#machine.command(record, pdu.managerId, qualified, now));
    }
    this.#touched.add(text);
  }

  #tick(now: number): void {
    for (const key of this.#deadlines.take(now)) {
      const record = this.#records.get(key);
      if (record === undefined) continue;
      this.#step(record, () => this.#machine.timedOut(record, this.#timeoutOf(record, now)));
    }
    this.#tsis.tick(now);
  }

  #timeoutOf(record: VsiRecord, now: number): NveError {
    if (record.job !== null) return lateError(record, now - record.job.since);
    const { vsi, peer, heardAt } = record;
    return nveError('NVE-VDP-004', { vsi, station: peer.mac, ms: Math.round(now - heardAt) });
  }

  #ended(record: VsiRecord | undefined, error: NveError, final = false): void {
    if (record !== undefined) this.#step(record, () => this.#machine.ended(record, error, final));
  }

  /** Lets the machine work on a record, which may come into being or end with it. */
  #step(record: VsiRecord, work: () => void): void {
    const { key, peer } = record;
    const isNew = !this.#records.has(key);
    if (isNew && record.state !== 'init') return;
    const held = record.held === null ? 0 : 1;
    work();
    const isThere = record.state !== 'init';
    const delta = (isThere ? 1 : 0) - (isNew ? 0 : 1);
    if (isThere) {
      this.#records.set(key, record);
      this.#refusals.delete(key);
    } else {
      this.#records.delete(key);
    }
    const associated = (record.held === null ? 0 : 1) - held;
    if (delta > 0) this.#peer(peer).vsis.add(record);
    if (delta < 0) this.#peer(peer).vsis.delete(record);
    if (associated !== 0) {
      this.#peer(peer).associated += associated;
      const station = `${peer.port} ${peer.mac}`;
      const count = (this.#served.get(station) ?? 0) + associated;
      if (count === 0) this.#served.delete(station);
      else this.#served.set(station, count);
    }
    this.#touched.add(peerText(peer));
    this.#newcomer(record);
    this.#onPort.set(peer.port, (this.#onPort.get(peer.port) ?? 0) + delta);
    this.#schedule(record);
  }

  #schedule(record: VsiRecord): void {
    this.#deadlines.set(record.key, this.#deadlineOf(record));
  }

  #deadlineOf({ peer, state, job, heardAt, downAt }: VsiRecord): number | null {
    const parameters = this.#parametersOf(peer);
    const { answerWithin, portDownHoldMs } = this.#options;
    switch (state) {
      case 'init':
        return null;
      case 'processing':
      case 'reprocessing':
      case 'releasing':
        return job === null ? null : job.since + answerWithin * resourceWaitDelay(parameters);
      case 'associated': {
        const silent = heardAt + toutKeepAlive(parameters);
        return downAt === null ? silent : Math.min(silent, downAt + (portDownHoldMs ?? reinitKeepAlive(parameters)));
      }
    }
  }

  /** How long any station of a link (a port, or an S-channel as `PORT.SVID`) may be silent, as far as EVB has negotiated by now. */
  silenceMs(link: LinkName): number {
    const known = [...this.#parameters].filter(([of]) => of === link || of.startsWith(`${link} `));
    const all = [this.#options.parameters, ...known.map(([, parameters]) => parameters)];
    return Math.max(...all.map(toutKeepAlive));
  }

  #parametersOf(peer: VdpPeer): EvbParameters {
    const own = this.#parameters.get(peerText(peer)) ?? this.#parameters.get(channelText(peer));
    return own ?? this.#options.parameters;
  }

  #wants(record: VsiRecord, managerId: string, qualified: QualifiedAssociation): Result<TsiWant[]> {
    const { maxPerPeer, maxPerPort, maxOnPort, rules } = this.#options;
    const { peer, key } = record;
    if (!this.#records.has(key)) {
      const ofPeer = this.#peers.get(peerText(peer))?.vsis.size ?? 0;
      const full = (holder: string, limit: number) => err(nveError('NVE-VDP-003', { holder, limit }));
      if (ofPeer >= maxPerPeer) return full(`station ${peer.mac} on ${channelText(peer)}`, maxPerPeer);
      const ofPort = maxOnPort.get(peer.port) ?? maxPerPort;
      if ((this.#onPort.get(peer.port) ?? 0) >= ofPort && !this.#displace(peer.port, ofPort))
        return full(`port ${peer.port}`, ofPort);
    }
    return wantsOf(qualified, peer, managerId, rules);
  }

  #newcomer(record: VsiRecord): void {
    const { port } = record.peer;
    const waiting = this.#newcomers.get(port) ?? new Set();
    this.#newcomers.set(port, waiting);
    if (record.state === 'processing') waiting.add(record);
    else waiting.delete(record);
  }

  /**
   * Makes room on a port that is full: who waits longest for an answer, and whose station has no association, is refused. So what has
   * been asked for by MACs that nobody knows, however much, keeps nobody out for as long as the NVA takes.
   */
  #displace(port: LinkName, limit: number): boolean {
    for (const record of this.#newcomers.get(port) ?? []) {
      if (this.serves(port, record.peer.mac)) continue;
      const error = nveError('NVE-VDP-003', { holder: `port ${port}`, limit });
      this.#step(record, () => this.#machine.timedOut(record, error));
      return true;
    }
    return false;
  }

  *#ofPort(port: LinkName): Generator<VsiRecord> {
    for (const record of this.#records.values()) if (record.peer.port === port) yield record;
  }

  // Answers

  #peer(peer: VdpPeer): Peer {
    const text = peerText(peer);
    const known = this.#peers.get(text) ?? { peer, vsis: new Set(), associated: 0, packs: false, outbox: new Outbox() };
    this.#peers.set(text, known);
    return known;
  }

  #reply({ peer, key }: VsiRecord, managerId: string, association: VdpAssociation): void {
    const { command, status } = association;
    this.#count(!isVdpResponse(status) ? `${command} unsolicited` : `${command} ${readResponseStatus(status).code}`);
    if (!this.#peer(peer).outbox.put(key, { managerId, tlvs: [association] })) this.#count('unsent');
    this.#touched.add(peerText(peer));
  }

  /** Sends what can be sent, and forgets stations of which nothing is left. */
  #flush(): void {
    for (const text of this.#touched) {
      const known = this.#peers.get(text);
      if (known === undefined) continue;
      const { peer, packs, outbox, vsis } = known;
      // Nobody is there to hear it.
      if (this.#down.has(peer.port)) outbox.clear();
      const next = outbox.next(() => ++this.#token, packs, this.#options.formats);
      if (next !== null) {
        this.#tokens.set(next.token, text);
        this.#effects.push({ type: 'send', peer, token: next.token, pdu: next.pdu });
      }
      if (vsis.size === 0 && outbox.isIdle) this.#peers.delete(text);
    }
    this.#touched.clear();
  }

  #count(what: string): void {
    this.#counters.set(what, (this.#counters.get(what) ?? 0) + 1);
  }
}

function isRefusal({ status }: VdpAssociation): boolean {
  return isVdpResponse(status) && readResponseStatus(status).code !== 0;
}

function inScope({ peer, key }: VsiRecord, scope: VdpRevokeScope): boolean {
  if ('port' in scope) return peer.port === scope.port;
  if ('channel' in scope) return channelText(peer) === channelText(scope.channel);
  const text = peerText(scope.peer);
  return 'vsi' in scope ? key === `${text} ${vsiKey(scope.vsi)}` : peerText(peer) === text;
}
