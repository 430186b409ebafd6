/**
 * `wire`: bytes to values and back, nothing else: no state beyond a half-received frame, no sockets, no clock. Everything
 * returns results; an error names the field, what was expected and what came.
 */
export * from './frame.js';
export * from './msgpack.js';
export * from './nnp.js';
export { decodeNnp } from './nnp-decode.js';
export { encodeNnp } from './nnp-encode.js';
export * from './rpc.js';
