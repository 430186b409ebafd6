/**
 * What the EVB machines of both sides share: their parameters in the TLV (IEEE 802.1Q clause D.2.12), and those that hold.
 */
import type { EvbTlv } from '#wire';
import type { EvbParameters } from './evb-events.js';

export const EVB_DEFAULTS: EvbParameters = { retries: 3, rte: 8, rwd: 20, rka: 20 };

/** RTE, RWD and RKA are exponents of 10 µs. */
export function exponentMs(exponent: number): number {
  return 0.01 * 2 ** exponent;
}

/** The greater of each holds. Also where the remote only repeats our own: it may be an older one that it still uses. */
export function operationalOf(local: EvbParameters, remote: EvbTlv | null): EvbParameters {
  if (remote === null) return { ...local };
  return {
    retries: Math.max(local.retries, remote.retries),
    rte: Math.max(local.rte, remote.rte),
    rwd: Math.max(local.rwd, remote.rwd),
    rka: Math.max(local.rka, remote.rka),
  };
}

type Parameters = Pick<EvbTlv, 'retries' | 'rte' | 'rwd' | 'rwdRemote' | 'rka' | 'rkaRemote' | 'reserved'>;

/**
 * The parameters to advertise: our own R and RTE, for which the TLV cannot say whose they are, and RWD and RKA with ROL.
 * What the remote marks as ours (its ROL) is not taken for its own, or the two sides would hold each other up for ever.
 */
export function advertisedOf(local: EvbParameters, remote: EvbTlv | null): Parameters {
  const rwd = remote === null || remote.rwdRemote ? 0 : remote.rwd;
  const rka = remote === null || remote.rkaRemote ? 0 : remote.rka;
  return {
    retries: local.retries,
    rte: local.rte,
    rwd: Math.max(local.rwd, rwd),
    rwdRemote: rwd > local.rwd,
    rka: Math.max(local.rka, rka),
    rkaRemote: rka > local.rka,
    reserved: 0,
  };
}

export const NO_BRIDGE: EvbTlv['bridge'] = {
  groupId: false,
  reflectiveRelayCapable: false,
  reflectiveRelay: false,
  reserved: 0,
};

export const NO_STATION: EvbTlv['station'] = {
  groupId: false,
  reflectiveRelayRequest: false,
  reflectiveRelayStatus: 0,
  reserved: 0,
};

/** Whether the two are the same for every user of their values. */
export function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
