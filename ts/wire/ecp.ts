/**
 * The Edge Control Protocol PDU (IEEE 802.1Q clause 43), ethertype 0x8940. It carries VDP reliably, one PDU at a time.
 *
 * ```
 *  | version 4 | operation 2 | subtype 10 | sequence 16 | ULPDU ... |
 * ```
 */
import { err, ok, type Result } from '#model';
import { ETHERTYPES, type EthernetFrame, type EthernetHeader } from './ethernet.js';
import { OctetReader, OctetWriter } from './octets.js';

export const ECP_VERSION = 1;
/** Other subtypes are kept as they are; who does not know one drops it (clause 43). */
export const ECP_SUBTYPES = { vdp: 1, portExtender: 2 } as const;
/** Ethernet's 1500 octets less the header of ECP. */
export const ECP_PAYLOAD_MAX = 1496;

export interface EcpPdu {
  readonly operation: 'request' | 'ack';
  /** 10 bits. */
  readonly subtype: number;
  /** 16 bits; each sender has its own. */
  readonly sequence: number;
  /** Empty in an acknowledgement. With the zeros that padded a short frame. */
  readonly payload: Uint8Array;
}

export interface EcpFrame extends EthernetHeader {
  readonly pdu: EcpPdu;
}

const OPERATIONS = ['request', 'ack'] as const;

/** The payload is not copied. Whatever follows the header of an acknowledgement is padding. */
export function decodeEcp(octets: Uint8Array): Result<EcpPdu> {
  const reader = new OctetReader(octets, 'ecp');
  const word = reader.u16('header');
  const sequence = reader.u16('sequence');
  if (reader.error === null && word >> 12 !== ECP_VERSION) reader.fail('version', `${ECP_VERSION}`, word >> 12);
  const operation = OPERATIONS[(word >> 10) & 3];
  if (operation === undefined) reader.fail('operation', '0 (request) or 1 (ack)', (word >> 10) & 3);
  if (operation !== 'ack' && reader.remaining > ECP_PAYLOAD_MAX)
    reader.fail('payload', `at most ${ECP_PAYLOAD_MAX} octets`, `${reader.remaining} octets`);
  if (reader.error !== null || operation === undefined) return failed(reader);
  const payload = operation === 'ack' ? new Uint8Array(0) : reader.rest();
  return ok({ operation, subtype: word & 0x3ff, sequence, payload });
}

export function encodeEcp(pdu: EcpPdu): Result<Uint8Array> {
  const writer = new OctetWriter('ecp', ECP_PAYLOAD_MAX + 4);
  const subtype = writer.bits('subtype', pdu.subtype, 10);
  writer.u16('header', (ECP_VERSION << 12) | (OPERATIONS.indexOf(pdu.operation) << 10) | subtype);
  writer.u16('sequence', pdu.sequence);
  if (pdu.operation === 'request') writer.bytes('payload', pdu.payload);
  return writer.error === null ? ok(writer.octets()) : err(writer.error);
}

/** The ECP frame in an Ethernet frame of ethertype 0x8940. */
export function ecpFrameOf({ dst, src, tags, ethertype, payload }: EthernetFrame): Result<EcpFrame> {
  const reader = new OctetReader(payload, 'ecp');
  if (ethertype !== ETHERTYPES.ecp) reader.fail('ethertype', '0x8940', `0x${ethertype.toString(16)}`);
  if (reader.error !== null) return err(reader.error);
  const pdu = decodeEcp(payload);
  return pdu.ok ? ok({ dst, src, tags, pdu: pdu.value }) : pdu;
}

export function ethernetOfEcp({ dst, src, tags, pdu }: EcpFrame): Result<EthernetFrame> {
  const payload = encodeEcp(pdu);
  return payload.ok ? ok({ dst, src, tags, ethertype: ETHERTYPES.ecp, payload: payload.value }) : payload;
}

function failed(reader: OctetReader): Result<never> {
  return err(reader.error as NonNullable<typeof reader.error>);
}
