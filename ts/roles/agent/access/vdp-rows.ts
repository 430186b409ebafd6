// What is known of stations, as the rows of `show.vdp`: each VSI with its station, and each station that has none.

import { type Page, pageOf, type ShowVdpRow } from '#hypervisor';
import type { LinkName, MacAddr, TsiKey, TsiRow, Vid } from '#model';
import { type AccessPeer, channelText, type EvbParameters, peerText, type VdpVsiRow } from '#protocol';

export interface StationRow extends Omit<AccessPeer, 'mac'> {
  readonly port: LinkName;
  readonly svid: Vid | null;
  readonly station: MacAddr;
}

const stationKey = ({ port, svid, station }: Pick<StationRow, 'port' | 'svid' | 'station'>): string =>
  peerText({ port, svid, mac: station });

/** The page after `cursor`, which is the key of a row; null: from the first on. */
export function vdpPage(
  vsis: readonly VdpVsiRow[],
  stations: readonly StationRow[],
  cursor: unknown,
  now: number,
  rowOf: (key: TsiKey) => TsiRow | null,
): Page<ShowVdpRow> {
  const known = new Map(stations.map((station) => [stationKey(station), station]));
  const withVsi = new Set(vsis.map(stationKey));
  const all: { key: string; row: () => ShowVdpRow }[] = [
    ...vsis.map((vsi) => ({ key: vsi.key, row: () => vdpRow(vsi, known.get(stationKey(vsi)), now, rowOf) })),
    ...[...known]
      .filter(([key]) => !withVsi.has(key))
      .map(([key, station]) => ({ key, row: () => stationRow(station, now) })),
  ];
  return pageOf(
    all,
    ({ key }) => key,
    cursor,
    ({ row }) => row(),
  );
}

/** A station without a VSI. */
function stationRow(station: StationRow, now: number): ShowVdpRow {
  return {
    link: channelText(station),
    station: station.station,
    vsi: null,
    vm: null,
    vm_uuid: null,
    state: null,
    command: null,
    manager: null,
    vsi_type: null,
    vsi_type_version: null,
    filter_format: null,
    macs: [],
    tsis: [],
    suspended: false,
    migrating: false,
    age_ms: ageOf(station.heardAt, now),
    evb: evbOf(station.evb),
    ecp: ecpOf(station),
    error: null,
  };
}

function ageOf(at: number | null, now: number): number | null {
  return at === null ? null : Math.max(0, Math.round(now - at));
}

function evbOf(evb: EvbParameters | null): ShowVdpRow['evb'] {
  if (evb === null) return null;
  const { retries, rte, rwd, rka } = evb;
  return { retries, rte, rwd, rka };
}

function ecpOf(station: StationRow | undefined): ShowVdpRow['ecp'] {
  if (station === undefined || station.ecp === null) return null;
  const { sent, retried, timedOut: timed_out, received, duplicates } = station.ecp;
  return { sent, retried, timed_out, received, duplicates };
}

function vdpRow(
  row: VdpVsiRow,
  station: StationRow | undefined,
  now: number,
  rowOf: (key: TsiKey) => TsiRow | null,
): ShowVdpRow {
  const { association, tsis, parameters } = row;
  const entries = association?.filter.kind === 'entries' ? association.filter.entries : [];
  return {
    link: channelText(row),
    station: row.station,
    vsi: row.vsi,
    vm: row.name,
    vm_uuid: row.vmUuid,
    state: row.state,
    command: association?.command ?? null,
    manager: row.managerId,
    vsi_type: association?.typeId ?? null,
    vsi_type_version: association?.typeVersion ?? null,
    filter_format: association?.filter.format ?? null,
    macs: [...new Set(entries.flatMap(({ mac }) => mac ?? []))],
    tsis: tsis.map((key) => {
      const tsi = rowOf(key);
      return { tsi: key.tsi, vn: tsi?.vn ?? null, tag: tsi?.tag ?? null, ips: [...(tsi?.ips ?? [])] };
    }),
    suspended: row.hints.suspended,
    migrating: row.hints.migrating,
    age_ms: ageOf(row.heardAt, now),
    evb: evbOf(parameters),
    ecp: ecpOf(station),
    error: row.error === null ? null : `${row.error.code}: ${row.error.message}`,
  };
}
