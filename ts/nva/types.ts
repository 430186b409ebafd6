/** What `nva` shows to the roles, beside what `protocol` defines. */

/** The application protocol that both sides name in the TLS handshake (RFC 7301). */
export const NNP_ALPN = 'nnp/1';

/** Where an NVA listens or is reached. */
export type NvaAddress =
  /** Both sides show a certificate. */
  | { readonly kind: 'tls'; readonly host: string; readonly port: number }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string };

/** One way to the NVA: lower `priority` first, at random by `weight` among equals (RFC 8014 section 7.4). */
export interface NvaEndpoint {
  readonly address: NvaAddress;
  readonly priority: number;
  readonly weight: number;
}

export type { Attachment, AuthorizeRequest, MappingChange, MemberView, VnView } from '#protocol';
