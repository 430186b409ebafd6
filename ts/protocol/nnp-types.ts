/** What an NVE learns from its NVA and tells it, above the frames. */
import type {
  HostInfo,
  IpAddr,
  LinkName,
  MacAddr,
  NveId,
  NveInfo,
  TsiId,
  TunnelEnd,
  VnId,
  VnInfo,
  Vni,
  VnRef,
} from '#model';

/** An NVE of a VN, with the NVE object that its membership names. `tunnels` is empty while the NVA has not told them. */
export interface MemberView {
  readonly nveId: NveId;
  /** The VNI under which that NVE receives the VN. */
  readonly contextId: Vni;
  readonly tunnels: readonly TunnelEnd[];
}

/**
 * One step of what the NVA says about a VN, to be applied as one batch: sets in the order info, members, hosts; removals in
 * reverse. It includes this NVE's own membership and hosts (`nveId` tells). Within one change a key is either set or removed.
 */
export interface MappingChange {
  readonly vn: VnId;
  /**
   * A new or changed VN object, or one whose replication node is reached in another way; undefined: no change. Null: the NVA deleted the VN, or this NVE may not have it, and nothing
   * is attached to it any more. It may come again under the same id in the next change, as another VN.
   */
  readonly info: VnInfo | null | undefined;
  readonly members: { readonly set: readonly MemberView[]; readonly removed: readonly NveId[] };
  readonly hosts: { readonly set: readonly HostInfo[]; readonly removed: readonly MacAddr[] };
  /** To be given back to `applied` or `refused`. 0 inside a snapshot, of which nothing is to be acknowledged yet. */
  readonly revision: bigint;
  /** The end of a snapshot: the VN is up to date, and what was stale is swept. */
  readonly synced: boolean;
}

/** Everything known about a VN; kept while the NVA is away (fail-static). Live objects: read, do not keep. */
export interface VnView {
  readonly info: VnInfo | null;
  readonly members: ReadonlyMap<NveId, MemberView>;
  /** How each NVE that the NVA names is reached: the members, and a replication node. */
  readonly nves: ReadonlyMap<NveId, NveInfo>;
  readonly hosts: ReadonlyMap<MacAddr, HostInfo>;
  /** The NVEs that some multihomed host is behind, under `homeKey`: each combination once. */
  readonly homes: ReadonlyMap<string, readonly NveId[]>;
  /** Up to date as far as is known: synced, and the session is up. */
  readonly live: boolean;
  readonly revision: bigint;
}

export interface AuthorizeRequest {
  /** The VN's name, or its default VNI. */
  readonly vn: VnRef;
  readonly tsi: TsiId;
  readonly macs: readonly MacAddr[];
  readonly ips: readonly IpAddr[];
  readonly port: LinkName;
}

/** A TSI that starts or stops forwarding here. */
export interface Attachment {
  readonly vn: VnId;
  readonly tsi: TsiId;
  readonly port: LinkName;
  readonly macs: readonly MacAddr[];
  readonly ips: readonly IpAddr[];
  /** It is attached at other NVEs at the same time, on purpose. */
  readonly multihomed?: boolean | undefined;
}
