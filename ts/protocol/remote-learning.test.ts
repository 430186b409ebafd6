import { expect, it } from 'vitest';
import type { IpAddr, MacAddr, VnId } from '#model';
import { HOLD_MS, MAX_MOVES, MOVES_MS } from './damping.js';
import { MAX_REMOTE, RemoteLearning, type RemoteLearningEffect } from './remote-learning.js';

const VN = 7 as VnId;
const OTHER = 8 as VnId;
const ONE = '192.0.2.1' as IpAddr;
const TWO = '192.0.2.2' as IpAddr;
const macOf = (number: number): MacAddr =>
  `02:00:00:00:${[number >> 8, number & 255].map((octet) => octet.toString(16).padStart(2, '0')).join(':')}` as MacAddr;
const MAC = macOf(1);

class Rig {
  readonly machine = new RemoteLearning();
  now = 1_000;

  seen(mac: MacAddr, remote: IpAddr, isNamed = false, vn = VN): RemoteLearningEffect[] {
    return this.machine.handle({ type: 'seen', vn, mac, remote, isNamed }, this.now);
  }

  do(event: Parameters<RemoteLearning['handle']>[0]): RemoteLearningEffect[] {
    return this.machine.handle(event, this.now);
  }
}

const place = (mac: MacAddr, remote: IpAddr, vn = VN) => ({ type: 'place', vn, mac, remote });
const remove = (mac: MacAddr, remote: IpAddr, vn = VN) => ({ type: 'remove', vn, mac, remote });

it('a MAC is placed where it is seen, once, and moves where it is seen next', () => {
  const rig = new Rig();
  expect(rig.seen(MAC, ONE)).toEqual([place(MAC, ONE)]);
  expect(rig.seen(MAC, ONE)).toEqual([]);
  expect(rig.seen(MAC, TWO)).toEqual([place(MAC, TWO)]);
  expect(rig.seen(MAC, ONE, false, OTHER)).toEqual([place(MAC, ONE, OTHER)]);
});

it('it goes when it has aged, when somebody names it, with its NVE and with the VN', () => {
  const rig = new Rig();
  rig.seen(MAC, ONE);
  expect(rig.do({ type: 'aged', vn: VN, mac: MAC })).toEqual([remove(MAC, ONE)]);
  expect(rig.do({ type: 'aged', vn: VN, mac: MAC })).toEqual([]);
  rig.seen(MAC, ONE);
  expect(rig.do({ type: 'claimed', vn: VN, mac: MAC })).toEqual([remove(MAC, ONE)]);
  rig.seen(macOf(1), ONE);
  rig.seen(macOf(2), TWO);
  rig.seen(macOf(3), ONE);
  expect(rig.do({ type: 'gone', vn: VN, remote: ONE })).toEqual([remove(macOf(1), ONE), remove(macOf(3), ONE)]);
  expect(rig.do({ type: 'ended', vn: VN })).toEqual([remove(macOf(2), TWO)]);
  expect(rig.do({ type: 'ended', vn: VN })).toEqual([]);
});

it('a MAC that somebody names is not learned, and that is told once a minute', () => {
  const rig = new Rig();
  const refuse = (count: number) => [{ type: 'refuse', vn: VN, mac: MAC, remote: ONE, reason: 'named', count }];
  expect(rig.seen(MAC, ONE, true)).toEqual(refuse(1));
  expect(rig.seen(MAC, ONE, true)).toEqual([]);
  rig.now += HOLD_MS;
  expect(rig.seen(MAC, ONE, true)).toEqual(refuse(2));
});

it('one that moves too often stays where it is until it has been quiet', () => {
  const rig = new Rig();
  rig.seen(MAC, ONE);
  for (let move = 1; move <= MAX_MOVES; move++) expect(rig.seen(MAC, move % 2 ? TWO : ONE)).toHaveLength(1);
  expect(rig.seen(MAC, ONE)).toMatchObject([{ type: 'refuse', reason: 'restless' }]);
  expect(rig.seen(MAC, ONE)).toEqual([]);
  rig.now += MOVES_MS;
  expect(rig.seen(MAC, ONE)).toEqual([place(MAC, ONE)]);
});

it('a VN has no more than its share, and another VN has its own', () => {
  const rig = new Rig();
  for (let number = 0; number < MAX_REMOTE; number++) rig.seen(macOf(number), ONE);
  expect(rig.seen(macOf(MAX_REMOTE), ONE)).toMatchObject([{ type: 'refuse', reason: 'full' }]);
  expect(rig.seen(macOf(5), TWO), 'a move needs no room').toEqual([place(macOf(5), TWO)]);
  expect(rig.seen(macOf(MAX_REMOTE), ONE, false, OTHER)).toHaveLength(1);
  rig.do({ type: 'aged', vn: VN, mac: macOf(9) });
  expect(rig.seen(macOf(MAX_REMOTE), ONE)).toEqual([place(macOf(MAX_REMOTE), ONE)]);
});
