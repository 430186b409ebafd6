/**
 * The CDCP TLV (IEEE 802.1Q clause D.2.13), organizationally specific in LLDP: OUI 00-80-C2, subtype 0x0E. It lists the
 * S-channels of the port; the first is the default channel (1, 1).
 *
 * ```
 *  | Role 1 | Res1 3 | SComp 1 | Res2 15 | ChnCap 12 | (SCID 12, SVID 12) ... |
 * ```
 *
 * Which value of the Role bit means the station is disputed: the codec keeps the bit, the machines interpret it.
 */
import { err, ok, type Result } from '#model';
import { IEEE_8021_OUI } from './evb.js';
import type { LldpOrganizationTlv } from './lldp.js';
import { fromHex, OctetReader, OctetWriter, toHex } from './octets.js';

export const CDCP_SUBTYPE = 0x0e;
/** (511 − 8) / 3. */
export const CDCP_CHANNELS_MAX = 167;

export interface CdcpPair {
  /** Chosen by the station, 12 bits; 0 is reserved. */
  readonly scid: number;
  /** Assigned by the bridge, 12 bits; 0 asks for one. */
  readonly svid: number;
}

export interface CdcpTlv {
  readonly role: 0 | 1;
  /** SComp: the sender has an S-VLAN component, so it can do S-channels. */
  readonly sComponent: boolean;
  /** ChnCap: how many channels it supports, 12 bits. */
  readonly channels: number;
  readonly pairs: readonly CdcpPair[];
  readonly reserved1: number;
  readonly reserved2: number;
}

export function decodeCdcp(tlv: LldpOrganizationTlv): Result<CdcpTlv> {
  const reader = new OctetReader(fromHex(tlv.octets) ?? new Uint8Array(0), 'cdcp');
  if (tlv.oui !== IEEE_8021_OUI || tlv.subtype !== CDCP_SUBTYPE)
    reader.fail('subtype', '00-80-C2 0x0e', `${tlv.oui} ${tlv.subtype}`);
  const word = reader.u32('header');
  if (reader.remaining % 3 !== 0) reader.fail('pairs', 'a multiple of 3 octets', `${reader.remaining} octets`);
  if (reader.error !== null) return err(reader.error);
  const pairs = Array.from({ length: reader.remaining / 3 }, () => {
    const pair = reader.u24('pair');
    return { scid: pair >> 12, svid: pair & 0xfff };
  });
  return ok({
    role: word >>> 31 ? 1 : 0,
    reserved1: (word >>> 28) & 7,
    sComponent: (word & 0x0800_0000) !== 0,
    reserved2: (word >>> 12) & 0x7fff,
    channels: word & 0xfff,
    pairs,
  });
}

export function encodeCdcp(cdcp: CdcpTlv): Result<LldpOrganizationTlv> {
  const writer = new OctetWriter('cdcp', 4 + 3 * CDCP_CHANNELS_MAX);
  const reserved1 = writer.bits('reserved1', cdcp.reserved1, 3);
  const reserved2 = writer.bits('reserved2', cdcp.reserved2, 15);
  const channels = writer.bits('channels', cdcp.channels, 12);
  const word =
    (cdcp.role << 31) | (reserved1 << 28) | (cdcp.sComponent ? 0x0800_0000 : 0) | (reserved2 << 12) | channels;
  writer.u32('header', word >>> 0);
  for (const [i, { scid, svid }] of cdcp.pairs.entries())
    writer.u24('pairs', (writer.bits(`pairs[${i}].scid`, scid, 12) << 12) | writer.bits(`pairs[${i}].svid`, svid, 12));
  if (writer.error !== null) return err(writer.error);
  return ok({ kind: 'organization', oui: IEEE_8021_OUI, subtype: CDCP_SUBTYPE, octets: toHex(writer.octets()) });
}
