import { describe, expect, it } from 'vitest';
import { type MacAddr, parseMac } from '#model';
import { type EvbTlv, encodeEvb } from '#wire';
import { EVB_STATION_MODES, EvbBridge, type EvbBridgeOptions } from './evb-bridge.js';
import type { EvbEffect, EvbEvent } from './evb-events.js';
import { EVB_BRIDGE_MODES, EvbStation, type EvbStationOptions } from './evb-station.js';
import { NO_BRIDGE, NO_STATION } from './evb-tlv.js';

const mac = (text: string): MacAddr => {
  const result = parseMac(text);
  if (!result.ok) throw result.error;
  return result.value;
};
const A = mac('02:00:00:00:00:0a');
const B = mac('02:00:00:00:00:0b');
const parameters = { retries: 3, rte: 14, rwd: 20, rka: 20 };
const bridgeOptions: EvbBridgeOptions = {
  parameters,
  groupId: true,
  reflectiveRelay: true,
  stationModes: EVB_STATION_MODES,
};
const stationOptions: EvbStationOptions = {
  parameters: { retries: 3, rte: 8, rwd: 20, rka: 20 },
  groupId: true,
  assumeGroupId: false,
  reflectiveRelay: false,
  bridgeModes: EVB_BRIDGE_MODES,
};
const numbers = { retries: 3, rte: 8, rwd: 20, rwdRemote: false, rka: 20, rkaRemote: false, reserved: 0 };
const ofStation = (more: Partial<EvbTlv> = {}, station: Partial<EvbTlv['station']> = {}): EvbTlv => ({
  bridge: NO_BRIDGE,
  station: { ...NO_STATION, groupId: true, reflectiveRelayStatus: 3, ...station },
  mode: 'station',
  ...numbers,
  ...more,
});
const ofBridge = (more: Partial<EvbTlv> = {}, bridge: Partial<EvbTlv['bridge']> = {}): EvbTlv => ({
  bridge: { ...NO_BRIDGE, groupId: true, ...bridge },
  station: NO_STATION,
  mode: 'bridge',
  ...numbers,
  ...more,
});
const heard = (evb: EvbTlv | null, id = 'a', from = A): EvbEvent => ({ type: 'neighbour', id, mac: from, evb });
const octets = (tlv: EvbTlv | null): string => {
  if (tlv === null) return 'none';
  const encoded = encodeEvb(tlv);
  return encoded.ok ? encoded.value.octets : encoded.error.message;
};
const text = (effect: EvbEffect): string => {
  switch (effect.type) {
    case 'advertise':
      return `advertise ${octets(effect.tlv)}`;
    case 'operational': {
      const { retries, rte, rwd, rka, groupId, reflectiveRelay, source } = effect.value;
      const flags = `${groupId ? ' gid' : ''}${reflectiveRelay ? ' rr' : ''}`;
      return `${effect.peer?.slice(-2) ?? 'all'} ${source} ${retries}/${rte}/${rwd}/${rka}${flags}`;
    }
    case 'peerGone':
      return `gone ${effect.peer.slice(-2)}`;
    case 'ecpReset':
      return `reset ${effect.peer.slice(-2)} ${effect.reason}`;
    case 'reflectiveRelay':
      return `relay ${effect.on ? 'on' : 'off'}`;
  }
};
const drive = (machine: EvbBridge | EvbStation, ...events: EvbEvent[]): string[] =>
  events.map((event) => machine.handle(event, 0).map(text)).at(-1) ?? [];

const EVENTS: Record<string, (of: typeof ofStation | typeof ofBridge) => EvbEvent> = {
  up: () => ({ type: 'up' }),
  down: () => ({ type: 'down' }),
  'neighbour with the TLV': (of) => heard(of()),
  'other neighbour with the TLV': (of) => heard(of(), 'b', B),
  'neighbour without a TLV': () => heard(null),
  'neighbour on our own side': (of) => heard(of === ofStation ? ofBridge() : ofStation()),
  'neighbour gone': () => ({ type: 'neighbourGone', id: 'a' }),
  'stranger gone': () => ({ type: 'neighbourGone', id: 'z' }),
  'relay on': () => ({ type: 'reflectiveRelay', on: true }),
  'relay off': () => ({ type: 'reflectiveRelay', on: false }),
  tick: () => ({ type: 'tick' }),
};
type Table = Record<string, Record<string, [string[], string]>>;
const pairs = (table: Table) =>
  Object.keys(table).flatMap((state) => Object.keys(EVENTS).map((event) => [state, event] as const));

