/** Binding the addresses of an NVA: all of them, or none. */
import { chmodSync, lstatSync, unlinkSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { err, nveError, ok, type Result } from '#model';
import { formatNvaAddress, netAddress } from '../address.js';
import type { NvaAddress } from '../types.js';
import { mayListen } from './listen-rule.js';

export interface Listeners {
  /** The real addresses: port 0 is replaced by the chosen one. */
  readonly addresses: readonly NvaAddress[];
  /** Stops accepting. Open connections are their owner's business. */
  close(): Promise<void>;
}

export async function listenOn(
  addresses: readonly NvaAddress[],
  accept: (socket: Socket) => void,
): Promise<Result<Listeners>> {
  for (const address of addresses) {
    const allowed = mayListen(address);
    if (!allowed.ok) return allowed;
  }
  const servers: Server[] = [];
  const close = async () => {
    await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  };
  const bound: NvaAddress[] = [];
  for (const address of addresses) {
    const server = createServer(accept);
    const listening = await bind(server, address);
    if (!listening.ok) {
      await close();
      return listening;
    }
    servers.push(server);
    bound.push(listening.value);
  }
  return ok({ addresses: bound, close });
}

async function bind(server: Server, address: NvaAddress): Promise<Result<NvaAddress>> {
  let failure = await tryListen(server, address);
  // A socket file that a killed process left behind: nobody answers there.
  if (failure?.code === 'EADDRINUSE' && address.kind === 'unix' && (await isStale(address.path))) {
    unlinkSync(address.path);
    failure = await tryListen(server, address);
  }
  if (failure !== null) {
    return err(nveError('NVE-SYS-001', { address: formatNvaAddress(address), reason: failure.message }, failure));
  }
  server.on('error', () => {
    // Of a single connection that could not be accepted (out of descriptors); the next one may be.
  });
  if (address.kind === 'unix') {
    // Whoever may write to it is an NVE to us.
    chmodSync(address.path, 0o600);
    return ok(address);
  }
  const real = server.address();
  return ok({ ...address, port: typeof real === 'object' && real !== null ? real.port : address.port });
}

function tryListen(server: Server, address: NvaAddress): Promise<NodeJS.ErrnoException | null> {
  return new Promise((resolve) => {
    const failed = (error: NodeJS.ErrnoException) => resolve(error);
    server.once('error', failed);
    server.listen(netAddress(address), () => {
      server.removeListener('error', failed);
      resolve(null);
    });
  });
}

function isStale(path: string): Promise<boolean> {
  if (!lstatSync(path, { throwIfNoEntry: false })?.isSocket()) return Promise.resolve(false);
  return new Promise((resolve) => {
    const probe = connect({ path });
    probe.once('connect', () => {
      probe.destroy();
      resolve(false);
    });
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'));
  });
}
