/** A station's port and a bridge's port joined by their frames; VDP's bridge side is a script, time is virtual. */
import { beforeEach, describe, expect, it } from 'vitest';
import type { LinkName, MacAddr } from '#model';
import { NO_HINTS } from '#model';
import { associationsOf, GROUP_ADDRESSES, responseStatus, type VdpAssociation, type VdpPdu } from '#wire';
import { AccessPort } from './access-port.js';
import { EVB_DEFAULTS } from './evb-tlv.js';
import { StationPort } from './station-port.js';
import { vsi } from './testing/vdp-rig.js';
import { stationVsi } from './testing/vdp-station-rig.js';
import { reinitKeepAlive } from './vdp-timers.js';

const STATION = '02:aa:00:00:00:01' as MacAddr;
const BRIDGE = '02:bb:00:00:00:01' as MacAddr;
const EVB = { ...EVB_DEFAULTS, rte: 10 };

let now: number;
let wire: { to: 'station' | 'bridge'; frame: Uint8Array }[];
let isCut: boolean;
let station: StationPort;
let bridge: AccessPort;
/** What the station told its user, a line each. */
let told: string[];
/** What the bridge was asked, `associate 0` by command and VID. */
let asked: string[];
/** What VDP's bridge says to an association. */
let reply: (asked: VdpAssociation) => VdpAssociation;
let token = 0;

const granted = (one: VdpAssociation): VdpAssociation => {
  if (one.filter.kind === 'opaque') return one;
  const entries = one.filter.entries.map((entry) => ({ ...entry, vid: entry.vid || 100 }));
  return { ...one, status: responseStatus(), filter: { ...one.filter, entries } };
};
const vid = ({ filter }: VdpAssociation): number => (filter.kind === 'opaque' ? 0 : (filter.entries[0]?.vid ?? 0));

function startBridge(firstSequence = 500): void {
  bridge = new AccessPort(
    {
      role: 'bridge',
      name: 'access0' as LinkName,
      mac: BRIDGE,
      node: 'nve1',
      evb: EVB,
      reflectiveRelay: false,
      address: { group: GROUP_ADDRESSES.nearestCustomerBridge },
      cdcp: null,
      hasVsis: () => false,
      firstSequence: () => firstSequence,
    },
    {
      transmit: (frame) => wire.push({ to: 'station', frame }),
      deliver: (_, mac, pdu) => later.push(() => serve(mac, pdu)),
      finished: () => undefined,
      parameters: () => undefined,
      renewed: () => undefined,
      reflectiveRelay: () => undefined,
      channel: () => undefined,
      remember: () => undefined,
      dropped: (reason) => told.push(`bridge dropped ${reason}`),
    },
  );
  bridge.up(now);
}
let later: (() => void)[] = [];

function serve(mac: MacAddr, pdu: VdpPdu): void {
  const answers = associationsOf(pdu).map(({ association }) => {
    asked.push(`${association.command} ${vid(association)}`);
    return reply(association);
  });
  bridge.send(null, mac, ++token, { managerId: pdu.managerId, tlvs: answers }, now);
}

/** Carries frames until there are none. */
function settle(): void {
  for (;;) {
    const [next] = wire.splice(0, 1);
    if (next === undefined) {
      const [work] = later.splice(0, 1);
      if (work === undefined) return;
      work();
    } else if (!isCut) {
      (next.to === 'station' ? station : bridge).received(next.frame, now);
    }
  }
}

function pass(ms: number): void {
  const end = now + ms;
  for (;;) {
    settle();
    const next = Math.min(station.nextDeadline() ?? end, bridge.nextDeadline() ?? end);
    if (next >= end) break;
    now = Math.max(now, next);
    station.tick(now);
    bridge.tick(now);
  }
  now = end;
}

