/**
 * The single steps of a TSI: each changes the record's phase and issues the effect that the new phase waits for. When to
 * take which step is decided in `tsi-machine.ts`.
 */
import { type NveError, nveError, ok, type Result, type Tag, tsiKeyText, type VnInfo } from '#model';
import type { TagAllocator } from './tags.js';
import type { TsiOut } from './tsi-out.js';
import { type Addresses, type TsiRecord, type Versioned, without } from './tsi-record.js';
import { TsiSharing } from './tsi-sharing.js';

export class TsiSteps {
  readonly #tags: TagAllocator;
  readonly #out: TsiOut;
  readonly #sharing = new TsiSharing();

  constructor(tags: TagAllocator, out: TsiOut) {
    this.#tags = tags;
    this.#out = out;
  }

  askAuth(record: TsiRecord, { macs, ips }: Addresses): void {
    const { key, asked } = record;
    this.#out.push({ type: 'askAuth', key, ask: this.#ask(record), vn: record.vn?.name ?? asked, macs, ips });
  }

  /** Init to `reserving`: the first moment at which anything is allocated. */
  reserve(record: TsiRecord, vn: VnInfo): Result<null> {
    const { key } = record;
    const tag = this.#tags.acquire(key, vn, record.wish);
    if (!tag.ok) return tag;
    record.vn = vn;
    record.tag = tag.value;
    if (this.#sharing.enterVn(vn.vn, record)) this.#out.push({ type: 'connectVn', vn });
    record.phase = 'reserving';
    this.#out.push({ type: 'reserve', key, op: this.#ask(record), vn, tag: tag.value });
    return ok(null);
  }

  recheck(record: TsiRecord, next: Addresses): void {
    record.phase = record.phase === 'activated' ? 'recheck-activated' : 'recheck-associated';
    this.askAuth(record, next);
  }

  /** Whatever the NVA will answer, it does not matter any more. */
  endRecheck(record: TsiRecord): void {
    if (record.phase === 'recheck-associated') record.phase = 'associated';
    else if (record.phase === 'recheck-activated') record.phase = 'activated';
    else return;
    record.pending = 0;
  }

  program(record: TsiRecord): void {
    const { vn, tag } = held(record);
    const { key, addresses, learn } = record;
    const { macs } = addresses;
    record.phase = 'activating';
    const firstOnVap = this.#sharing.enterVap(vn.vn, record);
    this.#sharing.takeMacs(vn.vn, macs, record);
    const op = this.#ask(record);
    this.#out.push({ type: 'program', key, op, vn, tag, macs, removed: [], restore: [], learn, firstOnVap });
  }

  programRefused(record: TsiRecord): void {
    const { vn } = held(record);
    this.#sharing.giveMacs(vn.vn, record.addresses.macs, record);
    this.#sharing.leaveVap(vn.vn, record);
    record.phase = 'associated';
  }

  update(record: TsiRecord, updating: Versioned): void {
    const { vn, tag } = held(record);
    const { key, addresses, learn } = record;
    record.phase = 'updating';
    record.updating = updating;
    const macs = without(updating.macs, addresses.macs);
    const gave = this.#sharing.giveMacs(vn.vn, without(addresses.macs, updating.macs), record);
    record.gave = gave;
    this.#sharing.takeMacs(vn.vn, macs, record);
    const op = this.#ask(record);
    const { gone: removed, restore } = gave;
    this.#out.push({ type: 'program', key, op, vn, tag, macs, removed, restore, learn, firstOnVap: false });
  }

  updateRefused(record: TsiRecord, updating: Versioned): void {
    const { vn } = held(record);
    this.#sharing.giveMacs(vn.vn, without(updating.macs, record.addresses.macs), record);
    if (record.gave !== null) this.#sharing.takeBack(vn.vn, record.gave, record);
  }

  unprogram(record: TsiRecord): void {
    const { vn, tag } = held(record);
    const { key, addresses } = record;
    this.endRecheck(record);
    // The others stop sending here before the row goes.
    this.report(record, 'detach');
    record.phase = 'deactivating';
    const gave = this.#sharing.giveMacs(vn.vn, addresses.macs, record);
    record.gave = gave;
    const lastOnVap = this.#sharing.leaveVap(vn.vn, record);
    const op = this.#ask(record);
    const { gone: macs, restore } = gave;
    this.#out.push({ type: 'unprogram', key, op, vn, tag, macs, restore, lastOnVap });
  }

  /** It forwards as before, so everybody has to know it as before. */
  unprogramRefused(record: TsiRecord): void {
    const { vn } = held(record);
    this.#sharing.enterVap(vn.vn, record);
    if (record.gave !== null) this.#sharing.takeBack(vn.vn, record.gave, record);
    record.phase = 'activated';
    this.report(record, 'attach');
  }

  release(record: TsiRecord): void {
    const { vn, tag } = held(record);
    this.endRecheck(record);
    record.phase = 'releasing';
    this.#out.push({ type: 'release', key: record.key, op: this.#ask(record), vn, tag });
  }

  /** Init again: the tag is free, and the VN if it was its last TSI. */
  forget(record: TsiRecord): void {
    const { key, vn } = record;
    if (vn === null) return;
    this.#tags.release(key, vn.vn);
    if (this.#sharing.leaveVn(vn.vn, record)) this.#out.push({ type: 'disconnectVn', vn });
  }

  report(record: TsiRecord, change: 'attach' | 'detach'): void {
    const { vn } = held(record);
    if (change === 'detach' && !record.reported) return;
    record.reported = change === 'attach';
    const { macs, ips } = record.addresses;
    this.#out.push({ type: 'report', change, key: record.key, vn: vn.vn, macs, ips });
  }

  #ask(record: TsiRecord): number {
    record.pending = this.#out.number();
    return record.pending;
  }
}

/** From `reserving` on a record has both. */
export function held(record: TsiRecord): { readonly vn: VnInfo; readonly tag: Tag } {
  const { vn, tag, key } = record;
  if (vn === null || tag === null) throw unheld(tsiKeyText(key));
  return { vn, tag };
}

function unheld(key: string): NveError {
  return nveError('NVE-SYS-003', { reason: `${key} has no VN or no tag` });
}
