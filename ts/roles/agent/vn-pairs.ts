// The IP-MAC pairs of one VN, as the NVA says which addresses its stations have (RFC 8014 section 4.3), as the engine's objects.

import type { IpAddr, MacAddr, VnId } from '#model';
import type { VnView } from '#nva';
import { type EngineObject, type ObjectKey, pairKey } from '../engine/objects.js';

export class VnPairs {
  readonly #vn: VnId;
  readonly #pairs = new Map<MacAddr, readonly IpAddr[]>();
  readonly #owners = new Map<IpAddr, MacAddr>();

  constructor(vn: VnId) {
    this.#vn = vn;
  }

  /** What these stations' addresses change. Of an address that two stations claim, the one has it that the NVA named last. */
  changes(macs: readonly MacAddr[], hosts: VnView['hosts'] | undefined): Map<ObjectKey, EngineObject | null> {
    const vn = this.#vn;
    const changes = new Map<ObjectKey, EngineObject | null>();
    for (const mac of macs) {
      const ips = hosts?.get(mac)?.ips ?? [];
      const gone = (this.#pairs.get(mac) ?? []).filter((ip) => !ips.includes(ip) && this.#owners.get(ip) === mac);
      for (const ip of gone) {
        this.#owners.delete(ip);
        changes.set(pairKey(vn, ip), null);
      }
      for (const ip of ips) {
        this.#owners.set(ip, mac);
        changes.set(pairKey(vn, ip), { op: 'PairSet', vn, ip, mac });
      }
      if (ips.length > 0) this.#pairs.set(mac, ips);
      else this.#pairs.delete(mac);
    }
    return changes;
  }
}
