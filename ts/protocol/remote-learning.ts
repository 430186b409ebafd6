/**
 * Which MACs are taken as being behind which other NVE, in VNs set to learn, where the NVA has no answer (RFC 8014 section 3.3; RFC 7348
 * section 4.1). The engine tells of a source MAC in a tunnelled packet; this decides whether it becomes a row, and when it goes.
 * Sans-IO, as `learning.ts`, whose numbers it shares. It must not know the engine's numbers, nor what the NVA says beyond `isNamed`.
 *
 * ```
 *            seen               seen behind another NVE
 *   unknown ─────► placed ◄──┐ ───────────────────────┐
 *      ▲             │       └────────────────────────┘
 *      └─────────────┘ aged, claimed, its NVE gone, the VN gone
 * ```
 *
 * Invariants: a MAC that somebody names (a TSI of this NVE, or the NVA) is never learned, so static rows are never overwritten; a VN has
 * at most `MAX_REMOTE` learned MACs; one that moved too often stays where it is until it has been quiet.
 */
import type { IpAddr, MacAddr, VnId } from '#model';
import { MAX_MOVES, Refusals, recentMoves } from './damping.js';

/** MACs that are learned from tunnels in one VN. */
export const MAX_REMOTE = 16_384;

/** Why a MAC that was seen is not learned: somebody names it, the VN has too many, it moves too often. */
export type RemoteRefusal = 'named' | 'full' | 'restless';

export type RemoteLearningEvent =
  /** A source MAC in a packet from an NVE, where no row says so. `isNamed`: a TSI of this NVE or the NVA says where it is. */
  | {
      readonly type: 'seen';
      readonly vn: VnId;
      readonly mac: MacAddr;
      readonly remote: IpAddr;
      readonly isNamed: boolean;
    }
  /** Nothing was seen of it for its time. */
  | { readonly type: 'aged'; readonly vn: VnId; readonly mac: MacAddr }
  /** Somebody says where it is from now on. */
  | { readonly type: 'claimed'; readonly vn: VnId; readonly mac: MacAddr }
  /** The NVE is no member of the VN any more. */
  | { readonly type: 'gone'; readonly vn: VnId; readonly remote: IpAddr }
  /** The VN does not learn any more, or is gone. */
  | { readonly type: 'ended'; readonly vn: VnId };

export type RemoteLearningEffect =
  /** A row towards the NVE, instead of any other that was learned. */
  | { readonly type: 'place'; readonly vn: VnId; readonly mac: MacAddr; readonly remote: IpAddr }
  | { readonly type: 'remove'; readonly vn: VnId; readonly mac: MacAddr; readonly remote: IpAddr }
  /** For the log. `count`: refusals since the last one that was told of this VN and reason. */
  | {
      readonly type: 'refuse';
      readonly vn: VnId;
      readonly mac: MacAddr;
      readonly remote: IpAddr;
      readonly reason: RemoteRefusal;
      readonly count: number;
    };

interface Learned {
  remote: IpAddr;
  /** When it was placed, as far as that counts. */
  came: number[];
}

interface LearnedVn {
  readonly macs: Map<MacAddr, Learned>;
  readonly refusals: Refusals<RemoteRefusal>;
}

type Seen = Extract<RemoteLearningEvent, { type: 'seen' }>;

export class RemoteLearning {
  readonly #vns = new Map<VnId, LearnedVn>();

  /** `now`, in milliseconds, on any clock that only grows. */
  handle(event: RemoteLearningEvent, now: number): RemoteLearningEffect[] {
    const { vn } = event;
    switch (event.type) {
      case 'seen':
        return this.#seen(event, now);
      case 'aged':
      case 'claimed':
        return this.#remove(vn, [event.mac]);
      case 'gone': {
        const macs = [...(this.#vns.get(vn)?.macs ?? [])].filter(([, { remote }]) => remote === event.remote);
        return this.#remove(
          vn,
          macs.map(([mac]) => mac),
        );
      }
      case 'ended': {
        const effects = this.#remove(vn, [...(this.#vns.get(vn)?.macs.keys() ?? [])]);
        this.#vns.delete(vn);
        return effects;
      }
    }
  }

  #seen(event: Seen, now: number): RemoteLearningEffect[] {
    const { vn, mac, remote, isNamed } = event;
    if (isNamed) return this.#refuse(event, 'named', now);
    const here = this.#vn(vn);
    const learned = here.macs.get(mac);
    if (learned?.remote === remote) return [];
    const came = recentMoves(learned?.came, now);
    if (came.length > MAX_MOVES) return this.#refuse(event, 'restless', now);
    if (learned === undefined && here.macs.size >= MAX_REMOTE) return this.#refuse(event, 'full', now);
    here.macs.set(mac, { remote, came: [...came, now] });
    return [{ type: 'place', vn, mac, remote }];
  }

  #remove(vn: VnId, macs: readonly MacAddr[]): RemoteLearningEffect[] {
    const here = this.#vns.get(vn);
    return macs.flatMap((mac) => {
      const learned = here?.macs.get(mac);
      here?.macs.delete(mac);
      return learned === undefined ? [] : [{ type: 'remove', vn, mac, remote: learned.remote } as const];
    });
  }

  #refuse({ vn, mac, remote }: Seen, reason: RemoteRefusal, now: number): RemoteLearningEffect[] {
    const count = this.#vn(vn).refusals.add(reason, now);
    return count === undefined ? [] : [{ type: 'refuse', vn, mac, remote, reason, count }];
  }

  #vn(vn: VnId): LearnedVn {
    const here = this.#vns.get(vn) ?? { macs: new Map(), refusals: new Refusals() };
    this.#vns.set(vn, here);
    return here;
  }
}
