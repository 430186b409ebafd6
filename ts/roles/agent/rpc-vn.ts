// The RPC's methods about VNs on links (RFC 8394 section 3.1). A VN is connected with its first TSI and disconnected with its last; who
// wants it before, or longer, asks for it. Such a wish is itself a holder of the VN and its tag: a TSI `vn:NAME` without addresses, which
// goes through the same life cycle and the same authorization, and is never activated.

import type { Handlers, VnConnectionRow } from '#hypervisor';
import { type LinkName, nveError, type TsiId, type TsiKey, type TsiRow, type VnName } from '#model';
import type { AccessLinks } from './access/access-links.js';
import type { PortLinks } from './port-links.js';
import { rowOrFail, type Tsis } from './tsis.js';

const PREFIX = 'vn:';

export function isConnection(tsi: TsiId): boolean {
  return tsi.startsWith(PREFIX);
}

function keyOf(vn: VnName, link: LinkName): TsiKey {
  return { tsi: `${PREFIX}${vn}` as TsiId, link };
}

export function vnHandlers(
  tsis: Tsis,
  access: AccessLinks,
  ports: PortLinks,
): Required<Pick<Handlers, 'vn.connect' | 'vn.disconnect' | 'vn.connections'>> {
  return {
    'vn.connect': async ({ vn, link }, call) => {
      const key = keyOf(vn, link);
      // `learn`: that nobody names a MAC is no mistake.
      const wish = { type: 'associate', key, vn, macs: [], ips: [], learn: true, upTo: 'associated' } as const;
      const row = rowOrFail(await tsis.request(wish, call), key);
      return connectionOf(row, onConnection(tsis, row));
    },
    'vn.disconnect': async ({ vn, link }, call) => {
      // A station or a request may add one meanwhile: it is after this then.
      const there = onConnection(tsis, { vn, link });
      await Promise.all(
        there.map(async (key) => {
          await tsis.request({ type: 'deassociate', key }, call);
          access.ended(key, nveError('NVE-VDP-005', { vsi: key.tsi, reason: call.method }));
          await ports.unplug(key.link);
        }),
      );
      return {};
    },
    'vn.connections': (_, { mayUse }) => {
      const connections = new Map<string, { first: TsiRow; rows: TsiRow[] }>();
      for (const row of tsis.rows().filter(({ link }) => mayUse(link))) {
        const key = `${row.link} ${row.vn}`;
        const connection = connections.get(key);
        if (connection === undefined) connections.set(key, { first: row, rows: [row] });
        else connection.rows.push(row);
      }
      return [...connections]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([, { first, rows }]) => connectionOf(first, rows));
    },
  };
}

type Connection = Pick<TsiRow, 'vn' | 'link'>;

function onConnection(tsis: Tsis, { vn, link }: Connection): TsiRow[] {
  return tsis.rows().filter((row) => row.vn === vn && row.link === link);
}

/** `rows`: the TSIs on it. */
function connectionOf({ vn, link }: Connection, rows: readonly TsiRow[]): VnConnectionRow {
  const tagged = rows.find(({ tag }) => tag !== null);
  return {
    vn,
    link,
    tag: tagged?.tag ?? null,
    mtu: tagged?.mtu ?? null,
    gateway: tagged?.gateway ?? null,
    held: rows.some(({ tsi }) => isConnection(tsi)),
    tsis: rows.filter(({ tsi }) => !isConnection(tsi)).length,
  };
}
