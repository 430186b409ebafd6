import { describe, expect, it } from 'vitest';
import type { CdcpPair, CdcpTlv } from '#wire';
import { CdcpBridge, type CdcpBridgeOptions } from './cdcp-bridge.js';
import { CDCP_DEFAULTS, type CdcpEffect, type CdcpEvent } from './cdcp-events.js';
import { CdcpStation, type CdcpStationOptions } from './cdcp-station.js';

const bridgeOptions: CdcpBridgeOptions = {
  ...CDCP_DEFAULTS,
  graceMs: 1000,
  svidPool: { low: 100, high: 110 },
  reserved: [100],
  remembered: [],
};
const stationOptions: CdcpStationOptions = { ...CDCP_DEFAULTS, graceMs: 1000, wants: [2, 3] };

const tlv = (role: 0 | 1, pairs: readonly (readonly [number, number])[], more: Partial<CdcpTlv> = {}): CdcpTlv => ({
  role,
  sComponent: true,
  channels: 167,
  pairs: [[1, 1] as const, ...pairs].map(([scid, svid]) => ({ scid, svid })),
  reserved1: 0,
  reserved2: 0,
  ...more,
});
const heard = (cdcp: CdcpTlv | null, id = 'a'): CdcpEvent => ({ type: 'neighbour', id, cdcp });
const gone = (id = 'a'): CdcpEvent => ({ type: 'neighbourGone', id });
const show = (pairs: readonly CdcpPair[]) => pairs.map(({ scid, svid }) => `${scid}:${svid}`).join(' ');
const text = (effect: CdcpEffect): string => {
  switch (effect.type) {
    case 'advertise':
      return effect.tlv === null ? 'advertise none' : `advertise ${effect.tlv.role} ${show(effect.tlv.pairs)}`;
    case 'channelUp':
      return `up ${effect.scid}:${effect.svid}`;
    case 'channelDown':
      return `down ${effect.scid}:${effect.svid}`;
    case 'repeat':
      return 'repeat';
    case 'remember':
      return `remember ${effect.assignment.scid}:${effect.assignment.svid}`;
    case 'refused':
      return `refused ${effect.scid} ${effect.reason}`;
  }
};
const drive = (machine: CdcpBridge | CdcpStation, event: CdcpEvent, now = 0) => machine.handle(event, now).map(text);
const prepared = <T extends CdcpBridge | CdcpStation>(machine: T, ...events: CdcpEvent[]): T => {
  for (const event of events) machine.handle(event, 0);
  return machine;
};

const pairsOf = (list: readonly CdcpPair[]) => list.map(({ scid, svid }) => [scid, svid] as const);
const WANTS = tlv(1, [
  [2, 0],
  [3, 0],
]);
const GIVES = tlv(0, [
  [2, 101],
  [3, 102],
]);
type Row = Record<string, [string[], string]>;

const EVENTS = (peer: CdcpTlv, list: CdcpTlv): Record<string, [CdcpEvent, number]> => ({
  up: [{ type: 'up' }, 10],
  down: [{ type: 'down' }, 10],
  peer: [heard(peer), 10],
  'other list': [heard(list), 10],
  'second peer': [heard(peer, 'b'), 10],
  'no TLV': [heard(null), 10],
  'no S-component': [heard({ ...peer, sComponent: false }), 10],
  'equal roles': [heard({ ...tlv(peer.role === 1 ? 0 : 1, [[9, 100]]), channels: 9 }, 'c'), 10],
  gone: [gone(), 10],
  'stranger gone': [gone('z'), 10],
  wants: [{ type: 'wants', scids: [2] }, 10],
  'tick early': [{ type: 'tick' }, 999],
  'tick after the grace': [{ type: 'tick' }, 1000],
});

