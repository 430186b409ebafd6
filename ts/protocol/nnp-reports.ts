/**
 * What this NVE reports: the TSIs that are attached here now, and which of the calls that reported them still wait. While
 * the NVA is away only the present state is kept; a full report tells it in the next session, and sweeps the rest there.
 */
import { foreignError, type NveError, type Result, type VnId } from '#model';
import { NNP_LIMITS, type NnpAttachment, type NnpFrame, type NnpReject } from '#wire';
import type { Attachment } from './nnp-types.js';

type Report = Extract<NnpFrame, { kind: 'report' }>;

export interface ReportCall {
  readonly call: number;
  readonly change: 'attach' | 'detach';
  readonly attachment: Attachment;
}

export interface ReportOutcome {
  readonly done: readonly { readonly call: number; readonly result: Result<null> }[];
  /** Attachments that the NVA refused and no call waits for any more. */
  readonly refused: readonly { readonly attachment: Attachment; readonly error: NveError }[];
}

/** Frames stay well below the 1 MiB that every receiver takes. */
const FRAME_BYTES = 512 * 1024;

interface InFlight {
  readonly sentAt: number;
  readonly items: readonly NnpAttachment[];
  calls: ReportCall[];
}

export class NnpReports {
  /** In the order of their attachment: the latest of a moving TSI is the last. */
  readonly #attached = new Map<string, Attachment>();
  readonly #inFlight = new Map<bigint, InFlight>();
  /** Calls that the next full report answers. */
  #waiting: ReportCall[] = [];
  #seq = 0n;
  /** A full report was sent in this session, so that single ones make sense. */
  #open = false;

  get size(): number {
    return this.#attached.size;
  }

  /** When the oldest report without an acknowledgement was sent. */
  get oldest(): number | null {
    const [first] = this.#inFlight.values();
    return first?.sentAt ?? null;
  }

  /** Notes the change. Gives the frame to send, or null if there is no session: the next full report will tell. */
  report(call: ReportCall, now: number): Report | null {
    const { change, attachment } = call;
    const key = keyOf(attachment);
    this.#attached.delete(key);
    if (change === 'attach') this.#attached.set(key, attachment);
    if (!this.#open) {
      this.#waiting.push(call);
      return null;
    }
    return this.#frame('delta', [{ change, ...attachment }], [call], now);
  }

  /** Forgets what is attached to a VN. Gives the frame to send, or null if there is nothing to tell. */
  withdraw(vn: VnId, now: number): Report | null {
    const gone = [...this.#attached.values()].filter((attachment) => attachment.vn === vn);
    for (const attachment of gone) this.#attached.delete(keyOf(attachment));
    if (!this.#open || gone.length === 0) return null;
    const items = gone
      .slice(0, NNP_LIMITS.reports)
      .map((one) => ({ change: 'detach' as const, ...one, macs: [], ips: [] }));
    return this.#frame('delta', items, [], now);
  }

  /**
   * A session is up: everything that is attached, in as many frames as it takes. `full`: what the NVA knows besides is swept;
   * otherwise (the NVE has not come back to all that it had) it stays.
   */
  all(mode: 'full' | 'delta', now: number): Report[] {
    this.#open = true;
    const parts: NnpAttachment[][] = [[]];
    let bytes = 0;
    for (const attachment of this.#attached.values()) {
      const size = estimate(attachment);
      if (bytes + size > FRAME_BYTES || (parts.at(-1)?.length ?? 0) >= NNP_LIMITS.reports) {
        parts.push([]);
        bytes = 0;
      }
      parts.at(-1)?.push({ change: 'attach', ...attachment });
      bytes += size;
    }
    const waiting = this.#waiting;
    this.#waiting = [];
    return parts.map((items, i) => {
      const last = i === parts.length - 1;
      const named = new Set(items.map(keyOf));
      // What is detached by now is told by not being named: that is complete with the last part.
      const calls = waiting.filter(({ attachment }) =>
        this.#attached.has(keyOf(attachment)) ? named.has(keyOf(attachment)) : last,
      );
      return this.#frame(mode === 'full' && !last ? 'part' : mode, items, calls, now);
    });
  }

  acknowledged(seq: bigint, rejects: readonly NnpReject[]): ReportOutcome {
    const inFlight = this.#inFlight.get(seq);
    if (inFlight === undefined) return { done: [], refused: [] };
    this.#inFlight.delete(seq);
    const errors = new Map<string, NveError>();
    const refused: { attachment: Attachment; error: NveError }[] = [];
    for (const { index, code, text } of rejects) {
      const item = inFlight.items[index];
      if (item === undefined) continue;
      const error = foreignError(code, {}, text);
      errors.set(keyOf(item), error);
      const key = keyOf(item);
      const attached = this.#attached.get(key);
      // A later change of the same attachment has a report of its own.
      const current = attached !== undefined && sameAttachment(attached, item);
      if (item.change === 'attach' && current) {
        this.#attached.delete(key);
        if (!inFlight.calls.some((call) => keyOf(call.attachment) === key))
          refused.push({ attachment: attached, error });
      }
    }
    const done = inFlight.calls.map(({ call, attachment }) => {
      const error = errors.get(keyOf(attachment));
      return {
        call,
        result: error === undefined ? ({ ok: true, value: null } as const) : ({ ok: false, error } as const),
      };
    });
    return { done, refused };
  }

  /** The session is gone: what was not acknowledged is told by the next full report. */
  lost(): void {
    this.#open = false;
    for (const { calls } of this.#inFlight.values()) this.#waiting.push(...calls);
    this.#inFlight.clear();
  }

  /** Nobody waits for this call any more. What it reported stays reported. */
  forget(call: number): void {
    this.#waiting = this.#waiting.filter((one) => one.call !== call);
    for (const inFlight of this.#inFlight.values()) {
      inFlight.calls = inFlight.calls.filter((one) => one.call !== call);
    }
  }

  #frame(mode: Report['mode'], items: NnpAttachment[], calls: ReportCall[], now: number): Report {
    this.#seq += 1n;
    this.#inFlight.set(this.#seq, { sentAt: now, items, calls });
    return { kind: 'report', channel: 0, seq: this.#seq, mode, items };
  }
}

function keyOf({ vn, tsi, port }: Attachment): string {
  return `${vn} ${tsi} ${port}`;
}

function sameAttachment(a: Attachment, b: Attachment): boolean {
  const isSame = (a.multihomed ?? false) === (b.multihomed ?? false);
  return isSame && a.macs.join() === b.macs.join() && a.ips.join() === b.ips.join();
}

/** At most this many bytes in a frame. */
function estimate({ tsi, port, macs, ips }: Attachment): number {
  return 32 + tsi.length + port.length + macs.length * 8 + ips.length * 18;
}