describe('EVB bridge, every state with every event', () => {
  const before: Record<string, EvbEvent[]> = {
    down: [],
    listening: [{ type: 'up' }],
    negotiated: [{ type: 'up' }, heard(ofStation())],
  };
  const joined = ['0a negotiated 3/14/20/20 gid', 'reset 0a neighbourChanged', 'advertise 060b6e5414'];
  const left = ['gone 0a', 'reset 0a neighbourChanged', 'advertise 06006e5414'];
  const table: Table = {
    down: {
      up: [['all local 3/14/20/20 gid', 'advertise 06006e5414'], 'listening'],
      down: [[], 'down'],
      'neighbour with the TLV': [[], 'down'],
      'other neighbour with the TLV': [[], 'down'],
      'neighbour without a TLV': [[], 'down'],
      'neighbour on our own side': [[], 'down'],
      'neighbour gone': [[], 'down'],
      'stranger gone': [[], 'down'],
      'relay on': [[], 'down'],
      'relay off': [[], 'down'],
      tick: [[], 'down'],
    },
    listening: {
      up: [[], 'listening'],
      down: [['advertise none'], 'down'],
      'neighbour with the TLV': [joined, 'negotiated'],
      'other neighbour with the TLV': [joined.map((one) => one.replaceAll('0a ', '0b ')), 'negotiated'],
      'neighbour without a TLV': [[], 'listening'],
      'neighbour on our own side': [[], 'listening'],
      'neighbour gone': [[], 'listening'],
      'stranger gone': [[], 'listening'],
      'relay on': [[], 'listening'],
      'relay off': [['advertise 04006e5414'], 'listening'],
      tick: [[], 'listening'],
    },
    negotiated: {
      up: [[], 'negotiated'],
      down: [['gone 0a', 'reset 0a neighbourChanged', 'advertise none'], 'down'],
      'neighbour with the TLV': [[], 'negotiated'],
      'other neighbour with the TLV': [['0b negotiated 3/14/20/20 gid', 'reset 0b neighbourChanged'], 'negotiated'],
      'neighbour without a TLV': [left, 'listening'],
      'neighbour on our own side': [left, 'listening'],
      'neighbour gone': [left, 'listening'],
      'stranger gone': [[], 'negotiated'],
      'relay on': [[], 'negotiated'],
      'relay off': [['advertise 040b6e5414'], 'negotiated'],
      tick: [[], 'negotiated'],
    },
  };

  it.each(pairs(table))('%s: %s', (state, name) => {
    const machine = new EvbBridge(bridgeOptions);
    drive(machine, ...(before[state] ?? []));
    expect(machine.state).toBe(state);
    const effects = drive(machine, EVENTS[name]?.(ofStation) as EvbEvent);
    expect([effects, machine.state]).toEqual(table[state]?.[name]);
  });
});

