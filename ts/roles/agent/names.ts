// What the agent's tables are called: numbers of the engine as names of VNs, TSIs and NVEs.

import type { VnId } from '#model';
import type { VnView } from '#nva';
import type { PortNames } from '../engine/ports.js';
import type { ShowNames } from '../engine/show.js';
import { tunnelOf } from './vn-state.js';
import type { Vns } from './vns.js';

export function agentNames(ports: PortNames, vns: Vns, viewOf: (vn: VnId) => VnView | null): ShowNames {
  return {
    ports,
    vnName: (vn) => vns.get(vn)?.info.name ?? null,
    tsiOf: (vn, mac) => vns.get(vn)?.rows.get(mac)?.tsi ?? viewOf(vn)?.hosts.get(mac)?.tsi ?? null,
    nveOf: (vn, remote) => {
      for (const member of viewOf(vn)?.members.values() ?? []) if (tunnelOf(member) === remote) return member.nveId;
      return null;
    },
  };
}
