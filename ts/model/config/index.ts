// The configuration of the three roles: schemas with their defaults, and the loader that tells every mistake at once.

export { type AclConfig, aclOf } from './acl.js';
export type { AgentConfig } from './agent.js';
export type { EngineConfig, PortConfig } from './common.js';
export {
  type Endpoint,
  type IpPrefix,
  type LinkAddress,
  parseEndpoint,
  SENT_OPTIONS_MAX,
  type VlanRange,
} from './fields.js';
export { configJsonSchema } from './json-schema.js';
export { CONFIG_SIZE_MAX, type ConfigOf, parseConfig } from './load.js';
export type { NvaConfig } from './nva.js';
export { type ConfigProblem, formatProblem } from './problems.js';
export type { RoleName } from './references.js';
export { closest } from './suggest.js';
export type { TnveConfig } from './tnve.js';
export type { TunnelConfig, UnderlayConfig } from './tunnel.js';
