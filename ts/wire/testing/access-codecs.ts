/**
 * The codecs of the access link in one form for tests: octets to a value that JSON can hold, and back. EVB and CDCP stand
 * for their whole TLV, header included.
 */
import { err, ok, type Result } from '#model';
import { type CdcpTlv, decodeCdcp, encodeCdcp } from '../cdcp.js';
import { type EcpFrame, ecpFrameOf, ethernetOfEcp } from '../ecp.js';
import { decodeEthernet, encodeEthernet } from '../ethernet.js';
import { decodeEvb, type EvbTlv, encodeEvb } from '../evb.js';
import { decodeLldp, encodeLldp, type Lldpdu, type LldpOrganizationTlv } from '../lldp.js';
import { fromHex, type Hex, OctetWriter, octetError, toHex } from '../octets.js';
import { splitTlvs, writeTlv } from '../tlv.js';
import { decodeVdp, encodeVdp, type VdpPdu } from '../vdp.js';
import { type FilterField, filterFormats, STANDARD_FILTER_FORMATS } from '../vdp-filter.js';

export interface AccessCodec {
  decode(octets: Uint8Array): Result<unknown>;
  encode(value: unknown): Result<Uint8Array>;
}

type EcpJson = Omit<EcpFrame, 'pdu'> & { readonly pdu: Omit<EcpFrame['pdu'], 'payload'> & { readonly payload: Hex } };

function organizationTlv(octets: Uint8Array): Result<LldpOrganizationTlv> {
  const raw = splitTlvs(octets, 'tlv');
  if (!raw.ok) return raw;
  const [tlv, second] = raw.value.tlvs;
  if (tlv === undefined || tlv.type !== 127 || tlv.value.length < 4 || second !== undefined)
    return err(octetError('tlv', 'one organizationally specific TLV', octets));
  const { value } = tlv;
  return ok({
    kind: 'organization',
    oui: toHex(value.subarray(0, 3)),
    subtype: value[3] ?? 0,
    octets: toHex(value.subarray(4)),
  });
}

function octetsOf(tlv: Result<LldpOrganizationTlv>): Result<Uint8Array> {
  if (!tlv.ok) return tlv;
  const writer = new OctetWriter('tlv', 513);
  writeTlv(writer, 'tlv', 127, (value) => {
    value.hex('oui', tlv.value.oui, 3);
    value.u8('subtype', tlv.value.subtype);
    value.hex('octets', tlv.value.octets);
  });
  return writer.error === null ? ok(writer.octets()) : err(writer.error);
}

const then = <T, U>(result: Result<T>, next: (value: T) => Result<U>): Result<U> =>
  result.ok ? next(result.value) : result;

/** Further filter formats, as a configuration may add them: with each kind of address, in other orders. */
const FURTHER: Readonly<Record<number, readonly FilterField[]>> = {
  5: ['groupId', 'ipv4', 'vid'],
  6: ['groupId', 'ipv6', 'vid'],
  7: ['vid', 'mac', 'ipv4', 'groupId'],
  255: ['ipv6', 'vid'],
};
const formats = filterFormats(FURTHER);
export const FURTHER_FORMATS = formats.ok ? formats.value : STANDARD_FILTER_FORMATS;

export const ACCESS_CODECS = {
  lldp: { decode: (octets) => decodeLldp(octets), encode: (value) => encodeLldp(value as Lldpdu) },
  evb: {
    decode: (octets) => then(organizationTlv(octets), decodeEvb),
    encode: (v) => octetsOf(encodeEvb(v as EvbTlv)),
  },
  cdcp: {
    decode: (octets) => then(organizationTlv(octets), decodeCdcp),
    encode: (value) => octetsOf(encodeCdcp(value as CdcpTlv)),
  },
  /** A whole Ethernet frame. */
  ecp: {
    decode: (octets) =>
      then(then(decodeEthernet(octets), ecpFrameOf), ({ pdu, ...header }) =>
        ok({ ...header, pdu: { ...pdu, payload: toHex(pdu.payload) } }),
      ),
    encode: (value) => {
      const { pdu, ...header } = value as EcpJson;
      const payload = fromHex(pdu.payload) ?? new Uint8Array(0);
      return then(ethernetOfEcp({ ...header, pdu: { ...pdu, payload } }), encodeEthernet);
    },
  },
  vdp: { decode: (octets) => decodeVdp(octets), encode: (value) => encodeVdp(value as VdpPdu) },
  vdpFormats: {
    decode: (octets) => decodeVdp(octets, FURTHER_FORMATS),
    encode: (value) => encodeVdp(value as VdpPdu, FURTHER_FORMATS),
  },
} as const satisfies Record<string, AccessCodec>;

export type AccessCodecName = keyof typeof ACCESS_CODECS;
