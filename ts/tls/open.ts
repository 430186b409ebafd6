/** A client's connection with TLS 1.3 and its certificate, and what went wrong with one, in words. */
import { isIP } from 'node:net';
import { connect, type PeerCertificate, type TLSSocket } from 'node:tls';
import type { TlsPem } from './files.js';

export interface TlsTarget {
  readonly host: string;
  readonly port: number;
  readonly pem: TlsPem;
  /** The application protocol to ask for (RFC 7301). */
  readonly alpn?: string;
  /** Who the server must be, instead of `host`: an error says who it is not. Its certificate is of the authority and valid. */
  readonly identify?: (certificate: PeerCertificate) => Error | undefined;
}

/** A socket that is on its way; `secureConnect` or `error` follows. */
export function openTls({ host, port, pem, alpn, identify }: TlsTarget): TLSSocket {
  return connect({
    ...pem,
    host,
    port,
    minVersion: 'TLSv1.3',
    servername: isIP(host) === 0 ? host : '',
    ...(alpn !== undefined && { ALPNProtocols: [alpn] }),
    ...(identify !== undefined && {
      checkServerIdentity: (_: string, certificate: PeerCertificate) => identify(certificate),
    }),
  });
}

/** What an OpenSSL or Node code of an error means, for NVE-TLS-002; undefined: it is not about TLS. */
export function tlsProblem(
  code: string,
  { host, ca }: { readonly host: string; readonly ca: string },
): { readonly reason: string; readonly remedy: string } | undefined {
  switch (code) {
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'CERT_SIGNATURE_FAILURE':
      return {
        reason: `the server's certificate is not of the CA in ${ca}`,
        remedy: "Name the CA that issued the server's certificate.",
      };
    case 'CERT_HAS_EXPIRED':
    case 'CERT_NOT_YET_VALID':
      return { reason: "the server's certificate is not valid now", remedy: 'Renew it, or set the clock.' };
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return {
        reason: `the server's certificate is not for ${host}`,
        remedy: 'Use a name or address that its subjectAltName has, or issue it one with this.',
      };
    case 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION':
    case 'ERR_SSL_UNSUPPORTED_PROTOCOL':
      return { reason: 'the server has no TLS 1.3', remedy: 'Name the address of a server of this release.' };
    case 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL':
      return { reason: 'what listens there is for another protocol', remedy: 'Correct the port.' };
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
    case 'ERR_SSL_PACKET_LENGTH_TOO_LONG':
      return {
        reason: 'what listens there does not speak TLS',
        remedy: 'Correct the port, or let it listen with TLS.',
      };
    default:
      return undefined;
  }
}