describe('CDCP bridge, every state with every event', () => {
  const starts: Record<string, CdcpEvent[]> = {
    down: [],
    notRunning: [{ type: 'up' }],
    running: [{ type: 'up' }, heard(WANTS)],
    holding: [{ type: 'up' }, heard(WANTS), gone()],
  };
  const events = EVENTS(WANTS, tlv(1, [[3, 0]]));
  const begun = ['remember 2:101', 'remember 3:102', 'up 2:101', 'up 3:102', 'advertise 0 1:1 2:101 3:102'];
  const one = ['remember 3:101', 'up 3:101', 'advertise 0 1:1 3:101'];
  const end = ['down 2:101', 'down 3:102', 'advertise 0 1:1'];
  const quiet = (state: string): Row =>
    Object.fromEntries(Object.keys(events).map((name) => [name, [[], state] as [string[], string]]));
  const table: Record<string, Row> = {
    down: { ...quiet('down'), up: [['advertise 0 1:1'], 'notRunning'] },
    notRunning: {
      ...quiet('notRunning'),
      down: [['advertise none'], 'down'],
      peer: [begun, 'running'],
      'second peer': [begun, 'running'],
      'other list': [one, 'running'],
      // `tolerant`: who lists channels that we never asked for is a station that reads the Role bit the other way round.
      'equal roles': [['remember 9:101', 'up 9:101', 'advertise 1 1:1 9:101'], 'running'],
    },
    running: {
      ...quiet('running'),
      down: [['advertise none'], 'holding'],
      // The channel that is no longer listed is held.
      'other list': [['advertise 0 1:1 3:102'], 'running'],
      'no TLV': [[], 'holding'],
      'no S-component': [end, 'notRunning'],
      gone: [[], 'holding'],
    },
    holding: {
      ...quiet('holding'),
      down: [['advertise none'], 'holding'],
      peer: [[], 'running'],
      'other list': [['advertise 0 1:1 3:102'], 'running'],
      // It is back and cannot do it any more.
      'no S-component': [end, 'notRunning'],
      'tick after the grace': [end, 'notRunning'],
    },
  };
  const pairs = Object.keys(table).flatMap((state) => Object.keys(events).map((name) => [state, name] as const));

  it.each(pairs)('%s: %s', (state, name) => {
    const machine = prepared(new CdcpBridge(bridgeOptions), ...(starts[state] ?? []));
    expect(machine.state).toBe(state);
    const [event, at] = events[name] as [CdcpEvent, number];
    expect([drive(machine, event, at), machine.state]).toEqual(table[state]?.[name]);
  });
});

describe('CDCP station, every state with every event', () => {
  const starts: Record<string, CdcpEvent[]> = {
    down: [],
    notRunning: [{ type: 'up' }],
    running: [{ type: 'up' }, heard(GIVES)],
    holding: [{ type: 'up' }, heard(GIVES), gone()],
  };
  const events = EVENTS(GIVES, tlv(0, [[3, 102]]));
  const begun = ['up 2:101', 'up 3:102', 'advertise 1 1:1 2:101 3:102'];
  const end = ['down 2:101', 'down 3:102', 'advertise 1 1:1'];
  const quiet = (state: string): Row =>
    Object.fromEntries(Object.keys(events).map((name) => [name, [[], state] as [string[], string]]));
  const table: Record<string, Row> = {
    down: { ...quiet('down'), up: [['advertise 1 1:1'], 'notRunning'] },
    notRunning: {
      ...quiet('notRunning'),
      down: [['advertise none'], 'down'],
      peer: [begun, 'running'],
      'second peer': [begun, 'running'],
      'other list': [['up 3:102', 'advertise 1 1:1 2:0 3:102'], 'running'],
      // `tolerant`: who names SVIDs and asks for none is a bridge that reads the Role bit the other way round.
      'equal roles': [['advertise 0 1:1 2:0 3:0'], 'running'],
    },
    running: {
      ...quiet('running'),
      down: [['advertise none'], 'holding'],
      'other list': [['repeat'], 'running'],
      'no TLV': [[], 'holding'],
      'no S-component': [end, 'notRunning'],
      gone: [[], 'holding'],
      wants: [['down 3:102', 'advertise 1 1:1 2:101'], 'running'],
    },
    holding: {
      ...quiet('holding'),
      down: [['advertise none'], 'holding'],
      peer: [[], 'running'],
      'other list': [['repeat'], 'running'],
      'no S-component': [end, 'notRunning'],
      'tick after the grace': [end, 'notRunning'],
    },
  };
  const pairs = Object.keys(table).flatMap((state) => Object.keys(events).map((name) => [state, name] as const));

  it.each(pairs)('%s: %s', (state, name) => {
    const machine = prepared(new CdcpStation(stationOptions), ...(starts[state] ?? []));
    expect(machine.state).toBe(state);
    const [event, at] = events[name] as [CdcpEvent, number];
    expect([drive(machine, event, at), machine.state]).toEqual(table[state]?.[name]);
  });
});

