/** For tests of the NNP client: short names for events, frames of an imagined NVA, a clock that is set by hand. */
import type { IpAddr, LinkName, MacAddr, Mtu, NveId, Result, TsiId, VnId, VnInfo, Vni, VnName } from '#model';
import type { NnpFrame, NnpObject, NnpOp } from '#wire';
import { NnpClient } from '../nnp-client.js';
import type { NnpClientEffect, NnpClientEvent, NnpClientOptions } from '../nnp-client-events.js';
import type { LinkId } from '../nnp-link.js';
import type { Attachment, AuthorizeRequest, MappingChange } from '../nnp-types.js';

export const mac = (n: number) => `02:00:00:00:00:${n.toString(16).padStart(2, '0')}` as MacAddr;
export const vn = (n: number) => n as VnId;
export const nve = (name: string) => name as NveId;

export function vnInfo(n = 7, name = 'blue'): VnInfo {
  return { vn: vn(n), name: name as VnName, vni: (5000 + n) as Vni, mtu: 1450 as Mtu, gateway: null };
}

export function request(tsi = 't1'): AuthorizeRequest {
  return { vn: 'blue' as VnName, tsi: tsi as TsiId, macs: [mac(1)], ips: [], port: 'acc0' as LinkName };
}

export function attachment(tsi = 't1', n = 1): Attachment {
  return { vn: vn(7), tsi: tsi as TsiId, port: 'acc0' as LinkName, macs: [mac(n)], ips: ['10.0.0.1' as IpAddr] };
}

export const object = {
  vn: (n = 7): NnpObject => ({ kind: 'vn', ...vnInfo(n) }),
  nve: (id = 'b'): NnpObject => ({ kind: 'nve', nveId: nve(id), tunnels: [{ encap: 1, ip: '192.0.2.2' as IpAddr }] }),
  member: (id = 'b'): NnpObject => ({ kind: 'member', vn: vn(7), nveId: nve(id), contextId: 5007 as Vni }),
  host: (n = 1, id = 'b'): NnpObject => {
    return { kind: 'host', vn: vn(7), mac: mac(n), tsi: `t${n}` as TsiId, nveId: nve(id), ips: [], mobilitySeq: 0 };
  },
};

export const set = (...objects: NnpObject[]): NnpOp[] =>
  objects.map((one) => ({ op: 'set', revision: 1n, object: one }));
export const unsetHost = (n: number): NnpOp => ({
  op: 'delete',
  revision: 1n,
  key: { kind: 'host', vn: vn(7), mac: mac(n) },
});

/** The events of a link may leave it out: it is the one that was dialled last. */
type Unlinked<E> = E extends { readonly link: LinkId } ? Omit<E, 'link'> : never;
type RigEvent = NnpClientEvent | Unlinked<NnpClientEvent>;

export class NnpRig {
  readonly client: NnpClient;
  /** Dialled last. */
  link = 0;
  readonly #links = new Set<LinkId>();
  now = 1000;
  #call = 0;

  constructor(options: Partial<NnpClientOptions> = {}) {
    this.client = new NnpClient({
      nveId: nve('a'),
      instance: 'i1',
      tunnels: [],
      endpoints: [{ priority: 0, weight: 1, name: 'tls:nva:1' }],
      random: () => 0.5,
      ...options,
    });
  }

  /** The effects in short. */
  do(event: RigEvent): string[] {
    return this.raw(event).map(line);
  }

  /** The effects as they are. */
  raw(event: RigEvent): NnpClientEffect[] {
    const effects = this.client.handle({ link: this.link, ...event } as NnpClientEvent, this.now);
    for (const effect of effects) {
      if (effect.type === 'close') this.#links.delete(effect.link);
      if (effect.type === 'dial') this.link = effect.link;
      if (effect.type === 'dial') this.#links.add(effect.link);
    }
    return effects;
  }

  frame(frame: NnpFrame, link = this.link): string[] {
    return this.do({ type: 'frame', frame, link });
  }

