import { existsSync, linkSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { nveError, type TsiId } from '#model';
import { decodeRpc, encodeFrame, encodeRpc, FrameDecoder, type RpcMessage } from '#wire';
import { RpcClient } from './client.js';
import { HypervisorClient } from './hypervisor-client.js';
import type { TsiListRow } from './rows.js';
import { type Handlers, RpcServer } from './server.js';

const eventually = (check: () => unknown): Promise<unknown> => vi.waitFor(check, 5_000);

const ROW = {
  tsi: 'blue-1',
  vn: 'blue',
  link: 'access0',
  state: 'activated',
  tag: { kind: 'c-tag', vid: 100 },
  macs: ['02:00:00:00:00:01'],
  ips: [],
  mtu: 1500,
  cause: null,
} as unknown as TsiListRow;
const ATTACH = { vn: 'blue', tsi: 'blue-1', macs: ['02:00:00:00:00:01'], link: 'access0' };

let directory = '';
let socket = '';
const closing: (() => unknown)[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'splitnve-rpc-'));
  socket = join(directory, 'sub', 'agent.sock');
});
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
  rmSync(directory, { recursive: true });
});

async function serve(handlers: Handlers, onProblem: (error: Error) => void = () => undefined): Promise<RpcServer> {
  const server = await RpcServer.listen({ socket, role: 'agent', name: 'nve1', handlers, onProblem });
  closing.push(() => server.close());
  return server;
}

async function client(options: Partial<Parameters<typeof RpcClient.connect>[0]> = {}): Promise<RpcClient> {
  const made = await RpcClient.connect({ socket, ...options });
  closing.push(() => made.close());
  return made;
}

/** A peer that sends what it likes. */
async function raw(): Promise<{
  socket: Socket;
  send: (message: RpcMessage) => void;
  next: () => Promise<RpcMessage>;
  ended: Promise<void>;
}> {
  const connection = connect(socket);
  const decoder = new FrameDecoder();
  const messages: RpcMessage[] = [];
  const waiting: ((message: RpcMessage) => void)[] = [];
  connection.on('data', (chunk) => {
    const payloads = decoder.push(chunk);
    if (!payloads.ok) throw payloads.error;
    for (const payload of payloads.value) {
      const message = decodeRpc(payload);
      if (!message.ok) throw message.error;
      const taker = waiting.shift();
      if (taker === undefined) messages.push(message.value);
      else taker(message.value);
    }
  });
  const ended = new Promise<void>((resolve) => connection.once('close', () => resolve()));
  connection.on('error', () => undefined);
  await new Promise<void>((resolve) => connection.once('connect', () => resolve()));
  closing.push(() => connection.destroy());
  const send = (message: RpcMessage): void => {
    const payload = encodeRpc(message);
    if (!payload.ok) throw payload.error;
    const frame = encodeFrame(payload.value);
    if (!frame.ok) throw frame.error;
    connection.write(frame.value);
  };
  const next = (): Promise<RpcMessage> =>
    new Promise((resolve) => {
      const message = messages.shift();
      if (message === undefined) waiting.push(resolve);
      else resolve(message);
    });
  return { socket: connection, send, next, ended };
}

const hello: RpcMessage = {
  type: 'request',
  id: 1,
  method: 'hello',
  params: { versions: [1], client: 'test' },
  deadlineMs: null,
};

