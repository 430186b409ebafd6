import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LinkWatch } from './link-watch.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function watch(ports = [1, 2]) {
  const told: boolean[] = [];
  return { told, links: new LinkWatch({ of: ports, holdMs: 1000, changed: (isUp) => told.push(isUp) }) };
}

describe('LinkWatch', () => {
  it('tells when all links have been down for the hold time, and at once when one is back', () => {
    const { told, links } = watch();
    links.linkChanged(1, false);
    vi.advanceTimersByTime(5000);
    links.linkChanged(2, false);
    vi.advanceTimersByTime(999);
    expect([told, links.isUp]).toEqual([[], true]);
    vi.advanceTimersByTime(1);
    expect([told, links.isUp]).toEqual([[false], false]);
    links.linkChanged(1, true);
    links.linkChanged(2, true);
    expect([told, links.isUp]).toEqual([[false, true], true]);
  });

  it('says nothing of a flap that is shorter, nor of other ports, nor after stop', () => {
    const { told, links } = watch([1]);
    links.linkChanged(9, false);
    for (let n = 0; n < 5; n++) {
      links.linkChanged(1, false);
      vi.advanceTimersByTime(900);
      links.linkChanged(1, true);
    }
    links.linkChanged(1, false);
    links.linkChanged(1, false);
    links.stop();
    vi.advanceTimersByTime(5000);
    expect(told).toEqual([]);
  });
});
