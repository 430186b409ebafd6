// `sim`: a plain TypeScript model of the engine, from docs/engine.md and the RFCs: the oracle of tests. Nothing that forwards uses it.

export { type Fate, fateOf, type Machine, REASONS, type Sent } from './forward.js';
export { after, dumps, emptyState, type State } from './state.js';
