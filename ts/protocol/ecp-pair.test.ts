/** Two ECP ends over a link that loses, doubles and delays: what is acknowledged arrived, once and in order. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type MacAddr, parseMac } from '#model';
import { type EcpPdu, GROUP_ADDRESSES } from '#wire';
import { EcpChannel } from './ecp.js';
import type { EcpOptions } from './ecp-events.js';

const mac = (text: string): MacAddr => {
  const result = parseMac(text);
  if (!result.ok) throw result.error;
  return result.value;
};
const NVE = mac('02:00:00:00:00:fe');
const HOST = mac('02:00:00:00:00:0a');
const PDUS = 20;
const STEPS_MAX = 20_000;

const options = (role: 'bridge' | 'station'): EcpOptions => ({
  role,
  address: GROUP_ADDRESSES.nearestCustomerBridge,
  unicast: 'auto',
  parameters: { retries: 3, rte: 8 },
  firstSequence: 65_530,
  subtypes: [1],
  maxPeers: 4,
  maxQueue: 64,
});

interface Flight {
  readonly at: number;
  readonly to: 'bridge' | 'station';
  readonly pdu: EcpPdu;
}

describe('two ECP ends', () => {
  it('agree on what arrived', () => {
    const fate = fc.record({
      lost: fc.integer({ min: 0, max: 9 }),
      doubled: fc.integer({ min: 0, max: 9 }),
      delay: fc.nat(20),
    });
    fc.assert(
      fc.property(fc.array(fate, { minLength: 1, maxLength: 50 }), (fates) => {
        const ends = { bridge: new EcpChannel(options('bridge')), station: new EcpChannel(options('station')) };
        const delivered: number[] = [];
        const outcome = new Map<number, string[]>();
        const air: Flight[] = [];
        let frames = 0;
        const run = (end: 'bridge' | 'station', now: number, effects: ReturnType<EcpChannel['handle']>) => {
          for (const effect of effects) {
            if (effect.type === 'deliver') delivered.push(effect.payload[0] ?? -1);
            if (effect.type === 'acknowledged' || effect.type === 'failed')
              outcome.set(effect.token, [...(outcome.get(effect.token) ?? []), effect.type]);
            if (effect.type !== 'transmit') continue;
            const { lost, doubled, delay } = fates[frames++ % fates.length] ?? { lost: 9, doubled: 9, delay: 0 };
            const to = end === 'bridge' ? 'station' : 'bridge';
            // A link keeps the order of what it does not lose: the delay is below the time of a retransmission.
            for (let copies = lost < 3 ? 0 : doubled < 2 ? 2 : 1; copies > 0; copies--)
              air.push({ at: now + delay / 20, to, pdu: effect.pdu });
          }
        };
        for (let n = 0; n < PDUS; n++) {
          const send = { type: 'send', peer: null, token: n, subtype: 1, payload: Uint8Array.of(n) } as const;
          run('station', 0, ends.station.handle(send, 0));
        }
        let steps = 0;
        for (let now = 0; steps < STEPS_MAX; steps++) {
          air.sort((a, b) => a.at - b.at);
          const times = [air[0]?.at, ends.station.nextDeadline(), ends.bridge.nextDeadline()].filter(
            (at) => at != null,
          );
          if (times.length === 0) break;
          now = Math.max(now, Math.min(...times));
          if (air[0] !== undefined && air[0].at <= now) {
            const { to, pdu } = air.shift() as Flight;
            const [src, dst] = [to === 'bridge' ? HOST : NVE, GROUP_ADDRESSES.nearestCustomerBridge];
            run(to, now, ends[to].handle({ type: 'received', src, dst, pdu }, now));
          } else
            for (const end of ['station', 'bridge'] as const) run(end, now, ends[end].handle({ type: 'tick' }, now));
        }
        expect(steps).toBeLessThan(STEPS_MAX);
        // Each PDU has exactly one outcome; who was told that it arrived is right; nothing came twice or out of order.
        expect([...outcome.keys()].sort((a, b) => a - b)).toEqual(Array.from({ length: PDUS }, (_, n) => n));
        for (const [token, outcomes] of outcome) {
          expect(outcomes).toHaveLength(1);
          if (outcomes[0] === 'acknowledged') expect(delivered).toContain(token);
        }
        expect(delivered).toEqual([...new Set(delivered)].sort((a, b) => a - b));
      }),
    );
  });
});
