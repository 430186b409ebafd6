import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { unwrap } from '#model';
import type { NvaAddress } from '../types.js';
import { listenOn } from './listen.js';
import { mayListen, type Namespaces } from './listen-rule.js';

const tcp = (host: string): NvaAddress => ({ kind: 'tcp', host, port: 0 });
const same: Namespaces = { of: () => 'net:[1]', named: () => ['net:[2]'] };
const apart: Namespaces = { of: (pid) => (pid === 'self' ? 'net:[2]' : 'net:[1]'), named: () => [] };
const unreadable: Namespaces = {
  of: (pid) => {
    if (pid === '1') throw new Error('EACCES: permission denied');
    return 'net:[3]';
  },
  named: () => ['net:[2]'],
};
const verdict = (address: NvaAddress, namespaces: Namespaces) => {
  const result = mayListen(address, namespaces);
  return result.ok ? 'ok' : `${result.error.message} ${result.error.hint}`;
};

describe('mayListen', () => {
  it('loopback and Unix sockets anywhere', () => {
    for (const address of [tcp('127.0.0.1'), tcp('127.9.9.9'), tcp('::1'), { kind: 'unix', path: '/run/x' } as const]) {
      expect(verdict(address, same)).toBe('ok');
      expect(verdict(address, unreadable)).toBe('ok');
    }
  });

  it('any address in a namespace of its own', () => {
    expect(verdict(tcp('192.0.2.1'), apart)).toBe('ok');
    expect(verdict(tcp('0.0.0.0'), apart)).toBe('ok');
  });

  it.each(['0.0.0.0', '::', '192.0.2.1', 'localhost', '127.0.0.1.example.org', '::ffff:192.0.2.1'])(
    'not %s in the namespace of the machine',
    (host) => {
      expect(verdict(tcp(host), same)).toContain('it is an address of the network namespace of the machine itself');
      expect(verdict(tcp(host), same)).toContain('ip netns exec');
    },
  );

  it('a namespace that ip netns made is known as such where process 1 may not be looked at', () => {
    expect(verdict(tcp('192.0.2.1'), { ...unreadable, named: () => ['net:[2]', 'net:[3]'] })).toBe('ok');
  });

  it('says so when the namespace of the machine cannot be read', () => {
    expect(verdict(tcp('192.0.2.1'), unreadable)).toContain('cannot be told (EACCES: permission denied)');
  });
});

const nobody = { accept: () => undefined, refused: () => undefined };

describe('listenOn', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'nva-listen-'));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));
  const unix = (): NvaAddress => ({ kind: 'unix', path: join(directory, 's') });

  it('binds all or none, and names what is taken', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as { port: number };
    const busy: NvaAddress = { kind: 'tcp', host: '127.0.0.1', port };
    const result = await listenOn([unix(), busy], undefined, nobody);
    expect(result.ok ? 'ok' : result.error.message).toMatch(
      new RegExp(`^cannot listen on tcp:127.0.0.1:${port}: .*EADDRINUSE`),
    );
    // The first one was given back.
    const again = unwrap(await listenOn([unix()], undefined, nobody));
    await again.close();
    taken.close();
  });

  it('a Unix socket is for its owner only, and one that nobody serves is replaced', async () => {
    const listeners = unwrap(await listenOn([unix()], undefined, nobody));
    const path = join(directory, 's');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const second = await listenOn([unix()], undefined, nobody);
    expect(second.ok ? 'ok' : second.error.code).toBe('NVE-SYS-001');
    await listeners.close();
  });

  it('does not touch a file that is no socket', async () => {
    writeFileSync(join(directory, 's'), 'precious');
    const result = await listenOn([unix()], undefined, nobody);
    expect(result.ok ? 'ok' : result.error.code).toBe('NVE-SYS-001');
    expect(statSync(join(directory, 's')).size).toBe(8);
  });

  it('gives the port that was chosen', async () => {
    const listeners = unwrap(await listenOn([tcp('127.0.0.1')], undefined, nobody));
    expect(listeners.addresses[0]).toMatchObject({ kind: 'tcp', host: '127.0.0.1', port: expect.any(Number) });
    expect(listeners.addresses[0]).not.toMatchObject({ port: 0 });
    await listeners.close();
  });
});
