import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type TsiId, unwrap } from '#model';
import { decodeRpc, encodeFrame, encodeRpc, FrameDecoder } from '#wire';
import { Authority, type CertificateOptions, type Identity } from '../../test/lib/certificates.js';
import { RpcClient } from './client.js';
import type { TlsEndpoint } from './endpoint.js';
import { HypervisorClient } from './hypervisor-client.js';
import type { TsiListRow } from './rows.js';
import { type Handlers, RpcServer } from './server.js';

const eventually = (check: () => unknown): Promise<unknown> => vi.waitFor(check, 5_000);

const CLIENTS = [
  { name: 'hv1', links: ['access0', 'access0.*'] },
  { name: 'spiffe://example/hv2', links: ['access1'] },
];
const row = (link: string) =>
  ({
    tsi: 'blue-1',
    vn: 'blue',
    link,
    state: 'activated',
    tag: { kind: 'c-tag', vid: 100 },
    macs: ['02:00:00:00:00:01'],
    ips: [],
    mtu: 1500,
    cause: null,
  }) as unknown as TsiListRow;
const associate = (link: string) => ({ vn: 'blue', tsi: 'blue-1', macs: ['02:00:00:00:00:01'], link });

let directory = '';
let authority: Authority;
let own: Identity;
const closing: (() => unknown)[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'splitnve-rpc-tls-'));
  authority = new Authority(directory, 'ca');
  own = authority.issue('agent', { cn: 'agent', ips: ['127.0.0.1'], dns: ['localhost'] });
});
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
  rmSync(directory, { recursive: true });
});

interface Serve {
  readonly handlers?: Handlers;
  readonly identity?: Identity;
  readonly onProblem?: (error: Error) => void;
}

async function serve({ handlers = {}, identity = own, onProblem = () => undefined }: Serve = {}): Promise<RpcServer> {
  const server = await RpcServer.listen({
    socket: join(directory, 'agent.sock'),
    tls: { ...identity, listen: { host: '127.0.0.1', port: 0 }, client: CLIENTS },
    role: 'agent',
    name: 'nve1',
    handlers,
    onProblem,
  });
  closing.push(() => server.close());
  return server;
}

let issued = 0;
const endpoint = ({ tlsPort }: RpcServer, who: CertificateOptions | Identity, host = '127.0.0.1'): TlsEndpoint => ({
  ...('cert' in who ? who : authority.issue(`client${issued++}`, who)),
  host,
  port: tlsPort ?? 0,
});

async function client(
  server: RpcServer,
  who: CertificateOptions | Identity | TlsEndpoint,
  host?: string,
): Promise<RpcClient> {
  const made = await RpcClient.connect({ tls: endpoint(server, who, host) });
  closing.push(() => made.close());
  return made;
}

/** It says that our authority issued it; the signature is another's. */
const forged = (): Identity => {
  mkdirSync(join(directory, 'forger'));
  return new Authority(join(directory, 'forger'), 'ca').issue('forged', { cn: 'hv1' });
};

