// What the engine tells: rows of its dumps, counters, events and punts, as values with names. docs/engine.md is the contract.

import type { IpAddr, MacAddr, VnId, Vni } from '#model';
import type {
  AclId,
  AclRule,
  Dest,
  GroupId,
  GroupMember,
  NextHopId,
  PortId,
  PuntClass,
  PuntRate,
  RemoteDest,
  Selector,
  TagPolicy,
  VapFlags,
  VapId,
  VapOptions,
  VnOptions,
} from './types.js';

export interface PortRow {
  readonly port: PortId;
  readonly name: string;
  readonly driver: string;
  readonly mac: MacAddr;
  readonly mtu: number;
  readonly linkUp: boolean;
  readonly role: 'access' | 'underlay' | 'exception' | 'unused';
}

export interface VnRow {
  readonly vn: VnId;
  readonly vni: Vni | null;
  readonly mtu: number;
  readonly vaps: number;
  readonly rows: number;
  readonly flood: readonly RemoteDest[];
  readonly sources: readonly IpAddr[];
  /** Those that are not their default. */
  readonly options: VnOptions;
}

export interface VapRow extends VapFlags {
  readonly vap: VapId;
  readonly vn: VnId;
  readonly port: PortId;
  readonly selector: Selector;
  readonly tags: TagPolicy;
  /** Those that are not their default. */
  readonly options: VapOptions;
}

export interface UnderlayRow {
  readonly port: PortId;
  readonly ip: IpAddr;
  readonly prefixLen: number;
  readonly mac: MacAddr;
  /** IPv6: whether the address may be used (RFC 4862, 5.4). */
  readonly state: AddressState;
  readonly vlan: number | null;
}

/** `tentative`: not used yet; `duplicate`: another host has it, and it is not used until it is set anew. */
export type AddressState = 'tentative' | 'preferred' | 'duplicate';

export interface RouteRow {
  readonly prefix: IpAddr;
  readonly prefixLen: number;
  readonly gateways: readonly IpAddr[];
}

export interface ExceptionRow {
  readonly port: PortId;
  readonly tap: PortId;
}

export interface NextHopRow {
  readonly nh: NextHopId;
  readonly remote: IpAddr;
  readonly encap: number;
  readonly contextId: number;
  readonly port: PortId;
  readonly neighbourMac: MacAddr | null;
  readonly state: NextHopState;
}

/** Why a next hop is not sent to, if it is not: its neighbour's MAC is not known, its link is down, or the controller has said so. */
export type NextHopState = 'living' | 'unresolved' | 'link_down' | 'dead';

export interface GroupRow {
  readonly group: GroupId;
  /** The VN whose rows and list name it, or did last. */
  readonly vn: VnId | null;
  /** `places`: how many of the group's 60 places, among which flows are spread, the member has now. */
  readonly members: readonly (GroupMember & { readonly places: number })[];
}

/** A multicast group of the underlay that this NVE is in. */
export interface McastRow {
  readonly port: PortId;
  readonly group: IpAddr;
  /** The VNs that joined it; none: a group in which an IPv6 address of the port is solicited. */
  readonly vns: readonly VnId[];
  /** Spoken on the link: the newest version, unless a querier knows an older one only. */
  readonly protocol: MembershipProtocol;
  /** How often the group was reported. */
  readonly reports: number;
  /** Queries heard on the link, of all groups of the family. */
  readonly queries: number;
}

export const MEMBERSHIP_PROTOCOLS = ['igmpv1', 'igmpv2', 'igmpv3', 'mldv1', 'mldv2'] as const;
export type MembershipProtocol = (typeof MEMBERSHIP_PROTOCOLS)[number];

export interface FdbRow {
  readonly vn: VnId;
  readonly mac: MacAddr;
  readonly dest: Dest;
  /** 0: it does not age. */
  readonly ageS: number;
}

export type NeighbourState = 'incomplete' | 'reachable' | 'failed' | 'static';

export interface NeighbourRow {
  readonly port: PortId;
  readonly ip: IpAddr;
  readonly mac: MacAddr | null;
  readonly state: NeighbourState;
}

/** A rule and how many frames it decided since its list was set or changed; `rule` null is the list's default. */
export interface AclRow {
  readonly acl: AclId;
  readonly rule: number | null;
  readonly match: AclRule;
  readonly packets: number;
}

/** What each source may send of a class, and all sources without a place together; `isDefault` if nobody set it. */
export interface PoliceRow extends PuntRate {
  readonly class: PuntClass;
  readonly isDefault: boolean;
}

/** "In" is from the tenant, "out" is to the tenant. */
export interface VapCounters {
  readonly vap: VapId;
  readonly inPackets: number;
  readonly inBytes: number;
  readonly outPackets: number;
  readonly outBytes: number;
  /** ARP requests and neighbour solicitations of the tenant that were answered from the VN's pairs. */
  readonly suppressed: number;
}

