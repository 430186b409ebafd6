/**
 * From a VSI to TSIs. A VSI is a virtual NIC with a filter of entries; a TSI is in one VN. So the entries of one VN are one
 * TSI, with all their MACs and IP addresses, and a VSI whose filter names several VNs is several TSIs, which the machine
 * grants or refuses together.
 *
 * - The VN of an entry is its GroupID: the VNI in the low three octets, the high one zero (802.1Qcy). An entry without
 *   GroupID gets the VN that a rule names for the VSI's type, or the port's default; without a rule it is refused.
 * - The TSI's id is the VSIID as text; with GroupIDs `VSIID/VNI`. It depends on nothing else, so that the same VSI is the
 *   same TSI at the target of a migration, after a restart, and after a change of its filter.
 * - Its VID is what the entries ask for: all of one VN have the same, or null.
 * - An IPv4 address in Cisco's TLV 0xF2 belongs to the VN of the first entry.
 */
import {
  err,
  type IpAddr,
  isUnicastMac,
  type LinkName,
  type MacAddr,
  type NveError,
  nveError,
  ok,
  parseTsiId,
  parseVid,
  parseVni,
  type Result,
  type TsiKey,
  type Vid,
  type VnRef,
} from '#model';
import { decodeCisco, type QualifiedAssociation, type VdpFilterEntry, VSIID_FORMATS } from '#wire';
import { channelText, type VdpPeer, vsiKey, vsiText } from './vdp-events.js';

/** What a rule about VSIs without GroupID may look at. */
export interface VsiDescription {
  readonly peer: VdpPeer;
  readonly managerId: string;
  readonly typeId: number;
  readonly typeVersion: number;
}

export interface VdpMappingRules {
  /** The VN of filter entries that carry no GroupID; null: refuse them. */
  readonly vnOf: (vsi: VsiDescription) => VnRef | null;
  /** The access link on which the peer's tags are given out. */
  readonly linkOf: (peer: VdpPeer) => LinkName;
  /** Why a VSI of this type may not have the TSI, as far as can be said before anybody is asked; absent: no reason. */
  readonly refusal?: (vsi: VsiDescription, want: TsiWant) => NveError | null;
}

/** Which VSIs are meant; absent: any. */
export interface VsiTypeRule {
  /** 16 octets in hexadecimal. */
  readonly managerId?: string | undefined;
  readonly typeId?: number | undefined;
  readonly typeVersion?: number | undefined;
}

export function isOfType(vsi: Required<VsiTypeRule>, { managerId, typeId, typeVersion }: VsiTypeRule): boolean {
  return (
    (managerId ?? vsi.managerId) === vsi.managerId &&
    (typeId ?? vsi.typeId) === vsi.typeId &&
    (typeVersion ?? vsi.typeVersion) === vsi.typeVersion
  );
}

/** Rules as a configuration states them: the VN of a VSI type, and the VN of all else on a port. */
export interface VdpRuleTable {
  readonly types?: readonly (VsiTypeRule & { readonly vn: VnRef })[];
  readonly ports?: Readonly<Record<LinkName, VnRef>>;
}

/** The first type that fits, else the port's VN. The access link is the port, or the S-channel of it as `PORT.SVID`. */
export function vdpRules({ types = [], ports = {} }: VdpRuleTable = {}): VdpMappingRules {
  return {
    vnOf: (vsi) => {
      const { port } = vsi.peer;
      return (
        types.find((type) => isOfType(vsi, type))?.vn ?? (Object.hasOwn(ports, port) ? (ports[port] ?? null) : null)
      );
    },
    linkOf: (peer) => channelText(peer) as LinkName,
  };
}

/** One TSI of a VSI, as it shall be. */
export interface TsiWant {
  readonly key: TsiKey;
  readonly vn: VnRef;
  readonly macs: readonly MacAddr[];
  readonly ips: readonly IpAddr[];
  /** Null: the NVE chooses. */
  readonly vid: Vid | null;
  /** The filter names no MACs (formats 1 and 3). */
  readonly learn: boolean;
  /** The filter entries that it stands for, by their index. */
  readonly entries: readonly number[];
}