describe('a client with a certificate', () => {
  it.each([
    ['its CN', { cn: 'hv1' }, 'access0'],
    ['its URI', { cn: 'hv1', uris: ['spiffe://example/hv2'] }, 'access1'],
  ])('is known by %s and may use its links', async (_, who, link) => {
    const server = await serve({ handlers: { 'tsi.associate': (params) => row(params.link) } });
    const rpc = await client(server, who, 'localhost');
    expect(rpc.server).toEqual({ version: 1, role: 'agent', name: 'nve1' });
    await expect(rpc.request('tsi.associate', associate(link))).resolves.toEqual(row(link));
    const other = link === 'access0' ? 'access1' : 'access0';
    await expect(rpc.request('tsi.associate', associate(other))).rejects.toMatchObject({
      code: 'NVE-RPC-011',
      context: { link: other },
    });
  });

  it('may use the links of a pattern, and no other port', async () => {
    const attach = vi.fn(() => row('access0.101'));
    const server = await serve({ handlers: { 'tsi.attach': attach, 'tsi.detach': () => ({}) } });
    const rpc = await client(server, { cn: 'hv1' });
    await expect(rpc.request('tsi.attach', associate('access0.101'))).resolves.toMatchObject({ link: 'access0.101' });
    const port = { kind: 'net_tap', iface: 'tap9', netns: null } as const;
    const refusal = { code: 'NVE-RPC-011' };
    await expect(rpc.request('tsi.attach', { ...associate(''), link: port })).rejects.toMatchObject(refusal);
    await expect(rpc.request('tsi.detach', { tsi: 'blue-1', link: 'access1' })).rejects.toMatchObject(refusal);
    expect(attach).toHaveBeenCalledOnce();
  });

  it('has no method that is about the node', async () => {
    const server = await serve({ handlers: { 'show.vn': () => ({ rows: [], cursor: null }), inject: () => ({}) } });
    const rpc = await client(server, { cn: 'hv1' });
    const refusal = { code: 'NVE-RPC-013' };
    await expect(rpc.request('show.vn', {})).rejects.toMatchObject(refusal);
    const frame = new Uint8Array(60);
    await expect(rpc.request('inject', { port: 'access0', frame })).rejects.toMatchObject(refusal);
  });

  it('sees and hears of its own links only', async () => {
    const rows = [row('access0'), row('access1')];
    const server = await serve({
      handlers: { 'tsi.list': (_, { mayUse }) => ({ rows: rows.filter(({ link }) => mayUse(link)), cursor: null }) },
    });
    const hypervisor = new HypervisorClient({ tls: endpoint(server, { cn: 'hv1' }) });
    closing.push(() => hypervisor.close());
    const heard: string[] = [];
    hypervisor.on('tsi', ({ link }) => heard.push(link));
    await expect(hypervisor.list()).resolves.toEqual([row('access0')]);
    for (const link of ['access1', 'access0'] as never[])
      server.notify('tsi', { tsi: 'blue-1' as TsiId, link, state: null, cause: null, retry: true });
    await eventually(() => expect(heard).toEqual(['access0']));
  });

  it.each<[string, CertificateOptions]>([
    ['a name that is not in the configuration', { cn: 'hv9' }],
    ['no name', {}],
    ['two CNs', { cn: ['hv1', 'hv9'] }],
    ['two URIs', { uris: ['spiffe://example/hv2', 'spiffe://example/hv9'] }],
    ['a known CN and an unknown URI', { cn: 'hv1', uris: ['spiffe://example/hv9'] }],
    ['a DNS name only', { dns: ['hv1'] }],
  ])('that has %s is refused with a reason', async (_, who) => {
    const problems: unknown[] = [];
    const server = await serve({ onProblem: (error) => problems.push(error) });
    await expect(client(server, who)).rejects.toMatchObject({ code: 'NVE-RPC-012' });
    expect(Object.fromEntries(server.refusals())).toEqual({ rpc_client: 1 });
    expect(problems).toHaveLength(1);
  });

  it('cannot take all connections', async () => {
    const server = await serve();
    const who = endpoint(server, { cn: 'hv1' });
    for (let n = 0; n < 16; n++) await client(server, who);
    await expect(client(server, who)).rejects.toMatchObject({ code: 'NVE-RPC-007' });
    expect(server.refusals().get('rpc_too_many')).toBe(1);
    await expect(client(server, { uris: ['spiffe://example/hv2'] })).resolves.toBeInstanceOf(RpcClient);
  });
});

