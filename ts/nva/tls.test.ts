/** NVEs and the embedded NVA over TLS, with certificates that are made here: right ones, and all the wrong ones. */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls, createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { unwrap } from '#model';
import { readPem } from '#tls';
import { Authority, type CertificateOptions, type Identity } from '../../test/lib/certificates.js';
import { type NvaAddress, NvaClient, NvaServer } from './index.js';
import { CONFIG, Nve, nveId, RawPeer, vnId } from './testing/lab.js';

vi.setConfig({ testTimeout: 60_000 });

let directory = '';
let authority: Authority;
let own: Identity;
let issued = 0;
const closing: (() => unknown)[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'splitnve-nnp-tls-'));
  authority = new Authority(directory, 'ca');
  own = authority.issue('nva', { uris: ['spiffe://lab/nva/nva1'] });
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  rmSync(directory, { recursive: true });
});

const issue = (options: CertificateOptions, by = authority): Identity => by.issue(`issued${issued++}`, options);
const ofNve = (id: string, by = authority): Identity => issue({ uris: [`spiffe://lab/nve/${id}`] }, by);

interface Serving {
  readonly server: NvaServer;
  readonly address: Extract<NvaAddress, { kind: 'tls' }>;
  readonly log: string[];
}

async function serve(tls: Identity = own): Promise<Serving> {
  const log: string[] = [];
  const write = (_: object, text: string): void => void log.push(text);
  const listen = [{ kind: 'tls', host: '127.0.0.1', port: 0 } as const];
  const server = unwrap(NvaServer.create({ listen, tls, authority: CONFIG, log: { info: write, warn: write } }));
  const [address] = unwrap(await server.listen());
  closing.push(() => server.close());
  if (address?.kind !== 'tls') throw new Error('it does not listen with TLS');
  return { server, address, log };
}

function nve(address: NvaAddress, tls: Identity, id = 'a'): Nve {
  const made = new Nve({
    nveId: nveId(id),
    endpoints: [{ address, priority: 0, weight: 1 }],
    tls,
    tunnels: [],
    timing: { backoffMinMs: 5, backoffMaxMs: 20 },
  });
  closing.push(() => made.client.stop());
  made.client.start();
  return made;
}

/** What the NVE says of why it has no session. */
async function refusal(made: Nve): Promise<string> {
  await made.until(() => made.errors.length > 0);
  const [error] = made.errors;
  return `${error?.code} ${error?.message} ${error?.hint}`;
}

/** The last words of the NVA to somebody who says that it is NVE a. */
async function told(socket: TLSSocket): Promise<string> {
  closing.push(() => socket.destroy());
  const peer = new RawPeer(socket);
  peer.hello('a');
  await peer.until(() => peer.closed);
  const last = peer.frames.at(-1);
  return last?.kind === 'error' ? `${last.code} ${last.text}` : `no error but ${last?.kind}`;
}

it('a session between an NVE and an NVA that show what they are', async () => {
  const { server, address } = await serve();
  const a = nve(address, ofNve('a'));
  const b = nve(address, ofNve('b'), 'b');
  unwrap(await a.client.subscribe(vnId(7)));
  unwrap(await b.attach('t2', [2]));
  await a.sees(['02 b#0']);
  expect(server.refusals()).toEqual({ count: 0, last: null });
});

