import { describe, expect, it } from 'vitest';
import { type MacAddr, parseMac } from '#model';
import { GROUP_ADDRESSES, type Lldpdu, type LldpTlv, lldpText, msapOf } from '#wire';
import { LldpAgent } from './lldp.js';
import { LLDP_TIMES, type LldpEffect, type LldpEvent, type LldpOptions } from './lldp-events.js';

const mac = (text: string): MacAddr => {
  const result = parseMac(text);
  if (!result.ok) throw result.error;
  return result.value;
};
const A = mac('02:00:00:00:00:0a');
const options: LldpOptions = {
  address: GROUP_ADDRESSES.nearestCustomerBridge,
  chassisId: { subtype: 7, octets: lldpText('nve1') },
  portId: { subtype: 5, octets: lldpText('acc0') },
  maxNeighbours: 2,
  ...LLDP_TIMES,
};
const tlv = (text: string): LldpTlv => ({ kind: 'other', type: 5, octets: lldpText(text) });
const pdu = (name: string, says = 'x', ttl = 121): Lldpdu => ({
  chassisId: { subtype: 7, octets: lldpText(name) },
  portId: { subtype: 7, octets: lldpText('p') },
  ttl,
  tlvs: [tlv(says)],
});
const got = (name: string, says?: string, ttl?: number): LldpEvent => ({
  type: 'received',
  src: A,
  pdu: pdu(name, says, ttl),
});
const nameOf = (id: string) =>
  String.fromCharCode(...(id.match(/:([0-9a-f]+)\//)?.[1]?.match(/../g) ?? []).map((h) => Number.parseInt(h, 16)));
const text = (effect: LldpEffect): string => {
  switch (effect.type) {
    case 'transmit':
      return `transmit ttl ${effect.pdu.ttl}, ${effect.pdu.tlvs.length} tlvs`;
    case 'neighbour':
      return `${effect.change} ${nameOf(effect.id)}`;
    case 'neighbourGone':
      return `gone ${nameOf(effect.id)} ${effect.reason}`;
    case 'ignored':
      return `ignored ${nameOf(effect.id)}`;
  }
};
const drive = (agent: LldpAgent, event: LldpEvent, now: number) => agent.handle(event, now).map(text);
/** Ticks when it is due until `until`; what it sent, with its time. */
const run = (agent: LldpAgent, until: number): string[] => {
  const seen: string[] = [];
  for (let due = agent.nextDeadline(); due !== null && due <= until; due = agent.nextDeadline())
    seen.push(...drive(agent, { type: 'tick' }, due).map((one) => `${due} ${one}`));
  return seen;
};

describe('LLDP, every state with every event', () => {
  const start = (state: string): LldpAgent => {
    const agent = new LldpAgent(options);
    if (state === 'down') return agent;
    agent.handle({ type: 'up' }, 0);
    agent.handle(got('a'), 0);
    if (state === 'slow') run(agent, 10_000);
    return agent;
  };
  const events: Record<string, LldpEvent> = {
    up: { type: 'up' },
    down: { type: 'down' },
    stop: { type: 'stop' },
    'other tlvs': { type: 'tlvs', tlvs: [tlv('y')] },
    'same tlvs': { type: 'tlvs', tlvs: [] },
    'new neighbour': got('b'),
    'known neighbour': got('a'),
    'changed neighbour': got('a', 'y'),
    'good-bye': got('a', 'x', 0),
    'good-bye of a stranger': got('c', 'x', 0),
    'tick, not due': { type: 'tick' },
  };
  const sent = 'transmit ttl 121, 0 tlvs';
  const table: Record<string, Record<string, [string[], string]>> = {
    down: {
      up: [[sent], 'fast'],
      down: [[], 'down'],
      stop: [[], 'down'],
      'other tlvs': [[], 'down'],
      'same tlvs': [[], 'down'],
      'new neighbour': [[], 'down'],
      'known neighbour': [[], 'down'],
      'changed neighbour': [[], 'down'],
      'good-bye': [[], 'down'],
      'good-bye of a stranger': [[], 'down'],
      'tick, not due': [[], 'down'],
    },
    fast: {
      up: [[], 'fast'],
      down: [['gone a down'], 'down'],
      stop: [['transmit ttl 0, 0 tlvs', 'gone a down'], 'down'],
      'other tlvs': [['transmit ttl 121, 1 tlvs'], 'fast'],
      'same tlvs': [[], 'fast'],
      'new neighbour': [['new b'], 'fast'],
      'known neighbour': [[], 'fast'],
      'changed neighbour': [['changed a'], 'fast'],
      'good-bye': [['gone a shutdown'], 'fast'],
      'good-bye of a stranger': [[], 'fast'],
      'tick, not due': [[], 'fast'],
    },
    slow: {
      up: [[], 'slow'],
      down: [['gone a down'], 'down'],
      stop: [['transmit ttl 0, 0 tlvs', 'gone a down'], 'down'],
      'other tlvs': [['transmit ttl 121, 1 tlvs'], 'slow'],
      'same tlvs': [[], 'slow'],
      'new neighbour': [['new b'], 'fast'],
      'known neighbour': [[], 'slow'],
      'changed neighbour': [['changed a'], 'slow'],
      'good-bye': [['gone a shutdown'], 'slow'],
      'good-bye of a stranger': [[], 'slow'],
      'tick, not due': [[], 'slow'],
    },
  };
  const pairs = Object.keys(table).flatMap((state) => Object.keys(events).map((event) => [state, event] as const));

  it.each(pairs)('%s: %s', (state, name) => {
    const agent = start(state);
    const now = state === 'slow' ? 10_000 : 0;
    const effects = drive(agent, events[name] as LldpEvent, now);
    expect([effects, agent.status().state]).toEqual(table[state]?.[name]);
  });
});

describe('LLDP transmission', () => {
  it('is fast four times, one second apart, then every 30 s', () => {
    const agent = new LldpAgent(options);
    expect(drive(agent, { type: 'up' }, 0)).toEqual(['transmit ttl 121, 0 tlvs']);
    const times = run(agent, 70_000).map((line) => Number(line.split(' ')[0]));
    expect(times).toEqual([1000, 2000, 3000, 33_000, 63_000]);
  });

  it('is fast again for a new neighbour', () => {
    const agent = new LldpAgent(options);
    agent.handle({ type: 'up' }, 0);
    run(agent, 10_000);
    agent.handle(got('a', 'x', 600), 10_000);
    expect(run(agent, 50_000).map((line) => Number(line.split(' ')[0]))).toEqual([
      11_000, 12_000, 13_000, 14_000, 44_000,
    ]);
  });

  it('has credits: a hundred changes in one second send five PDUs, and the last change is sent', () => {
    const agent = new LldpAgent(options);
    agent.handle({ type: 'up' }, 0);
    run(agent, 20_000);
    const sent = Array.from({ length: 100 }, (_, i) =>
      drive(agent, { type: 'tlvs', tlvs: Array.from({ length: i + 1 }, () => tlv('y')) }, 20_000 + i),
    ).flat();
    expect(sent).toHaveLength(5);
    expect(run(agent, 22_000)).toEqual(['21000 transmit ttl 121, 100 tlvs']);
  });
});

describe('LLDP neighbours', () => {
  it('age by their TTL, which each PDU renews', () => {
    const agent = new LldpAgent(options);
    agent.handle({ type: 'up' }, 0);
    agent.handle(got('a', 'x', 3), 500);
    agent.handle(got('a', 'x', 3), 2000);
    const gone = run(agent, 20_000).filter((line) => line.includes('gone'));
    expect(gone).toEqual(['5000 gone a aged']);
  });

  it('are not more than the limit: the one heard longest ago gives way, unless it is in use', () => {
    let inUse: readonly string[] = [];
    const agent = new LldpAgent({ ...options, isInUse: ({ id }) => inUse.includes(nameOf(id)) });
    agent.handle({ type: 'up' }, 0);
    expect(['a', 'b', 'a', 'c'].flatMap((name) => drive(agent, got(name), 0))).toEqual([
      'new a',
      'new b',
      'gone b displaced',
      'new c',
    ]);
    inUse = ['a'];
    expect(drive(agent, got('d'), 1)).toEqual(['gone c displaced', 'new d']);
    inUse = ['a', 'd'];
    expect(drive(agent, got('e'), 1)).toEqual(['ignored e']);
    expect(agent.status().neighbours.map(({ id }) => id)).toEqual([msapOf(pdu('a')), msapOf(pdu('d'))]);
  });

  it('have changed when they speak from another MAC', () => {
    const agent = new LldpAgent(options);
    agent.handle({ type: 'up' }, 0);
    agent.handle(got('a'), 1);
    const other = { type: 'received', src: mac('02:00:00:00:00:0b'), pdu: pdu('a') } as const;
    expect(drive(agent, other, 2)).toEqual(['changed a']);
  });
});
