// What the engine tells, decoded from docs/engine.md's positional arrays: `open`'s info, dump rows, statistics, events, punts.

import { parseMtu, parseVid, parseVni, type VnId } from '#model';
import { decodeRule } from './acl.js';
import { decodeFlags } from './commands.js';
import { decodeVapOptions, decodeVnOptions } from './options.js';
import { badReply, noun, Reader, vnIdOf } from './reader.js';
import type {
  AddressState,
  CapturedFrame,
  DumpKind,
  DumpRows,
  EngineEvent,
  EngineStats,
  NeighbourState,
  Punt,
} from './rows.js';
import { MEMBERSHIP_PROTOCOLS } from './rows.js';
import type { Dest, EngineInfo, RemoteDest, Selector, TagPolicy } from './types.js';
import { PUNT_CLASSES } from './types.js';

const U8 = 0xff;
const U16 = 0xffff;
const U32 = 0xffff_ffff;
const ADDRESS_STATES: readonly AddressState[] = ['tentative', 'preferred', 'duplicate'];
const NEIGHBOUR_STATES: readonly NeighbourState[] = ['incomplete', 'reachable', 'failed', 'static'];

export function decodeInfo(value: unknown): EngineInfo {
  const reader = new Reader(value, 'info');
  const schema = reader.uint('schema', U16);
  const epoch = reader.u64('epoch');
  const map = reader.map('details');
  const field = (name: string): Reader => new Reader([map[name]], `info.${name}`);
  return {
    schema,
    epoch,
    dpdk: field('dpdk').text('value'),
    hugepages: field('hugepages').bool('value'),
    pollers: field('pollers').uint('value', U8),
    fdbCapacity: field('fdb_capacity').uint('value', U32),
    maxPorts: field('max_ports').uint('value', U16),
  };
}

function decodeSelector(value: unknown, at: string): Selector {
  const reader = new Reader(value, at);
  const kind = reader.oneOf('kind', ['port', 'untagged', 'c-tag', 's-tag', 's-tag+c-tag']);
  const vid = (name: string) => noun(parseVid, reader.uint(name, U16), `${at}.${name}`);
  switch (kind) {
    case 'port':
    case 'untagged':
      return { kind };
    case 'c-tag':
    case 's-tag':
      return { kind, vid: vid('vid') };
    case 's-tag+c-tag':
      return { kind, sVid: vid('s_vid'), cVid: vid('c_vid') };
  }
}

function decodeTags(value: unknown, at: string): TagPolicy {
  const reader = new Reader(value, at);
  const kind = reader.oneOf('kind', ['refuse', 'pass', 'strip', 'list']);
  if (kind !== 'list') return { kind };
  const vids = reader.list('vids', (item) => noun(parseVid, new Reader([item], at).uint('vid', U16), `${at}.vids`));
  return { kind, vids };
}

function decodeDest(value: unknown, at: string): Dest {
  const reader = new Reader(value, at);
  switch (reader.uint('kind', 2)) {
    case 0:
      return { kind: 'vap', vap: reader.uint('vap', U32) };
    case 1:
      return { kind: 'nh', nh: reader.uint('nh', U32) };
    default:
      return { kind: 'group', group: reader.uint('group', U32) };
  }
}

function decodeRemote(value: unknown, at: string): RemoteDest {
  const dest = decodeDest(value, at);
  if (dest.kind === 'vap') throw badReply(at, 'a VAP', 'a next hop or a group');
  return dest;
}

