// What the agent's RPC does: each method drives the TSI life cycle, or shows something. (docs/rpc.md)

import type { Engine } from '#dataplane';
import type { Call, Handlers, ParamsOf, ShowNvaRow, TsiListRow } from '#hypervisor';
import { type LinkName, type NveId, nveError, type TsiKey, tsiKeyText } from '#model';
import { formatNvaAddress, type NvaStatus } from '#nva';
import { channelText } from '#protocol';
import { type ShowNames, showHandlers } from '../engine/show.js';
import type { AccessLinks } from './access/access-links.js';
import { vdpPage } from './access/vdp-rows.js';
import { rowOrFail, type Tsis } from './tsis.js';

export interface RpcParts {
  readonly engine: Engine;
  readonly node: NveId;
  readonly names: ShowNames;
  readonly tsis: Tsis;
  readonly access: AccessLinks;
  readonly nvaStatus: () => NvaStatus;
  /** RPC connections that were not accepted, by reason. */
  readonly refusals: () => ReadonlyMap<string, number>;
}

export function rpcHandlers({ engine, node, names, tsis, access, nvaStatus, refusals }: RpcParts): Handlers {
  const show = showHandlers(engine, names);

  /**
   * What a station holds over VDP is the station's: VDP can tell it that the NVE de-associates, and nothing else (RFC 8394 appendix A),
   * so whatever else changed here would not be what the station believes.
   */
  function refuseVdps({ tsi, link }: TsiKey, { method }: Call): void {
    const holder = access.holderOf({ tsi, link });
    if (holder !== null)
      throw nveError('NVE-VDP-010', { tsi, link, vsi: holder.vsi, station: holder.peer.mac, method });
  }

  async function associate(
    params: ParamsOf<'tsi.attach'>,
    upTo: 'associated' | 'activated',
    call: Call,
  ): Promise<TsiListRow> {
    const { vn, tsi, macs, ips, link } = params;
    if (typeof link !== 'string')
      throw nveError('NVE-RPC-003', { method: call.method, problem: 'link: only a tNVE makes ports' });
    const key = { tsi, link };
    refuseVdps(key, call);
    return rowOrFail(await tsis.request({ type: 'associate', key, vn, macs, ips, upTo }, call), key);
  }

  async function step(type: 'activate' | 'deactivate', key: TsiKey, call: Call): Promise<TsiListRow> {
    refuseVdps(key, call);
    return rowOrFail(await tsis.request({ type, key }, call), key);
  }

  async function deassociate(key: TsiKey, call: Call): Promise<Record<string, never>> {
    await tsis.request({ type: 'deassociate', key }, call);
    // If VDP had made the TSI, its station is told.
    access.ended(key, nveError('NVE-VDP-005', { vsi: key.tsi, reason: call.method }));
    return {};
  }

  return {
    'tsi.associate': (params, call) => associate(params, 'associated', call),
    'tsi.attach': (params, call) => associate(params, 'activated', call),
    'tsi.activate': (key, call) => step('activate', key, call),
    'tsi.deactivate': (key, call) => step('deactivate', key, call),
    'tsi.deassociate': (key, call) => deassociate(key, call),
    'tsi.detach': ({ tsi, link }, call) => {
      if (link === undefined)
        throw nveError('NVE-RPC-003', { method: 'tsi.detach', problem: 'link: an agent needs the link' });
      return deassociate({ tsi, link }, call);
    },
    'tsi.list': (_, { mayUse }) => tsis.rows().filter(({ link }) => mayUse(link)),
    'show.vdp': ({ cursor }, { mayUse }) => {
      const tsiRows = new Map(tsis.rows().map((row) => [tsiKeyText(row), row]));
      const vsis = access.rows().filter((vsi) => mayUse(channelText(vsi) as LinkName));
      return vdpPage(vsis, cursor, performance.now(), (key) => tsiRows.get(key) ?? null);
    },
    'show.nva': () => ({ rows: [nvaRow(node, nvaStatus())], cursor: null }),
    ...show,
    'show.drops': async (params, call) => {
      const { rows, cursor } = await show['show.drops'](params, call);
      const refused = [...refusals()].map(([reason, packets]) => ({ port: 'rpc', reason, packets }));
      return { rows: [...rows, ...access.drops(), ...refused], cursor };
    },
  };
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
