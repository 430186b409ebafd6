/** Binding the addresses of an NVA: all of them, or none. */
import { chmodSync, lstatSync, unlinkSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { err, NveError, nveError, ok, type Result } from '#model';
import { type TlsFiles, TlsListener, type TlsPeer } from '#tls';
import { formatNvaAddress, netAddress } from '../address.js';
import { NNP_ALPN, type NvaAddress } from '../types.js';
import { mayListen } from './listen-rule.js';

export interface Listeners {
  /** The real addresses: port 0 is replaced by the chosen one. */
  readonly addresses: readonly NvaAddress[];
  /** Reads the files of TLS again, for connections from now on. Throws NVE-TLS-001; what was read before stands then. */
  renew(): void;
  /** Stops accepting. Open connections are their owner's business. */
  close(): Promise<void>;
}

export interface ListenHandlers {
  /** `peer` null: not with TLS. */
  accept(socket: Socket, peer: TlsPeer | null): void;
  /** A connection with TLS that did not come about. */
  refused(reason: 'too_many' | 'handshake', error: Error): void;
}

/** A whole domain of NVEs may come back at the same time. */
const HANDSHAKES_MAX = 256;

interface Listener {
  readonly address: NvaAddress;
  renew?(): void;
  close(): Promise<void>;
}

export async function listenOn(
  addresses: readonly NvaAddress[],
  tls: TlsFiles | undefined,
  handlers: ListenHandlers,
): Promise<Result<Listeners>> {
  for (const address of addresses) {
    const allowed = mayListen(address);
    if (!allowed.ok) return allowed;
  }
  const listeners: Listener[] = [];
  const close = async () => {
    await Promise.all(listeners.map((listener) => listener.close()));
  };
  for (const address of addresses) {
    const listening =
      address.kind === 'tls' ? await bindTls(address, tls, handlers) : await bindPlain(address, handlers);
    if (!listening.ok) {
      await close();
      return listening;
    }
    listeners.push(listening.value);
  }
  const renew = () => {
    for (const listener of listeners) listener.renew?.();
  };
  return ok({ addresses: listeners.map(({ address }) => address), renew, close });
}

async function bindTls(
  address: Extract<NvaAddress, { kind: 'tls' }>,
  files: TlsFiles | undefined,
  handlers: ListenHandlers,
): Promise<Result<Listener>> {
  try {
    if (files === undefined)
      throw nveError('NVE-SYS-003', { reason: `no certificate for ${formatNvaAddress(address)}` });
    const listener = new TlsListener(
      { ...files, listen: address, alpn: NNP_ALPN, handshakes: HANDSHAKES_MAX },
      handlers,
    );
    const port = await listener.listen();
    return ok({ address: { ...address, port }, renew: () => listener.renew(), close: () => listener.close() });
  } catch (caught) {
    if (caught instanceof NveError) return err(caught);
    throw caught;
  }
}

async function bindPlain(address: NvaAddress, { accept }: ListenHandlers): Promise<Result<Listener>> {
  const server = createServer((socket) => accept(socket, null));
  const bound = await bind(server, address);
  const close = async () => {
    await new Promise((resolve) => server.close(resolve));
  };
  return bound.ok ? ok({ address: bound.value, close }) : bound;
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
