// What the agent's RPC does (docs/rpc.md): TSIs and VNs have files of their own, here is what shows something.

import type { Engine } from '#dataplane';
import { type Handlers, NO_NVA_ROW, type ShowDropsRow, type ShowNvaRow } from '#hypervisor';
import type { AgentDropReason, LinkName, NveError, NveId, VnId } from '#model';
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
  /** Its name, or its number. */
  readonly nameOfVn: (vn: VnId) => string;
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
  nameOfVn,
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
    'show.nva': () => ({ rows: nvaRows(node, nvaStatus(), nameOfVn), cursor: null }),
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

/** The session; then each endpoint; then each VN, by its name if it is known. */
function nvaRows(nve: NveId, status: NvaStatus, nameOf: (vn: VnId) => string): ShowNvaRow[] {
  const { state, endpoint, nvaId: nva, epoch, term, subscriptions, attachments, error } = status;
  const session: ShowNvaRow = {
    ...NO_NVA_ROW,
    nve,
    state,
    endpoint: endpoint === null ? null : formatNvaAddress(endpoint.address),
    nva,
    epoch,
    term: term === null ? null : `${term}`,
    subscriptions,
    attachments,
    refused: status.refusedCertificates,
    error: errorText(error),
  };
  const endpoints = status.endpoints.map(
    (one): ShowNvaRow => ({
      ...NO_NVA_ROW,
      nve,
      state: one.state,
      endpoint: formatNvaAddress(one.endpoint.address),
      nva: one.nvaId,
      priority: one.endpoint.priority,
      for_s: one.forMs === null ? null : Math.floor(one.forMs / 1000),
      error: errorText(one.error),
    }),
  );
  const vns = status.vns.map(
    ({ vn, live, received, applied, refusals, refused }): ShowNvaRow => ({
      ...NO_NVA_ROW,
      nve,
      nva,
      state: live ? 'in sync' : 'stale',
      vn: nameOf(vn),
      revision: `${received}`,
      lag: received > applied ? Number(received - applied) : 0,
      refused: refusals,
      error: errorText(refused),
    }),
  );
  return [session, ...endpoints, ...vns];
}

function errorText(error: NveError | null): string | null {
  return error === null ? null : `${error.code}: ${error.message}`;
}
