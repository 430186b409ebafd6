/** Requests that wait for a TSI to get somewhere, and how they end. */
import { err, type NveError, nveError, ok } from '#model';
import type { TsiOut } from './tsi-out.js';
import { INIT, levelOf, rowOf, type TsiRecord, type Waiter } from './tsi-record.js';

/** Answers those whose wish is true now. The record is at rest. */
export function settle(record: TsiRecord, out: TsiOut): void {
  const level = levelOf(record.phase);
  const content = ({ direction, want, version }: Waiter) =>
    direction === 'up' ? level >= want && record.addresses.version >= version : level <= want;
  for (const { request } of take(record, content)) out.answer(request, ok(rowOf(record)));
}

/** A later request (`by`) made it impossible to wait any longer. */
export function overtake(record: TsiRecord, which: (waiter: Waiter) => boolean, by: string, out: TsiOut): void {
  const { tsi, link } = record.key;
  for (const { request, method } of take(record, (waiter) => waiter.direction === 'up' && which(waiter))) {
    out.answer(request, err(nveError('NVE-TSI-006', { request: method, tsi, link, by })));
  }
}

/** Gives those who failed. */
export function fail(record: TsiRecord, which: (waiter: Waiter) => boolean, error: NveError, out: TsiOut): Waiter[] {
  const failed = take(record, which);
  for (const { request } of failed) out.answer(request, err(error));
  return failed;
}

/** The TSI is in Init: who waited for that is content, everybody else gets `error`. */
export function settleInit(record: TsiRecord, error: NveError | null, out: TsiOut): void {
  const { tsi, link } = record.key;
  for (const { request, direction, want } of take(record, () => true)) {
    const content = direction === 'down' && want === INIT;
    out.answer(request, content ? ok(null) : err(error ?? nveError('NVE-TSI-001', { tsi, link })));
  }
}

function take(record: TsiRecord, which: (waiter: Waiter) => boolean): Waiter[] {
  const taken = record.waiters.filter(which);
  record.waiters = record.waiters.filter((waiter) => !taken.includes(waiter));
  return taken;
}
