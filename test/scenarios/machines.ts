/**
 * The machines that scenarios drive, by the name of their folder. Times in a scenario are milliseconds; octets are
 * hexadecimal text, an error is its code.
 */
import {
  CdcpBridge,
  type CdcpBridgeOptions,
  CdcpStation,
  type CdcpStationOptions,
  EcpChannel,
  type EcpOptions,
  EvbBridge,
  type EvbBridgeOptions,
  EvbStation,
  type EvbStationOptions,
  LldpAgent,
  type LldpOptions,
  VDP_BRIDGE_STATES,
  VDP_STATION_STATES,
  VdpBridge,
  type VdpBridgeEvent,
  type VdpBridgeOptions,
  type VdpRuleTable,
  VdpStation,
  type VdpStationEvent,
  type VdpStationOptions,
  vdpRules,
} from '#protocol';
import type { VdpPdu } from '#wire';

export interface Machine {
  handle(event: never, now: number): readonly unknown[];
  nextDeadline(): number | null;
}

export interface Kind {
  create(options: never): Machine;
  /** What a line records of the machine after the event. */
  state(machine: never): unknown;
  /** The name of the state that counts for "each state with each event". */
  phase(machine: never): string;
  /** What kind of event it is; absent: its type. */
  event?(event: never): string;
  /** Every pair of these has to be in a scenario. */
  readonly phases: readonly string[];
  readonly events: readonly string[];
}

const EVB = ['up', 'down', 'neighbour', 'neighbourGone', 'reflectiveRelay', 'tick'] as const;
const CDCP = ['up', 'down', 'neighbour', 'neighbourGone', 'wants', 'tick'] as const;
const CDCP_PHASES = ['down', 'notRunning', 'running', 'holding'] as const;

/** M and S, the hints of a migration (status 0x10 and 0x20 of a request). */
const hintText = (migrating: boolean, suspended: boolean): string => (migrating ? ', M' : suspended ? ', S' : '');

function firstTlv({ tlvs: [tlv] }: VdpPdu): { command: string; status: number } {
  return tlv?.kind === 'association' ? tlv : { command: 'other', status: 0 };
}

function bridgeEvent(event: VdpBridgeEvent): string {
  switch (event.type) {
    case 'pdu': {
      const { command, status } = firstTlv(event.pdu);
      return `pdu ${command}${hintText((status & 0x10) !== 0, (status & 0x20) !== 0)}`;
    }
    case 'tsiAnswer':
      return `tsiAnswer ${event.result.ok ? 'granted' : 'refused'}`;
    default:
      return event.type;
  }
}

function stationEvent(event: VdpStationEvent): string {
  switch (event.type) {
    case 'associate':
      return `${event.command}${hintText(event.hints.migrating, event.hints.suspended)}`;
    case 'pdu': {
      const { command, status } = firstTlv(event.pdu);
      const hard = (status & 0x10) !== 0 ? ', HARD' : '';
      // Without Req/Ack (0x40) it is no answer: a De-Associate of the bridge.
      if ((status & 0x40) === 0) return `pdu ${command}${hard}`;
      if ((status & 0x0f) === 0) return 'pdu granted';
      return `pdu refused${(status & 0x20) !== 0 ? ', KEEP' : hard}`;
    }
    default:
      return event.type;
  }
}

export const KINDS: Readonly<Record<string, Kind>> = {
  ecp: {
    create: (options: EcpOptions) => new EcpChannel(options),
    state: (machine: EcpChannel) => machine.status(),
    phase: (machine: EcpChannel) => {
      const { peers } = machine.status();
      if (peers.length === 0) return 'empty';
      return peers.some(({ outstanding }) => outstanding !== null) ? 'waiting' : 'idle';
    },
    phases: ['empty', 'idle', 'waiting'],
    events: ['received', 'send', 'parameters', 'parametersGone', 'bind', 'reset', 'tick'],
  },
  lldp: {
    create: (options: LldpOptions) => new LldpAgent(options),
    state: (machine: LldpAgent) => machine.status(),
    phase: (machine: LldpAgent) => machine.status().state,
    phases: ['down', 'fast', 'slow'],
    events: ['up', 'down', 'stop', 'tlvs', 'repeat', 'received', 'tick'],
  },
  'evb-bridge': {
    create: (options: EvbBridgeOptions) => new EvbBridge(options),
    state: (machine: EvbBridge) => machine.state,
    phase: (machine: EvbBridge) => machine.state,
    phases: ['down', 'listening', 'negotiated'],
    events: EVB,
  },
  'evb-station': {
    create: (options: EvbStationOptions) => new EvbStation(options),
    state: (machine: EvbStation) => ({ state: machine.state, operational: machine.operational() }),
    phase: (machine: EvbStation) => machine.state,
    phases: ['down', 'listening', 'negotiated'],
    events: EVB,
  },
  'cdcp-bridge': {
    create: (options: CdcpBridgeOptions) => new CdcpBridge(options),
    state: (machine: CdcpBridge) => ({ state: machine.state, channels: machine.channels }),
    phase: (machine: CdcpBridge) => machine.state,
    phases: CDCP_PHASES,
    events: [...CDCP, 'restored'],
  },
  'cdcp-station': {
    create: (options: CdcpStationOptions) => new CdcpStation(options),
    state: (machine: CdcpStation) => ({ state: machine.state, channels: machine.channels }),
    phase: (machine: CdcpStation) => machine.state,
    phases: CDCP_PHASES,
    events: CDCP,
  },
  'vdp-bridge': {
    create: ({ rules, ...options }: Omit<VdpBridgeOptions, 'rules'> & { rules: VdpRuleTable }) =>
      new VdpBridge({ ...options, rules: vdpRules(rules) }),
    state: (machine: VdpBridge) => machine.rows().map(({ state, station, name }) => ({ station, name, state })),
    phase: (machine: VdpBridge) => machine.rows()[0]?.state ?? 'init',
    event: bridgeEvent,
    phases: VDP_BRIDGE_STATES,
    events: [
      'pdu preAssociate',
      'pdu preAssociate, M',
      'pdu preAssociateRr',
      'pdu associate',
      'pdu associate, M',
      'pdu associate, S',
      'pdu deAssociate',
      'delivered',
      'undelivered',
      'tsiAnswer granted',
      'tsiAnswer refused',
      'tsiEnded',
      'parameters',
      'portDown',
      'portUp',
      'revoke',
      'tick',
    ],
  },
  'vdp-station': {
    create: (options: VdpStationOptions) => new VdpStation(options),
    state: (machine: VdpStation) => machine.rows().map(({ state, vsi }) => ({ vsi, state })),
    phase: (machine: VdpStation) => machine.rows()[0]?.state ?? 'init',
    event: stationEvent,
    phases: VDP_STATION_STATES,
    events: [
      'preAssociate',
      'preAssociateRr',
      'associate',
      'associate, M',
      'associate, S',
      'deAssociate',
      'pdu granted',
      'pdu refused',
      'pdu refused, HARD',
      'pdu refused, KEEP',
      'pdu deAssociate',
      'pdu deAssociate, HARD',
      'delivered',
      'undelivered',
      'parameters',
      'down',
      'up',
      'tick',
    ],
  },
};
