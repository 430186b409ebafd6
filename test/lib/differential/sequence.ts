// Sequences for the comparison of the engine with its reference model: tables, packets, batches that change the tables, and packets again.
import fc from 'fast-check';
import type { Command } from '#dataplane';
import { bytes, type Octets } from '../../../ts/dataplane/sim/packet.js';
import { pick, UNDERLAYS, USUAL } from './network.js';
import { type Arrival, hostPacket, mended, taggedOuter, tunnelled } from './packets.js';
import { anyCommand } from './tables.js';
import { accessFrame, tenantFrame, untaggedFrame } from './tenants.js';

/** What is done to a packet that was right: an octet changed, the end cut off, or more than a buffer of it. */
const mutation = fc.oneof(
  { weight: 24, arbitrary: fc.constant((frame: Octets) => frame) },
  {
    weight: 4,
    arbitrary: fc.tuple(fc.nat(130), fc.integer({ min: 1, max: 255 })).map(([at, flip]) => (frame: Octets) => {
      const changed = Uint8Array.from(frame);
      if (at < changed.length) changed[at] = (changed[at] ?? 0) ^ flip;
      return changed;
    }),
  },
  { weight: 2, arbitrary: fc.nat(120).map((length) => (frame: Octets) => frame.subarray(0, length)) },
  { weight: 1, arbitrary: fc.constant((frame: Octets) => bytes(frame, new Uint8Array(2400))) },
);

const at = (ports: fc.Arbitrary<number>, frame: fc.Arbitrary<Octets>): fc.Arbitrary<Arrival> =>
  fc.record({ port: ports, frame });
const arrival: fc.Arbitrary<Arrival> = fc
  .tuple(
    fc.oneof(
      { weight: 8, arbitrary: at(fc.constant(0), accessFrame) },
      { weight: 4, arbitrary: at(fc.constant(1), untaggedFrame) },
      { weight: 1, arbitrary: at(pick(0, 0, 0, 1, 1, 3), tenantFrame) },
      { weight: 7, arbitrary: tunnelled },
      { weight: 1, arbitrary: mended },
      { weight: 1, arbitrary: taggedOuter },
      { weight: 4, arbitrary: hostPacket },
    ),
    mutation,
  )
  .map(([{ port, frame }, mutate]) => ({ port, frame: mutate(frame) }));

export const sequence = fc.record({
  // Mostly all of them; made smaller, none.
  usual: fc
    .tuple(...USUAL.map((command) => fc.constantFrom([], ...Array<Command[]>(11).fill([command]))))
    .map((some): Command[] => some.flat()),
  tables: fc.array(anyCommand, { maxLength: 16, size: 'max' }),
  batches: fc.array(fc.array(anyCommand, { minLength: 1, maxLength: 3 }), { maxLength: 2 }),
  arrivals: fc.array(arrival, { minLength: 1, maxLength: 10 }),
});
export type Sequence = typeof sequence extends fc.Arbitrary<infer T> ? T : never;

/** The frame with the port's own MAC where the generator left its place. */
export function addressed({ port, frame }: Arrival, portMac: (port: number) => Octets): Arrival {
  const isOpen = frame.length >= 6 && frame.subarray(0, 6).every((octet) => octet === 0);
  if (!isOpen || !UNDERLAYS.some((underlay) => underlay === port)) return { port, frame };
  return { port, frame: bytes(portMac(port), frame.subarray(6)) };
}
