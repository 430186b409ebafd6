/**
 * What TSIs share: the VAP of their (link, VN), the VN itself, and during a move the MACs of the same TSI on two links. Kept
 * as of the effects that were issued, since the engine executes them in their order; a refused one is taken back.
 */
import type { LinkName, MacAddr, Tag, VnId } from '#model';
import type { Given, TsiRecord } from './tsi-record.js';

export class TsiSharing {
  /** Records from `reserve` to the end of `release`. */
  readonly #ofVn = new Map<VnId, Set<TsiRecord>>();
  /** Records that are programmed on a VAP. */
  readonly #ofVap = new Map<string, Set<TsiRecord>>();
  /** Whose VAP the row of a MAC names: the last; before it, those that it was taken over from. */
  readonly #ofMac = new Map<string, TsiRecord[]>();

  /** True if it is the VN's first. */
  enterVn(vn: VnId, record: TsiRecord): boolean {
    return enter(this.#ofVn, vn, record);
  }

  /** True if it was the VN's last. */
  leaveVn(vn: VnId, record: TsiRecord): boolean {
    return leave(this.#ofVn, vn, record);
  }

  enterVap(vn: VnId, record: TsiRecord): boolean {
    return enter(this.#ofVap, `${record.key.link} ${vn}`, record);
  }

  leaveVap(vn: VnId, record: TsiRecord): boolean {
    return leave(this.#ofVap, `${record.key.link} ${vn}`, record);
  }

  /** The rows of these MACs name the record's VAP from now on. */
  takeMacs(vn: VnId, macs: readonly MacAddr[], record: TsiRecord): void {
    for (const mac of macs) {
      const key = `${vn} ${mac}`;
      const owners = (this.#ofMac.get(key) ?? []).filter((owner) => owner !== record);
      this.#ofMac.set(key, [...owners, record]);
    }
  }

  /** The record gives the MACs up. */
  giveMacs(vn: VnId, macs: readonly MacAddr[], record: TsiRecord): Given {
    const gone: MacAddr[] = [];
    const restore: { mac: MacAddr; link: LinkName; tag: Tag }[] = [];
    const lost: MacAddr[] = [];
    for (const mac of macs) {
      const key = `${vn} ${mac}`;
      const owners = this.#ofMac.get(key) ?? [];
      const rest = owners.filter((owner) => owner !== record);
      if (rest.length === 0) this.#ofMac.delete(key);
      else this.#ofMac.set(key, rest);
      const heir = rest.at(-1);
      if (owners.at(-1) !== record) lost.push(mac);
      else if (heir?.tag) restore.push({ mac, link: heir.key.link, tag: heir.tag });
      else gone.push(mac);
    }
    return { gone, restore, lost };
  }

  /** The engine refused to let go: as before `giveMacs`. */
  takeBack(vn: VnId, given: Given, record: TsiRecord): void {
    this.takeMacs(vn, [...given.gone, ...given.restore.map(({ mac }) => mac)], record);
    for (const mac of given.lost) {
      const key = `${vn} ${mac}`;
      this.#ofMac.set(key, [record, ...(this.#ofMac.get(key) ?? [])]);
    }
  }
}

function enter<K>(map: Map<K, Set<TsiRecord>>, key: K, record: TsiRecord): boolean {
  const members = map.get(key);
  if (members === undefined) {
    map.set(key, new Set([record]));
    return true;
  }
  members.add(record);
  return false;
}

function leave<K>(map: Map<K, Set<TsiRecord>>, key: K, record: TsiRecord): boolean {
  const members = map.get(key);
  if (members === undefined || !members.delete(record) || members.size > 0) return false;
  map.delete(key);
  return true;
}
