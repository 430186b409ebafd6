// The rows that `show.*`, `tsi.list` and `vn.list` answer with: what the command line prints, and with --json exactly this. Names are
// the field's terms; addresses are text; an absent value is null. Fields are only ever added.

import { z } from 'zod';
import {
  DSCP_MODELS,
  IpAddrSchema,
  LinkNameSchema,
  MacAddrSchema,
  MtuSchema,
  NveIdSchema,
  TagSchema,
  TsiIdSchema,
  TsiRowSchema,
  UNKNOWN_UNICAST,
  VnNameSchema,
} from '#model';

const count = z.number().int().min(0);
const text = z.string().max(512);
const hex = z.string().regex(/^([0-9a-f]{2})*$/, 'hexadecimal');

/** A TSI row of docs/rpc.md; at a tNVE also the port that was made for the TSI. */
export const TsiListRow = TsiRowSchema.extend({
  iface: text.optional(),
  netns: text.nullable().optional(),
});

/** A VN on an access link: with its first TSI there, or because somebody asked for it (`vn.connect`: `held`). */
export const VnConnectionRow = z.object({
  vn: VnNameSchema,
  link: LinkNameSchema,
  tag: TagSchema.nullable(),
  mtu: MtuSchema.nullable(),
  gateway: IpAddrSchema.nullable(),
  held: z.boolean(),
  tsis: count,
});

export const ShowVnRow = z.object({
  vn: VnNameSchema.nullable(),
  id: count,
  vni: count.nullable(),
  /** The tenant's IP MTU. */
  mtu: count,
  vaps: count,
  rows: count,
  /** Where broadcast goes: the NVEs' underlay addresses. */
  flood: z.array(IpAddrSchema),
  /** Who may send tunnelled packets of the VN. */
  sources: z.array(IpAddrSchema),
  /** What becomes of unicast to a MAC that nobody knows, where no VAP is the uplink. */
  unknown: z.enum(UNKNOWN_UNICAST),
  /** Whether every NVE may send, and MACs behind NVEs are learned. */
  learn: z.boolean(),
  /** Whether ARP and neighbour solicitations are answered here. */
  suppress: z.boolean(),
  /** Whether tunnelled packets with reserved bits set are dropped. */
  strict: z.boolean(),
  dscp_out: z.enum(DSCP_MODELS),
  /** Access lists of `show.acl`: of frames from tenants, and to them. */
  acl_in: count.nullable(),
  acl_out: count.nullable(),
});

export const ShowVapRow = z.object({
  vap: count,
  vn: VnNameSchema.nullable(),
  port: text,
  /** Null: the untagged frames of the port. */
  tag: TagSchema.nullable(),
  guard: z.boolean(),
  uplink: z.boolean(),
  /** Whether a frame may go back to where it came from. */
  reflect: z.boolean(),
  /** Whether MACs that nobody has named are learned here. */
  learn: z.boolean(),
  /** What is done with the tenant's own tags; `vids`: those that pass, of `list`. */
  tags: z.object({ policy: z.enum(['refuse', 'pass', 'strip', 'list']), vids: z.array(count) }),
  /** Whether a source IP must be a known one of the source MAC. */
  guard_ip: z.boolean(),
  police: z.object({ bits_per_s: count, burst_bytes: count }).nullable(),
  /** Of frames to groups and to unknown MACs. */
  storm: z.object({ packets_per_s: count, burst: count }).nullable(),
  /** Access lists of `show.acl`: of frames from the tenant, and to it. */
  acl_in: count.nullable(),
  acl_out: count.nullable(),
  /** From the tenant. */
  in_packets: count,
  in_bytes: count,
  /** To the tenant. */
  out_packets: count,
  out_bytes: count,
  /** Questions of ARP and of neighbour discovery that were answered here. */
  suppressed: count,
});

export const ShowFdbRow = z.object({
  vn: VnNameSchema.nullable(),
  mac: MacAddrSchema,
  to: z.enum(['vap', 'nve']),
  vap: count.nullable(),
  port: text.nullable(),
  tag: TagSchema.nullable(),
  remote: IpAddrSchema.nullable(),
  encap: text.nullable(),
  context_id: count.nullable(),
  tsi: TsiIdSchema.nullable(),
  nve: NveIdSchema.nullable(),
});

export const ShowDropsRow = z.object({ port: text, reason: text, packets: count });

