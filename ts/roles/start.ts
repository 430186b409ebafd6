// Each role from its configuration file to its end, with everything real: the embedded engine, sockets, the kernel.

import type { Logger } from 'pino';
import { openEmbedded } from '#dataplane';
import { type NveError, unwrap } from '#model';
import { NvaClient, NvaServer, type NvaServerOptions } from '#nva';
import { NvaStore, Store } from '#store';
import { Agent } from './agent/agent.js';
import type { Fault } from './agent/nve-ways.js';
import { engineOptions } from './engine/ports.js';
import { Nva } from './nva/nva.js';
import { kernel } from './ports/kernel.js';
import { readConfig, roleLog, runRole } from './process.js';
import { Tnve } from './tnve/tnve.js';

/** What watches an agent from outside of the roles, from its start to its end. */
export interface AgentFace {
  close(): Promise<void>;
}

export interface RunAgentOptions {
  readonly fault?: Fault | undefined;
  /** Called when the agent is ready; if it rejects, the agent does not stay either. */
  readonly face?: ((agent: Agent, log: Logger) => Promise<AgentFace>) | undefined;
}

/** Runs the NVE until a signal. Throws an `NveError` if it cannot start, or cannot go on. */
export async function runAgent(file: string, { fault, face }: RunAgentOptions = {}): Promise<void> {
  const config = readConfig('agent', file);
  const log = roleLog('agent', config.node.name, config.log.level);
  const store = await Store.open(config.store.path);
  const engine = await openEngine(config.engine, log);
  const makeNvaClient = (...args: ConstructorParameters<typeof NvaClient>) => new NvaClient(...args);
  try {
    const start = async (onFailure: (error: NveError) => void) => {
      const agent = await Agent.start({ config, engine, log, makeNvaClient, store, fault, onFailure });
      return face === undefined ? agent : withFace(agent, () => face(agent, log));
    };
    await runRole(log, start, engine);
  } finally {
    await store.close();
  }
}

async function withFace(agent: Agent, make: () => Promise<AgentFace>) {
  try {
    const face = await make();
    const close = async (): Promise<void> => {
      await face.close();
      await agent.close();
    };
    return { close, reload: () => agent.reload() };
  } catch (error) {
    await agent.close();
    throw error;
  }
}

/** Runs the hypervisor's side until a signal. */
export async function runTnve(file: string): Promise<void> {
  const config = readConfig('tnve', file);
  const log = roleLog('tnve', config.node.name, config.log.level);
  const engine = await openEngine(config.engine, log);
  await runRole(log, (onFailure) => Tnve.start({ config, engine, log, kernel, onFailure }), engine);
}

/** Runs the embedded authority until a signal. */
export async function runNva(file: string): Promise<void> {
  const config = readConfig('nva', file);
  const log = roleLog('nva', config.node.name, config.log.level);
  const store = await NvaStore.open(config.store.path);
  const makeServer = (options: NvaServerOptions) => unwrap(NvaServer.create(options));
  try {
    await runRole(log, () => Nva.start({ config, log, store, makeServer }));
  } finally {
    await store.close();
  }
}

async function openEngine(config: Parameters<typeof engineOptions>[0], log: Logger) {
  const engine = await openEmbedded(engineOptions(config));
  const { dpdk, hugepages, pollers, fdbCapacity } = engine.info();
  log.info({ component: 'engine', dpdk, hugepages, pollers, fdbCapacity }, 'engine open');
  return engine;
}