describe('what is no longer listed is held for the grace time', () => {
  const LESS = heard(tlv(1, [[3, 102]]));
  const bridge = (options: Partial<CdcpBridgeOptions> = {}) =>
    prepared(new CdcpBridge({ ...bridgeOptions, ...options }), { type: 'up' }, heard(WANTS));

  it('goes when the time is over', () => {
    const machine = prepared(bridge(), LESS);
    expect([machine.channels.length, machine.nextDeadline()]).toEqual([2, 1000]);
    expect(drive(machine, { type: 'tick' }, 999)).toEqual([]);
    expect(drive(machine, { type: 'tick' }, 1000)).toEqual(['down 2:101']);
    expect(machine.nextDeadline()).toBeNull();
  });

  it('stays when the control plane of the station has restarted: no TLV, no channel listed, then all without SVIDs', () => {
    const machine = bridge();
    const all = [heard(null), heard(tlv(1, [])), heard(WANTS)].flatMap((event, i) => drive(machine, event, 300 * i));
    expect(all).toEqual(['advertise 0 1:1', 'advertise 0 1:1 2:101 3:102']);
    expect(machine.nextDeadline()).toBeNull();
  });

  it('gives way to what is wanted: its SVID, and its place among the channels', () => {
    const list = heard(tlv(1, [[4, 0]]));
    expect(drive(bridge({ svidPool: { low: 101, high: 102 }, reserved: [] }), list)).toEqual([
      'remember 4:101',
      'down 2:101',
      'up 4:101',
      'advertise 0 1:1 4:101',
    ]);
    expect(drive(bridge({ channels: 3 }), list)).toContain('down 2:101');
  });

  it('at a station too, as long as it wants the channel', () => {
    const machine = prepared(new CdcpStation(stationOptions), { type: 'up' }, heard(GIVES), heard(tlv(0, [])));
    expect(drive(machine, heard(GIVES), 500)).toEqual([]);
    machine.handle(heard(tlv(0, [])), 600);
    expect(drive(machine, { type: 'wants', scids: [3] }, 700)).toContain('down 2:101');
    expect(drive(machine, { type: 'tick' }, 1600)).toContain('down 3:102');
    // SVID 0 is the bridge's word.
    machine.handle(heard(GIVES), 2000);
    expect(drive(machine, heard(tlv(0, [[3, 0]])), 2000)).toContain('down 3:102');
  });
});

