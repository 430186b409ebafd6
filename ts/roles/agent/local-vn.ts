// What is attached here of one VN, from the TSI life cycle: its MACs and its VAPs. Plain state; what follows from it is `vn-state.ts`.

import { formatTag, type LinkName, type MacAddr, type Tag, type TsiId, type VnInfo } from '#model';
import type { AgentLink } from './links.js';

/** Seconds of silence after which a MAC that was learned is forgotten (802.1Q, 8.8.3: the default of a bridge). */
export const LEARNED_AGE_S = 300;

/** A tenant's MAC that is attached here. */
export interface LocalRow {
  readonly tsi: TsiId;
  readonly link: AgentLink;
  readonly tag: Tag;
  /** Nobody named it: it was seen. */
  readonly isLearned: boolean;
  /** The mobility sequence that the NVA knew when the row was made, or under which it has named this NVE since. */
  since: number;
  /** The NVA has named this NVE as the MAC's place. */
  confirmed: boolean;
}

/** A VAP and the TSIs that are activated on it. */
export interface LocalVap {
  readonly link: AgentLink;
  readonly tag: Tag;
  readonly users: Set<TsiId>;
  /** Those of them that have MACs which nobody names, in the order of their activation. */
  readonly learners: Set<TsiId>;
}

export class LocalVn {
  info: VnInfo;
  readonly rows = new Map<MacAddr, LocalRow>();
  readonly vaps = new Map<string, LocalVap>();

  constructor(info: VnInfo) {
    this.info = info;
  }

  /** The TSI is activated on a VAP; false if it was already. */
  enter(link: AgentLink, tag: Tag, tsi: TsiId): boolean {
    const key = vapText(link.name, tag);
    const vap = this.vaps.get(key) ?? { link, tag, users: new Set(), learners: new Set() };
    const isNew = !vap.users.has(tsi);
    vap.users.add(tsi);
    this.vaps.set(key, vap);
    return isNew;
  }

  leave(link: LinkName, tag: Tag, tsi: TsiId): LocalVap | undefined {
    const vap = this.vapOf(link, tag);
    vap?.users.delete(tsi);
    vap?.learners.delete(tsi);
    if (vap?.users.size === 0) this.vaps.delete(vapText(link, tag));
    return vap;
  }

  vapOf(link: LinkName, tag: Tag): LocalVap | undefined {
    return this.vaps.get(vapText(link, tag));
  }
}

function vapText(link: LinkName, tag: Tag): string {
  return `${link} ${formatTag(tag)}`;
}
