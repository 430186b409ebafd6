/**
 * The hosts of one VN that one NVE is told where hosts are not pushed: its own, and those that it asked for, for as long as the answer
 * counts. So what changes about them reaches it at once, and it need not wait for the end of their time to live.
 */
import { type HostInfo, isAt, type MacAddr, type NveId } from '#model';
import type { NnpOp } from '#wire';

/** How long an answer counts. An NVE that still uses it asks again before. */
export const FOUND_TTL_S = 300;
export const NEGATIVE_TTL_S = 10;
/** More than an NVE keeps: beyond it the oldest are forgotten, and told only when they are asked for again. */
export const MAX_INTEREST = 131_072;

export class NnpInterest {
  readonly #self: NveId;
  /** Until when each is told. */
  readonly #until = new Map<MacAddr, number>();

  constructor(self: NveId) {
    this.#self = self;
  }

  /** The NVE asked for a MAC, and this is the answer. */
  asked(mac: MacAddr, host: HostInfo | null, now: number): void {
    this.#tell(mac, now + (host === null ? NEGATIVE_TTL_S : FOUND_TTL_S) * 1_000);
  }

  /** Of these ops, those that it is told. */
  only(ops: readonly NnpOp[], now: number): NnpOp[] {
    return ops.filter((op) => {
      if (op.op === 'set') return op.object.kind !== 'host' || this.#isTold(op.object, now);
      if (op.key.kind !== 'host') return true;
      const until = this.#until.get(op.key.mac);
      this.#until.delete(op.key.mac);
      return until !== undefined && now < until;
    });
  }

  #isTold(host: HostInfo, now: number): boolean {
    const { mac } = host;
    const until = this.#until.get(mac);
    if (isAt(host, this.#self)) {
      this.#tell(mac, Number.POSITIVE_INFINITY);
      return true;
    }
    // What was its own and is elsewhere now it has to know, once and then like what it asked for.
    if (until === Number.POSITIVE_INFINITY) this.#tell(mac, now + FOUND_TTL_S * 1_000);
    return until !== undefined && now < until;
  }

  #tell(mac: MacAddr, until: number): void {
    this.#until.delete(mac);
    this.#until.set(mac, until);
    if (this.#until.size <= MAX_INTEREST) return;
    const [oldest] = this.#until.keys();
    if (oldest !== undefined) this.#until.delete(oldest);
  }
}
