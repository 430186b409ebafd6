import { describe, expect, it } from 'vitest';
import { RecentLog } from '../recent-log.js';
import { withoutSecrets } from './support.js';

describe('what support tells', () => {
  it('leaves out what is secret, wherever it stands', () => {
    const config = { rpc: { tls: { ca: '/ca.pem', key: '/own.key', client: [{ name: 'hv1', token: 'x' }] } }, n: 1 };
    expect(withoutSecrets(config)).toEqual({
      rpc: { tls: { ca: '/ca.pem', key: '(left out)', client: [{ name: 'hv1', token: '(left out)' }] } },
      n: 1,
    });
  });

  it('has the last lines of the log, and not more than fit', () => {
    const log = new RecentLog();
    for (let n = 0; n < 700; n++) log.push(`line ${n}\n`);
    expect(log.lines()).toHaveLength(500);
    expect([log.lines()[0], log.lines().at(-1)]).toEqual(['line 200', 'line 699']);
    log.push('x'.repeat(131_000));
    expect(log.lines().join('').length).toBeLessThanOrEqual(131_072);
    expect(log.lines().at(-1)).toHaveLength(131_000);
  });
});
