import { expect, it } from 'vitest';
import { tail } from './processes.js';

it('renders the last lines of a log, its own and others', () => {
  const lines = ['first', ...Array.from({ length: 5 }, (_, n) => `line ${n}`)];
  const json = JSON.stringify({ level: 50, component: 'engine', cause: 'NVE-ENG-000', msg: 'poller 0: gone' });
  expect(tail(`${lines.join('\n')}\n${json}\n`)).toEqual([
    'line 0',
    'line 1',
    'line 2',
    'line 3',
    'line 4',
    'error engine NVE-ENG-000: poller 0: gone',
  ]);
  expect(tail('')).toEqual([]);
  expect(tail('x'.repeat(1000))[0]).toHaveLength(180);
});
