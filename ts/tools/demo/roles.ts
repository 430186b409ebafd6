// The five processes of the product, with the unmodified files of firmware-config, and when they are ready.

import { RpcClient } from '#hypervisor';
import { nveError } from '#model';
import type { Fault } from './options.js';
import { CONFIGS, socketOf } from './paths.js';
import type { Processes } from './processes.js';
import { rows } from './splitnve.js';
import { until } from './wait.js';

interface Role {
  readonly name: string;
  readonly netns: string;
  readonly program: 'nva' | 'agent' | 'tnve';
}

const ROLES: readonly Role[] = [
  { name: 'nva', netns: 'mgmt', program: 'nva' },
  { name: 'agent1', netns: 'nve1', program: 'agent' },
  { name: 'agent2', netns: 'nve2', program: 'agent' },
  { name: 'tnve1', netns: 'hv1', program: 'tnve' },
  { name: 'tnve2', netns: 'hv2', program: 'tnve' },
];

/** An engine's start: DPDK maps and clears its memory. */
const READY_MS = 30_000;
const SESSION_MS = 10_000;

/** Starts all of them, and waits until each answers. Throws an `NveError` naming the one that does not. */
export async function startRoles(processes: Processes, fault: Fault | undefined): Promise<void> {
  for (const { name, netns, program } of ROLES) {
    const option = fault === 'wrong-vni' && name === 'agent2' ? ' --fault wrong-vni' : '';
    processes.start(name, `ip netns exec ${netns} splitnve ${program} -c ${CONFIGS}/${name}.toml${option}`);
  }
  await Promise.all(ROLES.map(({ name }) => ready(processes, name)));
}

/** Until its RPC says hello. */
async function ready(processes: Processes, name: string): Promise<void> {
  const isThere = await until(
    () => answers(name),
    (answer) => answer || !processes.isRunning(name),
    READY_MS,
  );
  if (isThere) return;
  const how = processes.death(name)?.how;
  throw nveError('NVE-SYS-004', {
    command: name,
    reason: how === undefined ? `it does not answer within ${READY_MS} ms` : `it has ended: ${how}`,
  });
}

async function answers(name: string): Promise<boolean> {
  try {
    (await RpcClient.connect({ socket: socketOf(name), client: 'demo', deadlineMs: 1_000 })).close();
    return true;
  } catch {
    return false;
  }
}

/** Until both agents have a session with the NVA. */
export async function sessionsUp(): Promise<void> {
  await Promise.all(['agent1', 'agent2'].map(sessionUp));
}

async function sessionUp(agent: string): Promise<void> {
  const [nva] = await until(
    () => rows('nva', agent),
    ([row]) => row?.state === 'connected',
    SESSION_MS,
  );
  if (nva?.state === 'connected') return;
  throw nveError('NVE-SYS-004', { command: agent, reason: `no session with its NVA: ${nva?.error ?? nva?.state}` });
}
