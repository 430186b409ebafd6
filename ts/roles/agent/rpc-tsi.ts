// The RPC's methods about TSIs: each is one request to the TSI life cycle, or two. What a hypervisor says of the VM (RFC 8394 section
// 2) becomes hints: suspended, about to come, about to leave.

import { type Call, type Handlers, linkOfPort, type ParamsOf, pageOf, type TsiListRow } from '#hypervisor';
import {
  type LinkName,
  type MacAddr,
  NO_HINTS,
  nveError,
  type TsiHints,
  type TsiId,
  type TsiKey,
  tsiKeyText,
} from '#model';
import { KeyedQueue } from '../queue.js';
import type { AccessLinks } from './access/access-links.js';
import type { PortLinks } from './port-links.js';
import { isConnection } from './rpc-vn.js';
import { rowOrFail, type Tsis } from './tsis.js';

const ROLL_BACK_MS = 5_000;
const SUSPENDED: TsiHints = { suspended: true, migrating: false };
const COMING: TsiHints = { suspended: false, migrating: true };

type Methods =
  | 'tsi.associate'
  | 'tsi.activate'
  | 'tsi.deactivate'
  | 'tsi.deassociate'
  | 'tsi.attach'
  | 'tsi.detach'
  | 'tsi.addresses.add'
  | 'tsi.addresses.del'
  | 'tsi.suspend'
  | 'tsi.resume'
  | 'tsi.migrate'
  | 'tsi.list';

export function tsiHandlers(tsis: Tsis, access: AccessLinks, ports: PortLinks): Required<Pick<Handlers, Methods>> {
  /** Each change of addresses builds on the one before: they go one by one. */
  const changes = new KeyedQueue<string>();

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
    { vn, tsi, macs, ips }: Omit<ParamsOf<'tsi.associate'>, 'link'>,
    link: LinkName,
    call: Call,
    { upTo = 'associated', hints }: { upTo?: 'associated' | 'activated'; hints?: TsiHints } = {},
  ): Promise<TsiListRow> {
    const key = { tsi, link };
    refuseVdps(key, call);
    const asked = { type: 'associate', key, vn, macs, ips, upTo, ...(hints === undefined ? {} : { hints }) } as const;
    return rowOrFail(await tsis.request(asked, call), key);
  }

  async function step(
    type: 'activate' | 'deactivate',
    key: TsiKey,
    call: Call,
    hints: TsiHints = NO_HINTS,
  ): Promise<TsiListRow> {
    refuseVdps(key, call);
    return rowOrFail(await tsis.request({ type, key, hints }, call), key);
  }

  async function deassociate(key: TsiKey, call: Call): Promise<Record<string, never>> {
    await tsis.request({ type: 'deassociate', key }, call);
    // If VDP had made the TSI, its station is told.
    access.ended(key, nveError('NVE-VDP-005', { vsi: key.tsi, reason: call.method }));
    await ports.unplug(key.link);
    return {};
  }

  /** A roll-back waits no longer than that, and for nobody. */
  function undo(key: TsiKey): Promise<unknown> {
    const signal = AbortSignal.timeout(ROLL_BACK_MS);
    return tsis.request({ type: 'deassociate', key }, { method: 'a roll-back', deadlineMs: ROLL_BACK_MS, signal });
  }

  function changeAddresses(
    change: 'add' | 'remove',
    { tsi, link, macs, ips }: ParamsOf<'tsi.addresses.add'>,
    call: Call,
  ): Promise<TsiListRow> {
    const key = { tsi, link };
    refuseVdps(key, call);
    return changes.run(tsiKeyText(key), async () => {
      call.signal.throwIfAborted();
      return rowOrFail(await tsis.request({ type: 'addresses', key, change, macs, ips }, call), key);
    });
  }

  function rowsOf(tsi: TsiId, { mayUse }: Call): TsiListRow[] {
    return tsis.rows().filter((row) => row.tsi === tsi && mayUse(row.link));
  }

  async function migrate({ tsi, from, to, vn, macs, ips }: ParamsOf<'tsi.migrate'>, call: Call): Promise<TsiListRow> {
    const rows = rowsOf(tsi, call);
    const old = rows.find(({ link }) => link === from);
    const there = rows.find(({ link }) => link === to);
    if (from !== undefined && old === undefined) {
      // It has moved already.
      if (there !== undefined) return there;
      throw nveError('NVE-TSI-001', { tsi, link: from });
    }
    if (old !== undefined) refuseVdps(old, call);
    let coming: TsiListRow | undefined;
    if (to !== undefined) {
      const known = old ?? rows[0];
      const asked = { vn: vn ?? known?.vn, macs: macs ?? known?.macs, ips: ips ?? known?.ips ?? [] };
      if (asked.vn === undefined || asked.macs === undefined)
        throw nveError('NVE-RPC-003', {
          method: call.method,
          problem: `vn and macs: TSI ${tsi} is not here yet, so they have to be named`,
        });
      coming = await associate({ tsi, vn: asked.vn, macs: asked.macs, ips: asked.ips }, to, call, { hints: COMING });
    }
    if (old === undefined) return rowOrFail(coming ?? null, { tsi, link: to ?? ('' as LinkName) });
    const leaving = await associate(old, old.link, call, { hints: SUSPENDED });
    return coming ?? leaving;
  }

  return {
    'tsi.associate': (params, call) => associate(params, params.link, call),
    'tsi.attach': (params, call) => {
      const { link } = params;
      if (typeof link !== 'string') {
        const { tsi, macs } = params;
        const steps = {
          associate: (own: LinkName) => associate(params, own, call),
          activate: (own: LinkName) => step('activate', { tsi, link: own }, call),
          deassociate: (own: LinkName) => undo({ tsi, link: own }),
        };
        return ports.attach(link, tsi, macs[0] as MacAddr, steps, call.signal);
      }
      return associate(params, link, call, { upTo: 'activated', hints: NO_HINTS });
    },
    'tsi.activate': (key, call) => step('activate', key, call),
    'tsi.deactivate': (key, call) => step('deactivate', key, call),
    'tsi.deassociate': (key, call) => deassociate(key, call),
    'tsi.detach': ({ tsi, link }, call) => {
      if (link === undefined)
        throw nveError('NVE-RPC-003', { method: 'tsi.detach', problem: 'link: an agent needs the link' });
      return deassociate({ tsi, link: typeof link === 'string' ? link : linkOfPort(link) }, call);
    },
    'tsi.addresses.add': (params, call) => changeAddresses('add', params, call),
    'tsi.addresses.del': (params, call) => changeAddresses('remove', params, call),
    'tsi.suspend': (key, call) => step('deactivate', key, call, SUSPENDED),
    'tsi.resume': (key, call) => step('activate', key, call),
    'tsi.migrate': (params, call) => migrate(params, call),
    'tsi.list': ({ cursor }, { mayUse }) => {
      const rows = tsis.rows().filter(({ tsi, link }) => !isConnection(tsi) && mayUse(link));
      return pageOf(rows, ({ tsi, link }) => `${link} ${tsi}`, cursor);
    },
  };
}
