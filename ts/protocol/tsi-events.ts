/**
 * What goes into and comes out of the TSI life cycle (`TsiTable` in `tsi.ts`). Nothing here does I/O: the role executes the
 * effects in their order and hands the answers back as events, with the same `key` and number.
 */
import type {
  Association,
  IpAddr,
  LinkName,
  MacAddr,
  NveError,
  Result,
  Tag,
  TagAllocation,
  TsiAsker,
  TsiHints,
  TsiId,
  TsiKey,
  TsiRow,
  Vid,
  VnId,
  VnInfo,
  VnRef,
} from '#model';

/** Chosen by whoever asks (an RPC request, a VDP command); comes back in `answer`. Unique among the unanswered. */
export type RequestId = number;

export type TsiEvent =
  /**
   * Associate the TSI, and with `upTo: 'activated'` also activate it. On a TSI that is there: the same addresses answer
   * with what is so, other addresses are an update of the addresses; it never deactivates.
   */
  | {
      readonly type: 'associate';
      readonly request: RequestId;
      readonly key: TsiKey;
      readonly vn: VnRef;
      readonly macs: readonly MacAddr[];
      readonly ips: readonly IpAddr[];
      /** Nobody says which MACs it has (VDP filter formats 1 and 3): no MAC is no mistake, they are to be learned. */
      readonly learn?: boolean;
      /** The VID that the hypervisor wants to use; absent or null: any. It gets that one or NVE-TAG-003. */
      readonly vid?: Vid | null;
      readonly hints?: TsiHints;
      readonly upTo: 'associated' | 'activated';
      /** The RPC, if absent. */
      readonly asker?: TsiAsker;
      /** After a restart of the NVE: on a link that is down it is associated, and activated when the link comes up. */
      readonly restored?: boolean;
    }
  | {
      readonly type: 'activate' | 'deactivate';
      readonly request: RequestId;
      readonly key: TsiKey;
      readonly hints?: TsiHints;
    }
  /** Answered with `null`, also when there is no such TSI. */
  | { readonly type: 'deassociate'; readonly request: RequestId; readonly key: TsiKey }
  /** Other addresses of the TSI: these and no others, these as well, or these no more. Asks the NVA again. */
  | {
      readonly type: 'addresses';
      readonly request: RequestId;
      readonly key: TsiKey;
      readonly change: 'set' | 'add' | 'remove';
      readonly macs: readonly MacAddr[];
      readonly ips: readonly IpAddr[];
    }
  /** The request's deadline passed: it is answered with NVE-RPC-004, what it began is rolled back (or finished, if it removes). */
  | { readonly type: 'expire'; readonly request: RequestId; readonly method: string; readonly deadlineMs: number }
  /** Answer to `askAuth`. A failed result is a denial or that the NVA did not answer. */
  | { readonly type: 'auth'; readonly key: TsiKey; readonly ask: number; readonly result: Result<VnInfo> }
  /** Answer to `reserve`, `program`, `unprogram` or `release`: applied whole, or refused and nothing changed. */
  | { readonly type: 'engine'; readonly key: TsiKey; readonly op: number; readonly result: Result<unknown> }
  /** The access link lost its carrier, or (`error`) serves nobody: what is activated there falls back to associated until `linkUp`. */
  | { readonly type: 'linkDown'; readonly link: LinkName; readonly error?: NveError }
  | { readonly type: 'linkUp'; readonly link: LinkName }
  /** The NVA changed the VN (its MTU, say): rows show it. */
  | { readonly type: 'vnChanged'; readonly vn: VnInfo }
  /** The NVE side de-associates: the VN was deleted, a report was refused, the link was removed. */
  | { readonly type: 'revoke'; readonly scope: RevokeScope; readonly reason: string };

export type RevokeScope =
  | { readonly key: TsiKey }
  | { readonly vn: VnId }
  | { readonly link: LinkName }
  /** Everywhere: the TSI on all its links. */
  | { readonly tsi: TsiId };

