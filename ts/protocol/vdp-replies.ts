/**
 * Association TLVs that the bridge sends, and PDUs out of them.
 *
 * A station compares a response with its request (vdp22 of lldpad does so octet by octet): Manager ID, type, VSI type,
 * VSIID, filter format, count, order, GroupIDs and MACs come back as they were. Only a VID that was null, and the PCP where
 * the request had none, are the bridge's to fill in (IEEE 802.1Q clause 41.2.9).
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

/**
 * As few PDUs as hold the statements in their order: one Manager ID each, none above an Ethernet frame of 1514 octets. A peer
 * that sends one association a PDU gets one a PDU (`several` false): it may know no more.
 */
export function packPdus(statements: readonly Statement[], several: boolean, formats: FilterFormats): VdpPdu[] {
  const pdus: { managerId: Hex; tlvs: VdpTlv[] }[] = [];
  let room = 0;
  for (const { managerId, tlvs } of statements) {
    const length = tlvs.reduce((sum, tlv) => sum + vdpTlvLength(tlv, formats), 0);
    const last = pdus.at(-1);
    if (several && last !== undefined && last.managerId === managerId && length <= room) {
      last.tlvs.push(...tlvs);
      room -= length;
    } else {
      pdus.push({ managerId, tlvs: [...tlvs] });
      room = VDP_TLVS_MAX - length;
    }
  }
  return pdus;
}
