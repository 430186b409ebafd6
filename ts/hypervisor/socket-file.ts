// A Unix socket's file: made for its owner alone, and replaced only if nobody listens on it any more.

import { chmodSync, lstatSync, mkdirSync, unlinkSync } from 'node:fs';
import { connect, type Server } from 'node:net';
import { dirname } from 'node:path';
import { NveError, nveError, show } from '#model';

/** How long somebody who might listen has to accept a connection. */
const PROBE_MS = 1000;

/** Listens on `socket`, mode 0600. Throws an `NveError` if somebody does already, or the path cannot be used. */
export async function listenOnSocket(server: Server, socket: string): Promise<void> {
  try {
    mkdirSync(dirname(socket), { recursive: true, mode: 0o755 });
    await bind(server, socket);
  } catch (caught) {
    if (errnoOf(caught) !== 'EADDRINUSE') throw socketError(socket, caught);
    try {
      await removeStale(socket);
      await bind(server, socket);
    } catch (again) {
      throw socketError(socket, again);
    }
  }
  chmodSync(socket, 0o600);
}

function bind(server: Server, socket: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    // The file is made inside `listen`, with what the mask leaves: at no moment is it open to others.
    const before = process.umask(0o177);
    try {
      server.listen(socket, () => {
        server.off('error', reject);
        resolve();
      });
    } finally {
      process.umask(before);
    }
  });
}

async function removeStale(socket: string): Promise<void> {
  if (!lstatSync(socket).isSocket()) throw cannotListen(socket, 'the path exists and is not a socket');
  const answer = await probe(socket);
  if (answer !== 'ECONNREFUSED') {
    if (answer === 'EACCES') throw cannotListen(socket, 'somebody else owns it');
    throw nveError('NVE-SYS-009', { socket });
  }
  unlinkSync(socket);
}

/** The error code of a connection attempt; undefined if it was accepted or nobody took it in time. */
function probe(socket: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const connection = connect(socket);
    const done = (code: string | undefined): void => {
      connection.destroy();
      resolve(code);
    };
    connection.setTimeout(PROBE_MS, () => done(undefined));
    connection.once('connect', () => done(undefined));
    connection.once('error', (error) => done(errnoOf(error)));
  });
}

function socketError(socket: string, caught: unknown): NveError {
  if (caught instanceof NveError) return caught;
  const code = errnoOf(caught);
  if (code === 'EACCES' || code === 'EPERM') {
    return nveError('NVE-SYS-005', { what: socket, reason: code }, caught);
  }
  return cannotListen(socket, caught instanceof Error ? caught.message : show(caught), caught);
}

function cannotListen(socket: string, reason: string, cause?: unknown): NveError {
  return nveError('NVE-SYS-001', { address: socket, reason }, cause);
}

export function errnoOf(caught: unknown): string | undefined {
  return caught instanceof Error && 'code' in caught && typeof caught.code === 'string' ? caught.code : undefined;
}
