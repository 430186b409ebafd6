/**
 * Frames that the engine punts from an access port, as the machines want them, and what the machines send as frames. Who
 * drives the machines needs no codec: octets come in here, and go out here.
 */
import { err, type MacAddr, type NveError, nveError, ok, type Result } from '#model';
import {
  CDCP_SUBTYPE,
  type CdcpTlv,
  decodeCdcp,
  decodeEthernet,
  decodeEvb,
  type EcpPdu,
  ETHERTYPES,
  type EthernetHeader,
  EVB_SUBTYPE,
  type EvbTlv,
  ecpFrameOf,
  encodeCdcp,
  encodeEthernet,
  encodeEvb,
  ethernetOfEcp,
  ethernetOfLldp,
  IEEE_8021_OUI,
  type Lldpdu,
  type LldpOrganizationTlv,
  type LldpTlv,
  lldpFrameOf,
} from '#wire';

export type AccessFrame =
  | (EthernetHeader & { readonly kind: 'ecp'; readonly pdu: EcpPdu })
  | (EthernetHeader & { readonly kind: 'lldp'; readonly pdu: Lldpdu });

/** What an LLDPDU says of EVB and of CDCP; null: nothing. */
export interface AccessTlvs {
  readonly evb: EvbTlv | null;
  readonly cdcp: CdcpTlv | null;
  /** A TLV that could not be read counts as missing. */
  readonly problems: readonly NveError[];
}

/** LLDP and ECP; anything else, and what is malformed, is an error that names the field. */
export function decodeAccessFrame(octets: Uint8Array): Result<AccessFrame> {
  const frame = decodeEthernet(octets);
  if (!frame.ok) return frame;
  switch (frame.value.ethertype) {
    case ETHERTYPES.ecp: {
      const ecp = ecpFrameOf(frame.value);
      return ecp.ok ? ok({ kind: 'ecp', ...ecp.value }) : ecp;
    }
    case ETHERTYPES.lldp: {
      const lldp = lldpFrameOf(frame.value);
      return lldp.ok ? ok({ kind: 'lldp', ...lldp.value }) : lldp;
    }
    default: {
      const got = `0x${frame.value.ethertype.toString(16).padStart(4, '0')}`;
      const expected = '0x88cc (LLDP) or 0x8940 (ECP)';
      return err(nveError('NVE-WIRE-006', { at: 'ethernet.ethertype', got, expected }));
    }
  }
}

export function encodeAccessFrame(frame: AccessFrame): Result<Uint8Array> {
  const ethernet = frame.kind === 'ecp' ? ethernetOfEcp(frame) : ethernetOfLldp(frame);
  return ethernet.ok ? encodeEthernet(ethernet.value) : ethernet;
}

/** The tags of an S-channel: none for the default one. PCP 7 as for other control frames of bridges. */
export function channelTags(svid: number | null): EthernetHeader['tags'] {
  return svid === null ? [] : [{ kind: 's-tag', pcp: 7, dei: false, vid: svid }];
}

/** The S-channel in which the frame came: null untagged (the default channel), undefined: no channel's frame. */
export function channelOf({ tags }: EthernetHeader): number | null | undefined {
  const [outer, inner] = tags;
  if (outer === undefined) return null;
  return outer.kind === 's-tag' && inner === undefined && outer.vid !== 0 ? outer.vid : undefined;
}

export function accessTlvsOf(pdu: Lldpdu): AccessTlvs {
  const problems: NveError[] = [];
  const first = <T>(subtype: number, decode: (tlv: LldpOrganizationTlv) => Result<T>): T | null => {
    for (const tlv of pdu.tlvs) {
      if (tlv.kind !== 'organization' || tlv.oui !== IEEE_8021_OUI || tlv.subtype !== subtype) continue;
      const value = decode(tlv);
      if (value.ok) return value.value;
      problems.push(value.error);
    }
    return null;
  };
  return { evb: first(EVB_SUBTYPE, decodeEvb), cdcp: first(CDCP_SUBTYPE, decodeCdcp), problems };
}

/** For the `tlvs` event of the LLDP agent. */
export function accessTlvs({ evb = null, cdcp = null }: Partial<Pick<AccessTlvs, 'evb' | 'cdcp'>>): Result<LldpTlv[]> {
  const tlvs: LldpTlv[] = [];
  for (const tlv of [evb === null ? null : encodeEvb(evb), cdcp === null ? null : encodeCdcp(cdcp)]) {
    if (tlv === null) continue;
    if (!tlv.ok) return tlv;
    tlvs.push(tlv.value);
  }
  return ok(tlvs);
}

/** Header of a frame that a machine sends on a channel. */
export function accessHeader(src: MacAddr, dst: MacAddr, svid: number | null): EthernetHeader {
  return { dst, src, tags: channelTags(svid) };
}

/** A tenant's frame as it is on an access link: behind these tags, outermost first, of priority 0. */
export function behindTags(frame: Uint8Array, tags: readonly { kind: 'c-tag' | 's-tag'; vid: number }[]): Uint8Array {
  const words = tags.flatMap(({ kind, vid }) => [kind === 'c-tag' ? ETHERTYPES.cTag : ETHERTYPES.sTag, vid]);
  return Uint8Array.from([
    ...frame.subarray(0, 12),
    ...words.flatMap((word) => [word >> 8, word & 0xff]),
    ...frame.subarray(12),
  ]);
}
