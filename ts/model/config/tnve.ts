// The configuration of `splitnve tnve`, the hypervisor's side.

import { z } from 'zod';
import { engineSection, logSection, nodeSection, portsSection } from './common.js';
import { linkNameField, socketField } from './fields.js';
import { rpcSection } from './rpc.js';

export const tnveConfig = z
  .strictObject({
    node: nodeSection,
    log: logSection,
    engine: engineSection,
    port: portsSection,
    uplink: z
      .strictObject({ port: linkNameField.describe('The [[port]] towards the NVE.') })
      .describe('The access link, seen from the hypervisor.'),
    nve: z
      .strictObject({
        socket: socketField.describe("The RPC socket of the NVE's agent."),
        link: linkNameField.describe(
          "The access link's name: what the agent calls the port at the other end of the uplink.",
        ),
      })
      .describe('The NVE that serves this hypervisor.'),
    rpc: rpcSection('tnve'),
  })
  .describe('splitnve tnve');

export type TnveConfig = z.output<typeof tnveConfig>;
