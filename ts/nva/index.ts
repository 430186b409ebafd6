/**
 * `nva`: how an NVE and its NVA talk. `client/` is the NVE's side over sockets, `server/` the embedded authority. The
 * session machines themselves are in `protocol`. It must not know the engine.
 */
export { formatNvaAddress } from './address.js';
export * from './client/api.js';
export { NvaClient } from './client/client.js';
export type { Clock } from './clock.js';
export * from './server/api.js';
export { type AuthorityLimits, DEFAULT_AUTHORITY_LIMITS } from './server/authority.js';
export type { RecordStore } from './server/records.js';
export { NvaServer } from './server/server.js';
export * from './types.js';
