// Certificates that are read again, and what the log says of it. With wrong ones a role goes on with those that it has.

import type { Logger } from 'pino';
import type { Result } from '#model';

interface Renewal {
  readonly component: string;
  /** The files; undefined: there are none. */
  readonly tls: { readonly ca: string; readonly cert: string; readonly key: string } | undefined;
  /** Of the configuration. */
  readonly section: string;
}

/** Reads them again with `renew`. */
export function renewed(log: Logger, { component, tls, section }: Renewal, renew: () => Result<null>): void {
  if (tls === undefined) {
    log.info({ component }, `nothing to read again without ${section}`);
    return;
  }
  const { ca, cert, key } = tls;
  const fields = { component, ca, cert, key };
  const result = renew();
  if (result.ok) {
    log.info(fields, 'certificates read again');
  } else {
    const { code, message, hint } = result.error;
    log.warn({ ...fields, cause: code }, `the certificates of before stay in use: ${message}. ${hint}`);
  }
}
