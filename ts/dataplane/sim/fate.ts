// What can become of a frame in the reference model, and how its steps say so.

import type { GroupId, NextHopId } from '../types.js';
import type { Octets } from './packet.js';

/** What the tables do not say. */
export interface Machine {
  readonly portMac: (port: number) => Octets;
  /** The longest frame of one packet buffer. */
  readonly buffer: number;
  /** Which of a group's living next hops a flow takes is the engine's choice: here it is made by whoever asks for a fate. */
  readonly choose?: (group: GroupId, living: readonly NextHopId[]) => NextHopId;
}

export interface Sent {
  readonly port: number;
  /** Of an encapsulated packet what is the engine's choice is zero here: UDP source port, flow label, IPv4 identification; and its UDP checksum is 0xffff if there is one. */
  readonly frame: Octets;
  /** Of an encapsulated packet, the first and last of its source ports. */
  readonly ports: readonly [number, number] | null;
}

export interface Fate {
  readonly outcome: 'sent' | 'replicated' | 'punted' | 'dropped';
  readonly detail: string | null;
  readonly sent: readonly Sent[];
  readonly drops: Readonly<Record<string, number>>;
  /** Packets that VAPs' counters count: `VAP in` and `VAP out`. */
  readonly counted: Readonly<Record<string, number>>;
  /** `VAP MAC` of `learned` events. */
  readonly learned: readonly string[];
  /** Whether the control plane is asked for the destination. */
  readonly asked: boolean;
}

/** A drop, unwinding to whoever asked for the frame's fate. */
export class Drop {
  readonly reason: string;
  /** The sender is to be told that this is the longest: an IP packet, of what the VN allows, or a frame, of what the underlay does. */
  readonly longest: number | null;
  constructor(reason: string, longest: number | null = null) {
    this.reason = reason;
    this.longest = longest;
  }
}

export class Punt {
  readonly kind: string;
  constructor(kind: string) {
    this.kind = kind;
  }
}

/** An unknown destination of a VN that asks for it. */
export class Query extends Drop {}

/** What happens to a frame on its way, beside where it goes. */
export class Notes {
  readonly drops: Record<string, number> = {};
  readonly counted: Record<string, number> = {};
  readonly learned: string[] = [];

  drop(reason: string): void {
    this.drops[reason] = (this.drops[reason] ?? 0) + 1;
  }
  count(vap: number, direction: 'in' | 'out'): void {
    const what = `${vap} ${direction}`;
    this.counted[what] = (this.counted[what] ?? 0) + 1;
  }
}

/** The drop reasons that the model knows. */
export const REASONS: readonly string[] = [
  'truncated',
  'segmented',
  'untagged',
  'unknown_tag',
  'unexpected_stag',
  'tenant_tag',
  'source_invalid',
  'source_guard',
  'ip_guard',
  'acl_in',
  'acl_out',
  'link_local',
  'same_vap',
  'unknown_unicast',
  'no_receiver',
  'vn_mtu',
  'split_horizon',
  'neighbour_unresolved',
  'next_hop_down',
  'underlay_mtu',
  'not_for_us',
  'outer_tag',
  'outer_invalid',
  'outer_options',
  'outer_fragment',
  'outer_checksum',
  'outer_zero_checksum',
  'outer_extension',
  'not_overlay',
  'vxlan_flags',
  'geneve_invalid',
  'geneve_control',
  'geneve_critical',
  'geneve_protocol',
  'reserved_bits',
  'ecn',
  'unknown_vni',
  'source_nve',
  'arp_invalid',
  'nd_invalid',
];
