// What the machines of an access port want to know of the configuration, and of the time before a restart.

import { z } from 'zod';
import type { AgentConfig, LinkName } from '#model';
import { CDCP_DEFAULTS, type CdcpAssignment, CdcpBridge } from '#protocol';
import type { Store } from '#store';
import type { AccessConfig } from '../links.js';
import type { ServedPort } from './access-links.js';

/** `remembered`: which SVIDs stations had before a restart. */
export function servedPort(
  { cdcp }: AgentConfig,
  access: AccessConfig,
  remembered: readonly CdcpAssignment[],
): ServedPort {
  const { port: name, reflective_relay: reflectiveRelay, ecp_address: address, scheme } = access;
  const made = scheme === 's-channel' ? cdcpBridge(cdcp, access, remembered) : null;
  return { name, reflectiveRelay, address, cdcp: made };
}

function cdcpBridge(
  { role, hold_ms: graceMs }: AgentConfig['cdcp'],
  { channels, svid_pool: pool }: AccessConfig,
  remembered: readonly CdcpAssignment[],
): CdcpBridge {
  const low = pool[0]?.from ?? 0;
  const high = pool.at(-1)?.to ?? 0;
  const isInPool = (svid: number): boolean => pool.some(({ from, to }) => from <= svid && svid <= to);
  const all = Array.from({ length: high - low + 1 }, (_, i) => low + i);
  return new CdcpBridge({
    ...CDCP_DEFAULTS,
    stationBit: role === 0 ? 1 : 0,
    // The default channel counts.
    channels: channels + 1,
    graceMs,
    svidPool: { low, high },
    reserved: all.filter((svid) => !isInPool(svid)),
    remembered,
  });
}

/** The store's kind of fact: which SVID a station has for an SCID. */
const CDCP = 'cdcp';
const FactSchema = z.object({ port: z.string(), station: z.string(), scid: z.int(), svid: z.int() });

export function rememberChannel(store: Store | undefined, port: LinkName, assignment: CdcpAssignment): void {
  const { station, scid, svid } = assignment;
  store?.putFact(CDCP, `${port} ${station} ${scid}`, { port, station, scid, svid });
}

export function channelsOf(store: Store | undefined, port: LinkName): CdcpAssignment[] {
  return (store?.facts(CDCP) ?? []).flatMap(({ value }) => {
    const fact = FactSchema.safeParse(value);
    return fact.success && fact.data.port === port ? [fact.data] : [];
  });
}
