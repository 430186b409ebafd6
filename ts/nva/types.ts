/** What `nva` shows to the roles, beside what `protocol` defines. */

/** Where an NVA listens or is reached. */
export type NvaAddress =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string };

/** One way to the NVA: lower `priority` first, at random among equals (RFC 8014 section 7.4). */
export interface NvaEndpoint {
  readonly address: NvaAddress;
  readonly priority: number;
}

export type { Attachment, AuthorizeRequest, MappingChange, MemberView, VnView } from '#protocol';
