/**
 * `protocol`: the machines, sans-IO: an event goes in, effects come out; time and randomness are arguments. No `node:*`.
 */

export * from './ecp.js';
export * from './ecp-events.js';
export * from './evb-events.js';
export type * from './nnp-authority.js';
export { NnpClient } from './nnp-client.js';
export * from './nnp-client-events.js';
export * from './nnp-server.js';
export type { SubscriptionStatus } from './nnp-server-feed.js';
export * from './nnp-types.js';
export * from './tags.js';
export { TsiTable, type TsiTableOptions } from './tsi.js';
export * from './tsi-events.js';
