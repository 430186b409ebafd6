// The metrics of an agent: name, type, meaning, and where each value comes from. docs/operations.md has this as a table (a test keeps
// them equal). A counter only grows while what it belongs to lives; names and units are as Prometheus recommends.

import { formatTag } from '#model';
import type { Readings } from '#roles';
import type { ProcessReadings } from './process.js';

export type Labels = Readonly<Record<string, string | number>>;
export type Sample = readonly [labels: Labels, value: number];
/** What one answer is made of. */
export type Scrape = Readings & ProcessReadings;

export interface Family {
  readonly name: `splitnve_${string}`;
  readonly type: 'counter' | 'gauge';
  readonly help: string;
  readonly samples: (scrape: Scrape) => Iterable<Sample>;
}

const family = (
  type: Family['type'],
  name: string,
  help: string,
  samples: (scrape: Scrape) => Iterable<Sample>,
): Family => ({ name: `splitnve_${name}`, type, help, samples });

/** A family with one value for each row, under the labels of the row. */
function ofRows<Row>(rows: (scrape: Scrape) => readonly Row[], labels: (row: Row) => Labels) {
  return (type: Family['type'], name: string, help: string, value: (row: Row) => number): Family =>
    family(type, name, help, function* (scrape) {
      for (const row of rows(scrape)) yield [labels(row), value(row)];
    });
}

const one = (value: (scrape: Scrape) => number) => (scrape: Scrape) => [[{}, value(scrape)] as const];

function* counts(labelled: string, map: ReadonlyMap<string, number>): Iterable<Sample> {
  for (const [key, count] of map) yield [{ [labelled]: key }, count];
}

const port = ofRows(
  ({ ports }) => ports,
  ({ port }) => ({ port }),
);
const poller = ofRows(
  ({ pollers }) => pollers,
  ({ poller }) => ({ poller }),
);
const vn = ofRows(
  ({ vns }) => vns,
  ({ vn, id, vni }) => ({ vn: vn ?? '', id, vni: vni ?? '' }),
);

const vapLabels = ({ vap, vn, port, tag }: Readings['vaps'][number]): Labels => ({
  vap,
  vn: vn ?? '',
  port,
  tag: tag === null ? 'untagged' : formatTag(tag),
});
const vap = ofRows(({ vaps }) => vaps, vapLabels);

function ofVaps(name: string, help: string, value: 'Packets' | 'Bytes'): Family {
  return family('counter', name, help, function* ({ vaps }) {
    for (const row of vaps) {
      const labels = vapLabels(row);
      yield [{ ...labels, direction: 'in' }, row[`in${value}`]];
      yield [{ ...labels, direction: 'out' }, row[`out${value}`]];
    }
  });
}

