// What the agent's RPC does (docs/rpc.md): TSIs and VNs have files of their own, here is what shows something.

import type { Engine } from '#dataplane';
import type { Handlers, ShowDropsRow, ShowNvaRow } from '#hypervisor';
import type { AgentDropReason, LinkName, NveId } from '#model';
import { formatNvaAddress, type NvaStatus } from '#nva';
import { channelText } from '#protocol';
import { type ShowNames, showDrops, showHandlers } from '../engine/show.js';
import type { Unheard } from '../engine/unheard.js';
import type { AccessLinks } from './access/access-links.js';
import { vdpPage } from './access/vdp-rows.js';
import type { PortLinks } from './port-links.js';
import { tsiHandlers } from './rpc-tsi.js';
import { vnHandlers } from './rpc-vn.js';
import { supportFacts } from './support.js';
import type { Tsis } from './tsis.js';

export interface RpcParts {
  readonly engine: Engine;
  readonly config: object;
  readonly node: NveId;
  readonly names: ShowNames;
  readonly tsis: Tsis;
  readonly access: AccessLinks;
  readonly portLinks: PortLinks;
  readonly nvaStatus: () => NvaStatus;
  /** The engine's and its own. */
  readonly drops: () => Promise<ShowDropsRow[]>;
}

export function rpcHandlers({
  engine,
  config,
  node,
  names,
  tsis,
  access,
  portLinks,
  nvaStatus,
  drops,
}: RpcParts): Handlers {
  const show = showHandlers(engine, names);

  return {
    ...tsiHandlers(tsis, access, portLinks),
    ...vnHandlers(tsis, access, portLinks),
    'show.vdp': ({ cursor }, { mayUse }) => {
      const vsis = access.rows().filter((vsi) => mayUse(channelText(vsi) as LinkName));
      const stations = access.stations().filter((station) => mayUse(channelText(station) as LinkName));
      return vdpPage(vsis, stations, cursor, performance.now(), (key) => tsis.row(key));
    },
    'show.nva': () => ({ rows: [nvaRow(node, nvaStatus())], cursor: null }),
    ...show,
    support: () => supportFacts(config, engine.info()),
    'show.drops': async () => ({ rows: await drops(), cursor: null }),
  };
}

/** What the engine and the agent dropped; `refusals`: RPC connections that were not accepted, by reason. */
export async function agentDrops(
  engine: Engine,
  names: ShowNames,
  access: AccessLinks,
  unheard: Unheard,
  refusals: ReadonlyMap<AgentDropReason, number>,
): Promise<ShowDropsRow[]> {
  const refused = [...refusals].map(([reason, packets]) => ({ port: 'rpc', reason, packets }));
  return [...(await showDrops(engine, names)), ...access.drops(), ...unheard.rows(names.ports), ...refused];
}

function nvaRow(nve: NveId, status: NvaStatus): ShowNvaRow {
  const { state, endpoint, nvaId: nva, epoch, subscriptions, attachments, error } = status;
  return {
    nve,
    state,
    endpoint: endpoint === null ? null : formatNvaAddress(endpoint.address),
    nva,
    epoch,
    subscriptions,
    attachments,
    error: error === null ? null : `${error.code}: ${error.message}`,
  };
}
