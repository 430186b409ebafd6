// The package's export `splitnve/hypervisor`: the client for hypervisors, and what its answers are made of. Nothing of the server.

export { NveError } from '#model';
export type { RequestOptions } from './client.js';
export type { RpcEndpoint, TlsEndpoint } from './endpoint.js';
export { HypervisorClient, type HypervisorClientOptions, type HypervisorEvents } from './hypervisor-client.js';
export type { NewPort } from './methods.js';
export type { TsiListRow, VnConnectionRow } from './rows.js';
