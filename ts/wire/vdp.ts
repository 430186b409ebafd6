/**
 * VDP PDUs (IEEE 802.1Q clause 41), what an ECP request of subtype 1 carries: a Manager ID TLV, then association TLVs, each
 * followed by the organizationally specific TLVs that qualify it.
 *
 * ```
 *  association TLV, types 1 to 4:
 *  | type 7 | length 9 | status 8 | VSI type id 24 | version 8 | VSIID format 8 | VSIID 128 | filter format 8 | count 16 | entries |
 * ```
 *
 * A PDU is refused only when it cannot be cut into TLVs or its Manager ID is not right. A mistake inside of one TLV is kept
 * in it (`VdpFilter` of kind `opaque`, `VdpOtherTlv`), so that the others are served and it is answered with error 1.
 */
import { err, ok, type Result } from '#model';
import { ECP_PAYLOAD_MAX } from './ecp.js';
import { type Hex, OctetReader, OctetWriter, octetError, toHex } from './octets.js';
import { type RawTlv, splitTlvs, TLV_VALUE_MAX, writeTlv } from './tlv.js';
import { type FilterFormats, readFilter, STANDARD_FILTER_FORMATS, type VdpFilter, writeFilter } from './vdp-filter.js';

/** By their TLV type (clause 41). */
export const VDP_COMMANDS = {
  preAssociate: 1,
  /** Pre-Associate with resource reservation. */
  preAssociateRr: 2,
  associate: 3,
  deAssociate: 4,
} as const;
export type VdpCommand = keyof typeof VDP_COMMANDS;

const MANAGER_ID = 5;
const ORGANIZATION = 127;
/** Of an association TLV without its entries: also the least of what can be answered. */
const ASSOCIATION_MIN = 25;
const MANAGER_ID_OCTETS = 16;

/** VSIID formats (clause 41). Others are kept. */
export const VSIID_FORMATS = { ipv4: 1, ipv6: 2, mac: 3, local: 4, uuid: 5 } as const;

export interface VdpAssociation {
  readonly kind: 'association';
  readonly command: VdpCommand;
  /** As on the wire; see `vdp-status.ts`. */
  readonly status: number;
  /** 24 bits. */
  readonly typeId: number;
  readonly typeVersion: number;
  readonly vsiidFormat: number;
  /** 16 octets. */
  readonly vsiid: Hex;
  readonly filter: VdpFilter;
}

/** Organizationally specific: kept whole, whoever's it is. */
export interface VdpOuiTlv {
  readonly kind: 'oui';
  /** 3 octets. */
  readonly oui: Hex;
  readonly subtype: number;
  readonly octets: Hex;
}

/** A reserved type, or a TLV too short for its type: `problem` says so, and is null for a reserved type. */
export interface VdpOtherTlv {
  readonly kind: 'other';
  readonly type: number;
  readonly octets: Hex;
  readonly problem: string | null;
}

export type VdpTlv = VdpAssociation | VdpOuiTlv | VdpOtherTlv;

export interface VdpPdu {
  /** 16 octets, echoed as they are. Zero asks for the bridge's default manager. */
  readonly managerId: Hex;
  readonly tlvs: readonly VdpTlv[];
}

/** An association and the organizationally specific TLVs that follow it. */
export interface QualifiedAssociation {
  readonly association: VdpAssociation;
  readonly qualifiers: readonly VdpOuiTlv[];
}

const COMMAND_OF_TYPE = new Map<number, VdpCommand>(
  (Object.keys(VDP_COMMANDS) as VdpCommand[]).map((command) => [VDP_COMMANDS[command], command]),
);

export function decodeVdp(payload: Uint8Array, formats: FilterFormats = STANDARD_FILTER_FORMATS): Result<VdpPdu> {
  const raw = splitTlvs(payload, 'vdp');
  if (!raw.ok) return raw;
  const [manager, ...others] = raw.value.tlvs;
  // Clause 41: the Manager ID comes first, once, and covers all that follows.
  if (manager?.type !== MANAGER_ID)
    return err(octetError('vdp.tlv[0].type', `${MANAGER_ID} (VSI Manager ID)`, manager?.type ?? 'missing'));
  if (manager.value.length !== MANAGER_ID_OCTETS)
    return err(octetError('vdp.managerId', `${MANAGER_ID_OCTETS} octets`, `${manager.value.length} octets`));
  const second = others.findIndex(({ type }) => type === MANAGER_ID);
  if (second >= 0) return err(octetError(`vdp.tlv[${second + 1}].type`, 'no second VSI Manager ID', MANAGER_ID));
  return ok({ managerId: toHex(manager.value), tlvs: others.map((tlv) => readTlv(tlv, formats)) });
}

