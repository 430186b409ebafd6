// What the engine is told, as values with names; what it tells is in rows.ts. docs/engine.md is the contract; commands.ts and replies.ts
// turn these into its positional MessagePack arrays and back.

import type { IpAddr, MacAddr, Mtu, Vid, VnId, Vni } from '#model';

/** 0 to 63, chosen by the controller. */
export type PortId = number;
/** u32, chosen by the controller. */
export type VapId = number;
/** u32, chosen by the controller. */
export type NextHopId = number;
/** u32, chosen by the controller. */
export type GroupId = number;
/** u32, chosen by the controller. */
export type AclId = number;

/** Ports that one engine can have at a time. */
export const MAX_PORTS = 64;
/** Next hops of one group. */
export const MAX_GROUP_MEMBERS = 16;
/**
 * Commands of one batch, and rows of one page of a dump: what Node encodes or decodes in about 3 ms, so that a large load never holds
 * its event loop. The engine takes up to 10,000.
 */
export const BATCH_COMMANDS = 4_000;
export const PAGE_ROWS = 2_000;

export type PortKind =
  | { readonly driver: 'net_tap'; readonly iface: string; readonly mac: MacAddr | null }
  | { readonly driver: 'net_af_xdp'; readonly iface: string }
  | {
      readonly driver: 'net_pcap';
      readonly rxFile: string | null;
      readonly txFile: string | null;
      readonly infiniteRx: boolean;
    }
  | { readonly driver: 'net_null'; readonly packetSize: number; readonly noRx: boolean }
  | { readonly driver: 'net_ring' }
  | { readonly driver: 'net_vhost'; readonly path: string }
  | { readonly driver: 'pci'; readonly address: string }
  | { readonly driver: 'devargs'; readonly devargs: string };

/** Which frames of a port belong to a VAP: all, the untagged ones, or those with these tags. The most specific one wins. */
export type Selector =
  | { readonly kind: 'port' }
  | { readonly kind: 'untagged' }
  | { readonly kind: 'c-tag'; readonly vid: Vid }
  | { readonly kind: 's-tag'; readonly vid: Vid }
  | { readonly kind: 's-tag+c-tag'; readonly sVid: Vid; readonly cVid: Vid };

/** What a VAP does with its tenant's own tags, in both directions (RFC 8014, 3.1.1). */
export type TagPolicy =
  | { readonly kind: 'refuse' }
  | { readonly kind: 'pass' }
  | { readonly kind: 'strip' }
  | { readonly kind: 'list'; readonly vids: readonly Vid[] };

export interface VapFlags {
  /** A frame's source MAC must be a row of the VN that names this VAP. */
  readonly guard: boolean;
  /** Unknown unicast of the VN goes out here; at most one per VN. */
  readonly uplink: boolean;
  /** A frame may go back to the VAP it came from: reflective relay. No, if absent. */
  readonly reflect?: boolean;
  /**
   * A source MAC without a row passes the guard, and is told as an event; one whose row is elsewhere is told, too, and passes only
   * without guard. No, if absent.
   */
  readonly learn?: boolean;
}

/** What may be set of a VN besides; what is absent has its default. */
export interface VnOptions {
  /** What becomes of unicast to a MAC without a row, where no VAP is the uplink: dropped (so by default), dropped and told, or sent to everybody. */
  readonly unknown?: 'drop' | 'query' | 'flood';
  /** Every NVE may send, and MACs behind NVEs are told as they are seen. */
  readonly learn?: boolean;
  /** ARP and neighbour solicitations are answered from the VN's pairs. */
  readonly suppress?: boolean;
  /** The access list of what comes from the VN's tenants here. */
  readonly aclIn?: AclId;
  /** The access list of what goes to the VN's tenants here. */
  readonly aclOut?: AclId;
  /** A tunnelled packet with a reserved bit set is dropped; no, if absent. */
  readonly strict?: boolean;
  /** Whether a frame takes the outer DSCP (RFC 2983: `uniform`) or keeps its own; `pipe`. */
  readonly dscpOut?: 'pipe' | 'uniform';
}
/** The same of a VAP. */
export interface VapOptions {
  /** The access list of what comes from the tenant. */
  readonly aclIn?: AclId;
  /** The access list of what goes to the tenant. */
  readonly aclOut?: AclId;
  /** What the tenant may send; the burst takes at least the VN's longest frame. */
  readonly police?: readonly [bitsPerSecond: number, burstBytes: number];
  /** What the tenant may send to groups and to unknown MACs. */
  readonly storm?: readonly [packetsPerSecond: number, burst: number];
  /** Whether a source IP must be a pair of the source MAC. No, if absent. */
  readonly guardIp?: boolean;
}
/** The same of an underlay address. */
export interface UnderlayOptions {
  /** VID of the C-TAG that every frame on the link has; the same for all addresses of a port. None, if absent. */
  readonly vlan?: number;
  /** Tunnelled packets without a UDP checksum are taken at this IPv6 address; no, if absent. */
  readonly zeroChecksum?: boolean;
}
/** The same of a next hop. */
export interface NextHopOptions {
  /** Outer TTL or hop limit, 1 to 255, or the frame's own; 64. */
  readonly ttl?: number | 'inherit';
  /** Outer DF bit over IPv4; `set`. */
  readonly df?: 'set' | 'unset' | 'inherit';
  /** Outer DSCP, 0 to 63, the frame's own, or one for each of the frame's (64 bytes); 0. */
  readonly dscp?: number | 'inherit' | Uint8Array;
  /** Outer ECN field: RFC 6040's normal mode, the kernel's, or Not-ECT; `standard`. */
  readonly ecn?: 'standard' | 'kernel' | 'off';
  /** Whether there is an outer UDP checksum; over IPv6 there is, over IPv4 not. */
  readonly checksum?: boolean;
  /** First and last UDP source port; 49152 to 65535. */
  readonly ports?: readonly [number, number];
  /** Geneve options as they are sent, at most 32 bytes. */
  readonly options?: Uint8Array;
  /** PCP of the outer tag, 0 to 7, or that of the frame's tag; 0. */
  readonly pcp?: number | 'inherit';
  /** The longest IP packet that the path takes, bytes; the port's MTU. */
  readonly mtu?: number;
  /** The underlay port to leave by; of a multicast group as remote, and only of one. Its default TTL is 1. */
  readonly port?: PortId;
}

