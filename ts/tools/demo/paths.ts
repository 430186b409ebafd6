// Where things are. Inside the demo /run is a file system of its own, so these paths of /run are nobody else's.

import { fileURLToPath } from 'node:url';

/** The root folder of the project: every command is run here. */
export const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
export const CLI = fileURLToPath(new URL('../../cli/main.js', import.meta.url));
export const INSIDE = fileURLToPath(new URL('./inside.js', import.meta.url));
/** As a reader writes it, from the root folder. */
export const SCRIPTS = 'dist/tools/demo';
export const CONFIGS = 'firmware-config/generic-vm';

export const RUN = '/run/splitnve';
export const BIN = `${RUN}/bin`;
/** A shell inside, for the reader: `nsenter -at PID SHELL`. */
export const SHELL = `${RUN}/shell`;

/** The RPC socket of a role, as the files of `CONFIGS` say. */
export function socketOf(role: string): string {
  return `${RUN}/${role}.sock`;
}
