/**
 * An honest station behind a port that others flood, in virtual time: ECP, LLDP and VDP, good and bad, from ever new MACs that
 * acknowledge nothing. It must be answered within its time-out, and keep what it has.
 */
import { describe, expect, it } from 'vitest';
import { err, type LinkName, type MacAddr, NO_HINTS, ok, type Result, type TsiRow } from '#model';
import { type EvbTlv, encodeVdp, fromHex, GROUP_ADDRESSES, lldpText, type VdpPdu } from '#wire';
import { accessTlvs, encodeAccessFrame } from './access-frames.js';
import { AccessPort } from './access-port.js';
import { EVB_DEFAULTS, NO_BRIDGE, NO_STATION } from './evb-tlv.js';
import { StationPort } from './station-port.js';
import { ANY_ERROR, MANAGER, pdu, rowFor, tlv } from './testing/vdp-rig.js';
import { stationVsi } from './testing/vdp-station-rig.js';
import { VdpBridge } from './vdp-bridge.js';
import type { TsiCommand, VdpBridgeEvent } from './vdp-events.js';
import { vdpRules } from './vdp-mapping.js';
import { reinitKeepAlive, respWaitDelay } from './vdp-timers.js';

const BRIDGE = '02:bb:00:00:00:01' as MacAddr;
const STATION = '02:aa:00:00:00:01' as MacAddr;
const GROUP = GROUP_ADDRESSES.nearestCustomerBridge;
const port = 'acc0' as LinkName;
const EVB = { ...EVB_DEFAULTS, rwd: 16, rka: 17 };
/** How long the NVA takes. */
const NVA_MS = 5;

class Rig {
  now = 0;
  readonly answers: string[] = [];
  readonly reasons = new Map<string, number>();
  readonly #later: { readonly at: number; readonly run: () => void }[] = [];
  readonly #events: VdpBridgeEvent[] = [];
  readonly vdp: VdpBridge;
  readonly bridge: AccessPort;
  readonly station: StationPort;

  /** How long the NVA takes to say that it knows no such VN. */
  readonly #unknownMs: number;

  constructor({ unknownMs = NVA_MS, maxPerPort = 4096 } = {}) {
    this.#unknownMs = unknownMs;
    this.vdp = new VdpBridge({ rules: vdpRules(), parameters: EVB, maxPerPort });
    const none = (): void => undefined;
    this.bridge = new AccessPort(
      {
        role: 'bridge',
        name: port,
        mac: BRIDGE,
        node: 'nve1',
        evb: EVB,
        reflectiveRelay: false,
        address: { group: GROUP },
        cdcp: null,
        firstSequence: () => 1,
        hasVsis: (svid, mac) => this.vdp.hasVsis({ port, svid, mac }),
      },
      {
        // Frames to the flood's MACs go nowhere.
        transmit: (frame) => this.#after(0.1, () => this.station.received(frame, this.now)),
        deliver: (svid, mac, pdu) => this.#events.push({ type: 'pdu', peer: { port, svid, mac }, pdu }),
        finished: (token, delivered) => this.#events.push({ type: delivered ? 'delivered' : 'undelivered', token }),
        parameters: (svid, mac, parameters) =>
          this.#events.push({ type: 'parameters', channel: { port, svid }, mac, parameters }),
        renewed: none,
        reflectiveRelay: none,
        channel: none,
        remember: none,
        dropped: (reason) => this.reasons.set(reason, (this.reasons.get(reason) ?? 0) + 1),
      },
    );
    this.station = new StationPort(
      { name: port, mac: STATION, node: 'host1', evb: EVB, firstSequence: 1 },
      {
        transmit: (frame) => this.#after(0.1, () => this.bridge.received(frame, this.now)),
        answer: (request, result) => this.answers.push(`${request} ${result.ok ? 'ok' : result.error.code}`),
        ended: (_, error) => this.answers.push(`ended ${error.code}`),
        bridge: none,
        log: none,
        dropped: none,
      },
    );
  }

  start(): void {
    this.bridge.up(this.now);
    this.station.up(this.now);
    this.pass(10);
  }

  /** Frames of the flood, `perMs` each millisecond. */
  pass(ms: number, perMs = 0, flood: (n: number) => Uint8Array = () => new Uint8Array(0)): void {
    const end = this.now + ms;
    for (let n = 0; this.now < end; this.now += perMs > 0 ? 1 / perMs : 1) {
      if (perMs > 0) this.bridge.received(flood(n++), this.now);
      this.#settle();
    }
  }

