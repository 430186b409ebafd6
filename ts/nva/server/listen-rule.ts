/**
 * Where an NVA without TLS may listen: NNP tells everybody's addresses and believes what NVEs report, so in plain text it
 * stays where only this machine, or a network that was set apart for it, can reach it.
 */
import { readdirSync, readlinkSync, statSync } from 'node:fs';
import { isIP } from 'node:net';
import { err, nveError, ok, type Result } from '#model';
import { formatNvaAddress } from '../address.js';
import type { NvaAddress } from '../types.js';

/** How to tell namespaces apart; tests give their own. */
export interface Namespaces {
  /** The network namespace of a process: `net:[inode]`. Throws if it may not be read. */
  of(pid: string): string;
  /** Those that `ip netns` made, in the same form. */
  named(): readonly string[];
}

/** TLS, loopback, a Unix socket, or anything in a network namespace that is not the machine's own; else NVE-NVA-008. */
export function mayListen(address: NvaAddress, namespaces: Namespaces = SYSTEM): Result<null> {
  if (address.kind !== 'tcp' || isLoopback(address.host)) return ok(null);
  let reason: string;
  try {
    const own = namespaces.of('self');
    // Some systems let nobody look at process 1; a namespace that `ip netns` made is not the machine's own either way.
    if (namespaces.named().includes(own) || own !== namespaces.of('1')) return ok(null);
    reason = 'it is an address of the network namespace of the machine itself';
  } catch (caught) {
    const why = caught instanceof Error ? caught.message : String(caught);
    reason = `whether this network namespace is the machine's own cannot be told (${why})`;
  }
  return err(nveError('NVE-NVA-008', { address: formatNvaAddress(address), reason }));
}

/** 127.0.0.0/8 and ::1 by number. A name can mean anything, `localhost` included. */
function isLoopback(host: string): boolean {
  if (isIP(host) === 4) return host.startsWith('127.');
  return isIP(host) === 6 && /^(::1|::ffff:127\.\d+\.\d+\.\d+)$/i.test(host);
}

const NETNS = '/run/netns';

const SYSTEM: Namespaces = {
  of: (pid) => readlinkSync(`/proc/${pid}/ns/net`),
  named: () => {
    try {
      return readdirSync(NETNS).map((name) => `net:[${statSync(`${NETNS}/${name}`).ino}]`);
    } catch {
      return []; // nobody has made any
    }
  },
};
