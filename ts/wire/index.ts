/**
 * `wire`: bytes to values and back, nothing else: no state beyond a half-received frame, no sockets, no clock. Everything
 * returns results; an error names the field, what was expected and what came.
 */
export * from './msgpack.js';
