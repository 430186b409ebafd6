/** The VNs of the embedded authority by name, id and VNI, of which each is one VN's alone. */
import { err, nveError, ok, type Result, type VnId, type VnInfo, type VnName, type VnRef } from '#model';
import type { VnState } from './vn-state.js';

export class VnTable {
  readonly #byName = new Map<VnName, VnState>();
  readonly #byId = new Map<VnId, VnState>();
  readonly #byVni = new Map<number, VnState>();

  get(name: VnName): VnState | undefined {
    return this.#byName.get(name);
  }

  withId(vn: VnId): VnState | undefined {
    return this.#byId.get(vn);
  }

  /** By name, or by default VNI. */
  find(ref: VnRef): VnState | undefined {
    return typeof ref === 'string' ? this.#byName.get(ref) : this.#byVni.get(ref);
  }

  all(): IterableIterator<VnState> {
    return this.#byName.values();
  }

  /** NVE-NVA-009 if two of `put` have a name, an id or a VNI, or another VN that stays has it. */
  check(put: readonly VnInfo[], deleted: ReadonlySet<VnName>): Result<null> {
    const isLeft = ({ info: { name } }: VnState) => deleted.has(name) || names.has(name);
    const names = new Map<VnName, VnName>();
    const ids = new Map<VnId, VnName>();
    const vnis = new Map<number, VnName>();
    for (const { name, vn, vni } of put) {
      const taken = clash('name', name, name, names) ?? clash('VN id', vn, name, ids) ?? clash('VNI', vni, name, vnis);
      if (taken !== null) return taken;
    }
    for (const { vn, vni } of put) {
      for (const [what, value, other] of [
        ['VN id', vn, this.#byId.get(vn)],
        ['VNI', vni, this.#byVni.get(vni)],
      ] as const) {
        if (other !== undefined && !isLeft(other))
          return err(nveError('NVE-NVA-009', { what, value, other: other.info.name }));
      }
    }
    return ok(null);
  }

  add(state: VnState): void {
    const { name, vn, vni } = state.info;
    this.#byName.set(name, state);
    this.#byId.set(vn, state);
    this.#byVni.set(vni, state);
  }

  remove({ info: { name, vn, vni } }: VnState): void {
    this.#byName.delete(name);
    this.#byId.delete(vn);
    this.#byVni.delete(vni);
  }
}

function clash<K>(what: string, value: K, name: VnName, seen: Map<K, VnName>) {
  const other = seen.get(value);
  if (other !== undefined) return err(nveError('NVE-NVA-009', { what, value, other }));
  seen.set(value, name);
  return null;
}
