import { describe, expect, it } from 'vitest';
import { nveError } from '#model';
import { type NnpEndpoint, NnpEndpoints } from './nnp-endpoints.js';

const at = (name: string, priority: number, weight = 1): NnpEndpoint => ({ name: `tls:${name}:1`, priority, weight });
const names = (endpoints: readonly NnpEndpoint[]): string => endpoints.map(({ name }) => name[4]).join('');

describe('the order of endpoints', () => {
  it('is by priority, at random among equals', () => {
    const lots = [0.9, 0.1, 0.5];
    const endpoints = new NnpEndpoints([at('x', 1), at('y', 1), at('z', 0)], () => lots.shift() ?? 0);
    expect(names(endpoints.order(null))).toBe('zxy');
  });

  it('has the one that was just lost last, whatever its priority', () => {
    const endpoints = new NnpEndpoints([at('x', 0), at('y', 1), at('z', 2)], () => 0.5);
    expect(names(endpoints.order('tls:x:1'))).toBe('yzx');
  });

  it('has one of three times the weight first three times as often', () => {
    let seed = 1;
    // Park and Miller's generator.
    const random = (): number => {
      seed = (seed * 48_271) % 2_147_483_647;
      return (seed - 1) / 2_147_483_646;
    };
    const endpoints = new NnpEndpoints([at('x', 0, 3), at('y', 0, 1)], random);
    const first = Array.from({ length: 10_000 }, () => names(endpoints.order(null))[0]);
    expect(first.filter((name) => name === 'x').length / 10_000).toBeCloseTo(0.75, 1);
  });
});

describe('what the NVA names', () => {
  it('is tried beside what is configured, until it names others', () => {
    const endpoints = new NnpEndpoints([at('x', 0)], () => 0.5);
    endpoints.nameBy(at('x', 0), [at('x', 7), at('y', 1), at('y', 2)]);
    expect(endpoints.all()).toEqual([at('x', 0), at('y', 1)]);
    endpoints.failed(at('y', 1), nveError('NVE-NNP-005', { ms: 1 }));
    endpoints.nameBy(at('x', 0), []);
    expect(endpoints.all()).toEqual([at('x', 0)]);
    expect(endpoints.errorOf(at('y', 1))).toBeNull();
  });

  it('is not believed if it is no endpoint, or leads out of TLS', () => {
    const endpoints = new NnpEndpoints([at('x', 0)], () => 0.5);
    const plain = { name: 'tcp:192.0.2.1:1', priority: 0, weight: 1 };
    endpoints.nameBy(at('x', 0), [plain, { ...plain, name: 'tls:nowhere' }, { ...plain, name: 'unix:/x' }]);
    expect(endpoints.all()).toEqual([at('x', 0)]);
  });
});

it('the back-off has full jitter up to its limit', () => {
  const limits = { backoffMinMs: 200, backoffMaxMs: 30_000 };
  const whole = new NnpEndpoints([], () => 1);
  expect([0, 1, 7, 8, 400].map((attempts) => whole.backoff(attempts, limits))).toEqual([
    200, 400, 25_600, 30_000, 30_000,
  ]);
  expect(new NnpEndpoints([], () => 0.25).backoff(2, limits)).toBe(200);
});
