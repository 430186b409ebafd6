/**
 * One VN at the embedded authority: which TSI is attached where, and what follows from it: the members and the hosts. Every
 * change comes out as the ops that subscribers need, in the order in which they are to be applied.
 *
 * A TSI may be attached at several NVEs while it moves; a MAC is then where it was attached last. When that attachment ends,
 * the MAC goes back to the one before. `mobilitySeq` counts the changes of NVE. If the last attachment is multihomed, the MAC is at all
 * multihomed attachments of the TSI, first at the oldest, so that one that joins changes nothing for the others. What must be
 * known after a restart goes to `put`.
 */
import {
  HOMES_MAX,
  type HostInfo,
  type IpAddr,
  type LinkName,
  learnerOf,
  type MacAddr,
  type NveId,
  type NveInfo,
  settingsOf,
  type TsiId,
  type VnInfo,
} from '#model';
import type { NnpObject, NnpOp } from '#wire';
import { type Put, type Remembered, recordKeys } from './records.js';

export interface VnAttachment {
  readonly nveId: NveId;
  readonly tsi: TsiId;
  readonly port: LinkName;
  readonly macs: readonly MacAddr[];
  readonly ips: readonly IpAddr[];
  readonly multihomed: boolean;
}

type Owners = readonly [VnAttachment, ...VnAttachment[]];

interface Host {
  /** Those who have the MAC, in the order of their attachment: it is at the last one, or at several. */
  readonly owners: [VnAttachment, ...VnAttachment[]];
  info: HostInfo;
  /** There is a record of it: what its one owner does not tell is remembered. */
  kept: boolean;
}

/** Ops without their revision, which the authority gives. */
export type Change = { readonly set: NnpObject } | { readonly unset: Extract<NnpOp, { op: 'delete' }>['key'] };

export class VnState {
  readonly #put: Put;
  #info: VnInfo;
  readonly #attachments = new Map<string, VnAttachment>();
  readonly #hosts = new Map<MacAddr, Host>();
  /** How many attachments each member has. */
  readonly #members = new Map<NveId, number>();

  /** A VN that is new, or was remembered. */
  constructor(info: VnInfo, put: Put) {
    this.#info = info;
    this.#put = put;
    put(recordKeys.vn(info.vn), info);
  }

  get info(): VnInfo {
    return this.#info;
  }

  /** What was remembered of a VN that is new here. */
  restore(attachments: Remembered['attachment'], hosts: Remembered['host']): void {
    const records = new Map(hosts.map((host) => [host.mac, host]));
    for (const { vn: _, multihomed = false, ...rest } of attachments) {
      const attachment = { ...rest, multihomed };
      this.#attachments.set(keyOf(attachment), attachment);
      this.#members.set(attachment.nveId, (this.#members.get(attachment.nveId) ?? 0) + 1);
      for (const mac of attachment.macs) {
        const host = this.#hosts.get(mac);
        const info = this.#host(mac, [attachment], records.get(mac)?.mobilitySeq ?? 0);
        if (host === undefined) this.#hosts.set(mac, { owners: [attachment], info, kept: records.has(mac) });
        else host.owners.push(attachment);
      }
    }
    for (const { mac, mobilitySeq, owners } of hosts) {
      const host = this.#hosts.get(mac);
      host?.owners.sort((one, other) => owners.indexOf(keyOf(one)) - owners.indexOf(keyOf(other)));
      if (host !== undefined) host.info = this.#host(mac, host.owners, mobilitySeq);
    }
  }

  /** How many MACs an attachment has; 0 if there is none. */
  macsOf(nveId: NveId, tsi: TsiId, port: LinkName): number {
    return this.#attachments.get(keyOf({ nveId, tsi, port }))?.macs.length ?? 0;
  }

  /** The TSI other than `tsi` that holds one of the MACs. What was only learned is not held: it moves, and who names it has it. */
  conflict(tsi: TsiId, macs: readonly MacAddr[]): HostInfo | null {
    for (const mac of macs) {
      const host = this.#hosts.get(mac);
      if (host !== undefined && host.info.tsi !== tsi && learnerOf(host.info.tsi) === null) return host.info;
    }
    return null;
  }

