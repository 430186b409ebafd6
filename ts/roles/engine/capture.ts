// Recording frames for somebody on the local socket: one recording at a time, which ends when nobody reads it any more.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Captured, CaptureFilter, Engine } from '#dataplane';
import type { CapturedFrameRow, Handlers, ParamsOf } from '#hypervisor';
import { nveError } from '#model';
import { type PortNames, portIdOf } from './ports.js';

export type CaptureMethod = 'capture.start' | 'capture.read' | 'capture.stop';

/** Who does not read for so long is gone. */
const SILENCE_MS = 5_000;
/** How long a reader waits for frames, and how often it is looked for them meanwhile. */
const WAIT_MS = 200;
const LOOK_MS = 20;
const NANO = 1_000_000_000n;

export function captureHandlers(engine: Engine, ports: PortNames): Required<Pick<Handlers, CaptureMethod>> {
  let last = 0;
  let running: { readonly capture: number; readonly timer: NodeJS.Timeout } | undefined;
  let isStarting = false;

  const end = async (): Promise<void> => {
    clearTimeout(running?.timer);
    running = undefined;
    await engine.capture(null, 1);
  };
  const check = (capture: number): void => {
    if (running?.capture !== capture) throw nveError('NVE-RPC-019', { capture });
    running.timer.refresh();
  };
  return {
    'capture.start': async (params) => {
      if (isStarting || running !== undefined) throw nveError('NVE-RPC-018', {});
      isStarting = true;
      try {
        await engine.capture(filterOf(params, ports), params.snap);
        // What was left of before is nobody's.
        while (engine.captured().frames.length > 0);
        const timer = setTimeout(() => void end().catch(() => undefined), SILENCE_MS);
        timer.unref();
        running = { capture: ++last, timer };
        return { capture: last };
      } finally {
        isStarting = false;
      }
    },
    'capture.read': async ({ capture }, { signal }) => {
      const until = performance.now() + WAIT_MS;
      for (;;) {
        check(capture);
        const { frames, lost } = engine.captured();
        if (frames.length > 0 || lost > 0 || performance.now() > until || signal.aborted)
          return { frames: frames.map((frame) => rowOf(frame, ports)), lost };
        await sleep(LOOK_MS);
      }
    },
    'capture.stop': async ({ capture }) => {
      check(capture);
      await end();
      return {};
    },
  };
}

function filterOf(params: ParamsOf<'capture.start'>, ports: PortNames): CaptureFilter {
  switch (params.of) {
    case 'port':
      return { kind: 'port', port: portIdOf(ports, params.port) };
    case 'vap':
      return { kind: 'vap', vap: params.vap };
    case 'drops': {
      const { port, reason } = params;
      return { kind: 'drops', port: port === null ? null : portIdOf(ports, port), reason };
    }
  }
}

function rowOf(captured: Captured['frames'][number], ports: PortNames): CapturedFrameRow {
  const { timeNs, port, place, reason, length, frame } = captured;
  const time = { time_s: Number(timeNs / NANO), time_ns: Number(timeNs % NANO) };
  return { ...time, port: ports.name(port), place, reason, length, frame };
}
