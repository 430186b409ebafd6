/** Peers that do not keep the protocol, on both sides. None of them may hurt anybody but itself. */
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { unwrap } from '#model';
import { encodeFrame, encodeNnp, type NnpFrame } from '#wire';
import { attachment, ip, Lab, mac, nveId, type RawPeer, request, vnId, vnInfo } from './testing/lab.js';

// They wait for events, however busy the machine is.
vi.setConfig({ testTimeout: 60_000 });

let lab: Lab;
afterEach(() => lab.close());

const bytes = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'));

describe('the NVA', () => {
  const greeted = async (id = 'a'): Promise<RawPeer> => {
    const peer = lab.peer();
    peer.hello(id);
    await peer.until(() => peer.frames.length > 0);
    expect(peer.frames[0]?.kind).toBe('helloAck');
    return peer;
  };

  it.each([
    ['a frame above the limit', 'ffffffff', 'NVE-WIRE-001'],
    ['HTTP', '47455420 2f204854 54502f31', 'NVE-WIRE-001'],
    ['a frame without a header', '00000002 0101', 'NVE-WIRE-003'],
    ['a body that is no MessagePack', '00000005 01000000 c1', 'NVE-WIRE-002'],
    ['an extension type', '00000007 01000000 d40000', 'NVE-WIRE-002'],
    ['a body that is no array', '00000005 01000000 80', 'NVE-WIRE-003'],
    ['a HELLO without fields', '00000005 01000000 90', 'NVE-WIRE-003'],
    ['an unknown critical kind first', '00000005 63010000 90', 'NVE-NNP-004'],
  ])('ends a connection that begins with %s', async (_, hex, code) => {
    lab = new Lab();
    await lab.startServer();
    const peer = lab.peer();
    peer.bytes(bytes(hex));
    expect(await peer.end()).toBe(code);
  });

  it.each<[string, NnpFrame, string]>([
    ['PING before HELLO', { kind: 'ping', channel: 0, nonce: 1 }, 'NVE-NNP-004'],
    ['a frame of the NVA', { kind: 'bookmark', channel: 1, revision: 1n }, 'NVE-NNP-004'],
  ])('ends a connection that begins with %s', async (_, frame, code) => {
    lab = new Lab();
    await lab.startServer();
    const peer = lab.peer();
    peer.send(frame);
    expect(await peer.end()).toBe(code);
  });

  it.each<[string, NnpFrame, string]>([
    [
      'a second HELLO',
      {
        kind: 'hello',
        channel: 0,
        protoMin: 1,
        protoMax: 1,
        nveId: nveId('a'),
        instance: 'i',
        encaps: [],
        maxFrame: 1 << 20,
      },
      'NVE-NNP-004',
    ],
    ['SUB on the control channel', { kind: 'sub', channel: 0, vn: vnId(7), token: null }, 'NVE-NNP-004'],
    ['a frame that only an NVA sends', { kind: 'reportAck', channel: 0, seq: 1n, rejects: [] }, 'NVE-NNP-004'],
    ['an unknown critical kind', { kind: 'unknown', channel: 0, number: 99, critical: true }, 'NVE-WIRE-004'],
  ])('ends a session with %s', async (_, frame, code) => {
    lab = new Lab();
    await lab.startServer();
    const peer = await greeted();
    peer.send(frame);
    expect(await peer.end()).toBe(code);
  });

  it('ends a session that uses a channel for two VNs', async () => {
    lab = new Lab();
    await lab.startServer();
    const peer = await greeted();
    peer.send({ kind: 'sub', channel: 1, vn: vnId(7), token: null });
    peer.send({ kind: 'sub', channel: 1, vn: vnId(8), token: null });
    expect(await peer.end()).toBe('NVE-NNP-004');
  });

  it('refuses other versions and small frames in HELLO', async () => {
    lab = new Lab();
    await lab.startServer();
    const old = lab.peer();
    old.hello('a', { protoMin: 0, protoMax: 0 });
    expect(await old.end()).toBe('NVE-NNP-003');
    const small = lab.peer();
    small.hello('a', { maxFrame: 1000 });
    expect(await small.end()).toBe('NVE-NNP-004');
    const newer = lab.peer();
    newer.hello('a', { protoMin: 1, protoMax: 9 });
    await newer.until(() => newer.frames.length > 0);
    expect(newer.frames[0]).toMatchObject({ kind: 'helloAck', proto: 1 });
  });

  it('goes on after unknown kinds that are not critical, late ACKs and strange tokens', async () => {
    lab = new Lab();
    const server = await lab.startServer();
    const peer = await greeted();
    peer.send({ kind: 'unknown', channel: 3, number: 99, critical: false });
    peer.send({ kind: 'ack', channel: 5, receivedRevision: 1n, appliedRevision: 1n });
    peer.send({ kind: 'nack', channel: 5, revision: 1n, items: [] });
    peer.send({ kind: 'unsub', channel: 5, vn: vnId(7) });
    peer.send({ kind: 'sub', channel: 1, vn: vnId(7), token: { epoch: server.epoch, revision: 2n ** 64n - 1n } });
    await peer.until(() => peer.frames.some(({ kind }) => kind === 'sync'));
    expect(peer.frames.slice(1).map(({ kind }) => kind)).toEqual(['subAck', 'snapBegin', 'snap', 'sync']);
    expect(peer.closed).toBe(false);
  });

  it('is not impressed by noise, and serves others meanwhile', async () => {
    lab = new Lab();
    await lab.startServer();
    const a = lab.nve('a');
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 20, maxLength: 200 }), fc.boolean(), async (noise, framed) => {
        const peer = framed ? await greeted('b') : lab.peer();
        peer.bytes(framed ? unwrap(encodeFrame(noise)) : noise);
        // It may be the beginning of a frame, or a kind that is ignored.
        peer.finish();
        await peer.until(() => peer.closed);
        unwrap(await a.client.authorize(request('t1')));
      }),
      { numRuns: 50 },
    );
  });

  it('limits connections, subscriptions, and the time for HELLO', async () => {
    lab = new Lab();
    await lab.startServer({ maxConnections: 2, sessionLimits: { subscriptions: 1 } });
    const first = await greeted('a');
    const second = lab.peer();
    second.hello('b');
    await second.until(() => second.frames.length > 0);
    expect(await lab.peer().end()).toBe('NVE-NVA-007');
    first.send({ kind: 'sub', channel: 1, vn: vnId(7), token: null });
    first.send({ kind: 'sub', channel: 2, vn: vnId(8), token: null });
    await first.until(() => first.frames.some((frame) => frame.kind === 'subAck' && frame.vn === 8));
    expect(first.frames.at(-1)).toMatchObject({ plan: 'denied', code: 'NVE-NVA-007' });
    await lab.stopServer();
    await lab.startServer({ timing: { helloMs: 1 } });
    expect(await lab.peer().end()).toBe('NVE-NNP-005');
  });

  it('answers a report in which everything is refused', async () => {
    lab = new Lab();
    await lab.startServer();
    const peer = await greeted();
    const item = { ...attachment('x'), change: 'attach' as const, macs: [], ips: [] };
    const items = Array.from({ length: 8192 }, (_, i) => ({ ...item, tsi: `${'x'.repeat(100)}${i}` as never }));
    peer.send({ kind: 'report', channel: 0, seq: 1n, mode: 'delta', items: items.slice(0, 4096) });
    peer.send({
      kind: 'report',
      channel: 0,
      seq: 2n,
      mode: 'delta',
      items: items.map((one) => ({ ...one, tsi: 'x' as never })),
    });
    await peer.until(() => peer.frames.length === 3);
    const acks = peer.frames.flatMap((frame) => (frame.kind === 'reportAck' ? [frame.rejects] : []));
    expect(acks.map((rejects) => rejects.length)).toEqual([4096, 8192]);
    expect(acks[1]?.[8191]).toMatchObject({
      index: 8191,
      code: 'NVE-NVA-002',
      text: expect.stringContaining('TSI x may not'),
    });
  });

  it('ends the older of two sessions of one NVE', async () => {
    lab = new Lab();
    await lab.startServer();
    const older = await greeted('a');
    const newer = await greeted('a');
    expect(await older.end()).toBe('NVE-NNP-007');
    newer.send({ kind: 'ping', channel: 0, nonce: 7 });
    await newer.until(() => newer.frames.at(-1)?.kind === 'pong');
  });

  it('closes a subscriber that does not read, and only that one', async () => {
    lab = new Lab();
    await lab.startServer({ timing: { slowMs: 50 } });
    const a = lab.nve('a');
    const b = lab.nve('b');
    unwrap(await b.client.subscribe(vnId(7)));
    const slow = await greeted('blue-only');
    slow.pause();
    slow.send({ kind: 'sub', channel: 1, vn: vnId(7), token: null });
    // One fat TSI changes for ever: far more than the kernel buffers.
    const macs = Array.from({ length: 60 }, (_, i) => i + 1);
    const gone = () => lab.server?.sessions().every(({ nveId: id }) => id !== 'blue-only');
    let round = 0;
    while (!gone()) {
      round += 1;
      const ips = [ip(round % 200), ip(201)];
      unwrap(await a.client.report('attach', { ...attachment('t1', macs), ips }));
    }
    // Whoever reads has the last of it.
    await b.until(() => b.client.view(vnId(7))?.hosts.get(mac(1))?.ips[0] === ip(round % 200));
    expect(b.errors).toEqual([]);
  });
});