beforeEach(() => {
  now = 1_000;
  wire = [];
  told = [];
  asked = [];
  later = [];
  isCut = false;
  reply = granted;
  station = new StationPort(
    { name: 'uplink0' as LinkName, mac: STATION, node: 'hv1', evb: EVB, firstSequence: 1 },
    {
      transmit: (frame) => wire.push({ to: 'bridge', frame }),
      answer: (request, result) =>
        told.push(
          result.ok ? `answer ${request}: ${result.value?.vids.join()}` : `answer ${request}: ${result.error.code}`,
        ),
      ended: (_, error, retry) => told.push(`ended ${error.code} ${retry ? 'retry' : 'final'}`),
      bridge: (one) => told.push(one === null ? 'no bridge' : `bridge ${one.mac} ${one.groupId ? 'GroupIDs' : ''}`),
      log: () => undefined,
      dropped: (reason) => told.push(`dropped ${reason}`),
    },
  );
  startBridge();
});

const associate = (request: number, entries = [{ vni: 5001, mac: 1, vid: 0 }]): void =>
  station.associate(request, 'associate', stationVsi(1, entries), NO_HINTS, now);

describe('a station', () => {
  it('hears its bridge, associates, keeps alive, leaves', () => {
    station.up(now);
    pass(10);
    expect(told).toEqual([`bridge ${BRIDGE} GroupIDs`]);
    associate(1);
    pass(100);
    expect(told.at(-1)).toBe('answer 1: 100');
    pass(3 * reinitKeepAlive(EVB) + 100);
    expect(asked).toEqual(['associate 0', 'associate 100', 'associate 100', 'associate 100']);
    station.deAssociate(2, vsi(1), now);
    pass(100);
    expect(told.slice(-1)).toEqual(['answer 2: undefined']);
    expect(asked.at(-1)).toBe('deAssociate 100');
    expect(station.rows()).toEqual([]);
  });

  it('says nothing before it hears a bridge, and fails in time', () => {
    isCut = true;
    station.up(now);
    associate(1);
    pass(60_000);
    expect(told).toEqual(['answer 1: NVE-VDP-007']);
    expect(asked).toEqual([]);
  });

  it('tells a bridge that began anew what it holds, with the VID', () => {
    station.up(now);
    pass(10);
    associate(1);
    pass(2_000);
    asked = [];
    startBridge(9_000);
    pass(100);
    expect(asked).toEqual(['associate 100']);
    expect(told.filter((line) => line.startsWith('ended'))).toEqual([]);
    expect(told.at(-1)).toBe(`bridge ${BRIDGE} GroupIDs`);
  });

  it('goes on over a flap of the link', () => {
    station.up(now);
    pass(10);
    associate(1);
    pass(2_000);
    station.down(now);
    expect(told.at(-1)).toBe('no bridge');
    pass(20_000);
    asked = [];
    station.up(now);
    bridge.down(now);
    bridge.up(now);
    pass(2_000);
    expect(told.slice(-1)).toEqual([`bridge ${BRIDGE} GroupIDs`]);
    expect(asked).toEqual(['associate 100']);
  });

  it('is told when the bridge ends it, and when nobody acknowledges any more', () => {
    station.up(now);
    pass(10);
    associate(1);
    pass(100);
    const end = (status: number): void => {
      const tlv = granted({ ...(station.rows()[0]?.held as VdpAssociation), command: 'deAssociate' });
      bridge.send(null, STATION, ++token, { managerId: stationVsi().managerId, tlvs: [{ ...tlv, status }] }, now);
      pass(100);
    };
    end(0);
    expect(told.at(-1)).toBe('ended NVE-VDP-005 retry');
    associate(2);
    pass(100);
    isCut = true;
    pass(2 * reinitKeepAlive(EVB));
    expect(told.at(-1)).toBe('ended NVE-VDP-007 retry');
  });

  it('does no harm with what others send', () => {
    station.up(now);
    pass(10);
    station.received(Uint8Array.of(1, 2, 3), now);
    expect(told.at(-1)).toBe('dropped bad_ethernet');
  });
});