  #settle(): void {
    for (;;) {
      const next = this.#later.findIndex(({ at }) => at <= this.now);
      if (next < 0) break;
      this.#later.splice(next, 1)[0]?.run();
      this.#drain();
    }
    for (const one of [this.bridge, this.station]) if ((one.nextDeadline() ?? Infinity) <= this.now) one.tick(this.now);
    if ((this.vdp.nextDeadline() ?? Infinity) <= this.now) this.#events.push({ type: 'tick' });
    this.#drain();
  }

  #drain(): void {
    for (let event = this.#events.shift(); event !== undefined; event = this.#events.shift()) {
      for (const effect of this.vdp.handle(event, this.now)) {
        if (effect.type === 'send')
          this.bridge.send(effect.peer.svid, effect.peer.mac, effect.token, effect.pdu, this.now);
        if (effect.type === 'tsi') this.#ask(effect.command);
      }
    }
  }

  #ask(command: TsiCommand): void {
    if (command.type === 'expire') return;
    const { request } = command;
    const isKnown = command.type === 'associate' && command.vn === 5001;
    const refused: Result<TsiRow | null> = command.type === 'associate' ? err(ANY_ERROR) : ok(null);
    const result = isKnown ? ok(rowFor(command, 100)) : refused;
    const isSlow = command.type === 'associate' && !isKnown;
    this.#after(isSlow ? this.#unknownMs : NVA_MS, () => this.#events.push({ type: 'tsiAnswer', request, result }));
  }

  #after(ms: number, run: () => void): void {
    this.#later.push({ at: this.now + ms, run });
  }
}

const stranger = (n: number): MacAddr =>
  `02:ee:${[24, 16, 8, 0].map((by) => ((n >>> by) & 0xff).toString(16).padStart(2, '0')).join(':')}` as MacAddr;

function octets(frame: Parameters<typeof encodeAccessFrame>[0]): Uint8Array {
  const encoded = encodeAccessFrame(frame);
  if (!encoded.ok) throw encoded.error;
  return encoded.value;
}

function ecp(n: number, payload: Uint8Array): Uint8Array {
  const pdu = { operation: 'request', subtype: 1, sequence: 1 + (n % 60_000), payload } as const;
  return octets({ kind: 'ecp', src: stranger(n), dst: GROUP, tags: [], pdu });
}

function vdp(n: number, of: VdpPdu): Uint8Array {
  const payload = encodeVdp(of);
  if (!payload.ok) throw payload.error;
  return ecp(n, payload.value);
}

/** A neighbour that has never been there, and whose RTE makes ECP wait for hours. */
function lldp(n: number): Uint8Array {
  const evb: EvbTlv = {
    bridge: NO_BRIDGE,
    station: { ...NO_STATION, groupId: true },
    mode: 'station',
    retries: 7,
    rte: 31,
    rwd: 31,
    rwdRemote: false,
    rka: 31,
    rkaRemote: false,
    reserved: 0,
  };
  const tlvs = accessTlvs({ evb });
  if (!tlvs.ok) throw tlvs.error;
  const id = { subtype: 7, octets: lldpText(`x${n}`) };
  const pdu = { chassisId: id, portId: id, ttl: 65_535, tlvs: tlvs.value };
  return octets({ kind: 'lldp', src: stranger(n), dst: GROUP, tags: [], pdu });
}

const unknownVn = (n: number): Uint8Array =>
  vdp(n, pdu(tlv('associate', { vsi: n % 60_000, entries: [{ vni: 6000 }] })));

/**
 * Unknown VNs are asked for, octets that are no VDP, octets that are no ECP; and, rarer, as the engine polices it, LLDP from a
 * MAC that has just asked for one.
 */
function everything(n: number): Uint8Array {
  if (n % 40 === 39) return lldp(n - 39);
  switch (n % 3) {
    case 0:
      return unknownVn(n);
    case 1:
      return ecp(n, fromHex(`0a10${MANAGER}06ff00`) ?? new Uint8Array(0));
    default:
      return fromHex(`0180c2000000${stranger(n).replaceAll(':', '')}89402001`) ?? new Uint8Array(0);
  }
}