describe('the NVE', () => {
  let fake: Server | null = null;
  const sockets: Socket[] = [];
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
    fake?.close();
  });

  /** An NVA of which only the answers are given. */
  const nva = async (serve: (socket: Socket, connection: number) => void) => {
    lab = new Lab();
    let connections = 0;
    const path = lab.address.kind === 'unix' ? lab.address.path : '';
    fake = createServer((socket) => {
      sockets.push(socket);
      socket.on('error', () => {});
      connections += 1;
      serve(socket, connections);
    });
    await new Promise<void>((resolve) => fake?.listen(path, resolve));
  };
  const frame = (value: NnpFrame) => unwrap(encodeFrame(encodeNnp(value)));
  const ack = (epoch = 'e', term = 1n): Uint8Array =>
    frame({ kind: 'helloAck', channel: 0, proto: 1, nvaId: 'fake', epoch, term, revision: 5n, holdMs: 1 });

  it.each([
    ['noise', bytes('ffffffffffff'), 'NVE-WIRE-001'],
    ['a torn frame', bytes('00000005 02000000 c1'), 'NVE-WIRE-002'],
    [
      'another version',
      frame({ kind: 'helloAck', channel: 0, proto: 2, nvaId: 'x', epoch: 'e', term: 1n, revision: 1n, holdMs: 1 }),
      'NVE-NNP-003',
    ],
    ['PONG instead of HELLO_ACK', frame({ kind: 'pong', channel: 0, nonce: 1 }), 'NVE-NNP-004'],
  ])('leaves an NVA that answers with %s, and tries again', async (_, answer, code) => {
    await nva((socket, connection) => socket.write(connection === 1 ? answer : ack()));
    const a = lab.nve('a');
    await a.until(() => a.connects > 0);
    expect(a.errors.map((error) => error.code)).toEqual([code]);
  });

  it('leaves an NVA that pushes another VN into a subscription', async () => {
    await nva((socket, connection) => {
      socket.write(ack());
      if (connection > 1) return;
      const channel = 1;
      socket.once('data', () => {
        socket.write(frame({ kind: 'subAck', channel, vn: vnId(7), plan: 'snapshot', fromRevision: 0n, code: null }));
        socket.write(frame({ kind: 'snapBegin', channel, revision: 5n }));
        const object = { kind: 'vn' as const, ...vnInfo('red', 8) };
        socket.write(frame({ kind: 'snap', channel, ops: [{ op: 'set', revision: 5n, object }] }));
      });
    });
    const a = lab.nve('a');
    void a.client.subscribe(vnId(7));
    await a.until(() => a.errors.length > 0);
    expect(a.errors[0]?.message).toBe('NNP vn 8 is not legal now: the subscription is of VN 7');
    expect(a.client.view(vnId(7))?.info).toBeNull();
  });

  it('ignores unknown kinds, counts them, and leaves at a critical one', async () => {
    await nva((socket, connection) => {
      socket.write(ack());
      if (connection > 1) return;
      socket.write(frame({ kind: 'unknown', channel: 0, number: 99, critical: false }));
      socket.write(frame({ kind: 'unknown', channel: 0, number: 99, critical: true }));
    });
    const a = lab.nve('a');
    await a.until(() => a.connects === 2);
    expect(a.errors.map((error) => error.code)).toEqual(['NVE-WIRE-004']);
    expect(a.client.status().unknownFrames).toBe(2);
  });

  it('refuses a replica of an older term', async () => {
    await nva((socket, connection) => {
      socket.write(ack('e', connection === 2 ? 4n : 5n));
      if (connection === 1) socket.end();
    });
    const a = lab.nve('a');
    await a.until(() => a.connects === 2);
    expect(a.errors.map((error) => error.code)).toEqual(['NVE-NNP-001', 'NVE-NNP-008']);
  });

  it('gives up an NVA that does not greet, and one that falls silent', async () => {
    await nva((socket, connection) => {
      if (connection > 1) socket.write(ack());
    });
    const ungreeted = lab.nve('a', { timing: { helloMs: 20, backoffMinMs: 60_000, backoffMaxMs: 60_000 } });
    await ungreeted.until(() => ungreeted.errors.length > 0);
    const silent = lab.nve('a', { timing: { pingMs: 5, deadMs: 20, backoffMinMs: 60_000, backoffMaxMs: 60_000 } });
    await silent.until(() => silent.errors.length > 0);
    expect([ungreeted, silent].flatMap(({ errors }) => errors.map((error) => error.code))).toEqual([
      'NVE-NNP-002',
      'NVE-NNP-005',
    ]);
  });

  it('starts with a socket file that nobody serves', async () => {
    lab = new Lab();
    const a = lab.nve('a', {
      endpoints: [{ address: { kind: 'unix', path: join('/nonexistent', 'x') }, priority: 0, weight: 1 }],
    });
    await a.until(() => a.errors.length > 0);
    expect(a.errors[0]?.message).toContain('ENOENT');
  });
});
