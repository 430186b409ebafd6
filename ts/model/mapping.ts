/**
 * What the NVA says: the four objects of NNP (docs/nnp.md), as everybody above the wire sees them. Each is immutable; a
 * change is a new object under the same key.
 */
import { z } from 'zod';
import { nveError } from './error.js';
import { type IpAddr, IpAddrSchema } from './ip.js';
import { type MacAddr, UnicastMacSchema } from './mac.js';
import { type NveId, NveIdSchema, parseVnName, type TsiId, TsiIdSchema, type VnName, VnNameSchema } from './names.js';
import { type Mtu, MtuSchema, parseVni, type VnId, VnIdSchema, type Vni, VniSchema } from './numbers.js';
import { err, ok, type Result } from './result.js';
import { show } from './show.js';
import { DEFAULT_VN_SETTINGS, type VnSettings, VnSettingsSchema } from './vn-settings.js';

/** Encapsulation types by their number on the wire. */
export const ENCAP_VXLAN = 1;
export const ENCAP_GENEVE = 2;
/** By their names in configurations and tables. */
export const ENCAPS = { vxlan: ENCAP_VXLAN, geneve: ENCAP_GENEVE } as const;
export type EncapName = keyof typeof ENCAPS;

export function encapName(encap: number): string {
  return Object.entries(ENCAPS).find(([, number]) => number === encap)?.[0] ?? `${encap}`;
}

/** One of an NVE's underlay addresses and the encapsulation it takes there. */
export interface TunnelEnd {
  /** 1 = VXLAN, 2 = Geneve; other numbers are kept and ignored by those who do not know them. */
  readonly encap: number;
  readonly ip: IpAddr;
  /** The NVE wants packets with an outer UDP checksum, or without; by default as the sender likes it. */
  readonly checksum?: boolean | undefined;
  /** Geneve options that the NVE wants in each packet, ready for the wire, in hexadecimal (`parseGeneveOptions`). */
  readonly options?: string | undefined;
  /** Its share of the flows, 1 to 255, relative to the NVE's other ends; 1, if absent. */
  readonly weight?: number | undefined;
  /** Nothing arrives there now, as the NVE says itself. */
  readonly down?: boolean | undefined;
}

/** Octets of options that a Geneve header has room for (RFC 8926 section 3.4). */
export const GENEVE_OPTIONS_MAX = 252;

/** Whether the octets are Geneve options one after the other: 4 octets of header, of which the last says how many more. */
export function isGeneveOptions(bytes: Uint8Array): boolean {
  let at = 0;
  while (at + 4 <= bytes.length) at += 4 + ((bytes[at + 3] ?? 0) & 0x1f) * 4;
  return at === bytes.length && bytes.length <= GENEVE_OPTIONS_MAX;
}

/** Geneve options in hexadecimal, as people write them; canonical: lower case. */
export function parseGeneveOptions(value: unknown): Result<string> {
  if (typeof value === 'string' && /^(?:[0-9a-f]{2})+$/i.test(value)) {
    const text = value.toLowerCase();
    if (isGeneveOptions(hexToBytes(text))) return ok(text);
  }
  const rule = `up to ${GENEVE_OPTIONS_MAX} octets of options in hexadecimal, each of 4 octets and as many more as its length says`;
  return err(nveError('NVE-VAL-002', { what: 'Geneve options', got: show(value), rule }));
}

export function hexToBytes(text: string): Uint8Array {
  return Uint8Array.from(text.match(/../g) ?? [], (octet) => Number.parseInt(octet, 16));
}

export function bytesToHex(bytes: Uint8Array): string {
  return Array.from(bytes, (octet) => octet.toString(16).padStart(2, '0')).join('');
}

