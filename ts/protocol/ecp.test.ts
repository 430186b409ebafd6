import { describe, expect, it } from 'vitest';
import { type MacAddr, parseMac } from '#model';
import { type EcpPdu, GROUP_ADDRESSES } from '#wire';
import { EcpChannel } from './ecp.js';
import type { EcpEffect, EcpEvent, EcpOptions } from './ecp-events.js';

const mac = (text: string): MacAddr => {
  const result = parseMac(text);
  if (!result.ok) throw result.error;
  return result.value;
};
const A = mac('02:00:00:00:00:0a');
const B = mac('02:00:00:00:00:0b');
const NVE = mac('02:00:00:00:00:fe');
const GROUP = GROUP_ADDRESSES.nearestCustomerBridge;
const PAYLOAD = Uint8Array.of(1, 2, 3);

const options: EcpOptions = {
  role: 'bridge',
  address: GROUP,
  unicast: 'auto',
  parameters: { retries: 3, rte: 8 },
  firstSequence: 100,
  subtypes: [1],
  maxPeers: 3,
  maxQueue: 2,
};
const pdu = (operation: 'request' | 'ack', sequence: number, subtype = 1): EcpPdu => ({
  operation,
  subtype,
  sequence,
  payload: operation === 'request' ? PAYLOAD : new Uint8Array(0),
});
const got = (src: MacAddr, what: EcpPdu, dst: MacAddr = GROUP): EcpEvent => ({ type: 'received', src, dst, pdu: what });
const send = (peer: MacAddr | null, token: number): EcpEvent => ({
  type: 'send',
  peer,
  token,
  subtype: 1,
  payload: PAYLOAD,
});
/** What happened, short: `request 100`, `ack 7`, `failed 1 NVE-ECP-001`. */
const text = (effect: EcpEffect): string => {
  switch (effect.type) {
    case 'transmit':
      return `${effect.pdu.operation} ${effect.pdu.sequence}${effect.dst === GROUP ? '' : ` to ${effect.dst.slice(-2)}`}`;
    case 'deliver':
      return `deliver from ${effect.peer.slice(-2)}`;
    case 'acknowledged':
      return `acknowledged ${effect.token}`;
    case 'failed':
      return `failed ${effect.token} ${effect.error.code}`;
    case 'dropped':
      return `dropped ${effect.reason}`;
  }
};
const drive = (channel: EcpChannel, event: EcpEvent, now = 0): string[] => channel.handle(event, now).map(text);

