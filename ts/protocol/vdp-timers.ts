/**
 * VDP's timers (IEEE 802.1Q clauses 41.5.5.5, .7, .9, .13 and .14) out of the operational values of EVB, in milliseconds.
 * Exponents count in units of 10 µs.
 */
import type { EvbParameters } from './evb-events.js';
import { exponentMs } from './evb-tlv.js';

/** Longest time that one PDU and its answer spend in ECP: each may be sent R + 1 times. */
function delivery({ retries, rte }: EvbParameters): number {
  return (2 * retries + 1) * exponentMs(rte);
}

/** How long the bridge may take to finish a command. */
export function resourceWaitDelay({ rwd }: EvbParameters): number {
  return exponentMs(rwd);
}

/** How long the station waits for the response. */
export function respWaitDelay(parameters: EvbParameters): number {
  return 1.5 * (delivery(parameters) + exponentMs(parameters.rwd));
}

/** After which silence the station sends a keep-alive. */
export function reinitKeepAlive({ rka }: EvbParameters): number {
  return exponentMs(rka);
}

/** After which silence of the station the bridge ends the association. */
export function toutKeepAlive(parameters: EvbParameters): number {
  return 1.5 * (delivery(parameters) + exponentMs(parameters.rka));
}
