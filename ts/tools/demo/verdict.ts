// The end of the checks, in plain words.

import type { Lab } from './lab.js';
import * as screen from './screen.js';

/** Prints it; true if every check held and nobody has died. */
export function verdict(lab: Lab, seconds: number): boolean {
  const { results, processes, options } = lab;
  const failures = results.filter(({ isHeld }) => !isHeld);
  screen.section('Verdict');
  for (const { name, how, log } of processes.deaths) {
    screen.text(`${name} has died: ${how}. The last lines of its log:`);
    screen.text(log.map((line) => `  ${line}`).join('\n') || '  (empty)');
  }
  if (failures.length > 0) screen.text('failed:');
  for (const { name, detail } of failures) screen.text(`  ${name}: ${detail}`);
  if (failures.length > 0 && options.keepLogs !== true) screen.text('more in the logs, with --keep-logs');
  const isGood = failures.length === 0 && processes.deaths.length === 0 && results.length > 0;
  const count = `${results.length} checks in ${seconds.toFixed(0)} s`;
  const words =
    failures.length > 0
      ? `${failures.length} of them failed`
      : isGood
        ? 'all of them held'
        : 'none failed, but a process has died';
  screen.text(isGood ? screen.green(`GOOD: ${count}, ${words}`) : screen.red(`RED: ${count}, ${words}`));
  return isGood;
}