describe('ECP, every state with every event', () => {
  /** Transmit idle or waiting (with one more queued), receive fresh or seen. */
  const states: Record<string, EcpEvent[]> = {
    'idle, fresh': [got(A, pdu('request', 1)), { type: 'reset', peer: A, reason: 'evbReinit' }],
    'idle, seen': [got(A, pdu('request', 7))],
    'waiting, seen': [got(A, pdu('request', 7)), send(A, 1), send(A, 2)],
  };
  const events: Record<string, [EcpEvent, number]> = {
    'new request': [got(A, pdu('request', 8)), 1],
    'same request': [got(A, pdu('request', 7)), 1],
    'request of an unknown subtype': [got(A, pdu('request', 9, 2)), 1],
    'right ack': [got(A, pdu('ack', 100)), 1],
    'stray ack': [got(A, pdu('ack', 99)), 1],
    send: [send(A, 3), 1],
    'tick, early': [{ type: 'tick' }, 1],
    'tick, due': [{ type: 'tick' }, 2.56],
    parameters: [{ type: 'parameters', peer: A, parameters: { retries: 0, rte: 10 } }, 1],
    bind: [{ type: 'bind', peer: B }, 1],
    carrierLost: [{ type: 'reset', peer: null, reason: 'carrierLost' }, 1],
    neighbourChanged: [{ type: 'reset', peer: A, reason: 'neighbourChanged' }, 1],
    evbReinit: [{ type: 'reset', peer: A, reason: 'evbReinit' }, 1],
  };
  const idle = '0 queued, 1 peer';
  const table: Record<string, Record<string, [string[], string]>> = {
    'idle, fresh': {
      'new request': [['ack 8', 'deliver from 0a'], `seen 8, ${idle}`],
      'same request': [['ack 7', 'deliver from 0a'], `seen 7, ${idle}`],
      'request of an unknown subtype': [['dropped unknownSubtype'], `seen null, ${idle}`],
      'right ack': [['dropped strayAck'], `seen null, ${idle}`],
      'stray ack': [['dropped strayAck'], `seen null, ${idle}`],
      send: [['request 100'], 'out 100, seen null, 0 queued, 1 peer'],
      'tick, early': [[], `seen null, ${idle}`],
      'tick, due': [[], `seen null, ${idle}`],
      parameters: [[], `seen null, ${idle}`],
      bind: [[], `seen null, ${idle}`],
      carrierLost: [[], 'no peer'],
      neighbourChanged: [[], `seen null, ${idle}`],
      evbReinit: [[], `seen null, ${idle}`],
    },
    'idle, seen': {
      'new request': [['ack 8', 'deliver from 0a'], `seen 8, ${idle}`],
      'same request': [['ack 7', 'dropped duplicate'], `seen 7, ${idle}`],
      'request of an unknown subtype': [['dropped unknownSubtype'], `seen 7, ${idle}`],
      'right ack': [['dropped strayAck'], `seen 7, ${idle}`],
      'stray ack': [['dropped strayAck'], `seen 7, ${idle}`],
      send: [['request 100'], 'out 100, seen 7, 0 queued, 1 peer'],
      'tick, early': [[], `seen 7, ${idle}`],
      'tick, due': [[], `seen 7, ${idle}`],
      parameters: [[], `seen 7, ${idle}`],
      bind: [[], `seen 7, ${idle}`],
      carrierLost: [[], 'no peer'],
      neighbourChanged: [[], `seen null, ${idle}`],
      evbReinit: [[], `seen null, ${idle}`],
    },
    'waiting, seen': {
      'new request': [['ack 8', 'deliver from 0a'], 'out 100, seen 8, 1 queued, 1 peer'],
      'same request': [['ack 7', 'dropped duplicate'], 'out 100, seen 7, 1 queued, 1 peer'],
      'request of an unknown subtype': [['dropped unknownSubtype'], 'out 100, seen 7, 1 queued, 1 peer'],
      'right ack': [['acknowledged 1', 'request 101'], 'out 101, seen 7, 0 queued, 1 peer'],
      'stray ack': [['dropped strayAck'], 'out 100, seen 7, 1 queued, 1 peer'],
      send: [[], 'out 100, seen 7, 2 queued, 1 peer'],
      'tick, early': [[], 'out 100, seen 7, 1 queued, 1 peer'],
      'tick, due': [['request 100'], 'out 100, seen 7, 1 queued, 1 peer'],
      parameters: [[], 'out 100, seen 7, 1 queued, 1 peer'],
      bind: [[], 'out 100, seen 7, 1 queued, 1 peer'],
      carrierLost: [['failed 1 NVE-ECP-002', 'failed 2 NVE-ECP-002'], 'no peer'],
      neighbourChanged: [[], 'out 100, seen null, 1 queued, 1 peer'],
      evbReinit: [[], 'out 100, seen null, 1 queued, 1 peer'],
    },
  };
  const pairs = Object.keys(states).flatMap((state) => Object.keys(events).map((event) => [state, event] as const));

  it.each(pairs)('%s: %s', (state, name) => {
    const channel = new EcpChannel(options);
    for (const event of states[state] ?? []) channel.handle(event, 0);
    const [event, at] = events[name] as [EcpEvent, number];
    const effects = drive(channel, event, at);
    const { peers } = channel.status();
    const [peer] = peers;
    const out = peer?.outstanding == null ? '' : `out ${peer.outstanding}, `;
    const after =
      peer === undefined ? 'no peer' : `${out}seen ${peer.lastReceived}, ${peer.queued} queued, ${peers.length} peer`;
    expect([effects, after]).toEqual(table[state]?.[name]);
  });
});