/** A virtual network. `vni` is the domain-wide default Context ID; what an NVE really receives under is in its `Member`. */
export interface VnInfo {
  readonly vn: VnId;
  readonly name: VnName;
  readonly vni: Vni;
  /** The tenant's IP MTU. */
  readonly mtu: Mtu;
  readonly gateway: IpAddr | null;
  /** Absent: the defaults. */
  readonly settings?: VnSettings | undefined;
}

export function settingsOf(info: VnInfo): VnSettings {
  return info.settings ?? DEFAULT_VN_SETTINGS;
}

/** How somebody outside names a VN: by its name, or by its default VNI (VDP carries it as GroupID). */
export type VnRef = VnName | Vni;

/** Text is a name, a number is a VNI. */
export function parseVnRef(value: unknown): Result<VnRef> {
  return typeof value === 'number' ? parseVni(value) : parseVnName(value);
}

export function isVn(info: VnInfo, ref: VnRef): boolean {
  return typeof ref === 'string' ? info.name === ref : info.vni === ref;
}

/** The reference where a name is expected; `vni:5001` as long as the name is not known. */
export function vnRefText(ref: VnRef): VnName {
  return typeof ref === 'string' ? ref : (`vni:${ref}` as VnName);
}

/** An NVE and where to tunnel to it, in order of preference. */
export interface NveInfo {
  readonly nveId: NveId;
  readonly tunnels: readonly TunnelEnd[];
}

/** An NVE that has a TSI of the VN attached: it gets broadcast, and may send. */
export interface MemberInfo {
  readonly vn: VnId;
  readonly nveId: NveId;
  /** The VNI under which this NVE receives the VN. */
  readonly contextId: Vni;
}

/** NVEs that one tenant system may be behind at a time. */
export const HOMES_MAX = 8;

/** A tenant's MAC and where it is. `mobilitySeq` grows with each change of NVE. */
export interface HostInfo {
  readonly vn: VnId;
  readonly mac: MacAddr;
  readonly tsi: TsiId;
  readonly nveId: NveId;
  readonly ips: readonly IpAddr[];
  readonly mobilitySeq: number;
  /** It is multihomed: behind these NVEs as well, any of which may be sent to. Absent: it is behind one NVE at a time. */
  readonly others?: readonly NveId[] | undefined;
}

/** All NVEs that the MAC is behind. */
export function homesOf({ nveId, others = [] }: Pick<HostInfo, 'nveId' | 'others'>): NveId[] {
  return [nveId, ...others];
}

/** Names the NVEs that a multihomed host is behind, in whatever order; null: it is behind one. */
export function homeKey(host: Pick<HostInfo, 'nveId' | 'others'>): string | null {
  const homes = new Set(homesOf(host));
  return homes.size > 1 ? [...homes].sort().join(' ') : null;
}

export function isAt(host: HostInfo, nveId: NveId): boolean {
  return host.nveId === nveId || host.others?.includes(nveId) === true;
}

export const TunnelEndSchema = z.object({
  encap: z.number().int().min(0).max(255),
  ip: IpAddrSchema,
  checksum: z.boolean().optional(),
  options: z.string().optional(),
  weight: z.number().int().min(1).max(255).optional(),
  down: z.boolean().optional(),
});
export const VnInfoSchema = z.object({
  vn: VnIdSchema,
  name: VnNameSchema,
  vni: VniSchema,
  mtu: MtuSchema,
  gateway: IpAddrSchema.nullable(),
  settings: VnSettingsSchema.optional(),
});
export const NveInfoSchema = z.object({ nveId: NveIdSchema, tunnels: z.array(TunnelEndSchema) });
export const MemberInfoSchema = z.object({ vn: VnIdSchema, nveId: NveIdSchema, contextId: VniSchema });
export const HostInfoSchema = z.object({
  vn: VnIdSchema,
  mac: UnicastMacSchema,
  tsi: TsiIdSchema,
  nveId: NveIdSchema,
  ips: z.array(IpAddrSchema),
  mobilitySeq: z.number().int().min(0),
  others: z.array(NveIdSchema).optional(),
});
