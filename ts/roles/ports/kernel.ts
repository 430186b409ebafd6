// The kernel's side of TAP interfaces that the engine makes. A tenant's goes into the tenant's network namespace, gets the VN's MTU and comes
// up; the exception path's gets the addresses of the underlay. With `ip` of iproute2; the engine, which holds the other end, goes on
// undisturbed.

import { type ExecFileException, execFile } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import type { TapPort } from '#hypervisor';
import { ipFamily, type LinkAddress, type Mtu, type NveError, nveError, toNveError } from '#model';

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

/**
 * The interface has these addresses, which the engine has too and answers for, and comes up: the kernel's end of an underlay port. Throws
 * an `NveError` if that cannot be.
 */
export async function shareAddresses(iface: string, mtu: number, addresses: readonly LinkAddress[]): Promise<void> {
  // The engine looks for duplicates itself, and routers must not configure what the configuration has.
  if (addresses.some(({ ip }) => ipFamily(ip) === 6))
    for (const key of ['accept_dad', 'accept_ra']) setIpv6(iface, key, '0');
  await ip('link', 'set', 'dev', iface, 'addrgenmode', 'none', 'mtu', `${mtu}`, 'up');
  for (const { ip: address, prefixLen } of addresses)
    await ip('addr', 'replace', `${address}/${prefixLen}`, 'dev', iface);
}

function setIpv6(iface: string, key: string, value: string): void {
  const file = `/proc/sys/net/ipv6/conf/${iface}/${key}`;
  try {
    writeFileSync(file, value);
  } catch (caught) {
    throw nveError('NVE-SYS-004', { command: `echo ${value} > ${file}`, reason: toNveError(caught).message });
  }
}

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
