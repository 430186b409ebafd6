// The kernel's side of a tenant's port: the TAP interface goes into the tenant's network namespace, gets the VN's MTU and comes up.
// With `ip` of iproute2; the engine, which holds the other end, goes on undisturbed.

import { type ExecFileException, execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { TapPort } from '#hypervisor';
import { type Mtu, type NveError, nveError } from '#model';

export interface Kernel {
  /** Throws an `NveError` if that cannot be. */
  bringUp(port: TapPort, mtu: Mtu): Promise<void>;
  /** Throws an `NveError` if the namespace does not exist. */
  check(port: TapPort): void;
}

const IP_MS = 5_000;
/** Where `ip netns` keeps its names. */
const NAMESPACES = '/run/netns';

export const kernel: Kernel = {
  check({ netns }) {
    // `ip link set netns` would take an unknown name of digits for a process id.
    if (netns !== null && !existsSync(`${NAMESPACES}/${netns}`)) {
      throw nveError('NVE-RPC-003', {
        method: 'tsi.attach',
        problem: `link.netns: there is no network namespace ${netns} (ip netns list)`,
      });
    }
  },
  async bringUp(port, mtu) {
    const { iface, netns } = port;
    this.check(port);
    if (netns !== null) await ip('link', 'set', 'dev', iface, 'netns', netns);
    const inside = netns === null ? [] : ['-n', netns];
    await ip(...inside, 'link', 'set', 'dev', iface, 'mtu', `${mtu}`, 'up');
  },
};

function ip(...args: string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    execFile('ip', args, { timeout: IP_MS }, (error, _stdout, stderr) => {
      if (error === null) resolve();
      else reject(ipError(args, error, stderr));
    });
  });
}

function ipError(args: readonly string[], error: ExecFileException, stderr: string): NveError {
  const command = `ip ${args.join(' ')}`;
  const said = stderr.trim().split('\n').at(-1) ?? '';
  const reason =
    error.code === 'ENOENT'
      ? 'iproute2 is not installed'
      : error.killed === true
        ? `no end within ${IP_MS} ms`
        : said || error.message;
  return nveError('NVE-SYS-004', { command, reason }, error);
}
