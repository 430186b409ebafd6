// What the machines of an access port want to know of the configuration, and of the time before a restart.

import { z } from 'zod';
import { type AgentConfig, type LinkName, VidSchema } from '#model';
import { CDCP_DEFAULTS, type CdcpAssignment, CdcpBridge, type SChannel } from '#protocol';
import type { Store } from '#store';
import type { AccessConfig } from '../links.js';
import type { ServedPort } from './access-links.js';

/** `held`: of `channelsBefore`. */
export function servedPort(
  { cdcp }: AgentConfig,
  access: AccessConfig,
  store: Store | undefined,
  held: ServedPort['held'],
): ServedPort {
  const { port: name, reflective_relay: reflectiveRelay, ecp_address: address, scheme } = access;
  const made = scheme === 's-channel' ? cdcpBridge(cdcp, access, assignmentsOf(store, ASSIGNED, name)) : null;
  return { name, reflectiveRelay, address, cdcp: made, held };
}

function cdcpBridge(
  { role, hold_ms: graceMs }: AgentConfig['cdcp'],
  { channels, svid_pool: pool }: AccessConfig,
  remembered: readonly CdcpAssignment[],
): CdcpBridge {
  const low = pool[0]?.from ?? 0;
  const high = pool.at(-1)?.to ?? 0;
  const all = Array.from({ length: high - low + 1 }, (_, i) => low + i);
  return new CdcpBridge({
    ...CDCP_DEFAULTS,
    stationBit: role === 0 ? 1 : 0,
    // The default channel counts.
    channels: channels + 1,
    graceMs,
    svidPool: { low, high },
    reserved: all.filter((svid) => !isInPool(pool, svid)),
    remembered,
  });
}

function isInPool(pool: AccessConfig['svid_pool'], svid: number): boolean {
  return pool.some(({ from, to }) => from <= svid && svid <= to);
}

/** The store's kinds of facts: which SVID a station had last for an SCID, and which channels there are now. */
const ASSIGNED = 'cdcp';
const UP = 's-channel';
const FactSchema = z.object({ port: z.string(), station: z.string(), scid: z.int(), svid: VidSchema });

export function rememberAssignment(store: Store | undefined, port: LinkName, assignment: CdcpAssignment): void {
  const { station, scid, svid } = assignment;
  store?.putFact(ASSIGNED, `${port} ${station} ${scid}`, { port, station, scid, svid });
}

export function rememberChannel(store: Store | undefined, port: LinkName, channel: SChannel, isUp: boolean): void {
  const { scid, svid, peer: station } = channel;
  store?.putFact(UP, `${port} ${svid}`, isUp ? { port, station, scid, svid } : null);
}

/** The S-channels that there were when the agent ended, as far as the configuration still allows them. */
export function channelsBefore(store: Store | undefined, access: AccessConfig) {
  const { port, scheme, vdp, channels, svid_pool: pool } = access;
  const were = assignmentsOf(store, UP, port);
  const isOn = vdp && scheme === 's-channel';
  const may = were.filter(({ station, svid }) => isOn && station === were[0]?.station && isInPool(pool, svid));
  const held = may.slice(0, channels);
  for (const { svid } of were) if (!held.some((one) => one.svid === svid)) store?.putFact(UP, `${port} ${svid}`, null);
  return held;
}

function assignmentsOf(store: Store | undefined, kind: string, port: LinkName) {
  return (store?.facts(kind) ?? []).flatMap(({ value }) => {
    const fact = FactSchema.safeParse(value);
    return fact.success && fact.data.port === port ? [fact.data] : [];
  });
}
