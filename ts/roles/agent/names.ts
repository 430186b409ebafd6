// What the agent's tables are called: numbers of the engine as names of VNs, TSIs and NVEs.

import { learnerOf, type MacAddr, type TsiId, type VnId } from '#model';
import type { VnView } from '#nva';
import type { PortNames } from '../engine/ports.js';
import type { ShowNames } from '../engine/show.js';
import type { Vns } from './vns.js';

export function agentNames(ports: PortNames, vns: Vns, viewOf: (vn: VnId) => VnView | null): ShowNames {
  return {
    ports,
    vnName: (vn) => vns.get(vn)?.info.name ?? null,
    tsiOf: (vn, mac) => vns.get(vn)?.rows.get(mac)?.tsi ?? hostTsi(viewOf(vn), mac),
    nveOf: (vn, remote) => {
      for (const member of viewOf(vn)?.members.values() ?? [])
        if (member.tunnels.some(({ ip }) => ip === remote)) return member.nveId;
      return null;
    },
  };
}

/** Of a MAC that another NVE has learned: the TSI that it is behind. */
function hostTsi(view: VnView | null, mac: MacAddr): TsiId | null {
  const tsi = view?.hosts.get(mac)?.tsi;
  return tsi === undefined ? null : (learnerOf(tsi) ?? tsi);
}
