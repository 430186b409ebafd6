/** Addresses of NVAs as text, and as what `node:net` takes. */
import type { NvaAddress } from './types.js';

/** `127.0.0.1:6640`, `[::1]:6640`, `unix:/run/nva.sock`. */
export function formatNvaAddress(address: NvaAddress): string {
  if (address.kind === 'unix') return `unix:${address.path}`;
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

export function netAddress(address: NvaAddress): { host: string; port: number } | { path: string } {
  return address.kind === 'unix' ? { path: address.path } : { host: address.host, port: address.port };
}
