/** For tests of the TSI life cycle: a table on two links, short names for events, and effects in one line each. */
import {
  type Association,
  err,
  type IpAddr,
  type LinkName,
  type MacAddr,
  type Mtu,
  type NveError,
  nveError,
  ok,
  type TagAllocation,
  type TsiId,
  type TsiKey,
  tsiKeyText,
  type VnId,
  type VnInfo,
  type Vni,
  type VnName,
  vidOfTag,
  vnRefText,
} from '#model';
import { TsiTable } from '../tsi.js';
import type { TsiEffect, TsiEvent } from '../tsi-events.js';
import { cTagLinks } from './tags.js';

export const mac = (n: number) => `02:00:00:00:00:${n.toString(16).padStart(2, '0')}` as MacAddr;
export const key = (tsi = 't1', link = 'acc0'): TsiKey => ({ tsi: tsi as TsiId, link: link as LinkName });
export const vnInfo = (name = 'blue', vn = 7): VnInfo => ({
  vn: vn as VnId,
  name: name as VnName,
  vni: (5000 + vn) as Vni,
  mtu: 1450 as Mtu,
  gateway: null,
});
export const DENIED = nveError('NVE-NVA-002', { tsi: 't1', vn: 'blue', reason: 'no rule' });
export const REFUSED = nveError('NVE-ENG-000', { reason: 'table full' });

export class TsiRig {
  readonly table: TsiTable;
  /** The latest `askAuth` and the latest engine operation of each TSI. */
  readonly asked = new Map<string, number>();
  readonly ops = new Map<string, number>();
  /** What a store knows by now. */
  readonly remembered = new Map<string, Association | null>();
  readonly tags: TagAllocation[] = [];
  #request = 0;
  now = 0;

  constructor(pool: readonly [number, number] = [100, 199], maxPerLink?: number) {
    const tags = cTagLinks(['acc0', 'acc1'], ...pool);
    this.table = new TsiTable(maxPerLink === undefined ? { tags } : { tags, maxPerLink: () => maxPerLink });
  }

  /** The request number of the latest request. */
  get request(): number {
    return this.#request;
  }

  do(event: TsiEvent): string[] {
    const effects = this.table.handle(event, this.now);
    for (const effect of effects) {
      if (effect.type === 'askAuth') this.asked.set(JSON.stringify(effect.key), effect.ask);
      if ('op' in effect) this.ops.set(JSON.stringify(effect.key), effect.op);
    }
    const lines: string[] = [];
    for (const effect of effects) {
      if (effect.type === 'remember') this.remembered.set(tsiKeyText(effect.key), effect.association);
      else if (effect.type === 'rememberTags') this.tags.push(...effect.allocations);
      else lines.push(line(effect));
    }
    return lines;
  }

  associate(macs = [1], of = key(), upTo: 'associated' | 'activated' = 'associated', vn = 'blue'): string[] {
    this.#request += 1;
    const ips = macs.map((n) => `10.0.0.${n}` as IpAddr);
    return this.do({
      type: 'associate',
      request: this.#request,
      key: of,
      vn: vn as VnName,
      macs: macs.map(mac),
      ips,
      upTo,
    });
  }

  attach(macs = [1], of = key(), vn = 'blue'): string[] {
    return this.associate(macs, of, 'activated', vn);
  }

  ask(type: 'activate' | 'deactivate' | 'deassociate', of = key()): string[] {
    this.#request += 1;
    return this.do({ type, request: this.#request, key: of });
  }

  addresses(macs: number[], of = key()): string[] {
    this.#request += 1;
    return this.do({ type: 'addresses', change: 'set', request: this.#request, key: of, macs: macs.map(mac), ips: [] });
  }

  expire(request = this.#request): string[] {
    return this.do({ type: 'expire', request, method: 'tsi.test', deadlineMs: 1000 });
  }

  allow(of = key(), vn = vnInfo()): string[] {
    return this.do({ type: 'auth', key: of, ask: this.asked.get(JSON.stringify(of)) ?? 0, result: ok(vn) });
  }

  deny(of = key(), error: NveError = DENIED): string[] {
    return this.do({ type: 'auth', key: of, ask: this.asked.get(JSON.stringify(of)) ?? 0, result: err(error) });
  }

  applied(of = key()): string[] {
    return this.do({ type: 'engine', key: of, op: this.ops.get(JSON.stringify(of)) ?? 0, result: ok(null) });
  }

  refused(of = key()): string[] {
    return this.do({ type: 'engine', key: of, op: this.ops.get(JSON.stringify(of)) ?? 0, result: err(REFUSED) });
  }

  /** Associated, or activated, with no surprise on the way. */
  settle(level: 'associated' | 'activated', macs = [1], of = key(), vn = vnInfo()): void {
    this.associate(macs, of, level, vn.name);
    this.allow(of, vn);
    this.applied(of);
    if (level === 'activated') this.applied(of);
  }

  state(of = key()): string {
    return this.table.row(of)?.state ?? 'init';
  }
}

/** `program t1@acc0 100 [1]`: what tests compare. */
export function line(effect: Exclude<TsiEffect, { type: 'remember' | 'rememberTags' }>): string {
  const where = 'key' in effect ? ` ${effect.key.tsi}@${effect.key.link}` : '';
  const tail = (macs: readonly MacAddr[]) => `[${macs.map((one) => Number.parseInt(one.slice(-2), 16)).join(' ')}]`;
  switch (effect.type) {
    case 'askAuth':
      return `askAuth${where} ${vnRefText(effect.vn)} ${tail(effect.macs)}`;
    case 'connectVn':
    case 'disconnectVn':
      return `${effect.type} ${effect.vn.name}`;
    case 'reserve':
    case 'release':
      return `${effect.type}${where} ${vidOfTag(effect.tag)}`;
    case 'program': {
      const removed = effect.removed.length > 0 ? ` -${tail(effect.removed)}` : '';
      return `program${where} ${vidOfTag(effect.tag)} ${tail(effect.macs)}${removed}${restored(effect)}${effect.firstOnVap ? ' first' : ''}`;
    }
    case 'unprogram':
      return `unprogram${where} ${vidOfTag(effect.tag)} ${tail(effect.macs)}${restored(effect)}${effect.lastOnVap ? ' last' : ''}`;
    case 'report':
      return `report ${effect.change}${where} ${tail(effect.macs)}`;
    case 'answer':
      return `answer ${effect.request} ${effect.result.ok ? (effect.result.value?.state ?? 'gone') : effect.result.error.code}`;
    case 'ended':
      return `ended${where} ${effect.error.code}`;
  }
}

function restored({ restore }: Extract<TsiEffect, { type: 'program' | 'unprogram' }>): string {
  return restore
    .map(({ mac: one, link, tag }) => ` ${Number.parseInt(one.slice(-2), 16)}->${link}/${vidOfTag(tag)}`)
    .join('');
}
