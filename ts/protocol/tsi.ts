/**
 * All TSIs of one NVE: finds the record that an event is about, and refuses what cannot be before the life cycle
 * (`tsi-machine.ts`) sees it. Sans-IO: an event goes in, effects come out, and the answers to effects are events again.
 *
 * Invariants: the NVA is asked before anything is allocated; nothing is forwarded below Activated; a tag is free only after
 * the engine has forgotten it; a TSI is in one VN; a MAC of a VN belongs to one TSI, on however many links that TSI is.
 */
import {
  err,
  type LinkName,
  type MacAddr,
  type NveError,
  nveError,
  ok,
  type TsiAsker,
  type TsiHints,
  type TsiId,
  type TsiKey,
  type TsiRow,
  type TsiState,
  tsiKeyText,
  type VnId,
} from '#model';
import type { TagAllocator } from './tags.js';
import type { RequestId, RevokeScope, TsiEffect, TsiEvent } from './tsi-events.js';
import { TsiMachine } from './tsi-machine.js';
import { TsiOut } from './tsi-out.js';
import {
  ACTIVATED,
  type Addresses,
  ASSOCIATED,
  durableOf,
  INIT,
  newRecord,
  rowOf,
  stateOf,
  type TsiRecord,
  vnNameOf,
  wanted,
  without,
} from './tsi-record.js';
import { holds, MAX_ADDRESSES, TsiRefusals } from './tsi-refusals.js';
import { TsiSteps } from './tsi-steps.js';

export interface TsiTableOptions {
  /** Knows the access links and hands out their tags. */
  readonly tags: TagAllocator;
  /** TSIs that a link may carry; 4,096 by default. */
  readonly maxPerLink?: (link: LinkName) => number;
}

type Remark = { readonly hints?: TsiHints; readonly learn?: boolean; readonly asker?: TsiAsker };
type Associate = Extract<TsiEvent, { type: 'associate' }>;

export class TsiTable {
  readonly #tags: TagAllocator;
  readonly #refusals: TsiRefusals;
  readonly #records = new Map<string, TsiRecord>();
  readonly #ofLink = new Map<LinkName, Set<TsiRecord>>();
  readonly #ofTsi = new Map<TsiId, Set<TsiRecord>>();
  readonly #ofMac = new Map<MacAddr, Set<TsiRecord>>();
  readonly #down = new Map<LinkName, NveError>();
  /** What the event at hand may have changed. */
  readonly #touched = new Set<TsiRecord>();
  readonly #out = new TsiOut();
  readonly #machine: TsiMachine;

