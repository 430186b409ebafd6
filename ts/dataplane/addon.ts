// Finds and loads the native addon, and says what to do when that fails. The names below are all that the addon exports; what goes
// through the buffers is docs/engine.md.

import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type NveError, nveError } from '#model';

/** The handle of an open engine. A rejected promise is an `Error` with `code` (NVE-…) and `context` (a JSON object, as text). */
export interface NativeEngine {
  info(): Buffer;
  apply(batch: Buffer): Promise<Buffer>;
  dump(request: Buffer): Promise<Buffer>;
  stats(): Promise<Buffer>;
  /** What is in the event ring, back to back; empties it. */
  events(): Buffer;
  /** What is in the punt ring, back to back; empties it. */
  punts(): Buffer;
  /** Begins to record frames, or ends it. */
  capture(request: Buffer): Promise<Buffer>;
  /** Recorded frames, back to back. */
  captured(): Buffer;
  inject(request: Buffer): Promise<Buffer>;
  trace(request: Buffer): Promise<Buffer>;
  close(): Promise<void>;
  /** Synchronous, for the exit of the process. */
  shutdownNow(): void;
}

export interface Addon {
  /** `doorbell` is called on Node's thread when a ring is no longer empty. */
  open(options: Buffer, doorbell: () => void): Promise<NativeEngine>;
}

/** Where `npm run build` puts the addon: the same from ts/dataplane and from dist/dataplane. */
const DIRECTORY = fileURLToPath(new URL('../../dist/native', import.meta.url));

/** Loads the addon for this machine. Throws an `NveError` that names the remedy. */
export function loadAddon(directory: string = DIRECTORY): Addon {
  const path = findAddon(directory);
  let loaded: unknown;
  try {
    loaded = createRequire(import.meta.url)(path);
  } catch (caught) {
    throw loadError(path, caught);
  }
  if (typeof loaded === 'object' && loaded !== null && 'open' in loaded && typeof loaded.open === 'function')
    return loaded as Addon;
  throw brokenAddon(path, 'it does not export "open"');
}

function findAddon(directory: string): string {
  // `napi build --platform` names the file after the platform, the architecture and the C library.
  for (const abi of ['gnu', 'musl']) {
    const path = join(directory, `splitnve.linux-${process.arch}-${abi}.node`);
    if (existsSync(path)) return path;
  }
  const others = existsSync(directory) ? readdirSync(directory).filter((file) => file.endsWith('.node')) : [];
  if (others.length > 0) throw brokenAddon(join(directory, others[0] ?? ''), `it is not for linux-${process.arch}`);
  const path = join(directory, `splitnve.linux-${process.arch}-gnu.node`);
  throw nveError('NVE-SYS-006', { path });
}

function brokenAddon(path: string, reason: string, cause?: unknown): NveError {
  return nveError('NVE-SYS-007', { path, reason }, cause);
}

/** dlopen's message as an error with a remedy: DPDK's libraries are missing, or are of another ABI, or it is the addon itself. */
export function loadError(path: string, caught: unknown): NveError {
  const reason = (caught instanceof Error ? caught.message : String(caught)).split('\n')[0] ?? '';
  const missing = /librte_[^:]*: cannot open shared object file/.test(reason);
  const otherAbi =
    /version [`']?(DPDK_|EXPERIMENTAL)/.test(reason) || /undefined symbol: (rte_|per_lcore_)/.test(reason);
  if (missing || otherAbi) return nveError('NVE-SYS-008', { reason }, caught);
  return brokenAddon(path, reason, caught);
}
