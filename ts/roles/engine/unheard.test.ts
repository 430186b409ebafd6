import { expect, it } from 'vitest';
import type { Punt } from '#dataplane';
import { FakeEngine } from '../testing/fake-engine.js';
import { PortNames } from './ports.js';
import { Unheard } from './unheard.js';

it('counts what nobody takes, by port, until it is closed', () => {
  const ports = new PortNames();
  ports.set('served', 0);
  ports.set('other', 1);
  const engine = new FakeEngine();
  const unheard = new Unheard(engine, (port) => port === 0);
  const punt = (port: number, kind: string): void =>
    engine.punt({ port, vap: null, class: kind, timestampNs: 0n, frame: new Uint8Array(60) } satisfies Punt);
  expect(unheard.rows(ports)).toEqual([]);
  for (const kind of ['lldp', 'ecp', 'link_local']) {
    punt(0, kind);
    punt(1, kind);
  }
  const reason = 'control_unheard';
  expect(unheard.rows(ports)).toEqual([
    { port: 'other', reason, packets: 3 },
    { port: 'served', reason, packets: 1 },
  ]);
  unheard.close();
  punt(1, 'lldp');
  expect(unheard.rows(ports)[0]).toMatchObject({ packets: 3 });
});