describe('EVB station, every state with every event', () => {
  const before: Record<string, EvbEvent[]> = {
    down: [],
    listening: [{ type: 'up' }],
    negotiated: [{ type: 'up' }, heard(ofBridge({ rte: 14 }))],
  };
  const joined = ['0a negotiated 3/8/20/20 gid', 'advertise 0408689414', 'reset 0a neighbourChanged'];
  const left = ['gone 0a', 'reset 0a neighbourChanged', 'all local 3/8/20/20', 'advertise 000b689414'];
  const table: Table = {
    down: {
      up: [['all local 3/8/20/20', 'advertise 000b689414'], 'listening'],
      down: [[], 'down'],
      'neighbour with the TLV': [[], 'down'],
      'other neighbour with the TLV': [[], 'down'],
      'neighbour without a TLV': [[], 'down'],
      'neighbour on our own side': [[], 'down'],
      'neighbour gone': [[], 'down'],
      'stranger gone': [[], 'down'],
      'relay on': [[], 'down'],
      'relay off': [[], 'down'],
      tick: [[], 'down'],
    },
    listening: {
      up: [[], 'listening'],
      down: [['advertise none'], 'down'],
      'neighbour with the TLV': [joined, 'negotiated'],
      'other neighbour with the TLV': [joined.map((one) => one.replaceAll('0a ', '0b ')), 'negotiated'],
      'neighbour without a TLV': [[], 'listening'],
      'neighbour on our own side': [[], 'listening'],
      'neighbour gone': [[], 'listening'],
      'stranger gone': [[], 'listening'],
      'relay on': [['advertise 000f689414'], 'listening'],
      'relay off': [[], 'listening'],
      tick: [[], 'listening'],
    },
    negotiated: {
      up: [[], 'negotiated'],
      down: [['gone 0a', 'reset 0a neighbourChanged', 'advertise none'], 'down'],
      'neighbour with the TLV': [['0a negotiated 3/8/20/20 gid'], 'negotiated'],
      'other neighbour with the TLV': [[], 'negotiated'],
      'neighbour without a TLV': [left, 'listening'],
      'neighbour on our own side': [left, 'listening'],
      'neighbour gone': [left, 'listening'],
      'stranger gone': [[], 'negotiated'],
      'relay on': [['advertise 040c689414'], 'negotiated'],
      'relay off': [[], 'negotiated'],
      tick: [[], 'negotiated'],
    },
  };

  it.each(pairs(table))('%s: %s', (state, name) => {
    const machine = new EvbStation(stationOptions);
    drive(machine, ...(before[state] ?? []));
    expect(machine.state).toBe(state);
    const effects = drive(machine, EVENTS[name]?.(ofBridge) as EvbEvent);
    expect([effects, machine.state]).toEqual(table[state]?.[name]);
  });
});

describe('EVB parameters', () => {
  it('are the greater of both sides', () => {
    const machine = new EvbBridge(bridgeOptions);
    drive(machine, { type: 'up' });
    expect(drive(machine, heard(ofStation({ retries: 7, rte: 10, rwd: 22, rka: 18 })))[0]).toBe(
      '0a negotiated 7/14/22/20 gid',
    );
  });

  it('are marked as the remote’s where its were greater', () => {
    const machine = new EvbBridge(bridgeOptions);
    drive(machine, { type: 'up' });
    expect(drive(machine, heard(ofStation({ rwd: 22, rka: 18 }))).at(-1)).toBe('advertise 060b6e7614');
  });

  it('come down again when the remote only repeats an old value of ours', () => {
    const machine = new EvbBridge(bridgeOptions);
    drive(machine, { type: 'up' });
    const effects = drive(machine, heard(ofStation({ rwd: 25, rwdRemote: true })));
    // It may still run with 25, so we wait that long; what we offer is 20, and it will follow.
    expect(effects[0]).toBe('0a negotiated 3/14/25/20 gid');
    expect(effects.at(-1)).toBe('advertise 060b6e5414');
    expect(drive(machine, heard(ofStation()))).toEqual(['0a negotiated 3/14/20/20 gid']);
  });

  it('are those of each station, and the advertised ones ours, when there are several', () => {
    const machine = new EvbBridge(bridgeOptions);
    drive(machine, { type: 'up' }, heard(ofStation({ rwd: 25 })));
    expect(drive(machine, heard(ofStation({ rka: 22 }, { groupId: false }), 'b', B))).toEqual([
      '0b negotiated 3/14/20/22',
      'reset 0b neighbourChanged',
      'advertise 06036e5414',
    ]);
    expect(machine.operational(A)).toMatchObject({ rwd: 25, groupId: true });
    expect(machine.operational(B)).toMatchObject({ rka: 22, groupId: false });
    expect(machine.operational(mac('02:00:00:00:00:0c'))).toMatchObject({ source: 'local' });
  });
});

