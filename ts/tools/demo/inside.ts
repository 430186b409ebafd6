// The demo from inside: process 1 of its process namespace, root of its network and mount namespaces. When it ends the kernel kills all
// others here and takes the namespaces away, so there is nothing to clean up. Started by demo.ts, with the options as its first message.

import { toNveError } from '#model';
import { checkDetach } from './checks/detach.js';
import { checkIsolation } from './checks/isolation.js';
import { checkMappings, checkNothingYet } from './checks/mappings.js';
import { checkRates } from './checks/rate.js';
import { checkNames, checkPing } from './checks/reach.js';
import { checkSizes } from './checks/sizes.js';
import { failed, Lab } from './lab.js';
import { live } from './live.js';
import type { Start } from './options.js';
import { SCRIPTS, SHELL } from './paths.js';
import { Processes } from './processes.js';
import { sessionsUp, startRoles } from './roles.js';
import * as screen from './screen.js';
import { must, run } from './shell.js';
import { show, showTables } from './tables.js';
import { addressLine, attachLine, TENANTS } from './tenants.js';
import { DIAGRAM, STEPS } from './topology.js';
import { verdict } from './verdict.js';
import { makeWorld } from './world.js';

/** However slow the machine: by then there is a verdict. */
const WHOLE_MS = 240_000;
const INTERRUPTED = 130;

const started = performance.now();
const interrupted = new AbortController();
let isJudged = false;

function end(code: number): never {
  process.exit(code);
}

process.stdout.on('error', () => end(1));
// Without the process outside nobody waits for a verdict.
process.once('disconnect', () => end(1));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    if (!isJudged) end(INTERRUPTED);
    interrupted.abort();
  });
}
process.once('message', (start) => {
  main(start as Start).then(end, (error: unknown) => {
    console.error(`error: ${toNveError(error).message}`);
    end(1);
  });
});

async function main({ options, pid }: Start): Promise<number> {
  const logs = await makeWorld(options.keepLogs === true);
  const lab = new Lab(options, new Processes(logs));
  screen.section('splitnve demo: two hosts, two VNs with equal addresses, one fabric');
  screen.text(DIAGRAM);
  screen.text('Everything is in namespaces of its own, which end with it. A shell in them, where each line works:');
  screen.command(`nsenter -at ${pid} ${SHELL}`);
  if (options.keepLogs === true) screen.text(`logs: ${logs}`);
  const watchdog = setTimeout(() => {
    lab.results.push({ name: 'the demo', ...failed(`no end within ${WHOLE_MS / 1000} s`) });
    verdict(lab, seconds());
    end(1);
  }, WHOLE_MS);
  try {
    await setUp(lab);
    await checks(lab);
  } catch (error) {
    // Not a check, but what all of them need.
    const { message } = toNveError(error);
    lab.results.push({ name: 'set-up', ...failed(message) });
    screen.outcome(false, 'set-up', message);
  }
  clearTimeout(watchdog);
  const isGood = verdict(lab, seconds());
  if (options.once) return isGood ? 0 : 1;
  isJudged = true;
  const isAlive = await live(lab, interrupted.signal);
  return isGood && isAlive ? 0 : 1;
}

async function setUp(lab: Lab): Promise<void> {
  const { processes, options } = lab;
  screen.section('Network');
  for (const { line, mayFail } of STEPS) await (mayFail === true ? run(line) : must(line));

  screen.section('Roles: the files of firmware-config, as they are');
  await startRoles(processes, options.fault);
  await sessionsUp();

  screen.section('Tenants: attached to their VNs by name; the tNVEs negotiate the tags by VDP on their uplinks');
  await checkNothingYet(lab);
  for (const tenant of TENANTS) await must(attachLine(tenant));
  await must(addressLine(TENANTS));
  for (const { tsi, place, host } of TENANTS) {
    processes.start(`server-${tsi}`, `ip netns exec ${place} node ${SCRIPTS}/tenant-server.js ${tsi}`);
    if (host === 2) processes.start(`iperf3-${tsi}`, `ip netns exec ${place} iperf3 -s`);
  }

  screen.section('Tables');
  await showTables();
  if (options.fault === 'agent-killed') await killAgent(processes);
}

async function killAgent(processes: Processes): Promise<void> {
  screen.section('Fault: agent 2 is killed');
  const died = new Promise((resolve) => processes.onDeath(resolve));
  await must(`kill -9 ${processes.pid('agent2')}`);
  await died;
}

async function checks(lab: Lab): Promise<void> {
  screen.section('Checks: mappings');
  await checkMappings(lab);
  screen.section('Checks: reachability');
  await checkPing(lab);
  await checkNames(lab);
  screen.section('Checks: rates and sizes');
  await checkRates(lab);
  await checkSizes(lab);
  screen.section('Checks: isolation');
  await checkIsolation(lab);
  await show('drops', 'agent1');
  screen.section('Checks: detach and attach');
  await checkDetach(lab);
}

function seconds(): number {
  return (performance.now() - started) / 1000;
}