export const FAMILIES: readonly Family[] = [
  family('gauge', 'build_info', 'Always 1; the labels are the release, that of DPDK and of Node.', (s) => [
    [{ version: s.version, dpdk: s.engine.dpdk, node: s.node }, 1],
  ]),
  family(
    'gauge',
    'start_time_seconds',
    'When the process started, in seconds since 1970.',
    one((s) => s.startTime),
  ),

  family('gauge', 'port_info', 'Always 1; the labels tell what the port is.', ({ ports }) =>
    ports.map(({ port, driver, mac, role }) => [{ port, driver, mac, role }, 1]),
  ),
  port('gauge', 'port_up', '1 if the port has its link, else 0.', ({ link }) => (link === 'up' ? 1 : 0)),
  port('gauge', 'port_mtu_bytes', 'MTU of the port.', ({ mtu }) => mtu),
  port('counter', 'port_receive_packets_total', 'Packets received.', (row) => row.rx_packets),
  port('counter', 'port_receive_bytes_total', 'Bytes received.', (row) => row.rx_bytes),
  port('counter', 'port_transmit_packets_total', 'Packets sent.', (row) => row.tx_packets),
  port('counter', 'port_transmit_bytes_total', 'Bytes sent.', (row) => row.tx_bytes),
  port(
    'counter',
    'port_receive_missed_total',
    'Packets that the device had no buffer for, because the engine did not take them in time.',
    (row) => row.rx_missed,
  ),
  port(
    'counter',
    'port_receive_errors_total',
    'Packets that the device or its driver refused.',
    (row) => row.rx_errors,
  ),
  family(
    'counter',
    'drops_total',
    'Packets dropped, by the port where they came in and by reason (docs/drops.md). A reason that never occurred is absent.',
    ({ drops }) => drops.map(({ port, reason, packets }) => [{ port, reason }, packets]),
  ),

  ofVaps('vap_packets_total', "The tenant's frames of a VAP: in, from the tenant; out, to the tenant.", 'Packets'),
  ofVaps('vap_bytes_total', 'Their bytes.', 'Bytes'),
  vap(
    'counter',
    'vap_suppressed_total',
    "The tenant's questions of ARP and of neighbour discovery that were answered here.",
    ({ suppressed }) => suppressed,
  ),
  family(
    'gauge',
    'vaps',
    'VAPs.',
    one(({ vaps }) => vaps.length),
  ),
  family(
    'gauge',
    'vns',
    'VNs in the engine.',
    one(({ vns }) => vns.length),
  ),
  vn('gauge', 'vn_vaps', 'VAPs of a VN.', ({ vaps }) => vaps),
  vn('gauge', 'vn_fdb_rows', 'FDB rows of a VN.', ({ rows }) => rows),
  family(
    'gauge',
    'fdb_rows',
    'FDB rows of all VNs.',
    one(({ vns }) => vns.reduce((sum, { rows }) => sum + rows, 0)),
  ),
  family(
    'gauge',
    'fdb_capacity_rows',
    'FDB rows that there can be.',
    one(({ engine }) => engine.fdbCapacity),
  ),
  family(
    'gauge',
    'next_hops',
    'Next hops.',
    one(({ nextHops }) => nextHops),
  ),
  family('gauge', 'neighbours', 'Neighbours on the underlay, by state.', (s) => counts('state', s.neighbours)),

  family('gauge', 'nva_connected', '1 while the session with the NVA is up, else 0.', ({ nva }) => [
    [{ nva: nva.nvaId ?? '' }, nva.state === 'connected' ? 1 : 0],
  ]),
  family(
    'gauge',
    'nva_subscriptions',
    'VNs whose mappings the NVA is asked for.',
    one(({ nva }) => nva.subscriptions),
  ),
  family(
    'gauge',
    'nva_attachments',
    'TSIs that the NVA is told of.',
    one(({ nva }) => nva.attachments),
  ),
  family('gauge', 'nva_asked_hosts', 'Hosts that the NVA was asked for, and that are there or not.', ({ nva }) => [
    [{ state: 'found' }, nva.pulls.found],
    [{ state: 'negative' }, nva.pulls.negative],
  ]),
  family(
    'counter',
    'nva_questions_total',
    'Hosts that the NVA was asked for.',
    one(({ nva }) => nva.pulls.asked),
  ),
  family(
    'counter',
    'nva_questions_unanswered_total',
    'Those without an answer in time.',
    one(({ nva }) => nva.pulls.unanswered),
  ),
  family(
    'counter',
    'nva_misses_ignored_total',
    'Hosts that were not asked for, because too many others were.',
    one(({ nva }) => nva.pulls.overflow),
  ),
  family('gauge', 'tsis', 'TSIs, by state (docs/rpc.md).', (s) => counts('state', s.tsis)),

  poller('counter', 'poller_polls_total', 'Turns of a poller.', (row) => row.polls),
  poller('counter', 'poller_empty_polls_total', 'Those that found nothing.', (row) => row.emptyPolls),
  poller('counter', 'poller_packets_total', 'Packets that it received.', (row) => row.packets),
  poller('counter', 'poller_copies_total', 'Copies that replication made of them.', (row) => row.copies),
  family('counter', 'poller_cycles_total', 'Its cycles: busy, in turns that found something; idle, in others.', (s) =>
    s.pollers.flatMap(({ poller, busyCycles, idleCycles }): Sample[] => [
      [{ poller, state: 'busy' }, busyCycles],
      [{ poller, state: 'idle' }, idleCycles],
    ]),
  ),
  poller('gauge', 'poller_cycles_per_second', 'Cycles of its clock in a second.', (row) => row.tscHz),

  family(
    'gauge',
    'event_loop_delay_seconds',
    'How late timers of the agent were, since the last answer: median, 99th percentile and the latest (quantile 1).',
    ({ loopDelay }) => loopDelay.map(({ quantile, seconds }) => [{ quantile }, seconds]),
  ),
  family(
    'gauge',
    'resident_memory_bytes',
    "Memory of the process, the engine's included.",
    one((s) => s.residentBytes),
  ),
  family(
    'gauge',
    'heap_used_bytes',
    'Heap that JavaScript uses.',
    one((s) => s.heapBytes),
  ),
];

/** The table of docs/operations.md. */
export function familiesTable(): string {
  const rows = FAMILIES.map(({ name, type, help }) => `| \`${name}\` | ${type} | ${help} |`);
  return ['| metric | type | meaning |', '|---|---|---|', ...rows].join('\n');
}