/** Exactly `mac` where `mask` has ones. */
export interface MaskedMac {
  readonly mac: MacAddr;
  readonly mask: MacAddr;
}
export interface IpPrefix {
  readonly ip: IpAddr;
  readonly prefixLen: number;
}
/** From `first` to `last`, both included. */
export interface NumberRange {
  readonly first: number;
  readonly last: number;
}

/** A rule of an access list: a frame that is all that it says matches. docs/engine.md, "Access control lists". */
export interface AclRule {
  readonly action: 'permit' | 'deny';
  readonly srcMac?: MaskedMac;
  readonly dstMac?: MaskedMac;
  /** What is behind all tags. */
  readonly etherType?: number;
  /** The VID of the outermost of the tenant's own tags. */
  readonly vid?: number;
  readonly srcIp?: IpPrefix;
  readonly dstIp?: IpPrefix;
  /** The IP protocol, behind IPv6's extension headers. */
  readonly protocol?: number;
  /** With a `protocol` that has ports: TCP, UDP, UDP-Lite, SCTP, DCCP. Never a later fragment, as all that follows. */
  readonly srcPort?: NumberRange;
  readonly dstPort?: NumberRange;
  /** With `protocol` 6: the flags that are set in `mask` are as in `flags`. */
  readonly tcpFlags?: { readonly flags: number; readonly mask: number };
  /** With `protocol` 1 or 58. */
  readonly icmpType?: number;
  /** With an `icmpType`. */
  readonly icmpCode?: number;
}

/** Classes of frames for the control plane, each of them policed: docs/engine.md, "events and punts". */
export const PUNT_CLASSES = ['link_local', 'arp', 'lldp', 'ecp', 'nd', 'exception', 'membership'] as const;
export type PuntClass = (typeof PUNT_CLASSES)[number];

/** Another NVE: a next hop, or a group of next hops, of which each flow takes one that lives. */
export type RemoteDest =
  | { readonly kind: 'nh'; readonly nh: NextHopId }
  | { readonly kind: 'group'; readonly group: GroupId };

/** Where an FDB row points: a local VAP, or another NVE. */
export type Dest = { readonly kind: 'vap'; readonly vap: VapId } | RemoteDest;

/** A next hop of a group, and its weight, 1 to 255. */
export interface GroupMember {
  readonly nh: NextHopId;
  readonly weight: number;
}

