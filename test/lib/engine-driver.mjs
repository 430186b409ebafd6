// Runs one engine (a process has one EAL in its life) and does what it is told on stdin, a JSON line each:
//
//   → {"id": 1, "call": "open", "args": [options]}      ← {"id": 1, "result": …} or {"id": 1, "error": {code, message, …}}
//                                                       ← {"event": …} and {"punt": …} whenever the engine tells one
//
// It ends when stdin does, so that no engine outlives its test. It knows `#dataplane`, as it was built, and nothing else.
import { createInterface } from 'node:readline';
import { openEmbedded } from '#dataplane';
import { fromLine, toLine } from './json.mjs';

/** @typedef {import('#dataplane').Engine} Engine */

/** @type {Engine | undefined} */
let engine;

/** @type {Record<string, (engine: Engine, args: any[]) => unknown>} */
const calls = {
  info: (engine) => engine.info(),
  apply: (engine, [commands]) => engine.apply(commands),
  dump: (engine, [kind]) => engine.dump(kind),
  stats: (engine) => engine.stats(),
  inject: (engine, [port, frame]) => engine.inject(port, frame),
  trace: (engine, [port, frame]) => engine.trace(port, frame),
  close: (engine) => engine.close(),
};

/** @param {string} call @param {any[]} args */
async function serve(call, args) {
  if (call === 'open') {
    engine = await openEmbedded(args[0]);
    engine.onEvent((event) => void process.stdout.write(toLine({ event })));
    engine.onPunt((punt) => void process.stdout.write(toLine({ punt })));
    return engine.info();
  }
  const known = calls[call];
  if (known === undefined) throw new TypeError(`no such call: ${call}`);
  if (engine === undefined) throw new TypeError(`${call} before open`);
  return known(engine, args);
}

/** @param {any} error */
function plain(error) {
  return {
    code: `${error?.code ?? ''}`,
    message: `${error?.message ?? error}`,
    hint: error?.hint,
    context: error?.context,
  };
}

const lines = createInterface({ input: process.stdin });
lines.on('line', async (line) => {
  const { id, call, args } = /** @type {{ id: number, call: string, args: any[] }} */ (fromLine(line));
  try {
    process.stdout.write(toLine({ id, result: (await serve(call, args)) ?? null }));
  } catch (error) {
    process.stdout.write(toLine({ id, error: plain(error) }));
  }
});
lines.on('close', () => {
  engine?.shutdownNow();
  process.exit(0);
});
