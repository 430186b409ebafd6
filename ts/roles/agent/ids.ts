// Numbers for VAPs, next hops and groups. Each is given out once in the life of the agent, so that a late answer or counter of an object that
// is gone is never taken for another's.

import type { AclId, GroupId, GroupMember, NextHopId, NextHopOptions, VapId } from '#dataplane';
import { formatTag, type IpAddr, type LinkName, type Tag, type TunnelEnd, type VnId } from '#model';

export class Ids {
  readonly #byVn = new Map<VnId, Map<string, number>>();
  #next = 1;

  /** The VAP of a VN on a link under a tag. */
  vap(vn: VnId, link: LinkName, tag: Tag): VapId {
    return this.#get(vn, `vap ${link} ${formatTag(tag)}`);
  }

  /** The way of a VN to an NVE. One that is otherwise sent to is another: a next hop does not change. */
  nextHop(vn: VnId, { ip, encap }: TunnelEnd, contextId: number, options: NextHopOptions): NextHopId {
    return this.#get(vn, `nh ${ip} ${encap} ${contextId} ${JSON.stringify(options)}`);
  }

  /**
   * The ways of a VN to an NVE together. Others are another group: what names one then never waits for a next hop that is refused while
   * the old ones have to go.
   */
  group(vn: VnId, members: readonly GroupMember[]): GroupId {
    return this.#get(vn, `group ${members.map(({ nh, weight }) => `${nh}*${weight}`).join(' ')}`);
  }

  /** The list for frames to a VAP of a multihomed link. */
  homeAcl(vn: VnId, vap: VapId): AclId {
    return this.#get(vn, `acl of vap ${vap}`);
  }

  /** The list of a VN for frames from tenants, or to them. */
  acl(vn: VnId, direction: 'in' | 'out'): AclId {
    return this.#get(vn, `acl ${direction}`);
  }

  /** The way of a VN to an NVE that MACs are learned behind: another than what the NVA named, and gone when they are. */
  learnedNextHop(vn: VnId, remote: IpAddr, contextId: number): NextHopId {
    return this.#get(vn, `learned ${remote} ${contextId}`);
  }

  /** The VN is gone; if it comes again its objects get new numbers. */
  forget(vn: VnId): void {
    this.#byVn.delete(vn);
  }

  #get(vn: VnId, what: string): number {
    const ids = this.#byVn.get(vn) ?? new Map<string, number>();
    this.#byVn.set(vn, ids);
    const id = ids.get(what) ?? this.#next++;
    ids.set(what, id);
    return id;
  }
}
