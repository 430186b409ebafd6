/** Addresses of NVAs as text, and as what `node:net` takes. */
import type { NvaAddress } from './types.js';

/** As the configuration has it: `tls:nva1.example.org:7890`, `tcp:[::1]:7890`, `unix:/run/nva.sock`. */
export function formatNvaAddress(address: NvaAddress): string {
  if (address.kind === 'unix') return `unix:${address.path}`;
  const { kind, host, port } = address;
  return `${kind}:${host.includes(':') ? `[${host}]` : host}:${port}`;
}

export function netAddress(address: NvaAddress): { host: string; port: number } | { path: string } {
  return address.kind === 'unix' ? { path: address.path } : { host: address.host, port: address.port };
}
