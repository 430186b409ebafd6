// What VDP holds, as the rows of `show.vdp`: each VSI with its station and what EVB has agreed with that.

import type { ShowVdpRow } from '#hypervisor';
import { type TsiRow, tsiKeyText } from '#model';
import { channelText, type VdpVsiRow } from '#protocol';

/** Rows of one answer. */
const PAGE = 500;

/** The page after `cursor`, which is the key of a VSI; null: from the first on. */
export function vdpPage(
  vsis: readonly VdpVsiRow[],
  cursor: unknown,
  now: number,
  rowOf: (tsi: string) => TsiRow | null,
): { rows: ShowVdpRow[]; cursor: string | null } {
  const rest = typeof cursor === 'string' ? vsis.filter(({ key }) => key > cursor) : vsis;
  const page = rest.slice(0, PAGE);
  return {
    rows: page.map((vsi) => vdpRow(vsi, now, rowOf)),
    cursor: rest.length > PAGE ? (page.at(-1)?.key ?? null) : null,
  };
}

function vdpRow(row: VdpVsiRow, now: number, rowOf: (tsi: string) => TsiRow | null): ShowVdpRow {
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
      const tsi = rowOf(tsiKeyText(key));
      return { tsi: key.tsi, vn: tsi?.vn ?? null, tag: tsi?.tag ?? null, ips: [...(tsi?.ips ?? [])] };
    }),
    suspended: row.hints.suspended,
    migrating: row.hints.migrating,
    age_ms: Math.max(0, Math.round(now - row.heardAt)),
    evb: {
      retries: parameters.retries,
      rte: parameters.rte,
      rwd: parameters.rwd,
      rka: parameters.rka,
    },
    error: row.error === null ? null : `${row.error.code}: ${row.error.message}`,
  };
}
