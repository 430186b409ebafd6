// What the tNVE asks of its NVE, whichever way: over the link itself by VDP, or over the NVE's RPC. Each call is idempotent and rejects with an
// `NveError`; a retryable one says that the NVE is away or slow, any other that it refuses.

import type { PortId } from '#dataplane';
import type { IpAddr, LinkName, MacAddr, Mtu, Tag, TsiId, VnName } from '#model';

export interface Wish {
  readonly tsi: TsiId;
  readonly vn: VnName;
  readonly macs: readonly MacAddr[];
  readonly ips: readonly IpAddr[];
  /** What it had, where it was there before: it wishes for the same again. */
  readonly tag: Tag | null;
}

/** What the NVE has granted. */
export interface Grant {
  readonly state: 'associated' | 'activated';
  readonly tag: Tag;
  /** The tenant's IP MTU. */
  readonly mtu: Mtu;
  /** Of the VN's gateway; null: it has none, or this way it is not known. */
  readonly gateway: IpAddr | null;
}

export interface Within {
  readonly deadlineMs: number;
}

/** A TSI changed at the NVE without having been asked for. */
export interface Change {
  readonly tsi: TsiId;
  /** Null: it is gone, and its tag may soon be another VN's. */
  readonly state: Grant['state'] | null;
  readonly cause: string | null;
  /** Asking again may help; otherwise the TSI moved away and is not to be taken back. */
  readonly retry: boolean;
}

export interface NegotiatorHandlers {
  /** The NVE is there, is back, or began anew. */
  available(nve: string): void;
  away(reason: string): void;
  changed(change: Change): void;
}

export interface Negotiator {
  /** What rows call the access link. */
  readonly link: LinkName;
  /** The name under which the VN is kept here. Throws an `NveError` if the VN cannot be asked for by this name. */
  vnName(vn: VnName): VnName;
  start(handlers: NegotiatorHandlers): Promise<void>;
  /** Resources reserved, nothing forwarded; one that is activated stays so. */
  associate(wish: Wish, within: Within): Promise<Grant>;
  /** Only what was associated. */
  activate(tsi: TsiId, within: Within): Promise<Grant>;
  /** Tells that the VM of an activated TSI does not run for a while, or runs again. */
  suspend(tsi: TsiId, isSuspended: boolean, within: Within): Promise<Grant>;
  deassociate(tsi: TsiId, within: Within): Promise<void>;
  /** Whether LLDP and ECP of the port are taken here. */
  hears(port: PortId): boolean;
  /** Frames that were dropped here, besides the engine's own drops. */
  drops(): readonly { readonly port: string; readonly reason: string; readonly packets: number }[];
  close(): void;
}
