// The four tenants. On each host one in blue and one in red, with the same IP and MAC address in both VNs.

import { socketOf } from './paths.js';

export interface Tenant {
  /** The TSI's id, and the tenant's name. */
  readonly tsi: string;
  readonly vn: string;
  readonly host: 1 | 2;
  /** Its network namespace, and the name of its interface there. */
  readonly place: string;
  readonly ip: string;
  /** The first one is its interface's. */
  readonly macs: readonly string[];
}

export const VNS = [
  { vn: 'blue', vni: 5001 },
  { vn: 'red', vni: 5002 },
] as const;
/** The IP MTU of both. */
export const VN_MTU = 1500;

/** A second MAC of blue-1, which no tenant of red has. */
export const BLUE_ONLY_MAC = '02:00:00:00:00:b1';

export const TENANTS: readonly Tenant[] = [tenant('blue', 1), tenant('red', 1), tenant('blue', 2), tenant('red', 2)];

function tenant(vn: string, host: 1 | 2): Tenant {
  const macs = [`02:00:00:00:00:0${host}`];
  if (vn === 'blue' && host === 1) macs.push(BLUE_ONLY_MAC);
  return { tsi: `${vn}-${host}`, vn, host, place: `${vn}${host}`, ip: `10.0.0.${host}`, macs };
}

export function tenantOf(vn: string, host: 1 | 2): Tenant {
  // There is one of each.
  return TENANTS.find((one) => one.vn === vn && one.host === host) as Tenant;
}

/** The underlay address of a host's NVE. */
export function nveAddress(host: 1 | 2): string {
  return `192.0.2.${host}`;
}

export function otherHost(host: 1 | 2): 1 | 2 {
  return host === 1 ? 2 : 1;
}

export function attachLine({ tsi, vn, host, place, ip, macs }: Tenant): string {
  const addresses = [...macs.map((mac) => `--mac ${mac}`), `--ip ${ip}`].join(' ');
  const socket = socketOf(`tnve${host}`);
  return `splitnve tsi attach ${tsi} --socket ${socket} --vn ${vn} ${addresses} --tap ${place} --netns ${place}`;
}

export function detachLine({ tsi, host }: Tenant): string {
  return `splitnve tsi detach ${tsi} --socket ${socketOf(`tnve${host}`)}`;
}

/** What tenants themselves do with the interface that they got. */
export function addressLine(tenants: readonly Tenant[]): string {
  return tenants.map(({ place, ip }) => `ip -n ${place} addr add ${ip}/24 dev ${place}`).join(' && ');
}