describe('a request', () => {
  it('reaches its handler with checked params, and its answer comes back', async () => {
    const attach = vi.fn(async () => ROW);
    await serve({ 'tsi.attach': attach });
    const rpc = await client();
    expect(rpc.server).toEqual({ version: 1, role: 'agent', name: 'nve1' });
    await expect(rpc.request('tsi.attach', { ...ATTACH, macs: ['02-00-00-00-00-01'] })).resolves.toEqual(ROW);
    expect(attach).toHaveBeenCalledWith(
      { ...ATTACH, ips: [] },
      expect.objectContaining({ method: 'tsi.attach', deadlineMs: 10_000 }),
    );
  });

  it('overlaps with others; answers go to their requests', async () => {
    const release: (() => void)[] = [];
    await serve({
      'tsi.activate': ({ tsi }) => new Promise((resolve) => release.push(() => resolve({ ...ROW, tsi }))),
    });
    const rpc = await client();
    const answers = ['a', 'b', 'c'].map((tsi) => rpc.request('tsi.activate', { tsi, link: 'access0' }));
    await eventually(() => expect(release).toHaveLength(3));
    for (const go of release.reverse()) go();
    expect((await Promise.all(answers)).map((row) => row.tsi)).toEqual(['a', 'b', 'c']);
  });

  it('brings back an error with code, message and context', async () => {
    await serve({
      'tsi.associate': () => {
        throw nveError('NVE-NVA-001', { vn: 'blue' });
      },
    });
    const rpc = await client();
    await expect(rpc.request('tsi.associate', ATTACH)).rejects.toMatchObject({
      name: 'NveError',
      code: 'NVE-NVA-001',
      message: 'no VN blue at the NVA',
      context: { vn: 'blue' },
    });
  });

  it('that fails unexpectedly gives an internal error, and the server goes on', async () => {
    await serve({
      'tsi.list': () => {
        throw new TypeError('oops');
      },
      'tsi.deassociate': () => ({}),
    });
    const rpc = await client();
    await expect(rpc.request('tsi.list', {})).rejects.toMatchObject({ code: 'NVE-SYS-003' });
    await expect(rpc.request('tsi.deassociate', { tsi: 'a', link: 'b' })).resolves.toEqual({});
  });

  it.each([
    ['a bad MAC', { ...ATTACH, macs: ['nonsense'] }, /macs\.0: .*MAC/],
    ['a multicast MAC', { ...ATTACH, macs: ['01:00:5e:00:00:01'] }, /macs\.0/],
    ['no MAC', { ...ATTACH, macs: [] }, /macs: at least one MAC/],
    ['too many MACs', { ...ATTACH, macs: Array(65).fill('02:00:00:00:00:01') }, /macs/],
    ['a key too many', { ...ATTACH, vlan: 100 }, /vlan/],
    ['an interface name with a slash', { ...ATTACH, link: { kind: 'net_tap', iface: '../x', netns: null } }, /link/],
    ['a namespace that climbs', { ...ATTACH, link: { kind: 'net_tap', iface: 'x', netns: '..' } }, /link/],
  ])('with %s is refused before its handler', async (_, params, message) => {
    const attach = vi.fn(async () => ROW);
    await serve({ 'tsi.attach': attach });
    const rpc = await client();
    await expect(rpc.request('tsi.attach', params as never)).rejects.toMatchObject({
      code: 'NVE-RPC-003',
      message: expect.stringMatching(message),
    });
    expect(attach).not.toHaveBeenCalled();
  });

  it('for a method that the role does not have is refused', async () => {
    await serve({});
    const rpc = await client();
    await expect(rpc.request('tsi.list', {})).rejects.toMatchObject({ code: 'NVE-RPC-002' });
  });

  it('whose answer is not what docs/rpc.md says is not believed', async () => {
    await serve({ 'tsi.activate': () => ({ ...ROW, tag: { kind: 'c-tag', vid: 5000 } }) as unknown as TsiListRow });
    const rpc = await client();
    await expect(rpc.request('tsi.activate', { tsi: 'a', link: 'b' })).rejects.toMatchObject({ code: 'NVE-WIRE-003' });
  });

  it('whose answer is longer than a frame gives an error instead', async () => {
    const problems: Error[] = [];
    const rows = Array.from({ length: 20_000 }, () => ROW);
    await serve({ 'tsi.list': () => ({ rows, cursor: null }) }, (error) => problems.push(error));
    const rpc = await client();
    await expect(rpc.request('tsi.list', {})).rejects.toMatchObject({ code: 'NVE-WIRE-005' });
    expect(problems).toHaveLength(1);
  });
});

describe('a deadline', () => {
  it('answers with NVE-RPC-004 and aborts the handler', async () => {
    let aborted: unknown;
    await serve({
      'tsi.attach': (_, { signal }) =>
        new Promise(() => {
          signal.addEventListener('abort', () => {
            aborted = signal.reason;
          });
        }),
    });
    const rpc = await client();
    await expect(rpc.request('tsi.attach', ATTACH, { deadlineMs: 30 })).rejects.toMatchObject({
      code: 'NVE-RPC-004',
      context: { method: 'tsi.attach', deadline_ms: 30 },
    });
    expect(aborted).toMatchObject({ code: 'NVE-RPC-004' });
  });

  it('leaves the last word to a handler that answers the abort at once', async () => {
    await serve({
      'tsi.attach': (_, { signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(nveError('NVE-NNP-002', { what: 'AUTH', ms: 30 })));
        }),
    });
    const rpc = await client();
    await expect(rpc.request('tsi.attach', ATTACH, { deadlineMs: 30 })).rejects.toMatchObject({ code: 'NVE-NNP-002' });
  });

  it('holds at the client when the server is silent', async () => {
    const silent = createServer((peer) => void peer.on('data', () => undefined));
    mkdirSync(dirname(socket));
    await new Promise<void>((resolve) => silent.listen(socket, () => resolve()));
    closing.push(() => silent.close());
    await expect(RpcClient.connect({ socket, deadlineMs: 20 })).rejects.toMatchObject({ code: 'NVE-RPC-004' });
  });
});