describe('CDCP bridge: which SVID', () => {
  const running = (options: Partial<CdcpBridgeOptions> = {}) =>
    prepared(new CdcpBridge({ ...bridgeOptions, ...options }), { type: 'up' });

  it('takes what the station suggests if it is free and of the pool', () => {
    const machine = running();
    const list = tlv(1, [
      [2, 105],
      [3, 105],
      [4, 100],
      [5, 4095],
    ]);
    expect(drive(machine, heard(list)).at(-1)).toBe('advertise 0 1:1 2:105 3:101 4:102 5:103');
  });

  it('keeps what is held, whatever is suggested afterwards', () => {
    const machine = prepared(running(), heard(WANTS));
    expect(
      drive(
        machine,
        heard(
          tlv(1, [
            [2, 110],
            [3, 102],
          ]),
        ),
      ),
    ).toEqual([]);
  });

  it('gives a channel that comes back what it had, also after a restart', () => {
    const machine = prepared(running(), heard(WANTS), heard(tlv(1, [[3, 102]])));
    expect(
      drive(
        machine,
        heard(
          tlv(1, [
            [4, 0],
            [3, 102],
            [2, 0],
          ]),
        ),
      ).at(-1),
    ).toBe('advertise 0 1:1 4:103 3:102 2:101');
    const again = running({ remembered: [{ station: 'a', scid: 2, svid: 107 }] });
    expect(drive(again, heard(WANTS)).at(-1)).toBe('advertise 0 1:1 2:107 3:101');
  });

  describe('after a restart', () => {
    const channels = [
      { scid: 2, svid: 101 },
      { scid: 3, svid: 102 },
    ];
    const restored: CdcpEvent = { type: 'restored', station: 'a', channels };
    const again = (): CdcpBridge => new CdcpBridge(bridgeOptions);

    it('has the channels that there were, before anybody is heard, and says so', () => {
      const machine = again();
      expect(drive(machine, restored)).toEqual(['up 2:101', 'up 3:102']);
      expect([machine.state, machine.peer]).toEqual(['holding', 'a']);
      expect(drive(machine, { type: 'up' })).toEqual(['advertise 0 1:1 2:101 3:102']);
      // The station goes on as if nothing had been; it has SVIDs and asks for none.
      expect(drive(machine, heard(tlv(1, [...pairsOf(channels)])))).toEqual(['remember 2:101', 'remember 3:102']);
      expect(machine.state).toBe('running');
    });

    it('knows its station again, whatever Role bit it sends and if it begins with nothing', () => {
      const machine = prepared(again(), restored, { type: 'up' });
      expect(drive(machine, heard(tlv(0, [])))).toEqual(['advertise 1 1:1']);
      expect([machine.state, machine.channels]).toEqual(['running', channels]);
      expect(drive(machine, heard(tlv(0, pairsOf(channels)))).at(-1)).toBe('advertise 1 1:1 2:101 3:102');
    });

    it('lets them go when the station stays silent, with a carrier or without; others wait so long', () => {
      for (const isUp of [true, false]) {
        const machine = prepared(again(), restored, ...(isUp ? [{ type: 'up' } as const, heard(WANTS, 'b')] : []));
        expect(machine.nextDeadline()).toBe(121_000 + 1000);
        expect(drive(machine, { type: 'tick' }, 121_999)).toEqual([]);
        expect(drive(machine, { type: 'tick' }, 122_000).slice(0, 2)).toEqual(['down 2:101', 'down 3:102']);
        expect([machine.state, machine.peer]).toEqual(isUp ? ['running', 'b'] : ['down', null]);
      }
    });

    it('comes too late when it runs', () => {
      expect(drive(running(), restored)).toEqual([]);
    });
  });

  it('answers 0 when none is left, and gives one as soon as there is', () => {
    const machine = running({ svidPool: { low: 100, high: 102 } });
    const list = tlv(1, [
      [2, 0],
      [3, 0],
      [4, 0],
    ]);
    const effects = drive(machine, heard(list));
    expect(effects).toContain('refused 4 noSvidLeft');
    expect(effects.at(-1)).toBe('advertise 0 1:1 2:101 3:102 4:0');
    expect(
      drive(
        machine,
        heard(
          tlv(1, [
            [3, 102],
            [4, 0],
          ]),
        ),
      ).at(-1),
    ).toBe('advertise 0 1:1 3:102 4:101');
  });

  it('never assigns 0, 1 or 4095, whatever the pool says', () => {
    const machine = running({ svidPool: { low: 0, high: 4095 }, reserved: [] });
    const list = tlv(1, [
      [2, 1],
      [3, 4095],
      [4, 0],
    ]);
    expect(drive(machine, heard(list)).at(-1)).toBe('advertise 0 1:1 2:2 3:3 4:4');
  });

  it('gives no more channels than both sides support', () => {
    const machine = running({ channels: 9 });
    const effects = drive(machine, heard({ ...WANTS, channels: 2 }));
    expect(effects).toContain('refused 3 tooManyChannels');
    expect(effects.at(-1)).toBe('advertise 0 1:1 2:101');
  });

  it('does not care for SCID 0, for the default channel, and for a SCID listed twice', () => {
    const list = tlv(1, [
      [0, 0],
      [1, 105],
      [2, 0],
      [2, 108],
    ]);
    expect(drive(running(), heard(list)).at(-1)).toBe('advertise 0 1:1 2:101');
  });
});

