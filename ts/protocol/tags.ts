/**
 * C-TAGs of the access links: which VID names which VN on which link. The NVE allocates (RFC 8394 section 3.1, "Local_Tag").
 */
import type { LinkName, Result, Tag, TsiId, Vid, VnId, VnName } from '#model';

/** An inclusive range of VIDs. 0, 1 and 4095 are never handed out, whatever the range says. */
export interface VidRange {
  readonly from: Vid;
  readonly to: Vid;
}

export interface TagHolding {
  readonly link: LinkName;
  readonly tag: Tag;
  readonly vn: VnId;
  readonly vnName: VnName;
  /** The TSIs of the VN on this link. */
  readonly holders: readonly TsiId[];
}

export interface TagAllocator {
  /** The tag of the VN on the link: the one it has, or the free one that was used least recently. */
  acquire(link: LinkName, vn: VnId, vnName: VnName, tsi: TsiId): Result<Tag>;
  /** The TSI needs it no longer; with the last TSI of the VN on the link the tag is free. Unknown holders are ignored. */
  release(link: LinkName, vn: VnId, tsi: TsiId): void;
  list(): TagHolding[];
}
