import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { IpAddr, LinkName, UnderlayConfig } from '#model';
import { UnderlayState } from './underlay-state.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const address = (port: string, ip: string) => ({ port, address: { ip, prefixLen: 64 } }) as unknown as UnderlayConfig;
const ADDRESSES = [address('1', '192.0.2.1'), address('1', '2001:db8::1'), address('2', '192.0.3.1')];

function rig() {
  const told: string[] = [];
  const down = (): boolean[] => ADDRESSES.map((one) => state.isDown(one));
  const state: UnderlayState = new UnderlayState({
    addresses: ADDRESSES,
    portOf: (name: LinkName) => Number(name),
    changed: (n, isUsable) => told.push(`${n} ${isUsable}`),
    endsChanged: () => told.push(down().join()),
  });
  const link = (port: number, up: boolean) => state.event({ kind: 'link', port, up });
  const of = (ip: string, as: 'duplicate' | 'preferred') =>
    state.event({ kind: 'address', port: 1, ip: ip as IpAddr, state: as });
  return { state, told, down, link, of };
}

describe('an underlay address', () => {
  it('is down with its link at once, and up again when the link has stayed', () => {
    const { told, link, down } = rig();
    link(1, true);
    link(9, false);
    expect(told).toEqual([]);
    link(1, false);
    expect(told.splice(0)).toEqual(['0 false', '1 false', 'true,true,false']);
    link(1, true);
    expect(told.splice(0)).toEqual(['0 true', '1 true']);
    vi.advanceTimersByTime(900);
    link(1, false);
    vi.advanceTimersByTime(5_000);
    expect(told.splice(0), 'the others know it as down').toEqual(['0 false', '1 false']);
    link(1, true);
    vi.advanceTimersByTime(1_000);
    expect(told.at(-1)).toBe('false,false,false');
    expect(down()).toEqual([false, false, false]);
  });

  it('is down while another host has it, and the others of its port are not', () => {
    const { told, of, down } = rig();
    of('2001:db8::1', 'duplicate');
    expect(told).toEqual(['1 false', 'false,true,false']);
    of('2001:db8::99', 'duplicate');
    of('2001:db8::1', 'preferred');
    vi.advanceTimersByTime(1_000);
    expect(down()).toEqual([false, false, false]);
  });
});