describe('EVB restarts', () => {
  it('resets ECP when a station has forgotten us, or speaks from another MAC', () => {
    const machine = new EvbBridge(bridgeOptions);
    const mirrored = ofStation({ bridge: { ...NO_BRIDGE, groupId: true } });
    drive(machine, { type: 'up' }, heard(ofStation()), heard(mirrored));
    expect(drive(machine, heard(ofStation()))).toEqual(['reset 0a evbReinit']);
    expect(drive(machine, heard(mirrored, 'a', B))).toEqual([
      'gone 0a',
      'reset 0a neighbourChanged',
      '0b negotiated 3/14/20/20 gid',
      'reset 0b neighbourChanged',
    ]);
  });

  it('resets ECP when the bridge has forgotten us', () => {
    const machine = new EvbStation(stationOptions);
    drive(machine, { type: 'up' }, heard(ofBridge({ station: { ...NO_STATION, groupId: true } })));
    expect(drive(machine, heard(ofBridge()))).toEqual(['reset 0a evbReinit']);
  });

  it('turns a station to the next bridge when its own is gone', () => {
    const machine = new EvbStation(stationOptions);
    drive(machine, { type: 'up' }, heard(ofBridge()), heard(ofBridge(), 'b', B));
    expect(drive(machine, { type: 'neighbourGone', id: 'a' })).toEqual([
      'gone 0a',
      'reset 0a neighbourChanged',
      '0b negotiated 3/8/20/20 gid',
      'reset 0b neighbourChanged',
    ]);
  });
});

describe('reflective relay', () => {
  it('is on while it is allowed and a station asks', () => {
    const machine = new EvbBridge(bridgeOptions);
    drive(machine, { type: 'up' }, heard(ofStation()));
    const asks = ofStation({}, { reflectiveRelayRequest: true });
    expect(drive(machine, heard(asks))).toEqual([
      'relay on',
      '0a negotiated 3/14/20/20 gid rr',
      'advertise 070f6e5414',
    ]);
    expect(drive(machine, { type: 'reflectiveRelay', on: false })).toEqual([
      'relay off',
      '0a negotiated 3/14/20/20 gid',
      'advertise 040f6e5414',
    ]);
    expect(drive(machine, { type: 'reflectiveRelay', on: true })[0]).toBe('relay on');
    expect(drive(machine, { type: 'neighbourGone', id: 'a' })).toContain('relay off');
  });

  it('is on only while all stations ask', () => {
    const machine = new EvbBridge(bridgeOptions);
    const asks = ofStation({}, { reflectiveRelayRequest: true });
    expect(drive(machine, { type: 'up' }, heard(asks, 'a'))).toContain('relay on');
    expect(drive(machine, heard(ofStation(), 'b'))).toContain('relay off');
    expect(drive(machine, heard(asks, 'b'))).toContain('relay on');
  });

  it('is never on when it is not allowed', () => {
    const machine = new EvbBridge({ ...bridgeOptions, reflectiveRelay: false });
    drive(machine, { type: 'up' });
    const asks = ofStation({}, { reflectiveRelayRequest: true });
    expect(drive(machine, heard(asks)).some((one) => one.startsWith('relay'))).toBe(false);
  });
});

describe('both EVB ends', () => {
  it('come to rest in a few exchanges, whatever each begins with', () => {
    for (const reflectiveRelay of [false, true])
      for (const rwd of [18, 20, 22]) {
        const bridge = new EvbBridge(bridgeOptions);
        const station = new EvbStation({
          ...stationOptions,
          reflectiveRelay,
          parameters: { ...stationOptions.parameters, rwd },
        });
        let effects = [...bridge.handle({ type: 'up' }, 0), ...station.handle({ type: 'up' }, 0)];
        let exchanges = 0;
        while (effects.some(({ type }) => type === 'advertise')) {
          const next: EvbEffect[] = [];
          for (const effect of effects) {
            if (effect.type !== 'advertise' || effect.tlv === null) continue;
            const { tlv } = effect;
            const to = tlv.mode === 'bridge' ? station : bridge;
            next.push(...to.handle(heard(tlv, tlv.mode, tlv.mode === 'bridge' ? B : A), 0));
          }
          effects = next;
          expect(++exchanges).toBeLessThan(8);
        }
        const { value } = station.operational() ?? {};
        expect(bridge.operational(A)).toEqual(value);
        expect(value).toMatchObject({ groupId: true, reflectiveRelay, rte: 14, rwd: Math.max(20, rwd) });
      }
  });
});
