/**
 * How a hypervisor's TSI is told in VDP: one VSI of filter format 4, an entry for each MAC, all with the VN's VNI as GroupID (802.1Qcy).
 *
 * The VSIID follows from the TSI's id alone, so that the same TSI is the same VSI at every NVE and after every restart:
 * - a UUID is the VSIID (format 5);
 * - up to 16 characters without "/" are the VSIID as ASCII, closed with zeros (format 4, local): an NVE can show them;
 * - anything else is the name of a UUID of version 5 (RFC 4122 section 4.3) in the name space `VSI_NAMESPACE`:
 *   `uuidgen --sha1 --namespace VSI_NAMESPACE --name ID` tells it.
 *
 * An NVE of this product calls the TSI `VSIID/VNI`. What base VDP has no field for travels in Cisco's TLVs: IPv4 addresses, and the TSI's
 * id where the VSIID does not show it. IPv6 addresses are not told.
 */
import {
  err,
  type IpAddr,
  ipFamily,
  type MacAddr,
  nveError,
  ok,
  type Result,
  type TsiId,
  type Vid,
  type Vni,
} from '#model';
import { encodeCisco, fromHex, type Hex, toHex, type VdpFilterEntry, type VdpOuiTlv, VSIID_FORMATS } from '#wire';
import type { VsiId } from './vdp-events.js';
import type { StationVsi } from './vdp-station-events.js';

export const VSI_NAMESPACE = 'c52cb4e4-1a0b-5f5e-9c0f-6e766f330001';

/** What an association TLV of filter format 4 holds (511 octets). */
const MACS_MAX = 40;
/** What a PDU has room for beside that. */
const IPV4S_MAX = 27;
/** Zero asks for the NVE's own VSI manager. */
const MANAGER_ID: Hex = '00'.repeat(16);
const GROUP_ID_AND_MAC = 4;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const LOCAL = /^[A-Za-z0-9_.:@-]{1,16}$/;

export interface StationTsi {
  readonly tsi: TsiId;
  readonly vni: Vni;
  readonly macs: readonly MacAddr[];
  readonly ips: readonly IpAddr[];
  /** The VID that it had, and wishes to have again; null: the NVE chooses. */
  readonly vid: Vid | null;
}

/** `sha1`: 20 octets. */
export function vsiIdOf(tsi: TsiId, sha1: (octets: Uint8Array) => Uint8Array): VsiId {
  if (UUID.test(tsi)) return { vsiidFormat: VSIID_FORMATS.uuid, vsiid: plain(tsi) };
  const name = new TextEncoder().encode(tsi);
  if (LOCAL.test(tsi)) return { vsiidFormat: VSIID_FORMATS.local, vsiid: toHex(name).padEnd(32, '0') };
  const namespace = fromHex(plain(VSI_NAMESPACE)) ?? new Uint8Array();
  const uuid = sha1(Uint8Array.of(...namespace, ...name)).slice(0, 16);
  uuid[6] = ((uuid[6] ?? 0) & 0x0f) | 0x50;
  uuid[8] = ((uuid[8] ?? 0) & 0x3f) | 0x80;
  return { vsiidFormat: VSIID_FORMATS.uuid, vsiid: toHex(uuid) };
}

/** NVE-TSI-010 if it has more addresses than a PDU has room for. */
export function stationVsiOf({ tsi, vni, macs, ips, vid }: StationTsi, id: VsiId): Result<StationVsi> {
  const ipv4s = ips.filter((ip) => ipFamily(ip) === 4);
  const tooMany = (what: string, count: number, limit: number) =>
    err(nveError('NVE-TSI-010', { tsi, count, what, limit }));
  if (macs.length > MACS_MAX) return tooMany('MACs', macs.length, MACS_MAX);
  if (ipv4s.length > IPV4S_MAX) return tooMany('IPv4 addresses', ipv4s.length, IPV4S_MAX);
  const qualifiers: VdpOuiTlv[] = [];
  const isShown = id.vsiidFormat === VSIID_FORMATS.local || UUID.test(tsi);
  const named = isShown ? [] : [encodeCisco({ kind: 'vm', ...id, uuid: id.vsiid, name: tsi })];
  for (const tlv of [...named, ...ipv4s.map((ip) => encodeCisco({ kind: 'ipv4', ...id, ip }))]) {
    if (!tlv.ok) return tlv;
    qualifiers.push(tlv.value);
  }
  const entry = { vid: vid ?? 0, ps: false, pcp: 0, groupId: vni, ip: null };
  const entries = macs.map((mac): VdpFilterEntry => ({ ...entry, mac }));
  return ok({
    ...id,
    managerId: MANAGER_ID,
    typeId: 0,
    typeVersion: 0,
    filterFormat: GROUP_ID_AND_MAC,
    entries,
    qualifiers,
  });
}

function plain(uuid: string): Hex {
  return uuid.replaceAll('-', '').toLowerCase();
}
