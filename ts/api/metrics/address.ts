// Where the metrics are served: an IP address of this machine and a port, or a Unix socket. Never every address: what is served tells of
// tenants, and has no password.

import { err, nveError, ok, parseIp, type Result, show } from '#model';

export type MetricsAddress = { readonly host: string; readonly port: number } | { readonly path: string };

const RULE = 'IP:PORT with one address of this machine, as in 127.0.0.1:9464 or [::1]:9464, or unix:PATH';
/** A Unix socket's path, without its final NUL. */
const PATH_MAX = 107;

export function parseMetricsAddress(text: string): Result<MetricsAddress> {
  const wrong = err(nveError('NVE-VAL-002', { what: 'address of the metrics', got: show(text), rule: RULE }));
  if (text.startsWith('unix:')) {
    const path = text.slice(5);
    return path !== '' && !path.includes('\0') && Buffer.byteLength(path) <= PATH_MAX ? ok({ path }) : wrong;
  }
  const [, six, four, digits] = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = parseIp(six ?? four);
  const port = Number(digits);
  if (!host.ok || host.value.includes(':') !== (six !== undefined) || !(port >= 1 && port <= 65_535)) return wrong;
  return host.value === '0.0.0.0' || host.value === '::' ? wrong : ok({ host: host.value, port });
}

export function formatMetricsAddress(address: MetricsAddress): string {
  if ('path' in address) return `unix:${address.path}`;
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}
