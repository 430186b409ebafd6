// The exception path (docs/engine.md): what arrives for this NVE and is not for the engine reaches the kernel of this host by a TAP
// interface, which is here made the kernel's end of the underlay port: with its MAC, its addresses and its carrier.

import type { Engine } from '#dataplane';
import type { AgentConfig } from '#model';
import { stateOf } from '../engine/objects.js';
import { portCommands } from '../engine/ports.js';
import type { Reconciler } from '../engine/reconciler.js';
import { shareAddresses } from '../ports/kernel.js';

export interface ExceptionParts {
  readonly config: AgentConfig;
  readonly engine: Engine;
  readonly reconciler: Reconciler;
}

/** Which `[[port]]` is the kernel's end, and not a port like the others. */
export function isException({ exception }: AgentConfig, port: string): boolean {
  return exception?.port === port;
}

/** The underlay port must be there. Throws an `NveError` if the engine or the kernel refuses something. */
export async function openException({ config, engine, reconciler }: ExceptionParts): Promise<void> {
  const { exception } = config;
  if (exception === undefined) return;
  const ports = portCommands(config.port);
  const underlay = ports.find(({ name }) => name === exception.underlay);
  const tap = ports.find(({ name }) => name === exception.port);
  if (underlay === undefined || tap?.kind.driver !== 'net_tap') return;
  // The kernel answers for the same addresses, so it must be the same neighbour to everybody.
  const mac = (await engine.dump('ports')).find(({ port }) => port === underlay.port)?.mac;
  const kind = { ...tap.kind, mac: tap.kind.mac ?? mac ?? null };
  const state = stateOf([
    { ...tap, kind },
    { op: 'ExceptionSet', port: underlay.port, tap: tap.port },
  ]);
  await reconciler.set('exception', state);
  const refused = reconciler.firstCondition(state.keys());
  if (refused !== undefined) throw refused;
  const addresses = config.underlay.filter(({ port }) => port === exception.underlay).map(({ address }) => address);
  await shareAddresses(tap.kind.iface, tap.mtu, addresses);
}
