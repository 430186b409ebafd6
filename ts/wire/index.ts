/**
 * `wire`: bytes to values and back, nothing else: no state beyond a half-received frame, no sockets, no clock. Everything
 * returns results; an error names the field, what was expected and what came.
 */
export * from './cdcp.js';
export * from './ecp.js';
export * from './ethernet.js';
export * from './evb.js';
export * from './frame.js';
export * from './lldp.js';
export * from './msgpack.js';
export * from './nnp.js';
export { decodeNnp } from './nnp-decode.js';
export { encodeNnp } from './nnp-encode.js';
export { fromHex, type Hex, toHex } from './octets.js';
export * from './pcap.js';
export * from './pcapng.js';
export * from './rpc.js';
export * from './vdp.js';
export * from './vdp-cisco.js';
export * from './vdp-filter.js';
export * from './vdp-status.js';
