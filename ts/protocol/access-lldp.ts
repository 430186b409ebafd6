/** How the NVE shows itself in LLDP: the same chassis on all its ports and channels, a port id for each. */
import type { LinkName } from '#model';
import { CHASSIS_ID_SUBTYPES, lldpText, PORT_ID_SUBTYPES } from '#wire';
import { LldpAgent } from './lldp.js';
import { LLDP_TIMES, type LldpOptions } from './lldp-events.js';

export interface AccessLldpOptions extends Required<Pick<LldpOptions, 'address' | 'maxNeighbours' | 'isInUse'>> {
  /** The node's name: by it neighbours know two ports for one bridge's. */
  readonly node: string;
  readonly link: LinkName;
}

export function accessLldp({ node, link, ...options }: AccessLldpOptions): LldpAgent {
  return new LldpAgent({
    ...LLDP_TIMES,
    ...options,
    chassisId: { subtype: CHASSIS_ID_SUBTYPES.local, octets: lldpText(node) },
    portId: { subtype: PORT_ID_SUBTYPES.local, octets: lldpText(link) },
  });
}