describe('CDCP roles', () => {
  const reversed = tlv(0, [[2, 0]]);

  it.each([
    ['bit', 'notRunning', undefined],
    ['tolerant', 'running', 'advertise 1 1:1 2:101'],
    ['assume', 'running', 'advertise 1 1:1 2:101'],
  ] as const)('%s: a station with the other polarity', (peerRole, state, last) => {
    const machine = prepared(new CdcpBridge({ ...bridgeOptions, peerRole }), { type: 'up' });
    const effects = drive(machine, heard(reversed));
    expect([machine.state, effects.at(-1)]).toEqual([state, last]);
    // Once it has its SVID it asks with 0 no more.
    drive(machine, heard(tlv(0, [[2, 101]])));
    expect(machine.state).toBe(state);
  });

  it('can be configured the other way round', () => {
    const machine = prepared(new CdcpBridge({ ...bridgeOptions, stationBit: 0, peerRole: 'bit' }), { type: 'up' });
    expect(drive(machine, heard(reversed)).at(-1)).toBe('advertise 1 1:1 2:101');
  });
});

describe('CDCP station', () => {
  it('refuses SVIDs that cannot be', () => {
    const machine = prepared(new CdcpStation({ ...stationOptions, wants: [2, 3, 4, 5] }), { type: 'up' });
    const list = tlv(0, [
      [2, 4095],
      [3, 1],
      [4, 104],
      [5, 104],
    ]);
    expect(drive(machine, heard(list))).toEqual([
      'refused 2 svidInvalid',
      'refused 3 svidInvalid',
      'refused 5 svidInvalid',
      'up 4:104',
      'advertise 1 1:1 2:0 3:0 4:104 5:0',
    ]);
  });

  it('moves a channel to another SVID, and suggests no SVID that was taken back', () => {
    const machine = prepared(new CdcpStation(stationOptions), { type: 'up' }, heard(GIVES));
    expect(
      drive(
        machine,
        heard(
          tlv(0, [
            [2, 102],
            [3, 0],
          ]),
        ),
      ),
    ).toEqual(['down 2:101', 'down 3:102', 'up 2:102', 'advertise 1 1:1 2:102 3:0']);
  });

  it('wants no channel that cannot be', () => {
    const machine = prepared(new CdcpStation({ ...stationOptions, wants: [0, 1, 2, 2, 4096, 2.5] }), { type: 'up' });
    expect(drive(machine, heard(tlv(0, []))).at(-1)).toBe('advertise 1 1:1 2:0');
  });
});

describe('both CDCP ends', () => {
  const meet = (bridge: CdcpBridge, station: CdcpStation): number => {
    type To = readonly [CdcpBridge | CdcpStation, CdcpEffect];
    let effects: To[] = bridge.handle({ type: 'up' }, 0).map((e) => [station, e] as const);
    effects.push(...station.handle({ type: 'up' }, 0).map((e) => [bridge, e] as const));
    let exchanges = 0;
    while (effects.some(([, { type }]) => type === 'advertise') && exchanges < 20) {
      exchanges++;
      effects = effects.flatMap(([to, effect]) =>
        effect.type === 'advertise'
          ? to.handle(heard(effect.tlv), 0).map((e) => [to === bridge ? station : bridge, e] as const)
          : [],
      );
    }
    return exchanges;
  };

  it.each([
    [0, 0],
    [0, 1],
    [1, 0],
    [1, 1],
  ] as const)('agree when the bridge holds %i and the station %i for the bit of a station', (ours, theirs) => {
    const bridge = new CdcpBridge({ ...bridgeOptions, stationBit: ours });
    const station = new CdcpStation({ ...stationOptions, stationBit: theirs });
    expect(meet(bridge, station)).toBeLessThan(10);
    expect(show(bridge.channels)).toBe('2:101 3:102');
    expect(station.channels).toEqual(bridge.channels);
  });

  it('come to rest also when both are bridges or both are stations', () => {
    const stations = [new CdcpStation(stationOptions), new CdcpStation(stationOptions)] as const;
    expect(meet(stations[0] as never, stations[1])).toBeLessThan(10);
    expect(stations.flatMap(({ channels }) => channels)).toEqual([]);
    const bridges = [new CdcpBridge(bridgeOptions), new CdcpBridge(bridgeOptions)] as const;
    expect(meet(bridges[0], bridges[1] as never)).toBeLessThan(10);
    expect(bridges.map(({ state }) => state)).toEqual(['notRunning', 'notRunning']);
  });
});
