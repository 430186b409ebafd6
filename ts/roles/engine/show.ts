// The engine's tables as the rows of `show`: numbers become the names that the role knows, counters stand beside what they count.

import type { Engine, NextHopRow, VapOptions, VapRow } from '#dataplane';
import type { Handlers, ParamsOf, ShowDropsRow, ShowFdbRow, ShowPortsRow, ShowVapRow, ShowVnRow } from '#hypervisor';
import type { IpAddr, MacAddr, NveId, TsiId, VnId, VnName } from '#model';
import { type CaptureMethod, captureHandlers } from './capture.js';
import { type PortNames, portIdOf } from './ports.js';
import { encapText, showAcls, showFlood, showMemory, showNeighbours, showNves } from './show-more.js';
import { tagOfSelector } from './tags.js';
import { traceFrame } from './trace.js';
import { nextHopsBehind } from './ways.js';

/** What only the role knows. */
export interface ShowNames {
  readonly ports: PortNames;
  vnName(vn: VnId): VnName | null;
  /** Which TSI has the MAC, if it is known. */
  tsiOf(vn: VnId, mac: MacAddr): TsiId | null;
  /** Which NVE has the underlay address, if it is known. */
  nveOf(vn: VnId, remote: IpAddr): NveId | null;
}

/** Rows of one answer of `show.fdb`; the other tables are small. */
const FDB_PAGE = 2_000;

type Shown = 'vn' | 'vap' | 'fdb' | 'drops' | 'ports' | 'nve' | 'flood' | 'neigh' | 'acl' | 'memory';
type ShowHandlers = Required<Pick<Handlers, `show.${Shown}` | 'inject' | 'trace' | CaptureMethod>>;

/** The handlers of what every role with an engine shows, of `inject` and of `trace`. */
export function showHandlers(engine: Engine, names: ShowNames): ShowHandlers {
  const { ports } = names;
  const all = <Row>(rows: Row[]): { rows: Row[]; cursor: null } => ({ rows, cursor: null });
  return {
    'show.vn': async () => all(await showVns(engine, names)),
    'show.vap': async () => all(await showVaps(engine, names)),
    'show.fdb': ({ cursor }) => showFdb(engine, names, cursor ?? null),
    'show.drops': async () => all(await showDrops(engine, names)),
    'show.ports': async () => all(await showPorts(engine, names)),
    'show.nve': async () => all(await showNves(engine, names)),
    'show.flood': async () => all(await showFlood(engine, names)),
    'show.neigh': async () => all(await showNeighbours(engine, names)),
    'show.acl': async () => all(await showAcls(engine)),
    'show.memory': async () => all(await showMemory(engine)),
    ...captureHandlers(engine, ports),
    inject: (params) => inject(engine, ports, params),
    trace: (params) => traceFrame(engine, names, params),
  };
}

export async function showPorts(engine: Engine, { ports }: ShowNames): Promise<ShowPortsRow[]> {
  const [rows, stats] = await Promise.all([engine.dump('ports'), engine.stats()]);
  return rows.map(({ port, driver, mac, mtu, linkUp, role }) => {
    const counters = stats.ports.find((row) => row.port === port);
    return {
      port: ports.name(port),
      id: port,
      driver,
      mac,
      mtu,
      link: linkUp ? 'up' : 'down',
      role,
      rx_packets: counters?.rxPackets ?? 0,
      rx_bytes: counters?.rxBytes ?? 0,
      tx_packets: counters?.txPackets ?? 0,
      tx_bytes: counters?.txBytes ?? 0,
      rx_missed: counters?.rxMissed ?? 0,
      rx_errors: counters?.rxErrors ?? 0,
    };
  });
}

export async function showDrops(engine: Engine, { ports }: ShowNames): Promise<ShowDropsRow[]> {
  const { drops } = await engine.stats();
  return drops.map(({ port, reason, packets }) => ({ port: ports.name(port), reason, packets }));
}

