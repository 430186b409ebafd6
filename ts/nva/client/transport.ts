/** The NVE's connections to its NVA, and why one could not be made. */
import { connect, Socket } from 'node:net';
import { NveError, nveError } from '#model';
import { openTls, tlsProblem } from '#tls';
import { formatNvaAddress, netAddress } from '../address.js';
import { notNamed, type OwnIdentity } from '../identity.js';
import { NNP_ALPN, type NvaAddress } from '../types.js';

const OTHER_PROTOCOL = { reason: 'what listens there does not speak NNP', remedy: 'Correct the port.' };

/** A socket on its way there; `opened` is called when it may be used. With TLS the other end is an NVA of our domain then. */
export function openTransport(address: NvaAddress, identity: OwnIdentity | null, opened: () => void): Socket {
  if (address.kind !== 'tls') return connect(netAddress(address)).once('connect', opened);
  const { host, port } = address;
  const place = formatNvaAddress(address);
  if (identity === null) {
    // Nobody configured it so: an NVA named the place.
    const none = {
      reason: 'there is no certificate for it',
      remedy: 'Add [nva.tls] to the configuration of the agent.',
    };
    return new Socket().destroy(nveError('NVE-TLS-002', { endpoint: place, ...none }));
  }
  const socket = openTls({
    host,
    port,
    pem: identity.pem,
    alpn: NNP_ALPN,
    identify: (certificate) =>
      notNamed(certificate, `the certificate of ${place}`, 'nva', identity.domain) ?? undefined,
  });
  return socket.once('secureConnect', () => {
    if (socket.alpnProtocol === NNP_ALPN) opened();
    else socket.destroy(nveError('NVE-TLS-002', { endpoint: place, ...OTHER_PROTOCOL }));
  });
}

/** Why a connection ended: an error of its own if it is about certificates, else a reason in words. */
export function causeOf(cause: Error & { code?: unknown }, address: NvaAddress, ca: string): NveError | string {
  if (cause instanceof NveError) return cause;
  if (address.kind !== 'tls') return cause.message;
  const problem = tlsProblem(String(cause.code ?? ''), { host: address.host, ca });
  return problem === undefined
    ? cause.message
    : nveError('NVE-TLS-002', { endpoint: formatNvaAddress(address), ...problem }, cause);
}
