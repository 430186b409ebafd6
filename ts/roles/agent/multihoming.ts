// Tenant systems behind several NVEs at a time (RFC 8014 section 4.4), as one of those NVEs sees them. Unicast may come by any of them.
// Broadcast comes to all, so one passes it on, and none gives a tenant back what it has sent itself by another: both by the list of
// frames to its VAP. Which one it is each NVE finds by itself from what the NVA says. Pure functions.

import type { AclId, AclRule } from '#dataplane';
import { type Acl, homesOf, type MacAddr, type NveId } from '#model';
import type { VnView } from '#nva';
import { aclObject } from '../engine/acls.js';
import type { EngineObject } from '../engine/objects.js';

const GROUP = '01:00:00:00:00:00' as MacAddr;
const WHOLE = 'ff:ff:ff:ff:ff:ff' as MacAddr;

/** Which NVE passes broadcast on to a VAP: of all that its MACs are behind, the one whose name comes first. */
export function forwarderOf(macs: readonly MacAddr[], view: VnView | null, self: NveId): NveId {
  const homes = macs.flatMap((mac) => {
    const host = view?.hosts.get(mac);
    return host?.others === undefined ? [] : homesOf(host);
  });
  const [first = self] = [self, ...homes].sort();
  return first;
}

/** The list for frames to the VAP: `base`, which the link has anyway, behind what keeps copies away. */
export function homeAcl(acl: AclId, macs: readonly MacAddr[], forwards: boolean, base: Acl | undefined): EngineObject {
  const fromItself = macs.map((mac): AclRule => ({ action: 'deny', srcMac: { mac, mask: WHOLE } }));
  const toGroups: AclRule[] = [{ action: 'deny', dstMac: { mac: GROUP, mask: GROUP } }];
  const list = aclObject(acl, base ?? { default: 'permit', rules: [] });
  return { ...list, rules: [...(forwards ? fromItself : toGroups), ...list.rules] };
}
