// `sim`: a plain TypeScript model of the engine, from docs/engine.md and the RFCs: the oracle of tests. Nothing that forwards uses it.

export { after, nameOf } from './after.js';
export { dumps } from './dumps.js';
export { type Fate, type Machine, REASONS, type Sent } from './fate.js';
export { fateOf } from './forward.js';
export { isLiving } from './path.js';
export { emptyState, type State } from './state.js';