describe('the server', () => {
  it('wants hello first', async () => {
    await serve({ 'tsi.list': () => ({ rows: [], cursor: null }) });
    const peer = await raw();
    peer.send({ type: 'request', id: 7, method: 'tsi.list', params: {}, deadlineMs: null });
    expect(await peer.next()).toMatchObject({
      type: 'response',
      id: 7,
      outcome: { ok: false, error: { code: 'NVE-RPC-006' } },
    });
    await peer.ended;
  });

  it('refuses a version it does not have', async () => {
    await serve({});
    const peer = await raw();
    peer.send({ ...hello, params: { versions: [2, 3], client: 'newer' } } as RpcMessage);
    expect(await peer.next()).toMatchObject({
      outcome: { error: { code: 'NVE-RPC-005', context: { offered: [2, 3], supported: [1] } } },
    });
    await peer.ended;
  });

  it.each<[string, Uint8Array]>([
    ['a frame that is too long', Buffer.from([0xff, 0xff, 0xff, 0xff])],
    ['what is not MessagePack', Buffer.from([0, 0, 0, 1, 0xc1])],
    ['what is not a message', Buffer.from([0, 0, 0, 1, 0x93])],
    ['an empty frame', Buffer.from([0, 0, 0, 0])],
  ])('closes the connection on %s, and serves others', async (_, bytes) => {
    const problems: Error[] = [];
    await serve({ 'tsi.list': () => ({ rows: [], cursor: null }) }, (error) => problems.push(error));
    const peer = await raw();
    peer.socket.write(bytes);
    await peer.ended;
    await eventually(() => expect(problems).toHaveLength(1));
    await expect((await client()).request('tsi.list', {})).resolves.toEqual({ rows: [], cursor: null });
  });

  it('closes on a second request with an open id', async () => {
    await serve({ 'tsi.list': () => new Promise(() => undefined) });
    const peer = await raw();
    peer.send(hello);
    await peer.next();
    const request: RpcMessage = { type: 'request', id: 2, method: 'tsi.list', params: {}, deadlineMs: null };
    peer.send(request);
    peer.send(request);
    await peer.ended;
  });

  it('limits the open requests of a connection', async () => {
    await serve({ 'tsi.list': () => new Promise(() => undefined) });
    const rpc = await client();
    const all = Array.from({ length: 65 }, () =>
      rpc.request('tsi.list', {}, { deadlineMs: 200 }).catch((error: unknown) => error),
    );
    const codes = (await Promise.all(all)).map((error) => (error as { code: string }).code);
    expect(codes.filter((code) => code === 'NVE-RPC-008')).toHaveLength(1);
    expect(codes.filter((code) => code === 'NVE-RPC-004')).toHaveLength(64);
  });

  it('ends open requests with NVE-RPC-007 when it stops', async () => {
    const server = await serve({ 'tsi.list': () => new Promise(() => undefined) });
    const ended = vi.fn();
    const rpc = await client({ onEnd: ended });
    const answer = rpc.request('tsi.list', {}).catch((error: unknown) => error);
    await new Promise((resolve) => setTimeout(resolve, 20));
    await server.close();
    expect(await answer).toMatchObject({ code: 'NVE-RPC-007' });
    expect(ended).toHaveBeenCalledOnce();
    await expect(rpc.request('tsi.list', {})).rejects.toMatchObject({ code: 'NVE-RPC-007' });
  });

  it('notifies those who watch the topic, and no longer than they do', async () => {
    const server = await serve({});
    const heard: unknown[] = [];
    const deaf: unknown[] = [];
    await client({ onNotification: (topic) => deaf.push(topic) });
    const rpc = await client({ onNotification: (topic, data) => heard.push([topic, data]) });
    await expect(rpc.request('watch', { topics: ['tsi', 'tsi'] })).resolves.toEqual({ topics: ['tsi'] });
    await expect(rpc.request('watch', { topics: ['nonsense'] as never })).rejects.toMatchObject({
      code: 'NVE-RPC-003',
    });
    const data = {
      tsi: 'blue-1' as TsiId,
      link: 'access0' as never,
      state: null,
      cause: 'VN blue was deleted',
      retry: true,
    };
    server.notify('tsi', data);
    await eventually(() => expect(heard).toEqual([['tsi', data]]));
    await rpc.request('watch', { topics: [] });
    server.notify('tsi', data);
    await expect(rpc.request('watch', { topics: [] })).resolves.toEqual({ topics: [] });
    expect(heard).toHaveLength(1);
    expect(deaf).toEqual([]);
  });

  it('takes short frames only before hello, and long ones after', async () => {
    await serve({ 'tsi.list': () => ({ rows: [], cursor: null }) });
    const problems: unknown[] = [];
    const peer = await raw();
    peer.socket.write(Buffer.from([0, 0, 0x10, 0x01]));
    await peer.ended;
    const rpc = await client({ onEnd: (error) => problems.push(error) });
    await expect(rpc.request('tsi.attach', { ...ATTACH, vn: 'x'.repeat(8_000) })).rejects.toMatchObject({
      code: 'NVE-RPC-002',
    });
    expect(problems).toEqual([]);
  });
});