function readTlv({ type, value }: RawTlv, formats: FilterFormats): VdpTlv {
  const command = COMMAND_OF_TYPE.get(type);
  const other = (problem: string | null): VdpOtherTlv => ({ kind: 'other', type, octets: toHex(value), problem });
  const short = (least: number) => other(`${value.length} octets, expected at least ${least}`);
  if (command !== undefined) {
    if (value.length < ASSOCIATION_MIN) return short(ASSOCIATION_MIN);
    const reader = new OctetReader(value, 'vdp');
    const head = {
      kind: 'association',
      command,
      status: reader.u8('status'),
      typeId: reader.u24('typeId'),
      typeVersion: reader.u8('typeVersion'),
      vsiidFormat: reader.u8('vsiidFormat'),
      vsiid: reader.hex('vsiid', 16),
    } as const;
    return { ...head, filter: readFilter(reader, reader.u8('filter.format'), formats) };
  }
  if (type !== ORGANIZATION) return other(null);
  if (value.length < 4) return short(4);
  return {
    kind: 'oui',
    oui: toHex(value.subarray(0, 3)),
    subtype: value[3] as number,
    octets: toHex(value.subarray(4)),
  };
}

/**
 * The PDU with two octets of zero at its end, if there is room: they end the TLVs for every receiver, and lldpad else reads on in what its
 * buffer held before.
 */
export function encodeVdp(pdu: VdpPdu, formats: FilterFormats = STANDARD_FILTER_FORMATS): Result<Uint8Array> {
  const writer = new OctetWriter('vdp', ECP_PAYLOAD_MAX);
  writeTlv(writer, 'vdp', MANAGER_ID, (value) => value.hex('managerId', pdu.managerId, MANAGER_ID_OCTETS));
  for (const [i, tlv] of pdu.tlvs.entries()) writeVdpTlv(writer, `vdp.tlvs[${i}]`, tlv, formats);
  if (writer.length + 2 <= ECP_PAYLOAD_MAX) writer.u16('end', 0);
  return writer.error === null ? ok(writer.octets()) : err(writer.error);
}

function writeVdpTlv(writer: OctetWriter, at: string, tlv: VdpTlv, formats: FilterFormats): void {
  switch (tlv.kind) {
    case 'association':
      writeTlv(writer, at, VDP_COMMANDS[tlv.command], (value) => {
        value.u8('status', tlv.status);
        value.u24('typeId', tlv.typeId);
        value.u8('typeVersion', tlv.typeVersion);
        value.u8('vsiidFormat', tlv.vsiidFormat);
        value.hex('vsiid', tlv.vsiid, 16);
        writeFilter(value, tlv.filter, formats);
      });
      break;
    case 'oui':
      writeTlv(writer, at, ORGANIZATION, (value) => {
        value.hex('oui', tlv.oui, 3);
        value.u8('subtype', tlv.subtype);
        value.hex('octets', tlv.octets);
      });
      break;
    case 'other':
      writeTlv(writer, at, tlv.type, (value) => value.hex('octets', tlv.octets));
      break;
  }
}

/** The octets that the TLV takes in a PDU, for packing several into one. */
export function vdpTlvLength(tlv: VdpTlv, formats: FilterFormats = STANDARD_FILTER_FORMATS): number {
  const writer = new OctetWriter('vdp', TLV_VALUE_MAX + 2);
  writeVdpTlv(writer, 'vdp', tlv, formats);
  return writer.length;
}

/** What a PDU holds at most besides its Manager ID TLV and the end, in octets. */
export const VDP_TLVS_MAX = ECP_PAYLOAD_MAX - (2 + MANAGER_ID_OCTETS) - 2;

/** The associations in their order, each with what qualifies it. Other TLVs are skipped. */
export function associationsOf(pdu: VdpPdu): QualifiedAssociation[] {
  const found: { association: VdpAssociation; qualifiers: VdpOuiTlv[] }[] = [];
  for (const tlv of pdu.tlvs) {
    if (tlv.kind === 'association') found.push({ association: tlv, qualifiers: [] });
    else if (tlv.kind === 'oui') found.at(-1)?.qualifiers.push(tlv);
  }
  return found;
}
