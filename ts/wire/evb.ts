/**
 * The EVB TLV (IEEE 802.1Q clause D.2.12), organizationally specific in LLDP: OUI 00-80-C2, subtype 0x0D, 5 octets.
 *
 * ```
 *  octet 0  bridge status    | reserved 5 | BGID | RRCAP | RRCTR |
 *        1  station status   | reserved 4 | SGID | RRREQ | RRSTAT 2 |
 *        2                   | R 3 | RTE 5 |
 *        3                   | EVB mode 2 | ROL (of RWD) | RWD 5 |
 *        4                   | reserved 2 | ROL (of RKA) | RKA 5 |
 * ```
 *
 * Reserved bits are kept, so that what was decoded encodes to the same octets.
 */
import { err, ok, type Result } from '#model';
import type { LldpOrganizationTlv } from './lldp.js';
import { fromHex, type Hex, OctetReader, OctetWriter, toHex } from './octets.js';

export const IEEE_8021_OUI: Hex = '0080c2';
export const EVB_SUBTYPE = 0x0d;

/** 3 was reserved; 802.1Qcy seems to use it for NVO3. */
export const EVB_MODES = ['notSupported', 'bridge', 'station', 'nvo3'] as const;
export type EvbMode = (typeof EVB_MODES)[number];

export interface EvbTlv {
  readonly bridge: {
    /** BGID: the bridge can use GroupIDs. */
    readonly groupId: boolean;
    /** RRCAP: it can do reflective relay. */
    readonly reflectiveRelayCapable: boolean;
    /** RRCTR: it does. */
    readonly reflectiveRelay: boolean;
    readonly reserved: number;
  };
  readonly station: {
    /** SGID. */
    readonly groupId: boolean;
    /** RRREQ. */
    readonly reflectiveRelayRequest: boolean;
    /** RRSTAT: 0 off, 1 on, 3 unknown. */
    readonly reflectiveRelayStatus: number;
    readonly reserved: number;
  };
  readonly retries: number;
  readonly rte: number;
  readonly mode: EvbMode;
  /** ROL: the value beside it is the remote's, which was greater. */
  readonly rwdRemote: boolean;
  readonly rwd: number;
  readonly rkaRemote: boolean;
  readonly rka: number;
  /** The two upper bits of the last octet. */
  readonly reserved: number;
}

export function decodeEvb(tlv: LldpOrganizationTlv): Result<EvbTlv> {
  const octets = fromHex(tlv.octets) ?? new Uint8Array(0);
  const reader = new OctetReader(octets, 'evb');
  if (tlv.oui !== IEEE_8021_OUI || tlv.subtype !== EVB_SUBTYPE)
    reader.fail('subtype', '00-80-C2 0x0d', `${tlv.oui} ${tlv.subtype}`);
  // A later version may append to it.
  const [bridge, station, ecp, rwd, rka] = [
    reader.u8('bridgeStatus'),
    reader.u8('stationStatus'),
    reader.u8('retries'),
    reader.u8('rwd'),
    reader.u8('rka'),
  ];
  if (reader.error !== null) return err(reader.error);
  return ok({
    bridge: {
      groupId: (bridge & 4) !== 0,
      reflectiveRelayCapable: (bridge & 2) !== 0,
      reflectiveRelay: (bridge & 1) !== 0,
      reserved: bridge >> 3,
    },
    station: {
      groupId: (station & 8) !== 0,
      reflectiveRelayRequest: (station & 4) !== 0,
      reflectiveRelayStatus: station & 3,
      reserved: station >> 4,
    },
    retries: ecp >> 5,
    rte: ecp & 0x1f,
    mode: EVB_MODES[(rwd >> 6) as 0 | 1 | 2 | 3],
    rwdRemote: (rwd & 0x20) !== 0,
    rwd: rwd & 0x1f,
    rkaRemote: (rka & 0x20) !== 0,
    rka: rka & 0x1f,
    reserved: rka >> 6,
  });
}

export function encodeEvb(evb: EvbTlv): Result<LldpOrganizationTlv> {
  const { bridge, station } = evb;
  const writer = new OctetWriter('evb', 5);
  const bit = (on: boolean, mask: number) => (on ? mask : 0);
  writer.u8(
    'bridgeStatus',
    (writer.bits('bridge.reserved', bridge.reserved, 5) << 3) |
      bit(bridge.groupId, 4) |
      bit(bridge.reflectiveRelayCapable, 2) |
      bit(bridge.reflectiveRelay, 1),
  );
  writer.u8(
    'stationStatus',
    (writer.bits('station.reserved', station.reserved, 4) << 4) |
      bit(station.groupId, 8) |
      bit(station.reflectiveRelayRequest, 4) |
      writer.bits('station.reflectiveRelayStatus', station.reflectiveRelayStatus, 2),
  );
  writer.u8('retries', (writer.bits('retries', evb.retries, 3) << 5) | writer.bits('rte', evb.rte, 5));
  writer.u8('rwd', (EVB_MODES.indexOf(evb.mode) << 6) | bit(evb.rwdRemote, 0x20) | writer.bits('rwd', evb.rwd, 5));
  writer.u8(
    'rka',
    (writer.bits('reserved', evb.reserved, 2) << 6) | bit(evb.rkaRemote, 0x20) | writer.bits('rka', evb.rka, 5),
  );
  if (writer.error !== null) return err(writer.error);
  return ok({ kind: 'organization', oui: IEEE_8021_OUI, subtype: EVB_SUBTYPE, octets: toHex(writer.octets()) });
}
