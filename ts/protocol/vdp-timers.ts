/**
 * VDP's timers (IEEE 802.1Q clauses 41.5.5.5, .7, .9, .13 and .14) out of the operational values of EVB, in milliseconds.
 * Exponents count in units of 10 µs.
 */
import type { EvbParameters } from './evb-events.js';

export const DEFAULT_VDP_PARAMETERS: EvbParameters = { retries: 3, rte: 8, rwd: 20, rka: 20 };

function ms(exponent: number): number {
  return 0.01 * 2 ** exponent;
}

/** Longest time that one PDU and its answer spend in ECP: each may be sent R + 1 times. */
function delivery({ retries, rte }: EvbParameters): number {
  return (2 * retries + 1) * ms(rte);
}

/** How long the bridge may take to finish a command. */
export function resourceWaitDelay({ rwd }: EvbParameters): number {
  return ms(rwd);
}

/** How long the station waits for the response. */
export function respWaitDelay(parameters: EvbParameters): number {
  return 1.5 * (delivery(parameters) + ms(parameters.rwd));
}

/** After which silence the station sends a keep-alive. */
export function reinitKeepAlive({ rka }: EvbParameters): number {
  return ms(rka);
}

/** After which silence of the station the bridge ends the association. */
export function toutKeepAlive(parameters: EvbParameters): number {
  return 1.5 * (delivery(parameters) + ms(parameters.rka));
}
