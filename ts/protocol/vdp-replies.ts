/**
 * Association TLVs that are sent, and PDUs out of them.
 *
 * A station compares a response with its request (vdp22 of lldpad does so octet by octet): Manager ID, type, VSI type,
 * VSIID, filter format, count, order, GroupIDs and MACs come back as they were. Only a VID that was null, and the PCP where
 * the request had none, are the bridge's to fill in (IEEE 802.1Q clause 41).
 */
import type { Vid } from '#model';
import {
  type FilterFormats,
  type Hex,
  VDP_TLVS_MAX,
  type VdpAssociation,
  type VdpFilter,
  type VdpFilterEntry,
  type VdpPdu,
  type VdpTlv,
  vdpTlvLength,
} from '#wire';

/** The request with the VIDs that were given: exactly one for each null entry. `pcp` null: leave the station's. */
export function withVids(request: VdpAssociation, vids: readonly (Vid | null)[], pcp: number | null): VdpAssociation {
  const { filter } = request;
  if (filter.kind === 'opaque') return request;
  const entries = filter.entries.map((entry, i): VdpFilterEntry => {
    const vid = entry.vid === 0 ? (vids[i] ?? 0) : entry.vid;
    return entry.ps || pcp === null ? { ...entry, vid } : { ...entry, vid, ps: true, pcp };
  });
  return { ...request, filter: { ...filter, entries } };
}

/** The VIDs of the entries; none of a filter that is not understood. */
export function filterVids(filter: VdpFilter): (Vid | null)[] {
  return filter.kind === 'opaque' ? [] : filter.entries.map(({ vid }) => (vid === 0 ? null : (vid as Vid)));
}

/**
 * Whether a filter says the same as the one that holds. A null VID does: the station forgot what it was given, and is told
 * again. PS and PCP are the station's own business.
 */
export function isSameFilter(request: VdpFilter, held: VdpFilter): boolean {
  if (request.kind === 'opaque' || held.kind === 'opaque') return false;
  if (request.format !== held.format || request.entries.length !== held.entries.length) return false;
  return request.entries.every((entry, i) => {
    const other = held.entries[i] as VdpFilterEntry;
    const { vid, groupId, mac, ip } = entry;
    return (vid === 0 || vid === other.vid) && groupId === other.groupId && mac === other.mac && ip === other.ip;
  });
}

/** An association with what qualifies it: they stay together. */
export interface Statement {
  readonly managerId: Hex;
  readonly tlvs: readonly VdpTlv[];
}

/** As many as anybody says at once; beyond that it is a flood. */
const MAX_UNSENT = 8192;

/**
 * What is to be said to one peer. ECP has one PDU under way at a time; what comes up meanwhile waits here, shares PDUs, and
 * of one VSI only the last counts: the peer waits for nothing else.
 */
export class Outbox {
  readonly #unsent = new Map<string, Statement>();
  /** The token of the PDU under way. */
  #underWay: number | null = null;

  get isIdle(): boolean {
    return this.#underWay === null && this.#unsent.size === 0;
  }

  /** False: there is no room. */
  put(vsi: string, statement: Statement): boolean {
    if (!this.#unsent.delete(vsi) && this.#unsent.size >= MAX_UNSENT) return false;
    this.#unsent.set(vsi, statement);
    return true;
  }

  /** The PDU with this token has arrived, or will not. */
  done(token: number): void {
    if (this.#underWay === token) this.#underWay = null;
  }

  clear(): void {
    this.#unsent.clear();
  }

  /**
   * The next PDU, with the VSIs that it is about; null: none, or one is under way. One Manager ID, and not above an Ethernet
   * frame of 1514 octets. `several` false: one association, for a peer that may know no more.
   */
  next(token: () => number, several: boolean, formats: FilterFormats): NextPdu | null {
    if (this.#underWay !== null || this.#unsent.size === 0) return null;
    let manager: Hex | null = null;
    let room = VDP_TLVS_MAX;
    const vsis: string[] = [];
    const tlvs: VdpTlv[] = [];
    for (const [vsi, statement] of this.#unsent) {
      manager ??= statement.managerId;
      const length = statement.tlvs.reduce((sum, tlv) => sum + vdpTlvLength(tlv, formats), 0);
      if (vsis.length > 0 && length > room) break;
      if (statement.managerId !== manager) continue;
      room -= length;
      vsis.push(vsi);
      tlvs.push(...statement.tlvs);
      this.#unsent.delete(vsi);
      if (!several) break;
    }
    this.#underWay = token();
    return { token: this.#underWay, vsis, pdu: { managerId: manager ?? '', tlvs } };
  }
}

export interface NextPdu {
  readonly token: number;
  readonly vsis: readonly string[];
  readonly pdu: VdpPdu;
}
