/**
 * What the NVA says: the four objects of NNP (docs/nnp.md), as everybody above the wire sees them. Each is immutable; a
 * change is a new object under the same key.
 */
import { z } from 'zod';
import { type IpAddr, IpAddrSchema } from './ip.js';
import { type MacAddr, UnicastMacSchema } from './mac.js';
import { type NveId, NveIdSchema, parseVnName, type TsiId, TsiIdSchema, type VnName, VnNameSchema } from './names.js';
import { type Mtu, MtuSchema, parseVni, type VnId, VnIdSchema, type Vni, VniSchema } from './numbers.js';
import type { Result } from './result.js';

/** Encapsulation types by their number on the wire. */
export const ENCAP_VXLAN = 1;

/** One of an NVE's underlay addresses and the encapsulation it takes there. */
export interface TunnelEnd {
  /** 1 = VXLAN; other numbers are kept and ignored by those who do not know them. */
  readonly encap: number;
  readonly ip: IpAddr;
}

/** A virtual network. `vni` is the domain-wide default Context ID; what an NVE really receives under is in its `Member`. */
export interface VnInfo {
  readonly vn: VnId;
  readonly name: VnName;
  readonly vni: Vni;
  /** The tenant's IP MTU. */
  readonly mtu: Mtu;
  readonly gateway: IpAddr | null;
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

/** A tenant's MAC and where it is. `mobilitySeq` grows with each change of NVE. */
export interface HostInfo {
  readonly vn: VnId;
  readonly mac: MacAddr;
  readonly tsi: TsiId;
  readonly nveId: NveId;
  readonly ips: readonly IpAddr[];
  readonly mobilitySeq: number;
}

export const TunnelEndSchema = z.object({ encap: z.number().int().min(0).max(255), ip: IpAddrSchema });
export const VnInfoSchema = z.object({
  vn: VnIdSchema,
  name: VnNameSchema,
  vni: VniSchema,
  mtu: MtuSchema,
  gateway: IpAddrSchema.nullable(),
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
});
