// `dataplane`: the engine as TypeScript sees it. It decides no policy.

export { type Addon, loadAddon, type NativeEngine } from './addon.js';
export { batchesOf } from './commands.js';
export { openEmbedded } from './embedded.js';
export type { Engine, Page, Unsubscribe } from './engine.js';
export * from './rows.js';
export { TRACE_FRAME_MAX, type Trace, type TraceFact, type TraceStep } from './trace.js';
export * from './types.js';