describe('TLS', () => {
  it.each<[string, RegExp, () => Identity | null]>([
    ['of another authority', /not of the authority/, () => new Authority(directory, 'other').issue('x', { cn: 'hv1' })],
    ['that has expired', /expired/, () => authority.issue('x', { cn: 'hv1', notAfter: new Date(Date.now() - 1000) })],
    ['that it made itself', /not of the authority/, () => forged()],
  ])('refuses a certificate %s, and says so', async (_, reason, make) => {
    const server = await serve({ handlers: { 'tsi.list': () => expect.unreachable('it was asked') } });
    await expect(client(server, { ...(make() as Identity), ca: authority.file })).rejects.toMatchObject({
      code: 'NVE-RPC-016',
      message: expect.stringMatching(reason),
    });
    expect(Object.fromEntries(server.refusals())).toEqual({ rpc_client: 1 });
  });

  it('refuses a client without a certificate: its hello is answered with that, and no other request', async () => {
    const server = await serve({ handlers: { 'tsi.list': () => expect.unreachable('it was asked') } });
    const socket = connectTls({ port: server.tlsPort ?? 0, host: '127.0.0.1', rejectUnauthorized: false });
    const chunks: Buffer[] = [];
    socket.on('data', (chunk) => chunks.push(chunk));
    for (const [id, method, params] of [
      [1, 'hello', { versions: [1], client: 'x' }],
      [2, 'tsi.list', {}],
    ] as const) {
      const message = { type: 'request', id, method, params, deadlineMs: null } as const;
      socket.write(unwrap(encodeFrame(unwrap(encodeRpc(message)))));
    }
    await new Promise((resolve) => socket.once('close', resolve));
    const answers = unwrap(new FrameDecoder().push(Buffer.concat(chunks))).map((payload) => unwrap(decodeRpc(payload)));
    expect(answers).toMatchObject([
      { id: 1, outcome: { error: { code: 'NVE-RPC-016', context: { reason: 'there is none' } } } },
    ]);
    expect(Object.fromEntries(server.refusals())).toEqual({ rpc_client: 1 });
  });

  it('refuses TLS 1.2', async () => {
    const server = await serve();
    const socket = connectTls({
      port: server.tlsPort ?? 0,
      host: '127.0.0.1',
      maxVersion: 'TLSv1.2',
      rejectUnauthorized: false,
    });
    const error = await new Promise<Error>((resolve) => socket.once('error', resolve));
    expect(error.message).toContain('protocol version');
  });

  it('does not believe a server of another authority, or one that is somebody else', async () => {
    const server = await serve();
    const mine = authority.issue('mine', { cn: 'hv1' });
    const other = new Authority(directory, 'other');
    await expect(client(server, { ...mine, ca: other.file })).rejects.toMatchObject({
      code: 'NVE-TLS-002',
      message: expect.stringContaining('other.pem'),
    });
    await server.close();
    const elsewhere = await serve({ identity: authority.issue('elsewhere', { ips: ['192.0.2.1'] }) });
    await expect(client(elsewhere, mine)).rejects.toMatchObject({
      code: 'NVE-TLS-002',
      message: expect.stringContaining('not for 127.0.0.1'),
    });
  });

  it('is named when what listens there has none, or nobody does', async () => {
    const server = await serve();
    const mine = authority.issue('mine', { cn: 'hv1' });
    const tls = endpoint(server, mine);
    await server.close();
    await expect(RpcClient.connect({ tls })).rejects.toMatchObject({
      code: 'NVE-RPC-001',
      message: `cannot reach tls:127.0.0.1:${tls.port}: nobody listens on it`,
    });
  });

  it('says which file is wrong, at either side', async () => {
    const mine = authority.issue('mine', { cn: 'hv1' });
    const other = authority.issue('other', { cn: 'hv2' });
    const junk = join(directory, 'junk.pem');
    writeFileSync(junk, 'nothing');
    const tls = { ...mine, host: '127.0.0.1', port: 1 };
    const cases = [
      [{ cert: join(directory, 'missing.crt') }, /missing\.crt as certificate: ENOENT/],
      [{ ca: junk }, /junk\.pem as CA/],
      [{ key: junk }, /junk\.pem as key/],
      [{ key: other.key }, /other\.key as key: it is not the key of the certificate in .*mine\.crt/],
    ] as const;
    for (const [wrong, message] of cases) {
      const error = { code: 'NVE-TLS-001', message: expect.stringMatching(message) };
      await expect(RpcClient.connect({ tls: { ...tls, ...wrong } })).rejects.toMatchObject(error);
      await expect(serve({ identity: { ...mine, ...wrong } })).rejects.toMatchObject(error);
    }
  });
});

