// The PEM files of one side of TLS. They are checked when they are read: what TLS would say about them later is hard to understand.

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { nveError } from '#model';

/** Paths of PEM files. */
export interface TlsFiles {
  /** The certificates of the authorities that the other side's certificate may be of. */
  readonly ca: string;
  /** The own certificate, with those between it and the other side's authority, if there are any. */
  readonly cert: string;
  /** The private key of the own certificate. */
  readonly key: string;
}

/** What the files hold. */
export interface TlsPem {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** Reads them. Throws NVE-TLS-001 if one is missing or is not what it should be, or if key and certificate do not match. */
export function readPem({ ca, cert, key }: TlsFiles): TlsPem {
  const pem = { ca: read('CA', ca), cert: read('certificate', cert), key: read('key', key) };
  attempt('CA', ca, () => new X509Certificate(pem.ca));
  const own = attempt('certificate', cert, () => new X509Certificate(pem.cert));
  const secret = attempt('key', key, () => createPrivateKey(pem.key));
  if (!own.checkPrivateKey(secret))
    throw nveError('NVE-TLS-001', {
      what: 'key',
      file: key,
      reason: `it is not the key of the certificate in ${cert}`,
    });
  // The whole chain, of which only the first certificate was looked at above.
  attempt('certificate', cert, () => createSecureContext({ cert: pem.cert }));
  return pem;
}

function read(what: string, file: string): string {
  return attempt(what, file, () => readFileSync(file, 'utf8'));
}

function attempt<T>(what: string, file: string, use: () => T): T {
  try {
    return use();
  } catch (caught) {
    const reason = caught instanceof Error ? caught.message : String(caught);
    throw nveError('NVE-TLS-001', { what, file, reason }, caught);
  }
}
