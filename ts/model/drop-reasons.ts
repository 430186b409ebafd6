/**
 * Why the agent drops what an access port handed to it, or what it wanted to send there: the one list of these reasons, with
 * what each means. `show drops` counts them beside the engine's own (native/types/src/drop_reason.rs); docs/drops.md has both.
 */
export const AGENT_DROP_REASONS = {
  bad_ethernet: 'The frame ends within its Ethernet header or its tags.',
  bad_frame: 'Neither LLDP nor ECP.',
  bad_lldp: 'An LLDPDU that is malformed, or lacks one of the three mandatory TLVs (802.1AB, 9).',
  bad_evb: 'An EVB TLV that is malformed; the station counts as one without EVB (802.1Q, D.2.12).',
  bad_cdcp: 'A CDCP TLV that is malformed; the station counts as one without S-channels (802.1Q, D.2.13).',
  bad_ecp: 'An ECPDU that is malformed, or of another version (802.1Q, 43).',
  bad_vdp: 'A VDP PDU that is malformed: no Manager ID first, or TLVs that exceed it (802.1Q, 41).',
  control_tagged: 'LLDP or ECP with a VLAN tag that is no S-channel of the port.',
  control_unheard:
    'A frame about the link that nobody here takes: to a group that bridges do not forward (802.1Q, 8.6.3), such as spanning tree or pause; or LLDP or ECP at a port where they are not served.',
  control_unknown_channel: 'LLDP, ECP or VDP for an S-channel that is not there (any more).',
  cdcp_too_many_channels: 'CDCP: an S-channel more than both sides support.',
  cdcp_no_svid_left: 'CDCP: an S-channel for which the pool has no SVID left.',
  cdcp_svid_invalid: 'CDCP, at a station: an SVID that cannot be, or stands for another S-channel.',
  lldp_too_many_neighbours: 'LLDP of a further neighbour, when the port has as many as it serves.',
  lldp_neighbour_displaced:
    'A neighbour that made room for a further one: more of them are heard than the port serves.',
  ecp_duplicate: 'An ECPDU that was delivered before: acknowledged again, and harmless.',
  ecp_unknown_subtype: 'ECP for another protocol than VDP.',
  ecp_stray_ack: 'An ECP acknowledgement of nothing that is outstanding: late, or forged.',
  ecp_not_our_peer: 'At a station: ECP of another one than its bridge.',
  ecp_too_many_peers: 'ECP of a further station, when the port has as many as it serves.',
  ecp_not_acknowledged: 'A PDU that the peer did not acknowledge, sent R + 1 times (802.1Q, 43).',
  ecp_reset: 'A PDU that was under way when the carrier was lost, or the peer began anew.',
  ecp_queue_full: 'A PDU for a peer of which too many wait: it acknowledges too slowly.',
  ecp_failed: 'A PDU that ECP gave up for another reason.',
  vdp_not_our_bridge: 'At a station: VDP of another one than its bridge.',
  vdp_backlog: 'ECP of a station, while more VDP than may wait is not worked off yet; it sends again.',
  channel_gone: 'A PDU for a station in an S-channel that went away meanwhile.',
  link_down: 'A frame of a link without carrier.',
  station_policed:
    'LLDP or ECP of a station without an association: all of these together may send 500 frames a second on a link, 500 at once.',
  unsendable: 'The agent made a frame that cannot be encoded: an internal mistake, worth a bug report.',
  rpc_too_many: 'Port `rpc`: a connection more than may be open.',
  rpc_handshake: 'Port `rpc`: a TLS handshake that failed, or took too long.',
  rpc_client: 'Port `rpc`: a client whose certificate opens nothing here.',
  not_sent: 'The engine did not send the frame: the port is gone, or too many frames wait.',
} as const;

export type AgentDropReason = keyof typeof AGENT_DROP_REASONS;

export function isAgentDropReason(reason: string): reason is AgentDropReason {
  return Object.hasOwn(AGENT_DROP_REASONS, reason);
}
