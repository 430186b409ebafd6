/** What the machines of an access port call a drop, as the reason that it is counted under (`AGENT_DROP_REASONS`). */
import { type AgentDropReason, isAgentDropReason, type NveError } from '#model';
import type { CdcpRefusal } from './cdcp-events.js';
import type { EcpDropReason } from './ecp-events.js';

/** By the layer that was wrong: `bad_ecp` of an error at `ecp.version`. */
export function badReason(error: NveError): AgentDropReason {
  const at = `${error.context['at']}`;
  const reason = `bad_${/^[a-z]+/.exec(at)?.[0]}`;
  // A sound Ethernet frame, of an ethertype that is none of ours.
  return isAgentDropReason(reason) && at !== 'ethernet.ethertype' ? reason : 'bad_frame';
}

export const ECP_DROPS: Readonly<Record<EcpDropReason, AgentDropReason>> = {
  duplicate: 'ecp_duplicate',
  unknownSubtype: 'ecp_unknown_subtype',
  strayAck: 'ecp_stray_ack',
  notOurPeer: 'ecp_not_our_peer',
  tooManyPeers: 'ecp_too_many_peers',
};

export const CDCP_REFUSALS: Readonly<Record<CdcpRefusal, AgentDropReason>> = {
  tooManyChannels: 'cdcp_too_many_channels',
  noSvidLeft: 'cdcp_no_svid_left',
  svidInvalid: 'cdcp_svid_invalid',
};
