/**
 * LLDPDUs (IEEE 802.1AB clause 8), ethertype 0x88CC: Chassis ID, Port ID and Time To Live come first and in this order,
 * then optional TLVs, then the End TLV. It carries EVB and CDCP as organizationally specific TLVs.
 */
import { err, ok, type Result } from '#model';
import { ETHERTYPES, type EthernetFrame, type EthernetHeader } from './ethernet.js';
import { type Hex, OctetReader, OctetWriter, octetError, toHex } from './octets.js';
import { type RawTlv, splitTlvs, writeTlv } from './tlv.js';

/** Subtypes of ids that we send (tables 8-2 and 8-3); others are kept. */
export const CHASSIS_ID_SUBTYPES = { mac: 4, local: 7 } as const;
export const PORT_ID_SUBTYPES = { mac: 3, interfaceName: 5, local: 7 } as const;

const TYPES = { end: 0, chassisId: 1, portId: 2, ttl: 3, organization: 127 } as const;
const ID_MAX = 255;
const LLDPDU_MAX = 1500;

export interface LldpId {
  readonly subtype: number;
  /** 1 to 255 octets. */
  readonly octets: Hex;
}

export interface LldpOrganizationTlv {
  readonly kind: 'organization';
  /** 3 octets. */
  readonly oui: Hex;
  readonly subtype: number;
  readonly octets: Hex;
}

/** Any other type, and an organizationally specific TLV that is too short to be one. */
export interface LldpOtherTlv {
  readonly kind: 'other';
  readonly type: number;
  readonly octets: Hex;
}

export type LldpTlv = LldpOrganizationTlv | LldpOtherTlv;

export interface Lldpdu {
  readonly chassisId: LldpId;
  readonly portId: LldpId;
  /** Seconds, 16 bits; 0 says good-bye. */
  readonly ttl: number;
  readonly tlvs: readonly LldpTlv[];
}

export interface LldpFrame extends EthernetHeader {
  readonly pdu: Lldpdu;
}

/** The octets that name an interface or a chassis with a text. */
export function lldpText(text: string): Hex {
  return toHex(new TextEncoder().encode(text).subarray(0, ID_MAX));
}

/** A text that is equal exactly for the same chassis and port (MSAP identifier, clause 9.2). */
export function msapOf({ chassisId, portId }: Pick<Lldpdu, 'chassisId' | 'portId'>): string {
  return `${chassisId.subtype}:${chassisId.octets}/${portId.subtype}:${portId.octets}`;
}

export function decodeLldp(octets: Uint8Array): Result<Lldpdu> {
  if (octets.length > LLDPDU_MAX)
    return err(octetError('lldp', `at most ${LLDPDU_MAX} octets`, `${octets.length} octets`));
  const raw = splitTlvs(octets, 'lldp');
  if (!raw.ok) return raw;
  const { tlvs } = raw.value;
  const id = (index: number, type: number, name: string): Result<LldpId> => {
    const tlv = tlvs[index];
    if (tlv?.type !== type)
      return err(octetError(`lldp.tlv[${index}].type`, `${type} (${name})`, tlv?.type ?? 'missing'));
    const { value } = tlv;
    if (value.length < 2 || value.length > ID_MAX + 1)
      return err(octetError(`lldp.${name}`, `2 to ${ID_MAX + 1} octets`, `${value.length} octets`));
    return ok({ subtype: value[0] as number, octets: toHex(value.subarray(1)) });
  };
  const chassisId = id(0, TYPES.chassisId, 'chassisId');
  if (!chassisId.ok) return chassisId;
  const portId = id(1, TYPES.portId, 'portId');
  if (!portId.ok) return portId;
  const third = tlvs[2];
  if (third?.type !== TYPES.ttl)
    return err(octetError('lldp.tlv[2].type', `${TYPES.ttl} (ttl)`, third?.type ?? 'missing'));
  // Clause 8.5.4: octets after the two of the TTL are ignored.
  const reader = new OctetReader(third.value, 'lldp');
  const ttl = reader.u16('ttl');
  if (reader.error !== null) return err(reader.error);
  const others = tlvs.slice(3);
  const again = others.findIndex(({ type }) => type <= TYPES.ttl);
  // Clause 9.2.7.7.1: a second mandatory TLV makes the LLDPDU invalid.
  if (again >= 0) return err(octetError(`lldp.tlv[${again + 3}].type`, 'an optional TLV', others[again]?.type));
  return ok({ chassisId: chassisId.value, portId: portId.value, ttl, tlvs: others.map(readTlv) });
}

function readTlv({ type, value }: RawTlv): LldpTlv {
  if (type !== TYPES.organization || value.length < 4) return { kind: 'other', type, octets: toHex(value) };
  return {
    kind: 'organization',
    oui: toHex(value.subarray(0, 3)),
    subtype: value[3] as number,
    octets: toHex(value.subarray(4)),
  };
}

/** With the End TLV, if there is room: the end of the frame ends it as well. */
export function encodeLldp(pdu: Lldpdu): Result<Uint8Array> {
  const writer = new OctetWriter('lldp', LLDPDU_MAX);
  const id = (type: number, name: string, { subtype, octets }: LldpId) =>
    writeTlv(writer, `lldp.${name}`, type, (value) => {
      value.u8('subtype', subtype);
      value.hex('octets', octets);
      if (value.length < 2 || value.length > ID_MAX + 1) value.fail('octets', `1 to ${ID_MAX} octets`, octets);
    });
  id(TYPES.chassisId, 'chassisId', pdu.chassisId);
  id(TYPES.portId, 'portId', pdu.portId);
  writeTlv(writer, 'lldp', TYPES.ttl, (value) => value.u16('ttl', pdu.ttl));
  for (const [i, tlv] of pdu.tlvs.entries()) {
    const at = `lldp.tlvs[${i}]`;
    switch (tlv.kind) {
      case 'organization':
        writeTlv(writer, at, TYPES.organization, (value) => {
          value.hex('oui', tlv.oui, 3);
          value.u8('subtype', tlv.subtype);
          value.hex('octets', tlv.octets);
        });
        break;
      case 'other':
        writeTlv(writer, at, tlv.type, (value) => {
          if (tlv.type <= TYPES.ttl) value.fail('type', 'an optional TLV', tlv.type);
          value.hex('octets', tlv.octets);
        });
        break;
    }
  }
  if (writer.length + 2 <= LLDPDU_MAX) writer.u16('end', TYPES.end);
  return writer.error === null ? ok(writer.octets()) : err(writer.error);
}

export function lldpFrameOf({ dst, src, tags, ethertype, payload }: EthernetFrame): Result<LldpFrame> {
  if (ethertype !== ETHERTYPES.lldp) return err(octetError('lldp.ethertype', '0x88cc', `0x${ethertype.toString(16)}`));
  const pdu = decodeLldp(payload);
  return pdu.ok ? ok({ dst, src, tags, pdu: pdu.value }) : pdu;
}

export function ethernetOfLldp({ dst, src, tags, pdu }: LldpFrame): Result<EthernetFrame> {
  const payload = encodeLldp(pdu);
  return payload.ok ? ok({ dst, src, tags, ethertype: ETHERTYPES.lldp, payload: payload.value }) : payload;
}