/** A row that names the VAP (link, tag) again. */
export interface RestoredRow {
  readonly mac: MacAddr;
  readonly link: LinkName;
  readonly tag: Tag;
}

export type TsiEffect =
  /** Ask the NVA whether this TSI may join; answer with `auth`. */
  | {
      readonly type: 'askAuth';
      readonly key: TsiKey;
      readonly ask: number;
      readonly vn: VnRef;
      readonly macs: readonly MacAddr[];
      readonly ips: readonly IpAddr[];
    }
  /** The VN's first TSI on this NVE: subscribe to it, make it in the engine. Comes before the `reserve`. */
  | { readonly type: 'connectVn'; readonly vn: VnInfo }
  /** The VN's last TSI is gone: after the `release` was applied. */
  | { readonly type: 'disconnectVn'; readonly vn: VnInfo }
  /** Set aside what the TSI will need; nothing is forwarded yet. Answer with `engine`. */
  | { readonly type: 'reserve'; readonly key: TsiKey; readonly op: number; readonly vn: VnInfo; readonly tag: Tag }
  /**
   * Forward for the TSI: its VAP (link, tag) exists and each of `macs` is a row that names it, also if the row named the
   * VAP of the same TSI on another link (a move). After a change of its addresses `macs` are those that were added,
   * `removed` the rows to delete, and `restore` as in `unprogram`. Answer with `engine`.
   */
  | {
      readonly type: 'program';
      readonly key: TsiKey;
      readonly op: number;
      readonly vn: VnInfo;
      readonly tag: Tag;
      readonly macs: readonly MacAddr[];
      readonly removed: readonly MacAddr[];
      readonly restore: readonly RestoredRow[];
      /** Its MACs are not known: the engine has to learn them, and cannot guard the VAP. */
      readonly learn: boolean;
      /** No other TSI of the VN on this link is programmed: the VAP is new. (Setting one that is there does no harm.) */
      readonly firstOnVap: boolean;
    }
  /**
   * Stop forwarding for the TSI. `macs` are the rows to delete: not those that a later activation of the same TSI on
   * another link took over. `restore` are rows that go back to an older activation of the same TSI that is still there.
   * Answer with `engine`.
   */
  | {
      readonly type: 'unprogram';
      readonly key: TsiKey;
      readonly op: number;
      readonly vn: VnInfo;
      readonly tag: Tag;
      readonly macs: readonly MacAddr[];
      readonly restore: readonly RestoredRow[];
      /** No other TSI of the VN on this link stays programmed: the VAP goes. */
      readonly lastOnVap: boolean;
    }
  /** Give back what `reserve` set aside. The tag is free once this is applied. Answer with `engine`. */
  | { readonly type: 'release'; readonly key: TsiKey; readonly op: number; readonly vn: VnInfo; readonly tag: Tag }
  /** Tell the NVA: attach after the program was applied, detach before the unprogram. If it refuses an attach: `revoke`. */
  | {
      readonly type: 'report';
      readonly change: 'attach' | 'detach';
      readonly key: TsiKey;
      readonly vn: VnId;
      readonly macs: readonly MacAddr[];
      readonly ips: readonly IpAddr[];
    }
  /** What is so after this event, for a store; null: no more. Comes before the `answer` that tells of it. */
  | { readonly type: 'remember'; readonly key: TsiKey; readonly association: Association | null }
  | { readonly type: 'rememberTags'; readonly allocations: readonly TagAllocation[] }
  /** The request is done. `null` is the answer to a de-association. */
  | { readonly type: 'answer'; readonly request: RequestId; readonly result: Result<TsiRow | null> }
  /** The NVE side ended an association that the hypervisor had (only after `revoke`). */
  | { readonly type: 'ended'; readonly key: TsiKey; readonly error: NveError };