  /** A copy. */
  attachments(): VnAttachment[] {
    return [...this.#attachments.values()];
  }

  /** The replication node, if the VN has one. */
  get node(): NveId | null {
    return nodeOf(this.info);
  }

  /** Subscribers need the NVE object: of a member, and of the replication node. */
  names(nveId: NveId): boolean {
    return this.#members.has(nveId) || this.node === nveId;
  }

  /** Attaches, or changes the addresses of what is attached. The caller has excluded conflicts. */
  attach(attachment: VnAttachment, nve: NveInfo): Change[] {
    const { nveId } = attachment;
    const key = keyOf(attachment);
    const old = this.#attachments.get(key);
    if (old !== undefined && same(old, attachment)) return [];
    this.#attachments.set(key, attachment);
    this.#put(recordKeys.attachment(attachment, this.info.vn), { vn: this.info.vn, ...attachment });
    const changes: Change[] = [];
    if (old === undefined) {
      const count = this.#members.get(nveId) ?? 0;
      this.#members.set(nveId, count + 1);
      if (count === 0) changes.push({ set: { kind: 'nve', ...nve } }, { set: this.#member(nveId) });
    }
    for (const mac of attachment.macs) changes.push(...this.#own(mac, attachment, old));
    for (const mac of old?.macs ?? []) {
      if (old !== undefined && !attachment.macs.includes(mac)) changes.push(...this.#disown(mac, old));
    }
    return changes;
  }

  detach(nveId: NveId, tsi: TsiId, port: LinkName): Change[] {
    const key = keyOf({ nveId, tsi, port });
    const attachment = this.#attachments.get(key);
    if (attachment === undefined) return [];
    this.#attachments.delete(key);
    this.#put(recordKeys.attachment(attachment, this.info.vn), null);
    const changes = attachment.macs.flatMap((mac) => this.#disown(mac, attachment));
    const count = (this.#members.get(nveId) ?? 1) - 1;
    if (count > 0) {
      this.#members.set(nveId, count);
    } else {
      this.#members.delete(nveId);
      changes.push({ unset: { kind: 'member', vn: this.info.vn, nveId } });
      if (nveId !== this.node) changes.push({ unset: { kind: 'nve', nveId } });
    }
    return changes;
  }

  /** The VN object was replaced. A member receives under the VN's VNI, so it changes with that. */
  changed(info: VnInfo, nveOf: (nveId: NveId) => NveInfo): Change[] {
    const renumbered = info.vni !== this.info.vni;
    const before = this.node;
    this.#info = info;
    this.#put(recordKeys.vn(info.vn), info);
    const members: Change[] = renumbered
      ? [...this.#members.keys()].map((nveId) => ({ set: this.#member(nveId) }))
      : [];
    const nodes: Change[] = [];
    if (this.node !== null && this.node !== before) nodes.push({ set: { kind: 'nve', ...nveOf(this.node) } });
    if (before !== null && !this.names(before)) nodes.push({ unset: { kind: 'nve', nveId: before } });
    return [{ set: { kind: 'vn', ...info } }, ...nodes, ...members];
  }

  /** Everything, in the order in which it is to be applied. */
  objects(nveOf: (nveId: NveId) => NveInfo): NnpObject[] {
    const members = [...this.#members.keys()];
    return [
      { kind: 'vn', ...this.info },
      ...this.#nves().map((nveId) => ({ kind: 'nve' as const, ...nveOf(nveId) })),
      ...members.map((nveId) => this.#member(nveId)),
      ...this.hosts().map((host) => ({ kind: 'host' as const, ...host })),
    ];
  }

  host(mac: MacAddr): HostInfo | null {
    return this.#hosts.get(mac)?.info ?? null;
  }

  hosts(): HostInfo[] {
    return [...this.#hosts.values()].map(({ info }) => info);
  }

  /** The way back: hosts, members, NVEs, the VN. */
  unmake(): Change[] {
    const { vn } = this.info;
    const members = [...this.#members.keys()];
    this.#put(recordKeys.vn(vn), null);
    for (const attachment of this.#attachments.values()) this.#put(recordKeys.attachment(attachment, vn), null);
    for (const [mac, { kept }] of this.#hosts) if (kept) this.#put(recordKeys.host(vn, mac), null);
    return [
      ...[...this.#hosts.keys()].map((mac): Change => ({ unset: { kind: 'host', vn, mac } })),
      ...members.map((nveId): Change => ({ unset: { kind: 'member', vn, nveId } })),
      ...this.#nves().map((nveId): Change => ({ unset: { kind: 'nve', nveId } })),
      { unset: { kind: 'vn', vn } },
    ];
  }

  members(): NveId[] {
    return [...this.#members.keys()];
  }

  #nves(): NveId[] {
    const { node } = this;
    return [...(node === null || this.#members.has(node) ? [] : [node]), ...this.#members.keys()];
  }

  #member(nveId: NveId): Extract<NnpObject, { kind: 'member' }> {
    return { kind: 'member', vn: this.info.vn, nveId, contextId: this.info.vni };
  }

  /** `attachment` has the MAC now. A new attachment takes it over; one that had it keeps its place (`old`). */
  #own(mac: MacAddr, attachment: VnAttachment, old: VnAttachment | undefined): Change[] {
    const host = this.#hosts.get(mac);
    if (host === undefined) {
      const info = this.#host(mac, [attachment], 0);
      this.#hosts.set(mac, { owners: [attachment], info, kept: false });
      return [{ set: { kind: 'host', ...info } }];
    }
    const place = old === undefined ? -1 : host.owners.indexOf(old);
    if (place >= 0) host.owners[place] = attachment;
    else host.owners.push(attachment);
    return this.#locate(mac, host);
  }

  #disown(mac: MacAddr, attachment: VnAttachment): Change[] {
    const host = this.#hosts.get(mac);
    const place = host?.owners.indexOf(attachment) ?? -1;
    if (host === undefined || place < 0) return [];
    host.owners.splice(place, 1);
    if (host.owners.length > 0) return this.#locate(mac, host);
    this.#hosts.delete(mac);
    if (host.kept) this.#put(recordKeys.host(this.info.vn, mac), null);
    return [{ unset: { kind: 'host', vn: this.info.vn, mac } }];
  }

  /** The host object after its owners changed. */
  #locate(mac: MacAddr, host: Host): Change[] {
    const [nveId] = homesOf(host.owners);
    const moved = nveId !== host.info.nveId;
    const info = this.#host(mac, host.owners, host.info.mobilitySeq + (moved ? 1 : 0));
    const unchanged = JSON.stringify(info) === JSON.stringify(host.info);
    host.info = info;
    this.#keep(host);
    return unchanged ? [] : [{ set: { kind: 'host', ...info } }];
  }

  /** A host that has moved, or is attached at several places. */
  #keep(host: Host): void {
    const { vn, mac, mobilitySeq } = host.info;
    if (!host.kept && mobilitySeq === 0 && host.owners.length < 2) return;
    host.kept = true;
    this.#put(recordKeys.host(vn, mac), { vn, mac, mobilitySeq, owners: host.owners.map(keyOf) });
  }

  #host(mac: MacAddr, owners: Owners, mobilitySeq: number): HostInfo {
    const { tsi, ips, multihomed } = owners.at(-1) ?? owners[0];
    const [nveId, ...others] = homesOf(owners);
    return { vn: this.info.vn, mac, tsi, nveId, ips, mobilitySeq, ...(multihomed && { others }) };
  }
}

function nodeOf(info: VnInfo): NveId | null {
  const { delivery } = settingsOf(info);
  return delivery.kind === 'node' ? delivery.nveId : null;
}

/** Where a MAC is: at the last attachment, or at all of its TSI that are multihomed, if that is; the oldest first. */
function homesOf(owners: Owners): [NveId, ...NveId[]] {
  const last = owners.at(-1) ?? owners[0];
  const homes = owners.filter(({ multihomed, tsi }) => multihomed && tsi === last.tsi).map(({ nveId }) => nveId);
  const [first = last.nveId, ...others] = last.multihomed ? new Set(homes) : [];
  return [first, ...others.slice(0, HOMES_MAX - 1)];
}

function keyOf({ nveId, tsi, port }: Pick<VnAttachment, 'nveId' | 'tsi' | 'port'>): string {
  return `${nveId} ${tsi} ${port}`;
}

function same(a: VnAttachment, b: VnAttachment): boolean {
  return a.multihomed === b.multihomed && a.macs.join() === b.macs.join() && a.ips.join() === b.ips.join();
}
