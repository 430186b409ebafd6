/**
 * `tls`: TLS 1.3 with certificates on both sides, for the RPC and for NNP. It says who is at the other end, or why that is not known;
 * what somebody may do is not its business.
 */
export { readPem, type TlsFiles, type TlsPem } from './files.js';
export { type TlsHandlers, TlsListener, type TlsListenerOptions, type TlsPeer } from './listener.js';
export { nameOfCertificate, uriOfCertificate } from './names.js';
export { openTls, type TlsTarget, tlsProblem } from './open.js';
