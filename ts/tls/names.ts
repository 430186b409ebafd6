/** The names of a certificate. Which of two counted would be a guess, so of two none does. */
import type { PeerCertificate } from 'node:tls';

/** The URI of its subjectAltName, or if it has none its CN. Null if there is no such name, or more than one. */
export function nameOfCertificate(certificate: Partial<PeerCertificate>): string | null {
  const uris = urisOf(certificate.subjectaltname ?? '');
  if (uris.length > 0) return uris.length === 1 ? (uris[0] ?? null) : null;
  const names: unknown = certificate.subject?.CN;
  return typeof names === 'string' ? names : null;
}

/** The URI of its subjectAltName. Null if there is none, or more than one. */
export function uriOfCertificate({ subjectaltname }: Partial<PeerCertificate>): string | null {
  const uris = urisOf(subjectaltname ?? '');
  return uris.length === 1 ? (uris[0] ?? null) : null;
}

/** Node joins the names with ", "; one in which that would be ambiguous is a JSON string. */
function urisOf(names: string): string[] {
  const uris: string[] = [];
  for (const [, kind, quoted, plain] of names.matchAll(/([A-Za-z ]+):(?:("(?:[^"\\]|\\.)*")|([^,"]*))(?:, |$)/g))
    if (kind === 'URI') uris.push(quoted === undefined ? (plain ?? '') : String(JSON.parse(quoted)));
  return uris;
}