const associate = (rig: Rig, request: number): void =>
  rig.station.associate(request, 'associate', stationVsi(request, [{ mac: request }]), NO_HINTS, rig.now);

describe('a flooded port', () => {
  it('answers a station that comes while all places are taken, within its time-out', { timeout: 30_000 }, () => {
    const rig = new Rig();
    rig.bridge.up(0);
    // The tables are full of neighbours that are never heard again and of peers that acknowledge nothing, for hours.
    for (let n = 0; n < 600; n++) rig.bridge.received(lldp(n), 0);
    rig.pass(10);
    for (let n = 344; n < 600; n++) rig.bridge.received(unknownVn(n), rig.now);
    rig.pass(10);
    rig.pass(200, 8, everything);
    rig.station.up(rig.now);
    rig.pass(50, 8, everything);
    const asked = rig.now;
    associate(rig, 1);
    while (rig.answers.length === 0 && rig.now < asked + respWaitDelay(EVB)) rig.pass(10, 8, everything);
    expect(rig.answers).toEqual(['1 ok']);
    expect(rig.now - asked).toBeLessThan(50);
    expect(Object.fromEntries(rig.reasons)).toMatchObject({
      lldp_neighbour_displaced: expect.any(Number),
      ecp_reset: expect.any(Number),
      bad_vdp: expect.any(Number),
      bad_ecp: expect.any(Number),
    });
  });

  it('keeps the associations of who was there before, over keep-alives', { timeout: 30_000 }, () => {
    const rig = new Rig();
    rig.start();
    for (const n of [1, 2, 3]) associate(rig, n);
    rig.pass(100);
    expect(rig.answers).toEqual(['1 ok', '2 ok', '3 ok']);
    rig.pass(3 * reinitKeepAlive(EVB), 1, everything);
    expect(rig.answers).toHaveLength(3);
    expect(rig.vdp.rows().filter(({ state, station }) => state === 'associated' && station === STATION)).toHaveLength(
      3,
    );
    // Its place in EVB is its own, too: it negotiated no RTE of hours.
    associate(rig, 4);
    rig.pass(50, 1, everything);
    expect(rig.answers.at(-1)).toBe('4 ok');
  });

  it('lets nobody be kept out by VNs that the NVA takes long to judge', { timeout: 60_000 }, () => {
    const limit = 64;
    const rig = new Rig({ unknownMs: 60_000, maxPerPort: limit });
    rig.start();
    associate(rig, 1);
    rig.pass(20);
    expect(rig.answers).toEqual(['1 ok']);
    rig.pass(100, 4, unknownVn);
    expect(rig.vdp.rows()).toHaveLength(limit);
    // A station with an association is not displaced, however long it waits; and others come between.
    associate(rig, 2);
    rig.pass(50, 4, (n) => unknownVn(n + 1_000));
    expect(rig.answers).toEqual(['1 ok', '2 ok']);
    expect(rig.vdp.rows()).toHaveLength(limit);
    expect(rig.vdp.counters().get('associate 2')).toBeGreaterThan(100);
    // What is associated is the limit all the same.
    for (let n = 3; n <= limit + 1; n++) associate(rig, n);
    rig.pass(2_000, 1, (n) => unknownVn(n + 2_000));
    expect(rig.answers.filter((answer) => answer.endsWith(' ok'))).toHaveLength(limit);
    expect(rig.answers.filter((answer) => !answer.endsWith(' ok'))).toHaveLength(1);
  });

  it('answers a station that comes when the port is full of what waits', { timeout: 30_000 }, () => {
    const rig = new Rig({ unknownMs: 60_000, maxPerPort: 64 });
    rig.bridge.up(0);
    rig.pass(100, 4, unknownVn);
    rig.station.up(rig.now);
    rig.pass(10);
    associate(rig, 1);
    rig.pass(50, 1, (n) => unknownVn(n + 1_000));
    expect(rig.answers).toEqual(['1 ok']);
  });

  it('forgets what the flood left', () => {
    const rig = new Rig();
    rig.start();
    rig.pass(200, 8, everything);
    rig.bridge.down(rig.now);
    rig.pass(20);
    expect(rig.vdp.rows()).toEqual([]);
    expect(rig.bridge.nextDeadline()).toBeNull();
  });
});
