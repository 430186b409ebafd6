/**
 * `nva`: how an NVE and its NVA talk. `client/` is the NVE's side over sockets, `server/` the embedded authority. The
 * session machines themselves are in `protocol`. It must not know the engine.
 */
export * from './client/api.js';
export * from './server/api.js';
export * from './types.js';
