// `hypervisor`: the local API of docs/rpc.md, both sides of it. It must not know the engine: a server gets handlers.

export { CaptureFile } from './capture-file.js';
export { type RequestOptions, RpcClient, type RpcClientOptions } from './client.js';
export type { RpcEndpoint, TlsEndpoint } from './endpoint.js';
export {
  HypervisorClient,
  type HypervisorClientOptions,
  type HypervisorEvents,
  type ShowRows,
} from './hypervisor-client.js';
export {
  linkOfPort,
  type MethodName,
  type NewPort,
  NewPortSchema,
  type ParamsIn,
  type ParamsOf,
  type ResultOf,
  SNAP_MAX,
  type TapPort,
  type TopicData,
  type TopicName,
} from './methods.js';
export { type Page, pageOf } from './pages.js';
export type {
  CapturedFrameRow,
  ShowAclRow,
  ShowDropsRow,
  ShowFdbRow,
  ShowFloodRow,
  ShowMemoryRow,
  ShowNeighRow,
  ShowNvaRow,
  ShowNveRow,
  ShowPortsRow,
  ShowVapRow,
  ShowVdpRow,
  ShowVnRow,
  TraceRow,
  TsiListRow,
  VnConnectionRow,
  VnListRow,
} from './rows.js';
export { NO_NVA_ROW } from './rows.js';
export { type Call, type Handlers, RpcServer, type RpcServerOptions } from './server.js';
export { listenOnSocket } from './socket-file.js';
export { version } from './version.js';