async function showVns(engine: Engine, names: ShowNames): Promise<ShowVnRow[]> {
  const [vns, nextHops, groups] = await Promise.all([
    engine.dump('vns'),
    engine.dump('nexthops'),
    engine.dump('groups'),
  ]);
  const nextHopOf = nextHopsBehind(nextHops, groups);
  return vns.map(({ vn, vni, mtu, vaps, rows, flood, sources, options }) => ({
    vn: names.vnName(vn),
    id: vn,
    vni,
    mtu,
    vaps,
    rows,
    flood: flood.flatMap((dest) => nextHopOf(dest)?.remote ?? []),
    sources: [...sources],
    unknown: options.unknown ?? 'drop',
    learn: options.learn ?? false,
    suppress: options.suppress ?? false,
    strict: options.strict ?? false,
    dscp_out: options.dscpOut ?? 'pipe',
    ...listsOf(options),
  }));
}

async function showVaps(engine: Engine, names: ShowNames): Promise<ShowVapRow[]> {
  const [vaps, counted] = await Promise.all([engine.dump('vaps'), engine.dump('vap_counters')]);
  const counters = new Map(counted.map((row) => [row.vap, row]));
  return vaps.map((row) => {
    const counted = counters.get(row.vap);
    return {
      vap: row.vap,
      vn: names.vnName(row.vn),
      port: names.ports.name(row.port),
      tag: tagOfSelector(row.selector),
      guard: row.guard,
      uplink: row.uplink,
      reflect: row.reflect ?? false,
      learn: row.learn ?? false,
      tags: { policy: row.tags.kind, vids: row.tags.kind === 'list' ? [...row.tags.vids] : [] },
      ...limitsOf(row.options),
      ...listsOf(row.options),
      in_packets: counted?.inPackets ?? 0,
      in_bytes: counted?.inBytes ?? 0,
      out_packets: counted?.outPackets ?? 0,
      out_bytes: counted?.outBytes ?? 0,
      suppressed: counted?.suppressed ?? 0,
    };
  });
}

function listsOf({ aclIn, aclOut }: Pick<VapOptions, 'aclIn' | 'aclOut'>) {
  return { acl_in: aclIn ?? null, acl_out: aclOut ?? null };
}

function limitsOf({ guardIp = false, police, storm }: VapOptions) {
  return {
    guard_ip: guardIp,
    police: police === undefined ? null : { bits_per_s: police[0], burst_bytes: police[1] },
    storm: storm === undefined ? null : { packets_per_s: storm[0], burst: storm[1] },
  };
}

async function showFdb(
  engine: Engine,
  names: ShowNames,
  cursor: unknown,
): Promise<{ rows: ShowFdbRow[]; cursor: unknown }> {
  const [page, vaps, nextHops, groups] = await Promise.all([
    engine.page('fdb', cursor, FDB_PAGE),
    engine.dump('vaps'),
    engine.dump('nexthops'),
    engine.dump('groups'),
  ]);
  const vapOf = new Map(vaps.map((row) => [row.vap, row]));
  const nextHopOf = nextHopsBehind(nextHops, groups);
  const rows = page.rows.map(({ vn, mac, dest }): ShowFdbRow => {
    const common = { vn: names.vnName(vn), mac, tsi: names.tsiOf(vn, mac) };
    if (dest.kind === 'vap') return { ...common, ...toVap(dest.vap, vapOf.get(dest.vap), names) };
    return { ...common, ...toNve(vn, nextHopOf(dest), names) };
  });
  return { rows, cursor: page.cursor };
}

function toVap(vap: number, row: VapRow | undefined, { ports }: ShowNames) {
  const port = row === undefined ? null : ports.name(row.port);
  return {
    to: 'vap' as const,
    vap,
    port,
    tag: row === undefined ? null : tagOfSelector(row.selector),
    remote: null,
    encap: null,
    context_id: null,
    nve: null,
  };
}

function toNve(vn: VnId, row: NextHopRow | undefined, names: ShowNames) {
  const encap = row === undefined ? null : encapText(row.encap);
  const nve = row === undefined ? null : names.nveOf(vn, row.remote);
  const way = { remote: row?.remote ?? null, encap, context_id: row?.contextId ?? null, nve };
  return { to: 'nve' as const, vap: null, port: null, tag: null, ...way };
}

async function inject(
  engine: Engine,
  ports: PortNames,
  { port, frame }: ParamsOf<'inject'>,
): Promise<Record<string, never>> {
  await engine.inject(portIdOf(ports, port), frame);
  return {};
}
