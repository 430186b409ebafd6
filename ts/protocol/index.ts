/**
 * `protocol`: the machines, sans-IO: an event goes in, effects come out; time and randomness are arguments. No `node:*`.
 */

export { decodePcap as capturedFrames, type FilterFormats, filterFormats, isCapture } from '#wire';
export type { SChannel } from './access-cdcp.js';
export type { AccessPeer, PeerAddress } from './access-channel.js';
export * from './access-frames.js';
export * from './access-port.js';
export * from './cdcp-bridge.js';
export * from './cdcp-events.js';
export type { CdcpPortOptions } from './cdcp-port.js';
export * from './cdcp-station.js';
export { Deadlines } from './deadlines.js';
export * from './ecp.js';
export * from './ecp-events.js';
export * from './evb-bridge.js';
export * from './evb-events.js';
export * from './evb-station.js';
export { EVB_DEFAULTS } from './evb-tlv.js';
export { type ExplainOptions, explainCapture, explainFrame } from './explain.js';
export * from './learning.js';
export * from './lldp.js';
export * from './lldp-events.js';
export type * from './nnp-authority.js';
export { NnpClient } from './nnp-client.js';
export * from './nnp-client-events.js';
export type { NnpEndpoint } from './nnp-endpoints.js';
export type { LinkId } from './nnp-link.js';
export type { PullStatus } from './nnp-pulls.js';
export * from './nnp-server.js';
export type { SubscriptionStatus } from './nnp-server-feed.js';
export type { SubscriptionState } from './nnp-subscription.js';
export * from './nnp-types.js';
export * from './remote-learning.js';
export * from './station-port.js';
export * from './station-vsi.js';
export * from './tag-pool.js';
export * from './tags.js';
export { TsiTable, type TsiTableOptions } from './tsi.js';
export * from './tsi-events.js';
export * from './vdp-bridge.js';
export * from './vdp-events.js';
export {
  isOfType,
  type TsiWant,
  type VdpMappingRules,
  type VdpRuleTable,
  type VsiDescription,
  type VsiTypeRule,
  vdpRules,
} from './vdp-mapping.js';
export * from './vdp-station.js';
export * from './vdp-station-events.js';
export * from './vdp-status-of.js';
export * from './vdp-timers.js';
export { VnDelivery } from './vn-delivery.js';
