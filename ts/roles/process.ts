// Runs a role in this process: its log, its signals, its end. A role that has to go ends in one way only: close what is open, tell the
// engine, leave with a code.

import { readFileSync, statSync } from 'node:fs';
import { type Logger, pino } from 'pino';
import type { Engine } from '#dataplane';
import {
  CONFIG_SIZE_MAX,
  type ConfigOf,
  type NveError,
  nveError,
  parseConfig,
  type RoleName,
  toNveError,
  unwrap,
} from '#model';
import { LogSink } from './log-sink.js';
import { recentLog } from './recent-log.js';

/** Reads and checks a configuration file. Throws NVE-CFG-001 if it cannot be read, NVE-CFG-002 with all its mistakes. */
export function readConfig<R extends RoleName>(role: R, file: string): ConfigOf<R> {
  let text: string;
  try {
    const { size } = statSync(file);
    if (size > CONFIG_SIZE_MAX)
      throw nveError('NVE-CFG-001', { file, reason: `it has ${size} bytes, the limit is ${CONFIG_SIZE_MAX}` });
    text = readFileSync(file, 'utf8');
  } catch (caught) {
    throw nveError('NVE-CFG-001', { file, reason: caught instanceof Error ? caught.message : String(caught) }, caught);
  }
  return unwrap(parseConfig(role, text, file));
}

/** The log of a role: JSON lines on standard error. */
export function roleLog(role: RoleName, name: string, level: string): Logger {
  const base = { role, node: name };
  const lostLine = (lines: number): string => {
    const line = { level: pino.levels.values['warn'], time: Date.now(), ...base, component: 'log', lines };
    return `${JSON.stringify({ ...line, msg: `${lines} lines of the log are lost: they were not read in time` })}\n`;
  };
  const sink = new LogSink({ lostLine });
  process.once('exit', () => sink.flushSync());
  const write = (line: string): void => {
    recentLog.push(line);
    sink.write(line);
  };
  // pino calls `flushSync` after a fatal line, if there is one.
  const destination = { write, flushSync: () => sink.flushSync() };
  return pino({ level, base }, destination);
}

interface Role {
  close(): Promise<void>;
  /** Reads its files again, on SIGHUP. Does not throw. A role without it ends on SIGHUP, as programs do. */
  reload?(): void;
}

/** How long a role may take to close before the process leaves anyhow. */
const CLOSE_MS = 8_000;

/**
 * Starts a role and waits for its end: SIGINT or SIGTERM (gives 0), or a failure (throws it). A second signal leaves at once. If the
 * start fails everything is closed and the reason thrown.
 */
export async function runRole(
  log: Logger,
  start: (onFailure: (error: NveError) => void) => Promise<Role>,
  engine?: Engine,
): Promise<void> {
  // What ends the process without `close` (an uncaught error, process.exit) must still stop the engine's threads.
  const onExit = (): void => engine?.shutdownNow();
  process.once('exit', onExit);
  let stop: (reason: string | NveError) => void = () => undefined;
  const stopped = new Promise<string | NveError>((resolve) => {
    stop = resolve;
  });
  const leaveNow = (): void => process.exit(1);
  const onSignal = (signal: NodeJS.Signals): void => {
    process.once(signal, leaveNow);
    stop(signal);
  };
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  let role: Role | undefined;
  const onHangUp = (): void => role?.reload?.();
  try {
    role = await Promise.race([start(stop), stopped.then(() => undefined)]);
    if (role?.reload !== undefined) process.on('SIGHUP', onHangUp);
    const reason = await stopped;
    if (reason instanceof Error) throw reason;
    log.info({ component: 'process', cause: reason }, 'stopping');
  } finally {
    const timer = setTimeout(() => {
      log.error({ component: 'process' }, `not closed within ${CLOSE_MS} ms`);
      process.exit(1);
    }, CLOSE_MS);
    await role
      ?.close()
      .catch((error: unknown) =>
        log.error({ component: 'process', cause: toNveError(error).code }, toNveError(error).message),
      );
    await engine
      ?.close()
      .catch((error: unknown) =>
        log.error({ component: 'process', cause: toNveError(error).code }, toNveError(error).message),
      );
    clearTimeout(timer);
    process.off('SIGHUP', onHangUp);
    for (const signal of ['SIGINT', 'SIGTERM']) process.off(signal, onSignal).off(signal, leaveNow);
    process.off('exit', onExit);
  }
}
