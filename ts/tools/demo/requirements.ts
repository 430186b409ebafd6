// What the machine must have before anything is made: root, and the programs that the demo runs.

import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { nveError } from '#model';

/** Each program and its Debian package. */
const PROGRAMS = {
  ip: 'iproute2',
  ping: 'iputils-ping',
  iperf3: 'iperf3',
  ethtool: 'ethtool',
  tcpdump: 'tcpdump',
  bash: 'bash',
  mount: 'mount',
  unshare: 'util-linux',
  nsenter: 'util-linux',
  setpriv: 'util-linux',
} as const;

/** Where `ip` and its like are, which not every user's PATH names. */
const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export function searchPath(): string {
  return [process.env['PATH'], SYSTEM_PATH].filter((part) => part !== undefined && part !== '').join(delimiter);
}

/** Throws an `NveError` that says what is missing and how to get it. */
export function checkRequirements(uid = process.geteuid?.(), path = searchPath()): void {
  if (uid !== 0) throw nveError('NVE-SYS-002', { what: 'the demo makes network namespaces, and that' });
  const folders = path.split(delimiter);
  const missing = Object.entries(PROGRAMS).filter(([program]) => !folders.some((folder) => isProgram(folder, program)));
  if (missing.length === 0) return;
  throw nveError('NVE-SYS-010', {
    what: 'the demo',
    programs: missing.map(([program]) => program).join(', '),
    packages: [...new Set(missing.map(([, name]) => name))].join(' '),
  });
}

function isProgram(folder: string, name: string): boolean {
  try {
    accessSync(join(folder, name), constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
