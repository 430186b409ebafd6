import { describe, expect, it } from 'vitest';
import type { LinkName, MacAddr } from '#model';
import { Inbox } from './inbox.js';

const A = '02:00:00:00:00:0a' as MacAddr;
const B = '02:00:00:00:00:0b' as MacAddr;
const PORT = 'access0' as LinkName;
const OTHER = 'access1' as LinkName;

const put = (inbox: Inbox, port: LinkName, mac: MacAddr, count = 1): void => {
  for (let n = 0; n < count; n++)
    inbox.put({ type: 'pdu', peer: { port, svid: null, mac }, pdu: { managerId: `${n}`, tlvs: [] } }, 10 + n);
};
const all = (inbox: Inbox): string[] => {
  const taken: string[] = [];
  for (let one = inbox.take(); one !== undefined; one = inbox.take())
    taken.push(`${one.peer.mac} ${one.pdu.managerId}`);
  return taken;
};

describe('PDUs that wait', () => {
  it('are taken one of each station in turn, and those of a station in order', () => {
    const inbox = new Inbox();
    put(inbox, PORT, A, 3);
    put(inbox, PORT, B, 2);
    inbox.take();
    expect(inbox.oldest()).toBe(10);
    inbox.take();
    expect(inbox.oldest()).toBe(11);
    expect(all(inbox)).toEqual([`${A} 1`, `${B} 1`, `${A} 2`]);
    expect(inbox.oldest()).toBeNull();
  });

  it('are bounded for each station and for all', () => {
    const inbox = new Inbox();
    put(inbox, PORT, A, 4_096);
    expect(inbox.hasRoom(PORT, A)).toBe(false);
    expect(inbox.hasRoom(OTHER, A)).toBe(true);
    put(inbox, PORT, B, 4_095);
    expect(inbox.hasRoom(PORT, B)).toBe(true);
    put(inbox, OTHER, A);
    expect(inbox.hasRoom(PORT, B)).toBe(false);
    inbox.take();
    expect(inbox.hasRoom(PORT, B)).toBe(true);
  });

  it('go with the carrier of their port', () => {
    const inbox = new Inbox();
    put(inbox, PORT, A, 2);
    put(inbox, OTHER, A);
    inbox.clear(PORT);
    expect(all(inbox)).toEqual([`${A} 0`]);
  });
});