  /** Dialled and not closed by the NVE. */
  links(): LinkId[] {
    return [...this.#links];
  }

  tick(ms: number): string[] {
    this.now += ms;
    return this.do({ type: 'tick' });
  }

  greet(epoch = 'e1', term = 1n): string[] {
    return this.frame({ kind: 'helloAck', channel: 0, proto: 1, nvaId: 'nva1', epoch, term, revision: 1n, holdMs: 1 });
  }

  /** A session that is up. */
  up(): this {
    this.do({ type: 'start' });
    this.do({ type: 'open' });
    this.greet();
    this.frame({ kind: 'reportAck', channel: 0, seq: this.seq, rejects: [] });
    return this;
  }

  /** Of the latest REPORT, if each was answered. */
  seq = 1n;

  authorize(of = request(), deadlineMs = 1000): string[] {
    this.#call += 1;
    return this.do({ type: 'authorize', call: this.#call, request: of, deadlineMs });
  }

  subscribe(of = 7, deadlineMs = 1000): string[] {
    this.#call += 1;
    return this.do({ type: 'subscribe', call: this.#call, vn: vn(of), deadlineMs });
  }

  report(change: 'attach' | 'detach', of = attachment(), deadlineMs = 1000): string[] {
    this.#call += 1;
    return this.do({ type: 'report', call: this.#call, change, attachment: of, deadlineMs });
  }

  subAck(plan: 'denied' | 'delta' | 'snapshot', fromRevision = 0n, channel = 1, code: string | null = null): string[] {
    return this.frame({ kind: 'subAck', channel, vn: vn(7), plan, fromRevision, code });
  }

  /** A subscription to VN 7 on channel 1, in sync at `revision` with these objects. */
  synced(revision = 10n, objects: NnpObject[] = [object.vn(), object.nve(), object.member(), object.host(1)]): this {
    this.subscribe();
    this.subAck('snapshot');
    this.snapshot(revision, objects);
    return this;
  }

  snapshot(revision: bigint, objects: NnpObject[], count = objects.length, channel = 1): string[] {
    return [
      ...this.frame({ kind: 'snapBegin', channel, revision }),
      ...this.frame({ kind: 'snap', channel, ops: set(...objects) }),
      ...this.frame({ kind: 'sync', channel, revision, count }),
    ];
  }

  delta(prevRevision: bigint, revision: bigint, ops: NnpOp[], channel = 1): string[] {
    return this.frame({ kind: 'delta', channel, prevRevision, revision, ops });
  }

  hosts(): string[] {
    return [...(this.client.view(vn(7))?.hosts.values() ?? [])].map((host) => `${host.mac.slice(-2)} ${host.nveId}`);
  }
}

function line(effect: NnpClientEffect): string {
  switch (effect.type) {
    case 'dial':
      return `dial ${effect.endpoint.name}`;
    case 'close':
      return 'close';
    case 'connected':
      return `connected ${effect.nvaId} ${effect.epoch}`;
    case 'disconnected':
      return `disconnected ${effect.error.code}`;
    case 'done':
      return `done ${effect.call} ${outcome(effect.result)}`;
    case 'reportRefused':
      return `reportRefused ${effect.attachment.tsi} ${effect.error.code}`;
    case 'mapping':
      return mappingLine(effect.change);
    case 'send':
      return `send ${frameLine(effect.frame)}`;
  }
}

function outcome(result: Result<unknown>): string {
  return result.ok ? 'ok' : result.error.code;
}

function mappingLine({ info, members, hosts, revision, synced }: MappingChange): string {
  const parts = [
    info === undefined ? '' : info === null ? 'no-vn' : `vn=${info.name}`,
    ...members.set.map((member) => `+${member.nveId}`),
    ...hosts.set.map((host) => `+${host.mac.slice(-2)}`),
    ...hosts.removed.map((one) => `-${one.slice(-2)}`),
    ...members.removed.map((one) => `-${one}`),
    `@${revision}`,
    synced ? 'synced' : '',
  ];
  return ['mapping', ...parts.filter((part) => part !== '')].join(' ');
}

function frameLine(frame: NnpFrame): string {
  switch (frame.kind) {
    case 'sub':
      return `sub#${frame.channel} ${frame.vn} ${frame.token === null ? 'nil' : `${frame.token.epoch}:${frame.token.revision}`}`;
    case 'unsub':
      return `unsub#${frame.channel} ${frame.vn}`;
    case 'report':
      return `report ${frame.seq} ${frame.mode} [${frame.items.map((item) => `${item.change} ${item.tsi}`).join(', ')}]`;
    case 'ack':
      return `ack#${frame.channel} ${frame.receivedRevision}/${frame.appliedRevision}`;
    case 'nack':
      return `nack#${frame.channel} ${frame.revision} ${frame.items[0]?.code}`;
    case 'auth':
      return `auth ${frame.qid} ${frame.tsi}`;
    case 'error':
      return `error ${frame.code}`;
    case 'ping':
    case 'pong':
      return `${frame.kind} ${frame.nonce}`;
    default:
      return frame.kind;
  }
}
