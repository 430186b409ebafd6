// `api`: what an agent serves to machines that watch it. A face: it reads what the role tells, and changes nothing.

export { formatMetricsAddress, type MetricsAddress, parseMetricsAddress } from './metrics/address.js';
export { type MetricsServer, serveMetrics } from './metrics/server.js';