export type Command =
  | {
      readonly op: 'PortAdd';
      readonly port: PortId;
      readonly name: string;
      readonly mtu: number;
      readonly kind: PortKind;
    }
  | { readonly op: 'PortDel'; readonly port: PortId }
  | {
      readonly op: 'VnSet';
      readonly vn: VnId;
      readonly vni: Vni | null;
      readonly mtu: Mtu;
      readonly options?: VnOptions;
    }
  | { readonly op: 'VnDel'; readonly vn: VnId }
  | ({
      readonly op: 'VapSet';
      readonly vap: VapId;
      readonly vn: VnId;
      readonly port: PortId;
      readonly selector: Selector;
      /** Refuse, if absent. */
      readonly tags?: TagPolicy;
      readonly options?: VapOptions;
    } & VapFlags)
  | { readonly op: 'VapDel'; readonly vap: VapId }
  | {
      readonly op: 'UnderlaySet';
      readonly port: PortId;
      readonly ip: IpAddr;
      readonly prefixLen: number;
      readonly options?: UnderlayOptions;
    }
  | { readonly op: 'UnderlayDel'; readonly port: PortId; readonly ip: IpAddr }
  | {
      readonly op: 'NextHopSet';
      readonly nh: NextHopId;
      readonly remote: IpAddr;
      readonly encap: number;
      readonly contextId: number;
      readonly options?: NextHopOptions;
    }
  | { readonly op: 'NextHopDel'; readonly nh: NextHopId }
  | {
      readonly op: 'FdbSet';
      readonly vn: VnId;
      readonly mac: MacAddr;
      readonly dest: Dest;
      /** Seconds without a frame of the MAC after which that is told; never, if absent. */
      readonly ageS?: number;
    }
  | { readonly op: 'FdbDel'; readonly vn: VnId; readonly mac: MacAddr }
  /** One copy of each group frame for each. */
  | { readonly op: 'FloodSet'; readonly vn: VnId; readonly dests: readonly RemoteDest[] }
  /** 1 to MAX_GROUP_MEMBERS members. */
  | { readonly op: 'GroupSet'; readonly group: GroupId; readonly members: readonly GroupMember[] }
  | { readonly op: 'GroupDel'; readonly group: GroupId }
  /** What the controller knows of a next hop's life; it lives until told otherwise. */
  | { readonly op: 'NextHopAlive'; readonly nh: NextHopId; readonly alive: boolean }
  | { readonly op: 'SourcesSet'; readonly vn: VnId; readonly ips: readonly IpAddr[] }
  | { readonly op: 'NeighbourSet'; readonly port: PortId; readonly ip: IpAddr; readonly mac: MacAddr }
  | { readonly op: 'NeighbourDel'; readonly port: PortId; readonly ip: IpAddr }
  | {
      readonly op: 'RouteSet';
      readonly prefix: IpAddr;
      readonly prefixLen: number;
      /** The first that lives is taken. */
      readonly gateways: readonly IpAddr[];
    }
  | { readonly op: 'RouteDel'; readonly prefix: IpAddr; readonly prefixLen: number }
  /** Which port is the kernel's end of an underlay port; null takes it away. */
  | { readonly op: 'ExceptionSet'; readonly port: PortId; readonly tap: PortId | null }
  /** Tunnelled packets of the VN that come to a multicast group by an underlay port are received; the group is joined there. */
  | { readonly op: 'McastSet'; readonly vn: VnId; readonly port: PortId; readonly group: IpAddr }
  | { readonly op: 'McastDel'; readonly vn: VnId; readonly group: IpAddr }
  | {
      readonly op: 'AclSet';
      readonly acl: AclId;
      /** What becomes of a frame that no rule matches. */
      readonly default: 'permit' | 'deny';
      /** The first that matches decides. */
      readonly rules: readonly AclRule[];
    }
  | { readonly op: 'AclDel'; readonly acl: AclId }
  /** What each source may send of a class to the control plane; null: the class's default. */
  | { readonly op: 'PoliceSet'; readonly class: PuntClass; readonly rate: PuntRate | null }
  | { readonly op: 'PairSet'; readonly vn: VnId; readonly ip: IpAddr; readonly mac: MacAddr }
  | { readonly op: 'PairDel'; readonly vn: VnId; readonly ip: IpAddr }
  /** Takes the link of a `net_tap`, `pci` or `devargs` port down, or up again. */
  | { readonly op: 'PortAdmin'; readonly port: PortId; readonly up: boolean };

export interface PuntRate {
  readonly perSecond: number;
  /** At once. */
  readonly burst: number;
}

/** A command that the engine did not take, with the code (docs/errors.md) and the values at fault. */
export interface Refusal {
  readonly command: Command;
  readonly code: string;
  readonly context: Readonly<Record<string, unknown>>;
}

/**
 * What became of the commands of one `apply`, by identity. A batch with a refused command is not applied at all, and batches after
 * it are not tried: a command in neither list changed nothing.
 */
export interface ApplyResult {
  readonly applied: readonly Command[];
  readonly refused: readonly Refusal[];
}

/** Settings of the engine's process; docs/engine.md, "open". */
export interface EngineOptions {
  readonly hugepages: 'auto' | 'off';
  /** MiB. */
  readonly memoryMb: number;
  readonly mbufs: number;
  /** Bytes, headroom included. */
  readonly mbufSize: number;
  readonly pollers: number;
  readonly poll: 'sleep' | 'busy';
  readonly fdbCapacity: number;
  readonly cpus: readonly number[] | null;
  readonly extraEal: readonly string[];
}

export interface EngineInfo {
  readonly schema: number;
  readonly epoch: bigint;
  readonly dpdk: string;
  readonly hugepages: boolean;
  readonly pollers: number;
  readonly fdbCapacity: number;
  readonly maxPorts: number;
}
