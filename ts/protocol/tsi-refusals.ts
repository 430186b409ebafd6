/**
 * What the TSIs of an NVE cannot be: every reason for which a request is refused before the life cycle sees it. Only questions about
 * the records; nothing here changes anything.
 */
import {
  type LinkName,
  type MacAddr,
  type NveError,
  nveError,
  type TsiId,
  type TsiKey,
  type Vid,
  type VnInfo,
  type VnRef,
  vidOfTag,
  vnRefText,
} from '#model';
import { NNP_LIMITS } from '#wire';
import type { TagAllocator } from './tags.js';
import { type Addresses, INIT, isInVn, type TsiRecord, vnNameOf } from './tsi-record.js';

/** As many addresses as a frame of NNP carries for a TSI. */
export const MAX_ADDRESSES = NNP_LIMITS.addresses;

export interface TsiRefusalsOptions {
  readonly tags: TagAllocator;
  readonly maxPerLink: (link: LinkName) => number;
  /** Links without a carrier, or that serve nobody, and why. */
  readonly down: ReadonlyMap<LinkName, NveError>;
  readonly ofLink: ReadonlyMap<LinkName, ReadonlySet<TsiRecord>>;
  readonly ofTsi: ReadonlyMap<TsiId, ReadonlySet<TsiRecord>>;
  /** Those that have a MAC, are to have it, or had it. */
  readonly ofMac: ReadonlyMap<MacAddr, ReadonlySet<TsiRecord>>;
}

export class TsiRefusals {
  readonly #options: TsiRefusalsOptions;

  constructor(options: TsiRefusalsOptions) {
    this.#options = options;
  }

  /** There is no record, or none that lives on. */
  notThere({ tsi, link }: TsiKey, record: TsiRecord | undefined): NveError | null {
    return record === undefined || record.goal === INIT ? nveError('NVE-TSI-001', { tsi, link }) : null;
  }

  linkIsDown(link: LinkName): NveError | null {
    return this.#options.down.get(link) ?? null;
  }

  noPlace(link: LinkName): NveError | null {
    if (!this.#options.tags.hasLink(link)) return nveError('NVE-TSI-004', { link, known: this.#options.tags.links() });
    const limit = this.#options.maxPerLink(link);
    return (this.#options.ofLink.get(link)?.size ?? 0) >= limit ? nveError('NVE-TSI-008', { link, limit }) : null;
  }

  /** `vn` is what `asked` turned out to be, if that is known by now. */
  otherVn({ tsi }: TsiKey, asked: VnRef, vn?: VnInfo): NveError | null {
    for (const other of this.#options.ofTsi.get(tsi) ?? []) {
      // While the NVA has not said which VN the other is in, the first to know it may stay.
      const differs = vn === undefined ? !isInVn(other, asked) : other.vn !== null && other.vn.vn !== vn.vn;
      const unknown = other.vn === null && typeof other.asked !== typeof asked;
      if (!differs || unknown) continue;
      const { link } = other.key;
      return nveError('NVE-TSI-002', { tsi, vn: vnNameOf(other), link, asked: vnRefText(asked) });
    }
    return null;
  }

  /** A TSI has one tag, and so has its VN on the link: it cannot be asked for under another. */
  otherTag(record: TsiRecord | undefined, vid: Vid | null): NveError | null {
    if (record === undefined || vid === null) return null;
    const has = record.tag === null ? record.wish : (vidOfTag(record.tag) ?? 'the whole port');
    if (has === null || has === vid) return null;
    const { link } = record.key;
    return nveError('NVE-TAG-003', { vid, link, vn: vnNameOf(record), reason: `its tag there is ${has}` });
  }

  /** Addresses that the TSI cannot have: none, too many, or another TSI's. */
  unfit({ tsi }: TsiKey, vn: VnRef, { macs, ips }: Addresses, learn: boolean): NveError | null {
    if (macs.length === 0 && !learn) return nveError('NVE-TSI-009', { tsi });
    for (const [what, { length: count }] of [['MACs', macs] as const, ['IP addresses', ips] as const]) {
      if (count > MAX_ADDRESSES) return nveError('NVE-TSI-010', { tsi, count, what, limit: MAX_ADDRESSES });
    }
    for (const mac of macs) {
      for (const other of this.#options.ofMac.get(mac) ?? []) {
        const { key } = other;
        if (key.tsi === tsi || !isInVn(other, vn) || !holds(other, mac)) continue;
        return nveError('NVE-TSI-003', { mac, vn: vnNameOf(other), holder: key.tsi, link: key.link, tsi });
      }
    }
    return null;
  }
}

/** It has the MAC, or is to have it. */
export function holds({ addresses, updating, next }: TsiRecord, mac: MacAddr): boolean {
  return [addresses, updating, next].some((some) => some?.macs.includes(mac) === true);
}