describe('ECP retransmission', () => {
  it.each([0, 3, 7])('sends R + 1 = %i + 1 times, 10 µs · 2^RTE apart, then tells and goes on', (retries) => {
    const channel = new EcpChannel({ ...options, parameters: { retries, rte: 14 } });
    expect(drive(channel, send(A, 1))).toEqual(['request 100']);
    channel.handle(send(A, 2), 0);
    for (let n = 1; n <= retries; n++) {
      const due = channel.nextDeadline() ?? 0;
      expect(due).toBeCloseTo(163.84 * n);
      expect(drive(channel, { type: 'tick' }, due)).toEqual(['request 100']);
    }
    expect(drive(channel, { type: 'tick' }, channel.nextDeadline() ?? 0)).toEqual([
      'failed 1 NVE-ECP-001',
      'request 101',
    ]);
    expect(channel.counters).toMatchObject({ sent: 2, retransmitted: retries, failed: 1 });
  });

  it('waits for nothing when nothing is out', () => {
    const channel = new EcpChannel(options);
    expect(channel.nextDeadline()).toBeNull();
    channel.handle(send(A, 1), 0);
    channel.handle(got(A, pdu('ack', 100)), 1);
    expect(channel.nextDeadline()).toBeNull();
  });

  it('counts what was said with each peer', () => {
    const channel = new EcpChannel(options);
    drive(channel, got(A, pdu('request', 7)), 1);
    drive(channel, got(A, pdu('request', 7)), 2);
    drive(channel, got(B, pdu('request', 7)), 3);
    drive(channel, send(A, 1), 4);
    for (let i = 0; i < 4; i++) drive(channel, { type: 'tick' }, channel.nextDeadline() ?? 0);
    drive(channel, send(B, 2), 50);
    drive(channel, got(B, pdu('ack', 101)), 51);
    expect(channel.peers()).toEqual([
      { mac: A, lastHeard: 2, counters: { sent: 1, retried: 3, timedOut: 1, received: 1, duplicates: 1 } },
      { mac: B, lastHeard: 51, counters: { sent: 1, retried: 0, timedOut: 0, received: 1, duplicates: 0 } },
    ]);
  });

  it('skips sequence number 0', () => {
    const channel = new EcpChannel({ ...options, firstSequence: 65_535 });
    expect(drive(channel, send(A, 1))).toEqual(['request 65535']);
    expect(drive(channel, send(B, 2))).toEqual(['request 1 to 0b']);
  });

  it('takes the parameters of the peer before those of the channel', () => {
    const channel = new EcpChannel(options);
    channel.handle({ type: 'parameters', peer: A, parameters: { retries: 0, rte: 10 } }, 0);
    channel.handle({ type: 'parameters', peer: null, parameters: { retries: 0, rte: 12 } }, 0);
    channel.handle(send(A, 1), 0);
    expect(channel.nextDeadline()).toBeCloseTo(10.24);
    const other = new EcpChannel(options);
    other.handle({ type: 'parameters', peer: null, parameters: { retries: 0, rte: 12 } }, 0);
    other.handle(send(A, 1), 0);
    expect(other.nextDeadline()).toBeCloseTo(40.96);
  });
});

describe('ECP limits', () => {
  it('refuses what the queue has no room for', () => {
    const channel = new EcpChannel(options);
    for (const token of [1, 2, 3]) channel.handle(send(A, token), 0);
    expect(drive(channel, send(A, 4))).toEqual(['failed 4 NVE-ECP-003']);
  });

  it('puts a new peer in the place of one not in use: the one idle for longest, then the one busy for longest', () => {
    const inUse = new Set<MacAddr>();
    const channel = new EcpChannel({ ...options, isInUse: (peer) => inUse.has(peer) });
    const macs = [1, 2, 3, 4].map((n) => mac(`02:00:00:00:01:0${n}`));
    const [first, second, third, fourth] = macs as [MacAddr, MacAddr, MacAddr, MacAddr];
    for (const one of [first, second, third]) channel.handle(got(one, pdu('request', 1)), 0);
    channel.handle(got(first, pdu('request', 2)), 1);
    channel.handle(got(fourth, pdu('request', 1)), 2);
    expect(channel.status().peers.map(({ peer }) => peer)).toEqual([third, first, fourth]);
    // All are busy: who sends with many MACs and acknowledges nothing keeps nobody out.
    inUse.add(third);
    for (const [i, one] of [third, first, fourth].entries()) channel.handle(send(one, i), 3);
    expect(drive(channel, got(second, pdu('request', 2)), 4)).toEqual([
      'failed 1 NVE-ECP-002',
      'ack 2 to 02',
      'deliver from 02',
    ]);
    // All are busy and in use.
    for (const one of [second, fourth]) inUse.add(one);
    channel.handle(send(second, 3), 5);
    expect(drive(channel, got(first, pdu('request', 2)), 6)).toEqual(['dropped tooManyPeers']);
    expect(drive(channel, send(first, 9), 6)).toEqual(['failed 9 NVE-ECP-004']);
  });

  it('lets parameters of a peer outlive its place, until EVB takes them back', () => {
    const channel = new EcpChannel(options);
    channel.handle({ type: 'parameters', peer: A, parameters: { retries: 0, rte: 10 } }, 0);
    for (const n of [1, 2, 3, 4]) channel.handle(got(mac(`02:00:00:00:01:0${n}`), pdu('request', 1)), 0);
    channel.handle(send(A, 1), 0);
    expect(channel.nextDeadline()).toBeCloseTo(10.24);
    channel.handle({ type: 'parametersGone', peer: A }, 1);
    channel.handle({ type: 'tick' }, 11);
    // The next one of its copies, after the channel's 2.56 ms.
    expect(channel.nextDeadline()).toBeCloseTo(13.56);
  });

  it('makes no peer of who only acknowledges or speaks of something else', () => {
    const channel = new EcpChannel(options);
    expect(drive(channel, got(A, pdu('ack', 1)))).toEqual(['dropped strayAck']);
    expect(drive(channel, got(A, pdu('request', 1, 2)))).toEqual(['dropped unknownSubtype']);
    expect(channel.status().peers).toEqual([]);
  });
});