describe('an NVE is refused, told why, and counted', () => {
  const future = (): Date => new Date(Date.now() - 1000);
  it.each<[string, RegExp, () => Identity]>([
    ['another id than its certificate', /NVE-NNP-014 .*is of NVE b, not of NVE a/, () => ofNve('b')],
    [
      'the role of an NVA',
      /NVE-NNP-014 .*is of spiffe:\/\/lab\/nva\/a, not of spiffe:\/\/lab\/nve\/NAME/,
      () => issue({ uris: ['spiffe://lab/nva/a'] }),
    ],
    [
      'another domain',
      /NVE-NNP-014 .*is of spiffe:\/\/elsewhere\/nve\/a, not of spiffe:\/\/lab\/nve\/NAME/,
      () => issue({ uris: ['spiffe://elsewhere/nve/a'] }),
    ],
    ['two URIs', /NVE-NNP-014 .*is of nobody/, () => issue({ uris: ['spiffe://lab/nve/a', 'spiffe://lab/nve/b'] })],
    ['a CN only', /NVE-NNP-014 .*is of a, not of/, () => issue({ cn: 'a' })],
    [
      'a certificate of another CA',
      /NVE-NNP-013 .*not of the authority/,
      () => ofNve('a', new Authority(directory, 'other')),
    ],
    [
      'a forged certificate',
      /NVE-NNP-013 .*not of the authority/,
      () => {
        mkdirSync(join(directory, 'forger'), { recursive: true });
        return ofNve('a', new Authority(join(directory, 'forger'), 'ca'));
      },
    ],
    [
      'an expired certificate',
      /NVE-NNP-013 .*it has expired/,
      () => issue({ uris: ['spiffe://lab/nve/a'], notAfter: future() }),
    ],
  ])('for %s', async (_, reason, make) => {
    const { server, address, log } = await serve();
    const identity = make();
    // The client would see by itself that the certificate is not its own: this one is of somebody who does not care.
    const socket = connectTls({
      ...readPem({ ...identity, ca: authority.file }),
      host: '127.0.0.1',
      port: address.port,
      ALPNProtocols: ['nnp/1'],
      checkServerIdentity: () => undefined,
    });
    expect(await told(socket)).toMatch(reason);
    await vi.waitFor(() => expect(server.refusals().count).toBe(1), 5_000);
    expect(server.refusals().last).not.toBeNull();
    expect(log.some((line) => line.startsWith('no session: '))).toBe(true);
  });

  it('for no certificate at all', async () => {
    const { server, address } = await serve();
    const socket = connectTls({
      host: '127.0.0.1',
      port: address.port,
      ALPNProtocols: ['nnp/1'],
      rejectUnauthorized: false,
    });
    expect(await told(socket)).toMatch(/NVE-NNP-013 .*there is none/);
    await vi.waitFor(() => expect(server.refusals().count).toBe(1), 5_000);
  });

  it.each([
    ['without the protocol (ALPN)', {}],
    ['for another protocol (ALPN)', { ALPNProtocols: ['h2'] }],
    ['with TLS 1.2', { maxVersion: 'TLSv1.2' as const, ALPNProtocols: ['nnp/1'] }],
  ])('%s, without a word', async (_, options) => {
    const { server, address } = await serve();
    const socket = connectTls({ host: '127.0.0.1', port: address.port, rejectUnauthorized: false, ...options });
    socket.on('error', () => undefined);
    await new Promise((resolve) => socket.once('close', resolve));
    await vi.waitFor(() => expect(server.refusals().count).toBe(1), 5_000);
  });

  it('and the NVE shows the reason as its own', async () => {
    const { address } = await serve();
    const other = new Authority(directory, 'other');
    const made = nve(address, { ...ofNve('a', other), ca: authority.file });
    expect(await refusal(made)).toMatch(/NVE-NNP-009 .*NVE-NNP-013 .*not of the authority/);
    expect(made.connects).toBe(0);
  });
});

