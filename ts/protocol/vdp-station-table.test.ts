/**
 * Every state of the station machine with every event: what comes out, and the state then. VSI 1 asks for VNI 5001 with MAC 1;
 * the bridge gives VID 100. Requests: those that brought it into the state, then the event's own.
 */
import { describe, expect, it } from 'vitest';
import { StationRig, stationVsi } from './testing/vdp-station-rig.js';
import { VDP_STATION_STATES } from './vdp-station-events.js';

type State = (typeof VDP_STATION_STATES)[number] | 'waiting to change';

const STATES: Record<State, (rig: StationRig) => void> = {
  init: () => {},
  waiting: (rig) => rig.associate('associate'),
  'waiting to change': (rig) => {
    rig.associate('preAssociate');
    rig.answer();
    rig.associate('associate');
  },
  associated: (rig) => {
    rig.associate('associate');
    rig.answer();
  },
  keepAlive: (rig) => {
    rig.associate('associate');
    rig.answer();
    rig.expire();
  },
  leaving: (rig) => {
    rig.associate('associate');
    rig.answer();
    rig.deAssociate();
  },
};

const EVENTS: Record<string, (rig: StationRig) => string[]> = {
  preAssociate: (rig) => rig.associate('preAssociate'),
  preAssociateRr: (rig) => rig.associate('preAssociateRr'),
  associate: (rig) => rig.associate('associate'),
  'associate other MAC': (rig) => rig.associate('associate', stationVsi(1, [{ mac: 3 }])),
  deAssociate: (rig) => rig.deAssociate(),
  success: (rig) => rig.answer(),
  'success for another mode': (rig) => rig.answer({}, (one) => ({ ...one, command: 'preAssociateRr' })),
  'success with another VID': (rig) =>
    rig.answer({}, (one) => ({
      ...one,
      filter: { kind: 'entries', format: 4, entries: stationVsi(1, [{ vid: 4095 }]).entries },
    })),
  'success with another MAC': (rig) =>
    rig.answer({}, (one) => ({
      ...one,
      filter: { kind: 'entries', format: 4, entries: stationVsi(1, [{ mac: 9, vid: 100 }]).entries },
    })),
  'success with another type': (rig) => rig.answer({}, (one) => ({ ...one, typeId: 8 })),
  error: (rig) => rig.answer({ code: 2 }),
  'error HARD': (rig) => rig.answer({ code: 5, hard: true }),
  'error KEEP': (rig) => rig.answer({ code: 3, keep: true }),
  'De-Assoc of the bridge': (rig) => rig.revoke(),
  'De-Assoc with an error': (rig) => rig.answer({ code: 5 }, (one) => ({ ...one, command: 'deAssociate' })),
  undelivered: (rig) => rig.do({ type: 'undelivered', token: rig.token }),
  time: (rig) => rig.expire(),
  down: (rig) => rig.do({ type: 'down' }),
  up: (rig) => rig.do({ type: 'up' }),
};

