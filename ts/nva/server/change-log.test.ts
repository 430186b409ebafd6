import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { VnId } from '#model';
import type { NnpOp } from '#wire';
import { ChangeLog } from './change-log.js';

const op = (revision: bigint): NnpOp => ({ op: 'delete', revision, key: { kind: 'vn', vn: 1 as VnId } });

describe('ChangeLog', () => {
  it('gives what came after, or says that it no longer knows', () => {
    const log = new ChangeLog(3, 5n);
    expect(log.after(4n, 10, 5n)).toBeNull();
    expect(log.after(5n, 10, 9n)).toEqual({ revision: 9n, ops: [] });
    for (const revision of [6n, 8n, 9n]) log.add(revision, [op(revision)]);
    expect(log.after(5n, 10, 12n)).toMatchObject({ revision: 9n, ops: { length: 3 } });
    expect(log.after(7n, 10, 12n)).toMatchObject({ revision: 9n, ops: { length: 2 } });
    log.add(13n, [op(13n)]);
    expect(log.after(5n, 10, 13n)).toBeNull();
    expect(log.after(6n, 10, 13n)).toMatchObject({ ops: { length: 3 } });
  });

  it('never splits a revision, and keeps the last one however large', () => {
    const log = new ChangeLog(3, 1n);
    log.add(2n, [op(2n), op(2n)]);
    log.add(3n, [op(3n), op(3n)]);
    expect(log.after(2n, 1, 3n)).toMatchObject({ revision: 3n, ops: { length: 2 } });
    log.add(4n, [op(4n), op(4n), op(4n), op(4n)]);
    expect(log.after(3n, 10, 4n)).toMatchObject({ ops: { length: 4 } });
    expect(log.after(2n, 10, 4n)).toBeNull();
  });

  it('read in pieces gives the same as read at once', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 4 })), { maxLength: 30 }),
        fc.integer({ min: 1, max: 5 }),
        fc.nat(60),
        (entries, maxOps, start) => {
          const log = new ChangeLog(1000, 0n);
          let revision = 0n;
          for (const [step, count] of entries) {
            revision += BigInt(step);
            log.add(
              revision,
              Array.from({ length: count }, () => op(revision)),
            );
          }
          const from = BigInt(start);
          const whole = log.after(from, 1_000_000, revision);
          const pieces: NnpOp[] = [];
          for (let at = from; ; ) {
            const piece = log.after(at, maxOps, revision);
            if (piece === null || piece.ops.length === 0) break;
            expect(piece.revision).toBeGreaterThan(at);
            pieces.push(...piece.ops);
            at = piece.revision;
          }
          expect(pieces).toEqual(whole?.ops);
        },
      ),
    );
  });
});
