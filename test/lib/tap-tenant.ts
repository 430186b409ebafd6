// A tenant of ours: the kernel's end of a tap, in a namespace of its own. The tap delivers finished checksums, so nothing is turned off.
import type { PortId } from '#dataplane';
import type { EngineProcess } from './engine.js';
import type { Lab } from './lab.js';
import type { Namespace } from './namespace.js';

export interface TapTenant {
  readonly name: string;
  readonly port: PortId;
  readonly mac: string;
  readonly ip: string;
  readonly mtu?: number;
}

/** Adds the port, and gives the tenant's namespace, in which the tap is `eth0`. */
export async function tapTenant(lab: Lab, engine: EngineProcess, tenant: TapTenant): Promise<Namespace> {
  const { name, port, mac, ip, mtu = 1500 } = tenant;
  const space = await lab.namespace(`near ${name}`);
  await engine.must({ op: 'PortAdd', port, name, mtu, kind: { driver: 'net_tap', iface: `t-${name}`, mac: null } });
  await engine.namespace.ip(`link set t-${name} netns ${space.pid}`);
  await space.ip(`link set t-${name} name eth0 address ${mac}`, `addr add ${ip}/24 dev eth0`, 'link set eth0 up');
  return space;
}
