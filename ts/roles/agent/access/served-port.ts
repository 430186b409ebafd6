// What the machines of an access port want to know of the configuration.

import type { AgentConfig } from '#model';
import type { ServedPort } from './access-links.js';

export function servedPort({ port, reflective_relay, ecp_address }: AgentConfig['access'][number]): ServedPort {
  return { name: port, reflectiveRelay: reflective_relay, address: ecp_address, cdcp: null };
}
