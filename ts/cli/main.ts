#!/usr/bin/env node
// The program. Everything it does is in program.ts; here are only the process's own ends.

import { processIo } from './io.js';
import { run } from './program.js';

// A reader that has seen enough (`splitnve show fdb | head`) is no error.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    process.exit(error.code === 'EPIPE' ? 0 : 1);
  });
}

const exitCode = await run(process.argv.slice(2), processIo);
// What was written goes out first; then nothing that a library left open keeps the process.
process.stdout.write('', () => process.exit(exitCode));