/** The station of a VN that has an address. */
export interface PairRow {
  readonly vn: VnId;
  readonly ip: IpAddr;
  readonly mac: MacAddr;
}

/** What a table holds, may hold (null: as much as memory allows), and the bytes that it has taken. */
export interface MemoryRow {
  readonly table: string;
  readonly entries: number;
  readonly capacity: number | null;
  readonly bytes: number;
}

export interface DumpRows {
  readonly ports: PortRow;
  readonly vns: VnRow;
  readonly vaps: VapRow;
  readonly underlays: UnderlayRow;
  readonly routes: RouteRow;
  readonly exceptions: ExceptionRow;
  readonly nexthops: NextHopRow;
  readonly groups: GroupRow;
  readonly mcasts: McastRow;
  readonly fdb: FdbRow;
  readonly neighbours: NeighbourRow;
  readonly acls: AclRow;
  readonly police: PoliceRow;
  readonly vap_counters: VapCounters;
  readonly memory: MemoryRow;
  readonly pairs: PairRow;
}
export type DumpKind = keyof DumpRows;

export interface PortStats {
  readonly port: PortId;
  readonly rxPackets: number;
  readonly rxBytes: number;
  readonly txPackets: number;
  readonly txBytes: number;
  readonly rxMissed: number;
  readonly rxErrors: number;
}

/** Frames dropped under a reason; `port` is where they came in. */
export interface DropStats {
  readonly port: PortId;
  readonly reason: string;
  readonly packets: number;
}

export interface PollerStats {
  readonly poller: number;
  readonly polls: number;
  readonly emptyPolls: number;
  readonly packets: number;
  readonly busyCycles: number;
  readonly idleCycles: number;
  readonly tscHz: number;
  /** Packets that replication made of those received: received and copied is sent, punted and dropped. */
  readonly copies: number;
}

/** Counters only grow while their object lives. Above 2^53 the last digits are rounded. */
export interface EngineStats {
  readonly ports: readonly PortStats[];
  readonly drops: readonly DropStats[];
  readonly pollers: readonly PollerStats[];
}

/** Which frames are recorded: by a port, of a VAP (with its tags), or dropped ones of a port, for a reason, or any. */
export type CaptureFilter =
  | { readonly kind: 'port'; readonly port: PortId }
  | { readonly kind: 'vap'; readonly vap: VapId }
  | { readonly kind: 'drops'; readonly port: PortId | null; readonly reason: string | null };

/** Bytes of a frame that may be recorded. */
export const SNAP_MAX = 9_728;

export interface CapturedFrame {
  readonly timeNs: bigint;
  readonly port: PortId;
  readonly place: 'in' | 'out' | 'dropped';
  readonly reason: string | null;
  /** Of the whole frame, of which `frame` may be the beginning. */
  readonly length: number;
  readonly frame: Uint8Array;
}

export interface Captured {
  readonly frames: readonly CapturedFrame[];
  /** Frames that found no room. */
  readonly lost: number;
}

export type EngineEvent =
  | { readonly kind: 'link'; readonly port: PortId; readonly up: boolean }
  | { readonly kind: 'neighbour'; readonly port: PortId; readonly ip: IpAddr; readonly state: NeighbourState }
  | { readonly kind: 'address'; readonly port: PortId; readonly ip: IpAddr; readonly state: AddressState }
  /** A source MAC at a VAP that learns, without a row that names this VAP. Told about once a second while frames of it arrive. */
  | { readonly kind: 'learned'; readonly vap: VapId; readonly vn: VnId; readonly mac: MacAddr }
  /** The same in a tunnelled packet from `remote`, in a VN that learns, without a row that leads there. */
  | { readonly kind: 'learned_remote'; readonly vn: VnId; readonly mac: MacAddr; readonly remote: IpAddr }
  /** Frames are for a MAC without a row, in a VN that asks. */
  | { readonly kind: 'unknown'; readonly vn: VnId; readonly mac: MacAddr }
  /** Nothing was seen of the MAC of a row for its `ageS`. The row stays until it is deleted. */
  | { readonly kind: 'aged'; readonly vn: VnId; readonly mac: MacAddr }
  | { readonly kind: 'poller_failed'; readonly poller: number; readonly message: string }
  | { readonly kind: 'overflow'; readonly ring: string; readonly lost: number };

/** A frame that is not tenant data and is for the control plane. */
export interface Punt {
  readonly port: PortId;
  readonly vap: VapId | null;
  readonly class: string;
  readonly timestampNs: bigint;
  readonly frame: Uint8Array;
}