const ROWS: { readonly [K in DumpKind]: (reader: Reader) => DumpRows[K] } = {
  ports: (r) => ({
    port: r.uint('port', U16),
    name: r.text('name'),
    driver: r.text('driver'),
    mac: r.mac('mac'),
    mtu: r.uint('mtu', U16),
    linkUp: r.bool('link_up'),
    role: r.oneOf('role', ['access', 'underlay', 'exception', 'unused']),
  }),
  vns: (r) => {
    const vn = vnIdOf(r);
    const vni = r.uintOrNil('vni', U32);
    return {
      vn,
      vni: vni === null ? null : noun(parseVni, vni, 'vns.vni'),
      mtu: noun(parseMtu, r.uint('mtu', U16), 'vns.mtu'),
      vaps: r.uint('vaps', U32),
      rows: r.uint('rows', U32),
      flood: r.list('flood', (item) => decodeRemote(item, 'vns.flood')),
      sources: r.list('sources', (item) => new Reader([item], 'vns.sources').ip('ip')),
      options: decodeVnOptions(r.any('options'), 'vns.options'),
    };
  },
  vaps: (r) => ({
    vap: r.uint('vap', U32),
    vn: vnIdOf(r),
    port: r.uint('port', U16),
    selector: decodeSelector(r.any('selector'), 'vaps.selector'),
    ...decodeFlags(r.uint('flags', U32)),
    tags: decodeTags(r.any('tags'), 'vaps.tags'),
    options: decodeVapOptions(r.any('options'), 'vaps.options'),
  }),
  underlays: (r) => ({
    port: r.uint('port', U16),
    ip: r.ip('ip'),
    prefixLen: r.uint('prefix_len', 128),
    mac: r.mac('mac'),
    state: r.oneOf('state', ADDRESS_STATES),
    vlan: r.uintOrNil('vlan', U16),
  }),
  routes: (r) => ({
    prefix: r.ip('prefix'),
    prefixLen: r.uint('prefix_len', 128),
    gateways: r.list('gateways', (item) => new Reader([item], 'routes.gateways').ip('ip')),
  }),
  exceptions: (r) => ({ port: r.uint('port', U16), tap: r.uint('tap', U16) }),
  nexthops: (r) => ({
    nh: r.uint('nh', U32),
    remote: r.ip('remote'),
    encap: r.uint('encap', U8),
    contextId: r.uint('context_id', U32),
    port: r.uint('port', U16),
    neighbourMac: r.macOrNil('neighbour_mac'),
    state: r.oneOf('state', ['living', 'unresolved', 'link_down', 'dead']),
  }),
  groups: (r) => ({
    group: r.uint('group', U32),
    vn: r.uintOrNil('vn', U32) as VnId | null,
    members: r.list('members', (item, at) => {
      const member = new Reader(item, at);
      return { nh: member.uint('nh', U32), weight: member.uint('weight', U8), places: member.uint('places', U8) };
    }),
  }),
  mcasts: (r) => ({
    port: r.uint('port', U16),
    group: r.ip('group'),
    vns: r.list('vns', (item) => vnIdOf(new Reader([item], 'mcasts.vns'))),
    protocol: r.oneOf('protocol', MEMBERSHIP_PROTOCOLS),
    reports: r.counter('reports'),
    queries: r.counter('queries'),
  }),
  fdb: (r) => ({
    vn: vnIdOf(r),
    mac: r.mac('mac'),
    dest: decodeDest(r.any('dest'), 'fdb.dest'),
    ageS: r.uint('age_s', U16),
  }),
  neighbours: (r) => ({
    port: r.uint('port', U16),
    ip: r.ip('ip'),
    mac: r.macOrNil('mac'),
    state: r.oneOf('state', NEIGHBOUR_STATES),
  }),
  acls: (r) => ({
    acl: r.uint('acl', U32),
    rule: r.uintOrNil('rule', U16),
    match: decodeRule(r.any('match'), 'acls.match'),
    packets: r.counter('packets'),
  }),
  police: (r) => ({
    class: r.oneOf('class', PUNT_CLASSES),
    perSecond: r.uint('per_second', U32),
    burst: r.uint('burst', U32),
    isDefault: r.bool('is_default'),
  }),
  memory: (r) => ({
    table: r.text('table'),
    entries: r.counter('entries'),
    capacity: r.counterOrNil('capacity'),
    bytes: r.counter('bytes'),
  }),
  vap_counters: (r) => ({
    vap: r.uint('vap', U32),
    inPackets: r.counter('in_packets'),
    inBytes: r.counter('in_bytes'),
    outPackets: r.counter('out_packets'),
    outBytes: r.counter('out_bytes'),
    suppressed: r.counter('suppressed'),
  }),
  pairs: (r) => ({ vn: vnIdOf(r), ip: r.ip('ip'), mac: r.mac('mac') }),
};

