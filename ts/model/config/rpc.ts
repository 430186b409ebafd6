// The RPC section of each role's configuration, and of the agent's the part for hypervisors elsewhere.

import { z } from 'zod';
import { linkPatternField, listenField, socketField, tlsFields } from './fields.js';

function rpcKeys(role: string) {
  return {
    socket: socketField
      .default(`/run/splitnve/${role}.sock`)
      .describe('The Unix socket of the RPC; made with mode 0600.'),
  };
}

const RPC = 'The RPC for hypervisors and the command line.';

export function rpcSection(role: string) {
  return z.strictObject(rpcKeys(role)).prefault({}).describe(RPC);
}

/** The RPC of a role that hypervisors reach over a network as well. */
export function remoteRpcSection(role: string) {
  return z
    .strictObject({ ...rpcKeys(role), tls: rpcTlsSection.optional() })
    .prefault({})
    .describe(RPC);
}

/** A name in a certificate: a URI of its subjectAltName, or a CN (RFC 5280 appendix A.1: at most 64 characters). */
const CLIENT = 'a name of 1 to 255 printable characters';

const rpcTlsSection = z
  .strictObject({
    listen: listenField.describe('Where the RPC listens with TLS 1.3.'),
    ...tlsFields("the clients' certificates"),
    client: z
      .array(
        z.strictObject({
          name: z
            .string(CLIENT)
            // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is refused.
            .regex(/^[^\x00-\x1f\x7f]{1,255}$/, CLIENT)
            .describe("The name in the client's certificate: the URI of its subjectAltName, or without one its CN."),
          links: z
            .array(linkPatternField)
            .min(1, 'at least one link')
            .max(64)
            .describe('The access links that it may use; "*" stands for any characters.'),
        }),
      )
      .max(1024)
      .default([])
      .describe('Who may do what. A certificate that is not named here opens nothing.'),
  })
  .describe("The RPC for hypervisors elsewhere, which show a client's certificate.");