describe('ECP addresses', () => {
  it('answers on the group address as long as there is one peer, and to each of several by its own', () => {
    const channel = new EcpChannel(options);
    expect(drive(channel, got(A, pdu('request', 1)))[0]).toBe('ack 1');
    expect(drive(channel, got(B, pdu('request', 1)))[0]).toBe('ack 1 to 0b');
    expect(drive(channel, send(A, 1))).toEqual(['request 100 to 0a']);
    expect(drive(channel, send(B, 2))).toEqual(['request 101 to 0b']);
    // What a bridge between flooded: the other station's acknowledgement is nobody's.
    expect(drive(channel, got(B, pdu('ack', 100)))).toEqual(['dropped strayAck']);
  });

  it('answers to the own address of who asked by ours', () => {
    const channel = new EcpChannel(options);
    expect(drive(channel, got(A, pdu('request', 1), NVE))[0]).toBe('ack 1 to 0a');
    expect(drive(channel, send(A, 1))).toEqual(['request 100 to 0a']);
  });

  it.each([
    ['always', 'ack 1 to 0a'],
    ['never', 'ack 1'],
  ] as const)('can be told: %s', (unicast, expected) => {
    const channel = new EcpChannel({ ...options, unicast });
    expect(drive(channel, got(A, pdu('request', 1)))[0]).toBe(expected);
  });
});

describe('ECP of a station', () => {
  const station: EcpOptions = { ...options, role: 'station' };

  it('finds its bridge by the first acknowledgement, and then hears nobody else', () => {
    const channel = new EcpChannel(station);
    expect(drive(channel, got(B, pdu('request', 1)))).toEqual(['dropped notOurPeer']);
    expect(drive(channel, send(null, 1))).toEqual(['request 100']);
    expect(drive(channel, got(NVE, pdu('ack', 99)))).toEqual(['dropped notOurPeer']);
    expect(drive(channel, got(NVE, pdu('ack', 100)))).toEqual(['acknowledged 1']);
    expect(drive(channel, got(NVE, pdu('request', 1)))).toEqual(['ack 1', 'deliver from fe']);
    expect(drive(channel, got(B, pdu('request', 1)))).toEqual(['dropped notOurPeer']);
    expect(drive(channel, send(null, 2))).toEqual(['request 101']);
  });

  it('keeps what it sent before EVB named the bridge, and gives up what another bridge owed', () => {
    const channel = new EcpChannel(station);
    channel.handle(send(null, 1), 0);
    expect(drive(channel, { type: 'bind', peer: NVE })).toEqual([]);
    expect(channel.status().peers).toEqual([{ peer: NVE, queued: 0, outstanding: 100, lastReceived: null }]);
    expect(drive(channel, { type: 'bind', peer: B })).toEqual(['failed 1 NVE-ECP-002']);
    expect(channel.status().peers).toEqual([{ peer: B, queued: 0, outstanding: null, lastReceived: null }]);
  });
});
