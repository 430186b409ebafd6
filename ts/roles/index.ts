// `roles`: the three programs in one, each a composition of engine, NVA and hypervisor side. The only place where all meet.

export { capturedFrames, explainCapture, explainFrame, isCapture } from '#protocol';
export { explainOptions } from './agent/access/explain-options.js';
export { Agent, type AgentParts } from './agent/agent.js';
export type { Fault } from './agent/nve-ways.js';
export type { Readings } from './agent/readings.js';
export { Nva, type NvaParts } from './nva/nva.js';
export { readConfig } from './process.js';
export { type AgentFace, type RunAgentOptions, runAgent, runNva, runTnve } from './start.js';
export { Tnve, type TnveParts } from './tnve/tnve.js';
