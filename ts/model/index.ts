/**
 * `model`: the nouns that everybody shares, and their rules. It imports no other folder, does no I/O and keeps no state.
 */
export * from './acl.js';
export * from './brand.js';
export * from './config/index.js';
export * from './drop-reasons.js';
export * from './durable.js';
export * from './error.js';
export * from './errors.js';
export * from './ip.js';
export * from './mac.js';
export * from './mapping.js';
export * from './names.js';
export * from './numbers.js';
export * from './pattern.js';
export * from './result.js';
export * from './show.js';
export * from './tsi.js';
export * from './vn-settings.js';
