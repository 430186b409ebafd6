/**
 * Who somebody is by the URI of its certificate: `spiffe://DOMAIN/nve/NAME` or `spiffe://DOMAIN/nva/NAME`. Both ends of a session are
 * of one domain; which names exist is not said here.
 */
import { X509Certificate } from 'node:crypto';
import { err, type NveError, nveError, ok, type Result } from '#model';
import { nameOfCertificate, readPem, type TlsFiles, type TlsPem, uriOfCertificate } from '#tls';

type Certificate = Parameters<typeof uriOfCertificate>[0];

export type NnpRole = 'nve' | 'nva';

export interface OwnIdentity {
  readonly pem: TlsPem;
  readonly domain: string;
}

/** The own files, for an NVE or NVA of this name. Fails with NVE-TLS-001 or NVE-NNP-014. */
export function readIdentity(files: TlsFiles, role: NnpRole, name: string): Result<OwnIdentity> {
  let pem: TlsPem;
  try {
    pem = readPem(files);
  } catch (caught) {
    return err(caught as NveError);
  }
  const { subjectAltName } = new X509Certificate(pem.cert);
  const certificate = { subjectaltname: subjectAltName ?? '' };
  const domain = partsOf(uriOfCertificate(certificate))?.domain ?? 'DOMAIN';
  const wrong = notNamed(certificate, `the certificate in ${files.cert}`, role, domain, name);
  return wrong === null ? ok({ pem, domain }) : err(wrong);
}

/** Null, or why the certificate is not one of this role of the domain, and, if a name is given, of that: NVE-NNP-014. */
export function notNamed(
  certificate: Certificate,
  whose: string,
  role: NnpRole,
  domain: string,
  name?: string,
): NveError | null {
  const parts = partsOf(uriOfCertificate(certificate));
  const fits = parts?.role === role && parts.domain === domain && (name === undefined || parts.name === name);
  if (fits) return null;
  const got = nameOfCertificate(certificate) ?? 'nobody';
  return nveError('NVE-NNP-014', { whose, got, expected: `spiffe://${domain}/${role}/${name ?? 'NAME'}` });
}

/** The name in a certificate that `notNamed` found nothing wrong with. */
export function nameIn(certificate: Certificate): string {
  return partsOf(uriOfCertificate(certificate))?.name ?? '';
}

function partsOf(uri: string | null): { domain: string; role: string; name: string } | null {
  const [, domain, role, name] = /^spiffe:\/\/([^/?#]+)\/(nve|nva)\/([^?#]+)$/.exec(uri ?? '') ?? [];
  return domain === undefined || role === undefined || name === undefined ? null : { domain, role, name };
}