/** `[[row, …], cursor or nil]` */
export function decodeDump<K extends DumpKind>(kind: K, value: unknown): { rows: DumpRows[K][]; cursor: unknown } {
  const reader = new Reader(value, 'dump');
  const rows = reader.list('rows', (item) => ROWS[kind](new Reader(item, kind)));
  return { rows, cursor: reader.any('cursor') };
}

export function decodeStats(value: unknown): EngineStats {
  const reader = new Reader(value, 'stats');
  const rows = <T>(name: string, read: (row: Reader) => T): T[] =>
    reader.list(name, (item, at) => read(new Reader(item, at)));
  return {
    ports: rows('ports', (r) => ({
      port: r.uint('port', U16),
      rxPackets: r.counter('rx_packets'),
      rxBytes: r.counter('rx_bytes'),
      txPackets: r.counter('tx_packets'),
      txBytes: r.counter('tx_bytes'),
      rxMissed: r.counter('rx_missed'),
      rxErrors: r.counter('rx_errors'),
    })),
    drops: rows('drops', (r) => ({
      port: r.uint('port', U16),
      reason: r.text('reason'),
      packets: r.counter('packets'),
    })),
    pollers: rows('pollers', (r) => ({
      poller: r.uint('poller', U16),
      polls: r.counter('polls'),
      emptyPolls: r.counter('empty_polls'),
      packets: r.counter('packets'),
      busyCycles: r.counter('busy_cycles'),
      idleCycles: r.counter('idle_cycles'),
      tscHz: r.counter('tsc_hz'),
      copies: r.counter('copies'),
    })),
  };
}

/** One event; `undefined` for a kind that a newer engine may have. */
export function decodeEvent(value: unknown): EngineEvent | undefined {
  const reader = new Reader(value, 'event');
  const kind = reader.text('kind');
  switch (kind) {
    case 'link':
      return { kind, port: reader.uint('port', U16), up: reader.bool('up') };
    case 'neighbour':
      return {
        kind,
        port: reader.uint('port', U16),
        ip: reader.ip('ip'),
        state: reader.oneOf('state', NEIGHBOUR_STATES),
      };
    case 'address':
      return {
        kind,
        port: reader.uint('port', U16),
        ip: reader.ip('ip'),
        state: reader.oneOf('state', ADDRESS_STATES),
      };
    case 'learned':
      return { kind, vap: reader.uint('vap', U32), vn: vnIdOf(reader), mac: reader.mac('mac') };
    case 'learned_remote':
      return { kind, vn: vnIdOf(reader), mac: reader.mac('mac'), remote: reader.ip('remote') };
    case 'unknown':
    case 'aged':
      return { kind, vn: vnIdOf(reader), mac: reader.mac('mac') };
    case 'poller_failed':
      return { kind, poller: reader.uint('poller', U16), message: reader.text('message') };
    case 'overflow':
      return { kind, ring: reader.text('ring'), lost: reader.counter('lost') };
    default:
      return undefined;
  }
}

const PLACES = ['in', 'out', 'dropped'] as const;

/** A recorded frame and its session, or (session 0) how many were lost. */
export function decodeCaptured(value: unknown): { session: number; frame: CapturedFrame } | { lost: number } {
  const reader = new Reader(value, 'captured');
  const session = reader.uint('session', U16);
  if (session === 0) return { lost: reader.counter('lost') };
  const timeNs = reader.u64('time_ns');
  const port = reader.uint('port', U16);
  const place = PLACES[reader.uint('place', PLACES.length - 1)] ?? 'in';
  const reason = reader.textOrNil('reason');
  return {
    session,
    frame: { timeNs, port, place, reason, length: reader.uint('length', U32), frame: reader.bytes('frame') },
  };
}

export function decodePunt(value: unknown): Punt {
  const reader = new Reader(value, 'punt');
  return {
    port: reader.uint('port', U16),
    vap: reader.uintOrNil('vap', U32),
    class: reader.text('class'),
    timestampNs: reader.u64('timestamp_ns'),
    frame: reader.bytes('frame'),
  };
}