describe('the socket file', () => {
  it('is for its owner alone, and goes with the server', async () => {
    const server = await serve({});
    expect(statSync(socket).mode & 0o777).toBe(0o600);
    await server.close();
    expect(existsSync(socket)).toBe(false);
  });

  it('is replaced when nobody listens on it any more', async () => {
    mkdirSync(dirname(socket));
    // As kill -9 leaves it: a second name of a socket whose listener is gone.
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(`${socket}.1`, () => resolve()));
    linkSync(`${socket}.1`, socket);
    await new Promise((resolve) => other.close(resolve));
    expect(statSync(socket).isSocket()).toBe(true);
    await serve({ 'tsi.list': () => ({ rows: [], cursor: null }) });
    await expect((await client()).request('tsi.list', {})).resolves.toEqual({ rows: [], cursor: null });
  });

  it('is left alone when somebody listens', async () => {
    await serve({ 'tsi.list': () => ({ rows: [], cursor: null }) });
    const second = RpcServer.listen({ socket, role: 'agent', name: 'second', handlers: {} });
    await expect(second).rejects.toMatchObject({ code: 'NVE-SYS-009' });
    await expect((await client()).request('tsi.list', {})).resolves.toEqual({ rows: [], cursor: null });
  });

  it('is left alone when it is no socket', async () => {
    mkdirSync(dirname(socket));
    writeFileSync(socket, 'precious');
    await expect(serve({})).rejects.toMatchObject({
      code: 'NVE-SYS-001',
      message: expect.stringContaining('not a socket'),
    });
    expect(readFileSync(socket, 'utf8')).toBe('precious');
  });

  it('that is not there, or has nobody behind it, says so', async () => {
    await expect(RpcClient.connect({ socket })).rejects.toMatchObject({
      code: 'NVE-RPC-001',
      message: expect.stringContaining('no such socket'),
    });
    mkdirSync(dirname(socket));
    writeFileSync(socket, '');
    await expect(RpcClient.connect({ socket })).rejects.toMatchObject({
      code: 'NVE-RPC-001',
      message: expect.stringContaining('nobody listens'),
    });
  });
});

describe('HypervisorClient', () => {
  it('connects again after the server came back, and says so', async () => {
    const first = await serve({ 'tsi.list': () => ({ rows: [ROW], cursor: null }) });
    const hypervisor = new HypervisorClient({ socket });
    closing.push(() => hypervisor.close());
    const heard: string[] = [];
    hypervisor.on('connected', ({ name }) => heard.push(`connected ${name}`));
    hypervisor.on('disconnected', ({ code }) => heard.push(`disconnected ${code}`));
    hypervisor.start();
    await eventually(() => expect(heard).toEqual(['connected nve1']));
    await first.close();
    await eventually(() => expect(heard).toEqual(['connected nve1', 'disconnected NVE-RPC-007']));
    await expect(hypervisor.list()).rejects.toMatchObject({ code: 'NVE-RPC-001' });
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(heard).toHaveLength(2);
    await serve({ 'tsi.list': () => ({ rows: [ROW], cursor: null }) });
    await eventually(() => expect(heard.at(-1)).toBe('connected nve1'));
    await expect(hypervisor.list()).resolves.toEqual([ROW]);
  });

  it('makes a connection for a request when it is not started', async () => {
    await serve({ 'tsi.attach': () => ROW });
    const hypervisor = new HypervisorClient({ socket });
    closing.push(() => hypervisor.close());
    await expect(hypervisor.attach(ATTACH)).resolves.toEqual(ROW);
  });

  it('collects the pages of a table', async () => {
    const row = (n: number) => ({ port: `p${n}`, reason: 'source_guard', packets: n });
    await serve({
      'show.drops': ({ cursor }) => {
        const n = typeof cursor === 'number' ? cursor : 0;
        return { rows: [row(n)], cursor: n < 2 ? n + 1 : null };
      },
    });
    const hypervisor = new HypervisorClient({ socket });
    closing.push(() => hypervisor.close());
    await expect(hypervisor.show('drops')).resolves.toEqual([row(0), row(1), row(2)]);
  });
});