describe('an NVE refuses an NVA', () => {
  it.each<[string, RegExp, () => Identity]>([
    [
      'of another CA',
      /NVE-TLS-002 .*not of the CA in .*ca\.pem.*Name the CA/,
      () => issue({ uris: ['spiffe://lab/nva/nva1'] }, new Authority(directory, 'other')),
    ],
    [
      'that is an NVE',
      /NVE-NNP-014 .*is of spiffe:\/\/lab\/nve\/nva1, not of spiffe:\/\/lab\/nva\/NAME/,
      () => ofNve('nva1'),
    ],
    [
      'of another domain',
      /NVE-NNP-014 .*not of spiffe:\/\/lab\/nva\/NAME/,
      () => issue({ uris: ['spiffe://x/nva/nva1'] }),
    ],
    [
      'that has expired',
      /NVE-TLS-002 .*not valid now.*Renew it/,
      () => issue({ uris: ['spiffe://lab/nva/nva1'], notAfter: new Date(Date.now() - 1000) }),
    ],
    ['without a name', /NVE-NNP-014 .*is of nobody/, () => issue({ dns: ['127.0.0.1'] })],
  ])('%s', async (_, reason, make) => {
    const server = createTlsServer({ ...readPem(make()), ALPNProtocols: ['nnp/1'] }, (socket) => {
      socket.on('data', () => expect.unreachable('it was greeted')).on('error', () => undefined);
    });
    const port = await new Promise<number>((resolve) =>
      server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port)),
    );
    closing.push(() => server.close());
    const made = nve({ kind: 'tls', host: '127.0.0.1', port }, ofNve('a'));
    expect(await refusal(made)).toMatch(reason);
    expect(made.client.status().refusedCertificates).toBeGreaterThan(0);
    await made.client.stop();
  });

  it('that speaks TLS but not NNP', async () => {
    const server = createTlsServer(readPem(own), (socket) => socket.on('error', () => undefined));
    const port = await new Promise<number>((resolve) =>
      server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port)),
    );
    closing.push(() => server.close());
    const made = nve({ kind: 'tls', host: '127.0.0.1', port }, ofNve('a'));
    expect(await refusal(made)).toMatch(/NVE-TLS-002 .*does not speak NNP/);
    await made.client.stop();
  });
});

describe('own files', () => {
  it.each<[string, RegExp, () => Identity]>([
    ['a certificate of somebody else', /is of spiffe:\/\/lab\/nve\/b, not of spiffe:\/\/lab\/nve\/a/, () => ofNve('b')],
    ['a key of another certificate', /as key: it is not the key/, () => ({ ...ofNve('a'), key: ofNve('a').key })],
    ['a file that is not there', /ENOENT/, () => ({ ...ofNve('a'), ca: '/nonexistent/ca.pem' })],
  ])('%s is told at the start', (_, reason, make) => {
    const options = { nveId: nveId('a'), endpoints: [], tunnels: [], tls: make() };
    expect(() => new NvaClient(options)).toThrow(reason);
  });

  it('the same at the NVA', () => {
    const made = NvaServer.create({ listen: [], tls: ofNve('a'), authority: CONFIG });
    expect(made.ok ? 'ok' : made.error.message).toContain('not of spiffe://lab/nva/nva1');
  });
});

it('certificates are renewed at both ends without dropping a session', async () => {
  const { server, address } = await serve();
  const mine = ofNve('a');
  const a = nve(address, mine);
  unwrap(await a.client.subscribe(vnId(7)));
  // A new authority takes over, for both sides.
  const next = new Authority(directory, 'next');
  const renewal = (at: Identity, uri: string): void => {
    const fresh = issue({ uris: [uri] }, next);
    copyFileSync(fresh.cert, at.cert);
    copyFileSync(fresh.key, at.key);
    at.ca === own.ca || copyFileSync(next.file, at.ca);
  };
  renewal(own, 'spiffe://lab/nva/nva1');
  copyFileSync(next.file, authority.file);
  renewal(mine, 'spiffe://lab/nve/a');
  unwrap(server.renewTls());
  unwrap(a.client.renewTls());
  // The session of before goes on.
  unwrap(await a.attach('t1', [1]));
  await a.sees(['01 a#0']);
  expect(a.errors).toEqual([]);
  expect(a.connects).toBe(1);
  // A new one needs the new authority, at both ends.
  await a.client.stop();
  a.client.start();
  await a.until(() => a.connects === 2);
  const b = nve(address, ofNve('b', next), 'b');
  await b.until(() => b.connects === 1);
  // With a wrong file all stays as it is.
  writeFileSync(own.key, 'nothing');
  writeFileSync(mine.cert, 'nothing');
  const renewedWrong = server.renewTls();
  expect(renewedWrong.ok ? 'ok' : renewedWrong.error.code).toBe('NVE-TLS-001');
  expect(a.client.renewTls().ok).toBe(false);
  await a.client.stop();
  a.client.start();
  await a.until(() => a.connects === 3);
});