describe('a renewal', () => {
  /** Of the certificate that the server shows. */
  const serial = (server: RpcServer, options: object = {}): Promise<string> =>
    new Promise((resolve, reject) => {
      const to = { port: server.tlsPort ?? 0, host: '127.0.0.1', rejectUnauthorized: false, ...options };
      const socket = connectTls(to, () => {
        resolve(socket.getPeerCertificate().serialNumber);
        socket.destroy();
      }).on('error', reject);
    });

  it('shows the new certificate and asks for one of the new authority; who is there stays', async () => {
    const server = await serve({ handlers: { 'tsi.associate': (params) => row(params.link) } });
    const before = await client(server, { cn: 'hv1' });
    const shown = await serial(server);
    const next = new Authority(directory, 'next');
    const renewed = next.issue('renewed', { cn: 'agent', ips: ['127.0.0.1'] });
    copyFileSync(renewed.cert, own.cert);
    copyFileSync(renewed.key, own.key);
    copyFileSync(next.file, own.ca);
    expect(await serial(server)).toBe(shown);

    server.renewTls();
    expect(await serial(server)).not.toBe(shown);
    await expect(client(server, next.issue('new', { cn: 'hv1' }))).resolves.toBeInstanceOf(RpcClient);
    await expect(client(server, authority.issue('old', { cn: 'hv1' }))).rejects.toMatchObject({ code: 'NVE-RPC-016' });
    await expect(before.request('tsi.associate', associate('access0'))).resolves.toEqual(row('access0'));
    await expect(serial(server, { maxVersion: 'TLSv1.2' })).rejects.toThrow('protocol version');
  });

  it.each<[string, RegExp, () => void]>([
    ['is missing', /agent\.crt as certificate: ENOENT/, () => rmSync(own.cert)],
    ['is no PEM', /ca\.pem as CA/, () => writeFileSync(own.ca, 'nothing')],
    ['is of another certificate', /agent\.key as key/, () => copyFileSync(authority.issue('x', {}).key, own.key)],
    [
      'is not whole',
      /agent\.crt as certificate/,
      () => writeFileSync(own.cert, readFileSync(own.cert, 'utf8').repeat(2).slice(0, -60)),
    ],
  ])('with a file that %s says so, and leaves all as it was', async (_, message, spoil) => {
    const server = await serve();
    const mine = endpoint(server, { cn: 'hv1' });
    const [shown, ca] = [await serial(server), readFileSync(own.ca)];
    spoil();
    expect(() => server.renewTls()).toThrow(
      expect.objectContaining({ code: 'NVE-TLS-001', message: expect.stringMatching(message) }),
    );
    expect(await serial(server)).toBe(shown);
    writeFileSync(own.ca, ca);
    await expect(client(server, mine)).resolves.toBeInstanceOf(RpcClient);
  });
});

describe('who has shown no certificate', () => {
  it('gets a place among few, and does not keep others out for ever', async () => {
    const server = await serve();
    const sockets = Array.from({ length: 40 }, () =>
      connectTcp(server.tlsPort ?? 0, '127.0.0.1').on('error', () => undefined),
    );
    closing.push(() => sockets.forEach((socket) => void socket.destroy()));
    await eventually(() => expect(server.refusals().get('rpc_too_many')).toBe(8));
    sockets.forEach((socket) => void socket.destroy());
    await eventually(async () => expect(await client(server, { cn: 'hv1' })).toBeInstanceOf(RpcClient));
  });

  it('is sent away after five seconds', async () => {
    const server = await serve();
    const socket = connectTcp(server.tlsPort ?? 0, '127.0.0.1');
    const before = performance.now();
    await new Promise((resolve) => socket.once('close', resolve));
    expect(performance.now() - before).toBeGreaterThan(4_500);
    expect(server.refusals().get('rpc_handshake')).toBe(1);
  }, 10_000);

  it('is counted, not feared, whatever it sends', async () => {
    const problems: unknown[] = [];
    const server = await serve({ onProblem: (error) => problems.push(error) });
    for (let n = 0; n < 20; n++) {
      const socket = connectTcp(server.tlsPort ?? 0, '127.0.0.1').on('error', () => undefined);
      socket.write(Buffer.alloc(100, 0x30 + n));
      await new Promise((resolve) => socket.resume().once('close', resolve));
    }
    await eventually(() => expect(server.refusals().get('rpc_handshake')).toBe(20));
    // Told once, counted always.
    expect(problems).toHaveLength(1);
    await expect(client(server, { cn: 'hv1' })).resolves.toBeInstanceOf(RpcClient);
  });
});
