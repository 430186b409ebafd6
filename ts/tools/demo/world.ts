// The demo's own file system below /run: names of namespaces, sockets, logs, the program's name for a reader's shell. It hides the
// machine's /run and vanishes with the mount namespace.

import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BIN, CLI, ROOT, RUN, SHELL } from './paths.js';
import { must } from './shell.js';

/** Makes it; gives the folder for the logs. */
export async function makeWorld(keepLogs: boolean): Promise<string> {
  await must('mount -t tmpfs -o mode=755 tmpfs /run', { quiet: true });
  // Nor does an agent here remember anything of the machine's own, or of the demo before.
  await must('mkdir -p /var/lib/splitnve && mount -t tmpfs -o mode=755 tmpfs /var/lib/splitnve', { quiet: true });
  mkdirSync(BIN, { recursive: true });
  // Under these names a reader's shell finds this very build and this very Node.
  script(`${BIN}/splitnve`, `exec ${single(process.execPath)} ${single(CLI)} "$@"`);
  script(`${BIN}/node`, `exec ${single(process.execPath)} "$@"`);
  script(SHELL, `cd ${single(ROOT)} && PATH=${single(BIN)}:"$PATH" PS1='(demo) \\$ ' exec bash --norc "$@"`);
  if (keepLogs) return mkdtempSync(join(tmpdir(), 'splitnve-demo-'));
  const logs = `${RUN}/log`;
  mkdirSync(logs);
  return logs;
}

function script(file: string, line: string): void {
  writeFileSync(file, `#!/bin/sh\n${line}\n`, { mode: 0o755 });
}

function single(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
