import { describe, expect, it } from 'vitest';
import type { Delivery, IpAddr, NveId } from '#model';
import { VnDelivery } from './vn-delivery.js';

const HEAD_END: Delivery = { kind: 'head-end' };
const GROUP: Delivery = { kind: 'multicast', group: '239.1.1.1' as IpAddr };
const OTHER: Delivery = { kind: 'multicast', group: '239.1.1.2' as IpAddr };
const NODE: Delivery = { kind: 'node', nveId: 'node' as NveId };
const WAYS = [HEAD_END, GROUP, OTHER, NODE];

describe('a change of how broadcast goes', () => {
  const pairs = WAYS.flatMap((from) => WAYS.filter((to) => to !== from).map((to) => [from, to] as const));

  // Two NVEs that hear of it at different times: at each instant each of them hears what the other sends.
  it.each(pairs)('%j to %j loses nothing, though one hears of it seconds later', (from, to) => {
    for (const late of [0, 1, 500, 9_500]) {
      const [early, slow] = [new VnDelivery(from), new VnDelivery(from)];
      early.want(to, 0);
      for (let now = 0; now < 80_000; now += 100) {
        if (now >= late) slow.want(to, now);
        early.handle(now);
        slow.handle(now);
        // Copies of a member are always taken.
        for (const [sender, hearer] of [
          [early, slow],
          [slow, early],
        ] as const)
          expect(sender.sent.kind === 'head-end' || hearer.heard.includes(sender.sent), `${late} ${now}`).toBe(true);
      }
      for (const one of [early, slow]) expect([one.sent, one.heard, one.due]).toEqual([to, [to], null]);
    }
  });
});

it('what is wanted is heard at once and sent when others hear it, and the old way is heard for long', () => {
  const delivery = new VnDelivery(HEAD_END);
  expect([delivery.sent, delivery.due]).toEqual([HEAD_END, null]);
  delivery.want(GROUP, 1_000);
  expect([delivery.sent, delivery.heard, delivery.due]).toEqual([HEAD_END, [GROUP, HEAD_END], 11_000]);
  delivery.handle(10_999);
  expect(delivery.sent).toEqual(HEAD_END);
  delivery.handle(11_000);
  expect([delivery.sent, delivery.heard, delivery.due]).toEqual([GROUP, [GROUP, HEAD_END], 61_000]);
  delivery.handle(61_000);
  expect([delivery.heard, delivery.due]).toEqual([[GROUP], null]);
});

it('who changes their mind before anything was sent goes on as before', () => {
  const delivery = new VnDelivery(GROUP);
  delivery.want(OTHER, 0);
  delivery.want(GROUP, 1_000);
  expect([delivery.sent, delivery.heard, delivery.due]).toEqual([GROUP, [GROUP, OTHER], 61_000]);
  delivery.want(GROUP, 2_000);
  expect(delivery.due, 'told again, nothing is new').toBe(61_000);
  delivery.want(HEAD_END, 3_000);
  expect([delivery.sent, delivery.heard]).toEqual([HEAD_END, [HEAD_END, OTHER, GROUP]]);
});