  constructor(options: TsiTableOptions) {
    this.#tags = options.tags;
    this.#refusals = new TsiRefusals({
      tags: options.tags,
      maxPerLink: options.maxPerLink ?? (() => 4096),
      down: this.#down,
      ofLink: this.#ofLink,
      ofTsi: this.#ofTsi,
      ofMac: this.#ofMac,
    });
    this.#machine = new TsiMachine(new TsiSteps(options.tags, this.#out), this.#out, {
      gone: (record) => this.#forget(record),
      conflict: (record, vn) =>
        this.#refusals.otherVn(record.key, vn.name, vn) ??
        this.#refusals.unfit(record.key, vn.name, record.addresses, true),
      again: (event) => this.#dispatch(event),
    });
  }

  /** `now`, in milliseconds, on any clock that only grows. */
  handle(event: TsiEvent, now: number): TsiEffect[] {
    this.#tags.advance(now);
    this.#dispatch(event);
    return [...this.#toRemember(), ...this.#out.take()];
  }

  /** What changed for a store. It is told first: whoever executes the effects in their order answers when it is kept. */
  #toRemember(): TsiEffect[] {
    const effects: TsiEffect[] = [];
    for (const record of this.#touched) {
      const isThere = this.#records.get(tsiKeyText(record.key)) === record;
      const association = isThere ? durableOf(record) : null;
      if (association === record.remembered) continue;
      record.remembered = association;
      effects.push({ type: 'remember', key: record.key, association });
    }
    this.#touched.clear();
    const allocations = this.#tags.takeChanges();
    if (allocations.length > 0) effects.push({ type: 'rememberTags', allocations });
    return effects;
  }

  /** All rows, by link and TSI. */
  rows(): TsiRow[] {
    const order = (row: TsiRow) => `${row.link} ${row.tsi}`;
    return [...this.#records.values()].map(rowOf).sort((a, b) => (order(a) < order(b) ? -1 : 1));
  }

  /** How many of the TSIs that `counts` are in each state. */
  states(counts: (tsi: TsiId) => boolean): Map<TsiState, number> {
    const found = new Map<TsiState, number>();
    for (const { key, phase } of this.#records.values()) {
      if (!counts(key.tsi)) continue;
      const state = stateOf(phase);
      found.set(state, (found.get(state) ?? 0) + 1);
    }
    return found;
  }

  /** A TSI of the VN has the MAC, or is to have it. */
  isNamed(vn: VnId, mac: MacAddr): boolean {
    return [...(this.#ofMac.get(mac) ?? [])].some((record) => record.vn?.vn === vn && holds(record, mac));
  }

  row(key: TsiKey): TsiRow | null {
    const record = this.#find(key);
    return record === undefined ? null : rowOf(record);
  }

  #dispatch(event: TsiEvent): void {
    if ('request' in event && 'key' in event) this.#out.asked(event.request, event.key);
    switch (event.type) {
      case 'associate':
        this.#associate(event);
        break;
      case 'activate':
        this.#activate(event);
        break;
      case 'addresses':
        this.#changeAddresses(event);
        break;
      case 'deactivate':
      case 'deassociate':
        this.#lower(event);
        break;
      case 'expire':
        this.#expire(event.request, nveError('NVE-RPC-004', { method: event.method, deadline_ms: event.deadlineMs }));
        break;
      case 'auth': {
        const record = this.#find(event.key);
        if (record?.pending === event.ask) this.#machine.authAnswered(record, event.result);
        break;
      }
      case 'engine': {
        const record = this.#find(event.key);
        if (record?.pending === event.op) this.#machine.engineAnswered(record, event.result);
        break;
      }
      case 'linkDown': {
        const error = event.error ?? nveError('NVE-TSI-005', { link: event.link });
        this.#down.set(event.link, error);
        for (const record of this.#onLink(event.link)) this.#machine.linkDown(record, error);
        break;
      }
      case 'linkUp':
        this.#down.delete(event.link);
        for (const record of this.#onLink(event.link)) this.#machine.linkUp(record);
        break;
      case 'vnChanged':
        for (const record of this.#records.values()) {
          if (record.vn?.vn !== event.vn.vn) continue;
          record.vn = event.vn;
          this.#touched.add(record);
        }
        break;
      case 'revoke':
        for (const record of this.#inScope(event.scope)) {
          if (record.goal === INIT) continue;
          this.#touched.add(record);
          this.#machine.end(record, event.reason);
        }
        break;
    }
  }

  #associate(event: Associate): void {
    const { request, key, vn } = event;
    const record = this.#find(key);
    if (record?.goal === INIT) {
      record.after.push(event);
      return;
    }
    const addresses = distinct(event);
    const waits = event.restored === true && event.upTo === 'activated' && this.#down.has(key.link);
    const goal = event.upTo === 'activated' && !waits ? ACTIVATED : ASSOCIATED;
    const refusal =
      this.#refusals.otherVn(key, vn) ??
      this.#refusals.otherTag(record, event.vid ?? null) ??
      this.#refusals.unfit(key, vn, addresses, event.learn === true || record?.learn === true) ??
      (goal === ACTIVATED ? this.#refusals.linkIsDown(key.link) : null) ??
      (record === undefined ? this.#refusals.noPlace(key.link) : null);
    if (refusal !== null) {
      this.#out.answer(request, err(refusal));
    } else if (record !== undefined) {
      record.wish ??= event.vid ?? null;
      this.#remark(record, { ...event, asker: event.asker ?? 'rpc' });
      this.#index(record, addresses.macs);
      this.#machine.raise(record, request, 'associate', goal, addresses);
    } else {
      const created = newRecord(key, vn, goal, { ...addresses, version: this.#out.number() });
      created.wish = event.vid ?? null;
      created.resume = waits;
      this.#remark(created, { ...event, asker: event.asker ?? 'rpc' });
      this.#remember(created);
      this.#machine.begin(created, request);
    }
  }

  #activate(event: Extract<TsiEvent, { type: 'activate' | 'deactivate' }>): void {
    const { request, key } = event;
    const record = this.#find(key);
    const refusal = this.#refusals.notThere(key, record) ?? this.#refusals.linkIsDown(key.link);
    if (record === undefined || refusal !== null) {
      if (refusal !== null) this.#out.answer(request, err(refusal));
      return;
    }
    this.#remark(record, event);
    this.#machine.raise(record, request, 'activate', ACTIVATED, wanted(record));
  }

  #changeAddresses(event: Extract<TsiEvent, { type: 'addresses' }>): void {
    const { request, key } = event;
    const record = this.#find(key);
    const addresses = record === undefined ? event : changed(wanted(record), event);
    const refusal =
      this.#refusals.notThere(key, record) ??
      (record === undefined ? null : this.#refusals.unfit(key, vnNameOf(record), addresses, record.learn));
    if (record === undefined || refusal !== null) {
      if (refusal !== null) this.#out.answer(request, err(refusal));
      return;
    }
    this.#index(record, addresses.macs);
    this.#machine.raise(record, request, 'addresses', ASSOCIATED, addresses);
  }

  #lower(event: Extract<TsiEvent, { type: 'activate' | 'deactivate' | 'deassociate' }>): void {
    const { type, request, key } = event;
    const record = this.#find(key);
    if (type === 'deassociate') {
      // De-associating what is not there is already done.
      if (record === undefined) this.#out.answer(request, ok(null));
      else this.#machine.lower(record, request, type, INIT);
      return;
    }
    const refusal = this.#refusals.notThere(key, record);
    if (refusal !== null) {
      this.#out.answer(request, err(refusal));
    } else if (record !== undefined) {
      this.#remark(record, event);
      this.#machine.lower(record, request, 'deactivate', ASSOCIATED);
    }
  }

  #expire(request: RequestId, error: NveError): void {
    const key = this.#out.subject(request);
    const record = key === undefined ? undefined : this.#find(key);
    if (record === undefined) return;
    const queued = record.after.findIndex((event) => event.request === request);
    if (queued >= 0) {
      record.after.splice(queued, 1);
      this.#out.answer(request, err(error));
    } else if (record.waiters.some((waiter) => waiter.request === request)) {
      this.#machine.expire(record, request, error);
    }
  }

  #find(key: TsiKey): TsiRecord | undefined {
    const record = this.#records.get(tsiKeyText(key));
    if (record !== undefined) this.#touched.add(record);
    return record;
  }

  #onLink(link: LinkName): TsiRecord[] {
    const records = [...(this.#ofLink.get(link) ?? [])];
    for (const record of records) this.#touched.add(record);
    return records;
  }

  #remember(record: TsiRecord): void {
    const { tsi, link } = record.key;
    this.#records.set(tsiKeyText(record.key), record);
    this.#touched.add(record);
    this.#ofLink.set(link, (this.#ofLink.get(link) ?? new Set()).add(record));
    this.#ofTsi.set(tsi, (this.#ofTsi.get(tsi) ?? new Set()).add(record));
    this.#index(record, record.addresses.macs);
  }

  /** So that whoever asks for one of these MACs meets the record. What it no longer has goes when there is much of it. */
  #index(record: TsiRecord, macs: readonly MacAddr[]): void {
    const { indexed } = record;
    for (const mac of macs) {
      indexed.add(mac);
      this.#ofMac.set(mac, (this.#ofMac.get(mac) ?? new Set()).add(record));
    }
    if (indexed.size <= 4 * MAX_ADDRESSES) return;
    for (const mac of indexed) if (!macs.includes(mac) && !holds(record, mac)) this.#unindex(record, mac);
  }

  #unindex(record: TsiRecord, mac: MacAddr): void {
    record.indexed.delete(mac);
    const same = this.#ofMac.get(mac);
    same?.delete(record);
    if (same?.size === 0) this.#ofMac.delete(mac);
  }

  #forget(record: TsiRecord): void {
    const { tsi, link } = record.key;
    this.#records.delete(tsiKeyText(record.key));
    this.#ofLink.get(link)?.delete(record);
    const same = this.#ofTsi.get(tsi);
    same?.delete(record);
    if (same?.size === 0) this.#ofTsi.delete(tsi);
    for (const mac of record.indexed) this.#unindex(record, mac);
  }

  #inScope(scope: RevokeScope): TsiRecord[] {
    if ('key' in scope) {
      const record = this.#records.get(tsiKeyText(scope.key));
      return record === undefined ? [] : [record];
    }
    if ('vn' in scope) return [...this.#records.values()].filter(({ vn }) => vn?.vn === scope.vn);
    return [...(('link' in scope ? this.#ofLink.get(scope.link) : this.#ofTsi.get(scope.tsi)) ?? [])];
  }

  /** What an accepted request says besides where the TSI shall go. */
  #remark(record: TsiRecord, { hints, learn, asker }: Remark): void {
    if (hints !== undefined) record.hints = hints;
    if (learn !== undefined) record.learn = learn;
    if (asker !== undefined) record.asker = asker;
  }
}

function changed(from: Addresses, { change, macs, ips }: Extract<TsiEvent, { type: 'addresses' }>): Addresses {
  switch (change) {
    case 'set':
      return distinct({ macs, ips });
    case 'add':
      return distinct({ macs: [...from.macs, ...macs], ips: [...from.ips, ...ips] });
    case 'remove':
      return { macs: without(from.macs, macs), ips: without(from.ips, ips) };
  }
}

function distinct({ macs, ips }: Addresses): Addresses {
  return { macs: [...new Set(macs)], ips: [...new Set(ips)] };
}