const TABLE: Record<State, Record<string, string>> = {
  init: {
    preAssociate: 'send preAssociate [0], => waiting',
    preAssociateRr: 'send preAssociateRr [0], => waiting',
    associate: 'send associate [0], => waiting',
    'associate other MAC': 'send associate [0], => waiting',
    deAssociate: 'answer 1 gone, => init',
    success: '=> init',
    'success for another mode': '=> init',
    'success with another VID': '=> init',
    'success with another MAC': '=> init',
    'success with another type': '=> init',
    error: '=> init',
    'error HARD': '=> init',
    'error KEEP': '=> init',
    'De-Assoc of the bridge': '=> init',
    'De-Assoc with an error': '=> init',
    undelivered: '=> init',
    time: '=> init',
    down: '=> init',
    up: '=> init',
  },
  waiting: {
    preAssociate: '=> waiting',
    preAssociateRr: '=> waiting',
    associate: '=> waiting',
    'associate other MAC': '=> waiting',
    deAssociate: 'answer 1 NVE-VDP-009, send deAssociate [0], => leaving',
    success: 'answer 1 100, => associated',
    'success for another mode': '=> waiting',
    'success with another VID': 'answer 1 NVE-VDP-008, send deAssociate [0], => leaving',
    'success with another MAC': 'answer 1 NVE-VDP-008, send deAssociate [0], => leaving',
    'success with another type': 'answer 1 NVE-VDP-008, send deAssociate [0], => leaving',
    error: 'answer 1 NVE-VDP-006, => init',
    'error HARD': 'answer 1 NVE-VDP-006, => init',
    'error KEEP': 'answer 1 NVE-VDP-006, => init',
    'De-Assoc of the bridge': 'answer 1 NVE-VDP-005, => init',
    'De-Assoc with an error': 'answer 1 NVE-VDP-005, => init',
    undelivered: 'answer 1 NVE-VDP-007, => init',
    time: 'answer 1 NVE-VDP-007, => init',
    down: '=> waiting',
    up: '=> waiting',
  },
  'waiting to change': {
    preAssociate: '=> waiting',
    preAssociateRr: '=> waiting',
    associate: '=> waiting',
    'associate other MAC': '=> waiting',
    deAssociate: 'answer 2 NVE-VDP-009, send deAssociate [100], => leaving',
    success: 'answer 2 100, => associated',
    'success for another mode': '=> waiting',
    'success with another VID': 'ended NVE-VDP-008 retry, answer 2 NVE-VDP-008, send deAssociate [100], => leaving',
    'success with another MAC': 'ended NVE-VDP-008 retry, answer 2 NVE-VDP-008, send deAssociate [100], => leaving',
    'success with another type': 'ended NVE-VDP-008 retry, answer 2 NVE-VDP-008, send deAssociate [100], => leaving',
    error: 'ended NVE-VDP-006 retry, answer 2 NVE-VDP-006, => init',
    'error HARD': 'ended NVE-VDP-006, answer 2 NVE-VDP-006, => init',
    'error KEEP': 'answer 2 NVE-VDP-006, => associated',
    'De-Assoc of the bridge': 'ended NVE-VDP-005 retry, => waiting',
    'De-Assoc with an error': 'ended NVE-VDP-005 retry, answer 2 NVE-VDP-005, => init',
    undelivered: 'ended NVE-VDP-007 retry, answer 2 NVE-VDP-007, => init',
    time: 'ended NVE-VDP-007 retry, answer 2 NVE-VDP-007, => init',
    down: '=> waiting',
    up: '=> waiting',
  },
  associated: {
    preAssociate: 'send preAssociate [100], => waiting',
    preAssociateRr: 'send preAssociateRr [100], => waiting',
    associate: 'send associate [100], => waiting',
    'associate other MAC': 'send associate [0], => waiting',
    deAssociate: 'send deAssociate [100], => leaving',
    success: '=> associated',
    'success for another mode': '=> associated',
    'success with another VID': '=> associated',
    'success with another MAC': '=> associated',
    'success with another type': '=> associated',
    error: '=> associated',
    'error HARD': '=> associated',
    'error KEEP': '=> associated',
    'De-Assoc of the bridge': 'ended NVE-VDP-005 retry, => init',
    'De-Assoc with an error': 'ended NVE-VDP-005 retry, => init',
    undelivered: '=> associated',
    time: 'send associate [100], => keepAlive',
    down: '=> associated',
    up: 'send associate [100], => keepAlive',
  },
  keepAlive: {
    preAssociate: '=> keepAlive',
    preAssociateRr: '=> keepAlive',
    associate: '=> keepAlive',
    'associate other MAC': '=> keepAlive',
    deAssociate: 'send deAssociate [100], => leaving',
    success: '=> associated',
    'success for another mode': '=> keepAlive',
    'success with another VID': 'ended NVE-VDP-008 retry, send deAssociate [100], => leaving',
    'success with another MAC': 'ended NVE-VDP-008 retry, send deAssociate [100], => leaving',
    'success with another type': 'ended NVE-VDP-008 retry, send deAssociate [100], => leaving',
    error: 'ended NVE-VDP-006 retry, => init',
    'error HARD': 'ended NVE-VDP-006, => init',
    'error KEEP': 'ended NVE-VDP-006 retry, send deAssociate [100], => leaving',
    'De-Assoc of the bridge': 'ended NVE-VDP-005 retry, => init',
    'De-Assoc with an error': 'ended NVE-VDP-005 retry, => init',
    undelivered: 'ended NVE-VDP-007 retry, => init',
    time: 'ended NVE-VDP-007 retry, => init',
    down: '=> keepAlive',
    up: '=> keepAlive',
  },
  leaving: {
    preAssociate: '=> leaving',
    preAssociateRr: '=> leaving',
    associate: '=> leaving',
    'associate other MAC': '=> leaving',
    deAssociate: '=> leaving',
    success: 'answer 2 gone, => init',
    'success for another mode': '=> leaving',
    'success with another VID': 'answer 2 gone, => init',
    'success with another MAC': 'answer 2 gone, => init',
    'success with another type': 'answer 2 gone, => init',
    error: 'answer 2 gone, => init',
    'error HARD': 'answer 2 gone, => init',
    'error KEEP': 'answer 2 gone, => init',
    'De-Assoc of the bridge': 'answer 2 gone, => init',
    'De-Assoc with an error': 'answer 2 gone, => init',
    undelivered: 'answer 2 NVE-VDP-007, => init',
    time: 'answer 2 NVE-VDP-007, => init',
    down: '=> leaving',
    up: '=> leaving',
  },
};

describe('every state with every event', () => {
  for (const state of Object.keys(STATES) as State[]) {
    for (const [name, event] of Object.entries(EVENTS)) {
      it(`${state}: ${name}`, () => {
        const rig = new StationRig();
        STATES[state](rig);
        expect(rig.states()).toBe(state === 'waiting to change' ? 'waiting' : state);
        expect([...event(rig), `=> ${rig.states()}`].join(', ')).toBe(TABLE[state][name]);
      });
    }
  }

  it('has all states, and names nothing that is not there', () => {
    expect(Object.keys(STATES)).toEqual(expect.arrayContaining([...VDP_STATION_STATES]));
    for (const row of Object.values(TABLE)) expect(Object.keys(row)).toEqual(Object.keys(EVENTS));
  });
});
