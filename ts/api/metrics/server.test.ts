import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { nveError } from '#model';
import type { Readings } from '#roles';
import type { MetricsAddress } from './address.js';
import { CONNECTIONS_MAX, type MetricsServer, REQUEST_MAX, serveMetrics } from './server.js';

const READINGS = {
  engine: { dpdk: '22.11', fdbCapacity: 1 },
  ports: [],
  drops: [],
  pollers: [],
  vns: [],
  vaps: [],
  nextHops: 0,
  neighbours: new Map(),
  tsis: new Map(),
  nva: { state: 'waiting', nvaId: null, subscriptions: 0, attachments: 0, pulls: {} },
} as unknown as Readings;

let directory = '';
let servers: MetricsServer[] = [];
let sockets: Socket[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'splitnve-metrics-'));
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  for (const server of servers) await server.close();
  sockets = [];
  servers = [];
  rmSync(directory, { recursive: true });
});

const LOOPBACK: MetricsAddress = { host: '127.0.0.1', port: 0 };
async function serve(address = LOOPBACK, read = async (): Promise<Readings> => READINGS): Promise<MetricsAddress> {
  const server = await serveMetrics(address, read);
  servers.push(server);
  return server.address;
}

const target = (address: MetricsAddress) => ('path' in address ? { socketPath: address.path } : address);

interface Answer {
  readonly status: number | undefined;
  readonly headers: Record<string, unknown>;
  readonly body: string;
}

function ask(address: MetricsAddress, path = '/metrics', method = 'GET', body?: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request({ ...target(address), path, method, agent: new Agent() }, async (response) => {
      const pieces: Buffer[] = [];
      for await (const piece of response) pieces.push(piece as Buffer);
      const { statusCode: status, headers } = response;
      resolve({ status, headers, body: Buffer.concat(pieces).toString() });
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

/** What comes back for these octets, until the server closes. */
function raw(address: MetricsAddress, octets: string): Promise<string> {
  const socket = 'path' in address ? connect(address.path) : connect(address.port, address.host);
  sockets.push(socket);
  return new Promise((resolve, reject) => {
    let text = '';
    socket.on('data', (piece) => {
      text += piece.toString();
    });
    socket.on('close', () => resolve(text));
    socket.on('error', reject);
    socket.write(octets);
  });
}

describe('GET /metrics', () => {
  it('answers with the metrics, over TCP and over a Unix socket that is the owner’s alone', async () => {
    const path = join(directory, 'metrics.sock');
    for (const address of [await serve(), await serve({ path })]) {
      const { status, headers, body } = await ask(address);
      expect([status, headers['content-type']]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8']);
      expect(body).toContain('\nsplitnve_nva_connected{nva=""} 0\n');
    }
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('several at once look once', async () => {
    let looks = 0;
    const address = await serve(LOOPBACK, async () => {
      looks++;
      await new Promise((resolve) => setTimeout(resolve, 50));
      return READINGS;
    });
    await Promise.all([ask(address), ask(address), ask(address)]);
    expect(looks).toBe(1);
  });

  it('that cannot be answered says why, and the next one is answered again', async () => {
    let fails = true;
    const address = await serve(LOOPBACK, async () => {
      if (fails) throw nveError('NVE-ENG-013', {});
      return READINGS;
    });
    expect(await ask(address)).toMatchObject({ status: 503, body: expect.stringMatching(/^NVE-ENG-013: /) });
    fails = false;
    expect((await ask(address)).status).toBe(200);
  });
});

describe('anything else', () => {
  it('is refused: 404, 405 with what is allowed, HEAD without a body', async () => {
    const address = await serve();
    expect(await ask(address, '/')).toMatchObject({ status: 404 });
    expect(await ask(address, '/metrics/..', 'POST', 'x')).toMatchObject({ status: 404 });
    const posted = await ask(address, '/metrics', 'POST', 'x=1');
    expect([posted.status, posted.headers['allow'], posted.headers['connection']]).toEqual([405, 'GET, HEAD', 'close']);
    expect(await ask(address, '/metrics?x', 'HEAD')).toMatchObject({ status: 200, body: '' });
  });

  it('that is too long or no HTTP is told so, and closed', async () => {
    const address = await serve();
    const long = `GET /metrics HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(REQUEST_MAX)}\r\n\r\n`;
    expect(await raw(address, long)).toMatch(/^HTTP\/1\.1 431 /);
    expect(await raw(address, '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03')).toMatch(/^HTTP\/1\.1 400 /);
  });

  it('that opens more connections than there may be is closed, and others are served when these go', async () => {
    const address = await serve();
    if ('path' in address) return expect.unreachable();
    const open = Array.from({ length: CONNECTIONS_MAX }, () => connect(address.port, address.host));
    sockets.push(...open);
    await Promise.all(open.map((socket) => new Promise((resolve) => socket.once('connect', resolve))));
    // The server may be told of the last ones a moment later.
    await new Promise((resolve) => setTimeout(resolve, 50));
    await expect(ask(address)).rejects.toThrow();
    for (const socket of open) socket.destroy();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect((await ask(address)).status).toBe(200);
  });
});

describe('an address that cannot be had', () => {
  it('is told with its name', async () => {
    const address = await serve();
    const { port } = address as { port: number };
    await expect(serve({ host: '127.0.0.1', port })).rejects.toMatchObject({ code: 'NVE-SYS-001' });
    await expect(serve({ host: '192.0.2.77', port: 1 })).rejects.toThrow('192.0.2.77:1');
    const path = join(directory, 'taken.sock');
    await serve({ path });
    await expect(serve({ path })).rejects.toMatchObject({ code: 'NVE-SYS-009' });
  });
});