/** The TSIs of the association, in the order of their first entries. Everything in it came from a network. */
export function wantsOf(
  { association, qualifiers }: QualifiedAssociation,
  peer: VdpPeer,
  managerId: string,
  rules: VdpMappingRules,
): Result<TsiWant[]> {
  const vsi = vsiText(association);
  const { filter, typeId, typeVersion } = association;
  // Clause 41: what kind of id it is must be known, or it could be taken for another VSI's.
  if (!VSIID_KNOWN.has(association.vsiidFormat)) {
    const problem = `VSIID format ${association.vsiidFormat} is not known`;
    return err(nveError('NVE-VDP-001', { vsi, problem }));
  }
  if (filter.kind === 'opaque') return err(nveError('NVE-VDP-001', { vsi, problem: filter.problem }));
  const wrong = (problem: string) => err(nveError('NVE-VDP-002', { vsi, problem }));
  const description: VsiDescription = { peer, managerId, typeId, typeVersion };
  const link = rules.linkOf(peer);
  const groups = new Map<VnRef, { entry: VdpFilterEntry; index: number }[]>();
  for (const [index, entry] of filter.entries.entries()) {
    const vn = entry.groupId === null ? rules.vnOf(description) : vniOf(entry.groupId);
    if (vn === null) {
      return entry.groupId === null
        ? wrong('its filter has no GroupID, and no rule names the VN of its type or port')
        : wrong(`GroupID ${entry.groupId} is not a VNI from 1 to 16777215`);
    }
    const group = groups.get(vn) ?? [];
    group.push({ entry, index });
    groups.set(vn, group);
  }
  const wants: TsiWant[] = [];
  for (const [vn, group] of groups) {
    const tsi = parseTsiId(typeof vn === 'number' ? `${vsi}/${vn}` : vsi);
    if (!tsi.ok) return wrong(tsi.error.message);
    const vid = vidOf(group.map(({ entry }) => entry));
    if (!vid.ok) return wrong(vid.error);
    const macs = [...new Set(group.flatMap(({ entry }) => entry.mac ?? []))];
    const bad = macs.find((mac) => !isUnicastMac(mac));
    if (bad !== undefined) return wrong(`${bad} is no unicast MAC`);
    const ips = group.flatMap(({ entry }) => entry.ip ?? []);
    if (wants.length === 0) ips.push(...ciscoIps({ association, qualifiers }));
    const want: TsiWant = {
      key: { tsi: tsi.value, link },
      vn,
      macs,
      ips: [...new Set(ips)],
      vid: vid.value,
      learn: macs.length === 0,
      entries: group.map(({ index }) => index),
    };
    const refusal = rules.refusal?.(description, want) ?? null;
    if (refusal !== null) return err(refusal);
    wants.push(want);
  }
  return ok(wants);
}

const VSIID_KNOWN: ReadonlySet<number> = new Set(Object.values(VSIID_FORMATS));

/** The addresses that Cisco's TLVs give to this VSI. */
export function ciscoIps({ association, qualifiers }: QualifiedAssociation): IpAddr[] {
  return qualifiers.flatMap((tlv) => {
    const cisco = decodeCisco(tlv);
    return cisco?.kind === 'ipv4' && vsiKey(cisco) === vsiKey(association) ? [cisco.ip] : [];
  });
}

/** What Cisco's TLV says of the VSI's VM. */
export function ciscoVm({ association, qualifiers }: QualifiedAssociation): { name: string; uuid: string } | null {
  for (const tlv of qualifiers) {
    const cisco = decodeCisco(tlv);
    if (cisco?.kind === 'vm' && vsiKey(cisco) === vsiKey(association)) return cisco;
  }
  return null;
}

/** The VID of each entry, out of those of the TSIs (by their ids). */
export function vidsOf(wants: readonly TsiWant[], vids: ReadonlyMap<string, Vid>, count: number): (Vid | null)[] {
  const all: (Vid | null)[] = Array.from({ length: count }, () => null);
  for (const { key, entries } of wants) for (const index of entries) all[index] = vids.get(key.tsi) ?? null;
  return all;
}

function vniOf(groupId: number): VnRef | null {
  const vni = parseVni(groupId);
  return vni.ok ? vni.value : null;
}

/** The one VID that all entries of a VN ask for. A link has one tag for a VN. */
function vidOf(entries: readonly VdpFilterEntry[]): Result<Vid | null, string> {
  const asked = [...new Set(entries.map(({ vid }) => vid).filter((vid) => vid !== 0))];
  if (asked.length > 1) return err(`its filter has the VIDs ${asked.join(', ')} for one VN`);
  if (asked[0] === undefined) return ok(null);
  const vid = parseVid(asked[0]);
  return vid.ok ? vid : err(`VID ${asked[0]} is reserved`);
}