export const ShowPortsRow = z.object({
  port: text,
  id: count,
  driver: text,
  mac: MacAddrSchema,
  mtu: count,
  link: z.enum(['up', 'down']),
  role: z.enum(['access', 'underlay', 'exception', 'unused']),
  rx_packets: count,
  rx_bytes: count,
  tx_packets: count,
  tx_bytes: count,
  rx_missed: count,
  rx_errors: count,
});

/** Another NVE, by its underlay address. */
export const ShowNveRow = z.object({
  nve: NveIdSchema.nullable(),
  remote: IpAddrSchema,
  encap: text,
  /** The underlay port that leads there. */
  port: text,
  /** Its MAC, or that of the gateway; null: not known (yet). */
  neighbour: MacAddrSchema.nullable(),
  next_hops: count,
  /** VNs that it may send to us. */
  vns: count,
});

/** One destination of a VN's flood list, or one of its VAPs, which all belong to it; `group`: a multicast group of the underlay. */
export const ShowFloodRow = z.object({
  vn: VnNameSchema.nullable(),
  to: z.enum(['vap', 'nve', 'group']),
  vap: count.nullable(),
  port: text.nullable(),
  tag: TagSchema.nullable(),
  remote: IpAddrSchema.nullable(),
  encap: text.nullable(),
  context_id: count.nullable(),
  nve: NveIdSchema.nullable(),
});

/** A neighbour on the underlay: static, or one that a next hop needs. */
export const ShowNeighRow = z.object({
  port: text,
  ip: IpAddrSchema,
  mac: MacAddrSchema.nullable(),
  state: z.enum(['incomplete', 'reachable', 'failed', 'static']),
});

/** A recorded frame. */
export const CapturedFrameRow = z.object({
  /** Since 1970. */
  time_s: count,
  time_ns: count,
  port: text,
  place: z.enum(['in', 'out', 'dropped']),
  reason: text.nullable(),
  /** Of the whole frame, of which `frame` may be the beginning. */
  length: count,
  frame: z.custom<Uint8Array>((frame) => frame instanceof Uint8Array),
});

/** A rule of an ACL, or (null) what the list does with the rest. */
export const ShowAclRow = z.object({
  acl: count,
  rule: count.nullable(),
  action: z.enum(['permit', 'deny']),
  /** What it asks for, as text. */
  match: z.string().max(2048),
  /** That it decided since the list was set. */
  packets: count,
});

/** What a table holds, and the memory that it has taken, used or not. */
export const ShowMemoryRow = z.object({
  table: text,
  entries: count,
  /** Null: as many as memory allows. */
  capacity: count.nullable(),
  bytes: count,
  /** Of a table with room for a fixed number: of that. Of another: of the entries that there are. Null: neither. */
  bytes_per_entry: z.number().min(0).nullable(),
});

/**
 * A session between an NVE and its NVA. The NVE has one row for the session, one for each endpoint of the NVA and one for each VN that it
 * has subscribed to; the NVA has one for where it listens and one per connected NVE.
 */
export const ShowNvaRow = z.object({
  nve: NveIdSchema.nullable(),
  state: text,
  endpoint: text.nullable(),
  nva: text.nullable(),
  epoch: text.nullable(),
  term: text.nullable(),
  /** Of an endpoint. */
  priority: count.nullable(),
  /** How long a connection to an endpoint has been in its state, in seconds. */
  for_s: count.nullable(),
  /** Of a VN: its name, the last revision that was received, and how far behind the engine is. */
  vn: text.nullable(),
  revision: text.nullable(),
  lag: count.nullable(),
  /** VNs, of a session. */
  subscriptions: count.nullable(),
  /** MACs of TSIs, at the NVA; TSIs, at the NVE. */
  attachments: count.nullable(),
  /** Of a session: connections without a certificate that counts. Of a VN: what could not be applied. */
  refused: count.nullable(),
  error: text.nullable(),
});

/** A VSI that a station holds over VDP, or asks for. */
export const ShowVdpRow = z.object({
  link: text,
  station: MacAddrSchema,
  /** Null: a station without VSIs. */
  vsi: text.nullable(),
  /** Of the VM, where the station tells them. */
  vm: text.nullable(),
  vm_uuid: text.nullable(),
  /**
   * Of VDP's bridge machine: `processing`, `associated`, `reprocessing`, `releasing`; or `refused`: its first command was, in the last
   * ten minutes. Null: a station without VSIs.
   */
  state: text.nullable(),
  /** What holds, or was refused: `preAssociate`, `preAssociateRr`, `associate`; null: nothing yet. */
  command: text.nullable(),
  /** 16 octets in hexadecimal. */
  manager: text.nullable(),
  vsi_type: count.nullable(),
  vsi_type_version: count.nullable(),
  filter_format: count.nullable(),
  macs: z.array(MacAddrSchema),
  tsis: z.array(
    z.object({
      tsi: TsiIdSchema,
      vn: VnNameSchema.nullable(),
      tag: TagSchema.nullable(),
      ips: z.array(IpAddrSchema),
    }),
  ),
  suspended: z.boolean(),
  migrating: z.boolean(),
  /** Since the station was heard last about the VSI, or without VSIs over ECP; null: not over ECP yet. */
  age_ms: count.nullable(),
  /** What EVB has agreed with the station, or what holds until then; null: a station without VSIs that sends no EVB TLV. */
  evb: z.object({ retries: count, rte: count, rwd: count, rka: count }).nullable(),
  /** PDUs of ECP with the station since it was heard first; null: none, or it had to make room for another one since. */
  ecp: z.object({ sent: count, retried: count, timed_out: count, received: count, duplicates: count }).nullable(),
  /** Why the last command was refused. */
  error: text.nullable(),
});

/** What would become of a frame; the steps and the names of their facts are those of docs/engine.md ("trace"), ids as names. */
export const TraceRow = z.object({
  outcome: z.enum(['sent', 'replicated', 'punted', 'dropped']),
  detail: text.nullable(),
  meaning: text.nullable(),
  /** The frame that was traced: with the tags of the VAP, if one was named. */
  frame: z.object({ port: text, bytes: hex }),
  /** What would leave; bytes in hexadecimal. */
  sent: z.array(z.object({ port: text, bytes: hex })),
  drops: z.array(z.object({ reason: text, packets: count })),
  learned: z.array(z.object({ vap: count, vn: VnNameSchema.nullable(), mac: MacAddrSchema })),
  steps: z.array(
    z.object({ step: text, facts: z.record(text, z.union([z.string(), z.number(), z.boolean(), z.null()])) }),
  ),
});

export const VnListRow = z.object({
  vn: VnNameSchema,
  id: count,
  vni: count,
  mtu: count,
  gateway: IpAddrSchema.nullable(),
  members: z.array(NveIdSchema),
  hosts: z.array(z.object({ mac: MacAddrSchema, tsi: TsiIdSchema, nve: NveIdSchema, ips: z.array(IpAddrSchema) })),
});

export type TraceRow = z.output<typeof TraceRow>;
export type TsiListRow = z.output<typeof TsiListRow>;
export type VnConnectionRow = z.output<typeof VnConnectionRow>;
export type ShowVnRow = z.output<typeof ShowVnRow>;
export type ShowVapRow = z.output<typeof ShowVapRow>;
export type ShowFdbRow = z.output<typeof ShowFdbRow>;
export type ShowDropsRow = z.output<typeof ShowDropsRow>;
export type ShowPortsRow = z.output<typeof ShowPortsRow>;
export type ShowNveRow = z.output<typeof ShowNveRow>;
export type ShowFloodRow = z.output<typeof ShowFloodRow>;
export type ShowNeighRow = z.output<typeof ShowNeighRow>;
export type CapturedFrameRow = z.output<typeof CapturedFrameRow>;
export type ShowAclRow = z.output<typeof ShowAclRow>;
export type ShowMemoryRow = z.output<typeof ShowMemoryRow>;
export type ShowNvaRow = z.output<typeof ShowNvaRow>;

/** What a row of "show nva" does not tell; whose it is and its state it always does. */
export const NO_NVA_ROW = {
  nve: null,
  endpoint: null,
  nva: null,
  epoch: null,
  term: null,
  priority: null,
  for_s: null,
  vn: null,
  revision: null,
  lag: null,
  subscriptions: null,
  attachments: null,
  refused: null,
  error: null,
} as const satisfies Omit<ShowNvaRow, 'state'>;
export type ShowVdpRow = z.output<typeof ShowVdpRow>;
export type VnListRow = z.output<typeof VnListRow>;
